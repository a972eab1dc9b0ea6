"""At which scale should a network look at this tissue, and how large is a pixel really."""

__version__ = "0.1.0"
