"""Architectures, taps, cutting, weights, the network file and the embedded default.

Import from the modules: naming them here would load torch for everyone who looks for the package's data.
"""
