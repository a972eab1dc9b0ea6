"""What is learnt: networks trained, cut and tuned, heads and regressors fitted, intervals calibrated."""
