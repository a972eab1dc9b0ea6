"""The package's version, stated once; imports nothing, so that whatever needs it can."""

__version__ = "0.2.0"
