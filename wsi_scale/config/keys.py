"""Every key of the configuration, as the models describe it: meaning, type, unit and default."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import yaml

from wsi_scale.config.load import LIKE_ENOUGH
from wsi_scale.config.models import Config
from wsi_scale.config.values import Section
from wsi_scale.errors import ConfigError

#: Last part of a key's name → unit of its numbers; a name says its unit.
_UNITS = {
    "mpp": "µm per pixel",
    "mpps": "µm per pixel",
    "mpp_range": "µm per pixel",
    "px": "pixels",
    "mpx": "megapixels",
    "gb": "GB (10⁹ bytes)",
}
_WORDS = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false", "null": "null"}
_WIDTH = 100


@dataclass(frozen=True)
class ConfigKey:
    """A key of the configuration.

    Attributes
    ----------
    name
        ``section.key``, or ``key`` at the top level.
    meaning
        What it decides.
    type
        What may be given, in words.
    unit
        Of its numbers; "" where they have none.
    default
        As plain values; None is null.
    """

    name: str
    meaning: str
    type: str
    unit: str
    default: Any

    @property
    def section(self) -> str:
        """Its section; "" at the top level."""
        return self.name.rpartition(".")[0]

    @property
    def default_text(self) -> str:
        """Its default as one would write it in a file."""
        text = yaml.safe_dump(self.default, default_flow_style=True, allow_unicode=True, width=10**6)
        return text.removesuffix("...\n").strip()

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, without its name."""
        return {"meaning": self.meaning, "type": self.type, "unit": self.unit, "default": self.default}


def config_keys() -> list[ConfigKey]:
    """List all keys, in the order of the models."""
    schema, plain = Config.model_json_schema(), Config().model_dump(mode="json")
    keys = []
    for name, field in Config.model_fields.items():
        if isinstance(field.default, Section):
            within = schema["$defs"][type(field.default).__name__]["properties"]
            keys += [_key(f"{name}.{key}", part, plain[name][key]) for key, part in within.items()]
        else:
            keys.append(_key(name, schema["properties"][name], plain[name]))
    return keys


def explained(name: str) -> list[ConfigKey]:
    """Find a key, or all keys of a section.

    Raises
    ------
    ConfigError
        There is none of that name; the nearest one is named.
    """
    keys = config_keys()
    found = [key for key in keys if name in (key.name, key.section)]
    if not found:
        near = nearest_key(name)
        told = f"did you mean {near}?" if near else "`wsi-scale config --write FILE` lists all keys"
        raise ConfigError(f"unknown key {name}; {told}")
    return found


def nearest_key(name: str) -> str:
    """Name the key or section that an unknown name is probably meant to be; "" where none is alike.

    Section and key count alike: as one text, a long key would outweigh its section.

    Examples
    --------
    >>> nearest_key("tiles.size_px"), nearest_key("tilling"), nearest_key("tile_px")
    ('tiling.tile_px', 'tiling', 'tiling.tile_px')
    >>> nearest_key("zzz")
    ''
    """
    keys = config_keys()
    section, _, last = name.rpartition(".")

    def likeness(known: str) -> float:
        of, _, key = known.rpartition(".")
        return (_alike(last, key) + _alike(section, of)) / 2 if section else max(_alike(last, key), _alike(last, known))

    # The first of several that are as near: a section before its keys.
    known = [*dict.fromkeys(key.section for key in keys if key.section), *(key.name for key in keys)]
    best = max(known, key=likeness)
    return best if likeness(best) >= LIKE_ENOUGH else ""


def _alike(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other).ratio()


def commented_defaults() -> str:
    """Write a configuration file with every key at its default, each below its meaning."""
    lines = [
        "# Configuration of wsi_scale: every key, at its default. Keep the keys that you change; the others may go."
    ]
    sections = {name: field.default for name, field in Config.model_fields.items()}
    last = ""
    for key in sorted(config_keys(), key=lambda key: key.section != ""):  # what has no section comes first
        if key.section != last:
            lines += ["", f"# {type(sections[key.section]).__doc__}", f"{key.section}:"]
            last = key.section
        elif not key.section:
            lines.append("")
        lines += textwrap.indent("\n".join(_lines(key)), "  " if key.section else "").splitlines()
    return "\n".join(lines) + "\n"


def _lines(key: ConfigKey) -> Iterator[str]:
    unit = f"; {key.unit}" if key.unit else ""
    for text in (key.meaning, f"({key.type}{unit})"):
        yield from textwrap.wrap(text, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_long_words=False)
    yield f"{key.name.rpartition('.')[2]}: {key.default_text}"


def _key(name: str, part: dict[str, Any], default: Any) -> ConfigKey:
    return ConfigKey(name, " ".join(part["description"].split()), _type(part), _unit(name, part), default)


def _type(part: dict[str, Any]) -> str:
    """Say in words what a part of the JSON schema allows."""
    if "anyOf" in part:
        return " or ".join(_type(option) for option in part["anyOf"])
    if "enum" in part:
        return "one of " + ", ".join(part["enum"])
    if "prefixItems" in part:
        return "list of 2: " + " and ".join(_type(item) for item in part["prefixItems"])
    if part["type"] == "array":
        return f"list of: {_type(part['items'])}"
    if part.get("format") == "path":
        return "path"
    return _WORDS[part["type"]] + _bounds(part)


def _bounds(part: dict[str, Any]) -> str:
    words = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    given = {bound: word for bound, word in words.items() if bound in part}
    if "minimum" in given:  # says more than that it is above 0
        given.pop("exclusiveMinimum", None)
    return "".join(f" {word} {part[bound]:.10g}" for bound, word in given.items())


def _unit(name: str, part: dict[str, Any]) -> str:
    parts = (part, *part.get("anyOf", ()), part.get("items", {}), *part.get("prefixItems", ()))
    if not {"integer", "number"} & {option.get("type") for option in parts}:
        return ""
    endings = [ending for ending in _UNITS if name.replace(".", "_").endswith(f"_{ending}")]
    return _UNITS[endings[0]] if endings else ""
