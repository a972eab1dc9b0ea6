"""``python -m wsi_scale``."""

from wsi_scale.cli.main import app

app()
