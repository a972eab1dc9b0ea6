"""Device and dtype, blocks on Dask, progress, locks."""
