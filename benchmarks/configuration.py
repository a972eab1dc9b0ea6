"""Write tables and a schema of the configuration's keys from its own models: `make configuration`."""

import json
from pathlib import Path
from typing import Any

import yaml
from pydantic.fields import FieldInfo

from wsi_scale.config.models import Config
from wsi_scale.config.values import Section

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/configuration.md"
#: Where Snakemake's workflow catalogue looks for the keys.
SCHEMA = ROOT / "config/schemas/config.schema.yaml"
#: What stands above it is written by hand.
FIRST_HEADING = "## Top level\n"


def renewed(page: str) -> str:
    """Return the page's own words, followed by one table for each section of the configuration."""
    words, heading, _ = page.partition(FIRST_HEADING)
    if not heading:
        raise SystemExit(f"{PAGE} has no line {FIRST_HEADING.strip()!r}")
    return words + "\n".join(_tables()).rstrip("\n") + "\n"


def _tables() -> list[str]:
    sections = {
        name: field.default for name, field in Config.model_fields.items() if isinstance(field.default, Section)
    }
    own = {name: field for name, field in Config.model_fields.items() if name not in sections}
    lines = [FIRST_HEADING, *_table(own)]
    for name, section in sections.items():
        about = type(section)
        lines += [f"## {name}\n", f"{about.__doc__}\n", *_table(about.model_fields)]
    return lines


def _table(fields: dict[str, FieldInfo]) -> list[str]:
    rows = [
        f"| `{name}` | {_shown(field)} | {' '.join((field.description or '').split())} |"
        for name, field in fields.items()
    ]
    return ["| key | default | meaning |", "|---|---|---|", *rows, ""]


def _shown(field: FieldInfo) -> str:
    """Return a default as one would write it in a file; a dash where there is none."""
    value: Any = field.default
    if value is None:
        return "–"
    return f"`{json.dumps(value, ensure_ascii=False) if isinstance(value, bool | tuple) else value}`"


def schema() -> str:
    """Return the schema of the configuration in YAML, with every section written out in its place."""
    whole = Config.model_json_schema()
    plain = _plain(whole, whole.pop("$defs"))
    plain["properties"]["slides"]["type"] = ["object", "string"]  # a path stands for the section
    head = "# Made by `make configuration`. The keys, for editors and for Snakemake's workflow catalogue.\n"
    named = {"$schema": "https://json-schema.org/draft/2020-12/schema", "description": "Configuration of wsi_scale."}
    return head + yaml.safe_dump(plain | named, sort_keys=True, allow_unicode=True, width=120)


def _plain(node: Any, sections: dict[str, Any]) -> Any:
    """Copy a part of the schema, with what it refers to in place of references, and without titles."""
    if isinstance(node, list):
        return [_plain(item, sections) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        node = sections[node["$ref"].rpartition("/")[2]]
    kept = {key: value for key, value in node.items() if key != "title" or not isinstance(value, str)}
    options = kept.get("anyOf")
    if options and options[1:] == [{"type": "null"}]:
        del kept["anyOf"]
        kept = options[0] | kept | {"type": [options[0]["type"], "null"]}
    if "description" in kept and isinstance(kept["description"], str):
        kept["description"] = " ".join(kept["description"].split())
    return {key: _plain(value, sections) for key, value in kept.items()}


if __name__ == "__main__":
    SCHEMA.write_text(schema(), encoding="utf-8")
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
