"""How well µm per pixel can be read from pixels: `python -m benchmarks.magnification`."""
