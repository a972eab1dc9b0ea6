"""Figures and HTML pages of results, knowing nothing of how these were computed."""
