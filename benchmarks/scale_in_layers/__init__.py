"""Where scale lives in a network's layers: `python -m benchmarks.scale_in_layers photographs` and `… tissue`."""
