"""Write the tables of docs/configuration.md from the configuration's own models: `make configuration`."""

import json
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from wsi_scale.config.models import Config
from wsi_scale.config.values import Section

PAGE = Path(__file__).parents[1] / "docs/configuration.md"
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


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
