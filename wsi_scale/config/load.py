"""Reading the configuration from a file and the command line."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ValidationError

from wsi_scale.config.faults import describe
from wsi_scale.config.models import Config
from wsi_scale.config.text import read_yaml
from wsi_scale.errors import ConfigError

#: How alike names must be, from 0 to 1, for one to be meant by the other.
LIKE_ENOUGH = 0.4
#: Key that earlier versions read → its name now.
RENAMED = {
    "training.lessons": "training.teacher_responses",
    "transfer.left": "transfer.keep_fraction",
}


def load_config(
    file: Path | None = None, assignments: Sequence[str] = (), given: Mapping[str, object] = MappingProxyType({})
) -> Config:
    """Read a configuration file and apply ``key=value`` assignments, then values as they are.

    Parameters
    ----------
    file
        YAML; every key is optional.
    assignments
        ``section.key=value``, the value in YAML; a whole section may be given as ``section={key: value}``.
    given
        ``section.key`` → a value that is no YAML, such as a path, in which `` #`` or ``: `` are plain text; None is
        left out.

    Raises
    ------
    ConfigError
        With every fault on one line; a renamed key names the new one, an unknown key the nearest known one.
    """
    values = _read_file(file) if file else {}
    for assignment in assignments:
        _assign(values, assignment)
    for name, value in given.items():
        if value is not None:
            # A path as text, so that it is checked as text is.
            _put(values, name, str(value) if isinstance(value, Path) else value)
    return parse_config(values, str(file) if file else "configuration")


def parse_config(values: Mapping[str, Any], source: str = "configuration") -> Config:
    """Check plain values (as Snakemake passes them) and make them immutable."""
    try:
        return Config.model_validate(dict(values))
    except ValidationError as error:
        faults = "; ".join(_fault(fault) for fault in error.errors(include_url=False))
        raise ConfigError(f"{source}: {faults}") from error


def dump_section(section: BaseModel) -> dict[str, Any]:
    """Turn a section into plain values that :func:`parse_config` reads back."""
    return section.model_dump(mode="json")


def _read_file(file: Path) -> dict[str, Any]:
    try:
        content = read_yaml(file.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot read configuration {file}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{file} is not YAML: {error}") from error
    if content is not None and not isinstance(content, dict):
        raise ConfigError(f"{file} must hold keys and values, not {type(content).__name__}")
    return content or {}


def _assign(values: dict[str, Any], assignment: str) -> None:
    name, equals, text = assignment.partition("=")
    if not equals or not name.strip():
        raise ConfigError(f"--set {assignment!r}: write section.key=value")
    try:
        value = read_yaml(text)
    except ValueError as error:
        raise ConfigError(f"--set {assignment!r}: the value is not YAML ({error})") from error
    _put(values, name.strip(), value)


def _put(values: dict[str, Any], name: str, value: object) -> None:
    *sections, key = name.split(".")
    place = values
    for section in sections:
        inner = place.get(section)
        if section == "slides" and isinstance(inner, str):
            inner = {"path": inner}
        place[section] = dict(inner) if isinstance(inner, Mapping) else {}
        place = place[section]
    place[key] = value


def _fault(fault: Any) -> str:
    where = [str(part) for part in fault["loc"]]
    if fault["type"] != "extra_forbidden":
        return describe(fault)
    if new := RENAMED.get(".".join(where)):
        return f"unknown key {'.'.join(where)}: it is now called {new}"
    return f"unknown key {'.'.join(where)}{nearest(where[-1], _known_keys(where[:-1]), where[:-1])}"


def nearest(name: str, known: Sequence[str], within: Sequence[str] = ()) -> str:
    """Say which known key an unknown one is probably meant to be, as the end of a line.

    Parameters
    ----------
    known
        Names that it could have.
    within
        The sections in which they stand.
    """
    near = difflib.get_close_matches(name, known, n=1, cutoff=LIKE_ENOUGH)
    return f"; did you mean {'.'.join([*within, near[0]])}?" if near else f"; known: {', '.join(known)}"


def _known_keys(sections: Sequence[str]) -> list[str]:
    model: type[BaseModel] = Config
    for section in sections:
        annotation = model.model_fields[section].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
