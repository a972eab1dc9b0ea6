"""Results in memory: tiles, scale map, features, µm per pixel and its audit."""
