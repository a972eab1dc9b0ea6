"""Artefacts on disk, one module for each: its name, schema, writer and reader."""
