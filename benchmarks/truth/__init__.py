"""Tests of truth for any estimator of the optimal mpp: planted nuclei, real tissue, measured nuclei."""
