"""Types of configuration values, and the base of all sections."""

import os
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

#: Bytes of a file's name, and of its path, that systems allow.
_LONGEST_NAME, _LONGEST_PATH = 255, 4096


def _as_written(value: Any) -> Any:
    """Convert an integer or a date back to text that YAML (Snakemake's, which is parsed already) has converted."""
    if isinstance(value, bool | float):
        raise ValueError("YAML did not read this as text; write it in quotes, or a path with ./ before it")
    if type(value) in (int, date):
        return str(value)
    if isinstance(value, str) and not _can_name(value):
        raise ValueError(
            "Input should be a text of at least one character, without null bytes, and not longer than a file name"
        )
    return value


def _can_name(text: str) -> bool:
    """Whether a text can be the path of a file, as far as its characters go."""
    longest = max(len(os.fsencode(part)) for part in text.split("/"))
    return 0 < len(text) <= _LONGEST_PATH and longest <= _LONGEST_NAME and "\0" not in text


Text = Annotated[str, BeforeValidator(_as_written)]
File = Annotated[Path, BeforeValidator(_as_written)]
#: µm per pixel that a tile or a rung can have.
Mpp = Annotated[float, Field(ge=0.05, le=50)]
#: What every generator of random numbers takes.
Seed = Annotated[int, Field(ge=0, lt=2**32)]
#: Processes or threads on one machine.
Workers = Annotated[int, Field(ge=1, le=4096)]


class Section(BaseModel):
    """Base of all sections: frozen, unknown keys are errors, and so are NaN and infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)
