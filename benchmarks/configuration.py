"""Writes docs/configuration.md from the configuration's own models, so that the two cannot disagree."""

from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from wsi_scale.config.models import Config

TARGET = Path("docs/configuration.md")


def page() -> str:
    """Describe every key with its default, one table a section."""
    lines = [
        "# Configuration",
        "",
        "Every key is optional; unknown keys are errors that name the nearest known one. In a file (`--config FILE`,",
        "`snakemake --configfile FILE`) or one by one: `wsi-scale … --set tiling.mpp=1.0`, `snakemake --config",
        "network=vgg19 'tiling={mpp: 1.0}'`.",
        "",
        "Texts are taken as they are written: `slides=2024` and `slides.path: 2024-01-01` are folders, `network: no`",
        "is a file, and only plain `null`, `~` or nothing is null. Snakemake, which reads YAML in its own way, loses",
        "leading zeros and makes numbers of `1e5` and, in files, truth values of `yes` before the program sees them:",
        "write `slides=./007` there. Numbers must be finite, and µm per pixel of tiles and rungs lie within 0.05–50. A",
        "key that stands twice is an error; a section whose keys are all commented out is the default.",
        "",
    ]
    own = {name: field for name, field in Config.model_fields.items() if not _is_section(field.annotation)}
    lines += ["## Top level", "", *_table(own), ""]
    for name, field in Config.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            lines += [f"## {name}", "", (section.__doc__ or "").strip(), "", *_table(section.model_fields), ""]
    return "\n".join(lines).rstrip() + "\n"


def _is_section(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _table(fields: dict[str, FieldInfo]) -> list[str]:
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for name, field in fields.items():
        default = field.get_default(call_default_factory=True)
        shown = "" if default is None else list(default) if isinstance(default, tuple) else default
        quoted = "–" if shown == "" else f"`{shown}`"
        rows.append(f"| `{name}` | {quoted} | {' '.join((field.description or '').split())} |")
    return rows


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
