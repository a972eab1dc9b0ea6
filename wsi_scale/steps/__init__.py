"""Computations on one opened slide, in memory: no results are read or written."""
