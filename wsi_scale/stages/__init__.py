"""Stages, one module for each: read artefacts, compute, write artefacts."""
