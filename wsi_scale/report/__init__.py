"""Figures and HTML pages of results, independent of how these were computed."""
