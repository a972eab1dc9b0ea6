"""The public Python interface; `import wsi_scale` offers all of it."""
