"""Strict validation of values read from files."""

from pydantic import ConfigDict

#: ``__pydantic_config__`` of dataclasses that are documents: every number finite, no key unknown.
STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
