"""Validation errors of pydantic as one-line texts."""

import reprlib
from typing import Any

from pydantic import ValidationError

from wsi_scale.errors import comma_hint

#: More faults than these tell a reader nothing new.
_MOST = 8


def faults_of(error: ValidationError) -> str:
    """Describe every fault: its key, what is expected, and what was given.

    >>> from pydantic import TypeAdapter
    >>> try:
    ...     TypeAdapter(dict[str, float]).validate_json('{"mpp": "wide"}', strict=True)
    ... except ValidationError as error:
    ...     faults_of(error)
    "mpp: Input should be a valid number (got 'wide')"
    """
    found = error.errors(include_url=False)
    more = f"; and {len(found) - _MOST} more" if len(found) > _MOST else ""
    return "; ".join(describe(fault) for fault in found[:_MOST]) + more


def describe(fault: Any) -> str:
    """Describe one fault of a ValidationError."""
    name = ".".join(str(part) for part in fault["loc"])
    message = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] in ("missing", "json_invalid"):
        return f"{name}: it is missing" if name else message
    # What was given may be a whole document, or refer to itself.
    hint = comma_hint(str(fault["input"])) if fault["type"] in ("float_parsing", "int_parsing") else ""
    return f"{name}: {message} (got {reprlib.repr(fault['input'])}){hint}" if name else f"{message}{hint}"
