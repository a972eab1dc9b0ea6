"""`config`: what the keys of the configuration mean, and a file with all of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wsi_scale.cli.options import Json, one_line_errors
from wsi_scale.cli.talk import conclude, print_json

if TYPE_CHECKING:
    from wsi_scale.config.keys import ConfigKey

#: Key or section that no stage reads → the commands that do.
_READ_BY = {
    "slides.path": ("workflow", "plan", "batch"),
    "results": ("workflow", "batch"),
    "training": ("train", "prune layers"),
    "transfer": ("prune channels", "prune basis", "finetune"),
    "demo": ("workflow",),
}


def config(
    explain: Annotated[
        str | None, typer.Option(help="Explain a key, or all keys of a section.", metavar="KEY", show_default=False)
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option(
            help="Write a commented file with all keys at their defaults; a file that exists stays.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Explain the keys of the configuration, or write a commented file with all of them to edit."""
    if (explain is None) == (write is None):
        raise typer.BadParameter("give one of --explain KEY or --write FILE")
    if write is not None:
        _write(write)
        return conclude(f"wrote {write}; use it with --config {write}, or with workflow --configfile {write}")
    with one_line_errors():
        from wsi_scale.config.keys import explained

        keys = explained(explain or "")
    if as_json:
        return print_json({key.name: key.as_dict() | {"read_by": read_by(key.name)} for key in keys})
    return typer.echo("\n\n".join("\n".join(_lines(key)) for key in keys))


def read_by(name: str) -> list[str]:
    """List the commands that read a key; the report, which shows all keys, aside."""
    from wsi_scale.artifacts.stages import COHORT_STAGES, SLIDE_STAGES

    named = {name, name.partition(".")[0]}
    stages = {**SLIDE_STAGES, **COHORT_STAGES}.values()
    found = [stage.name for stage in stages if stage.name != "report" and named & set(stage.keys)]
    return found + [command for key, commands in _READ_BY.items() if key in named for command in commands]


def _write(file: Path) -> None:
    with one_line_errors():
        from wsi_scale.config.keys import commented_defaults
        from wsi_scale.errors import ConfigError

        try:
            with file.open("x", encoding="utf-8") as stream:
                stream.write(commented_defaults())
        except FileExistsError as error:
            raise ConfigError(f"{file} exists; choose another name, or remove it first") from error
        except OSError as error:
            raise ConfigError(f"cannot write {file}: {error.strerror}; choose another place") from error


def _lines(key: "ConfigKey") -> Iterator[str]:
    yield key.name
    yield f"  {key.meaning}"
    yield f"  type     {key.type}"
    if key.unit:
        yield f"  unit     {key.unit}"
    yield f"  default  {key.default_text}"
    yield f"  read by  {', '.join(read_by(key.name))}"
