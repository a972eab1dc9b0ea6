"""At which scale should a network look at this tissue, and how large is a pixel really."""

from wsi_scale.version import __version__

__all__ = ["__version__"]
