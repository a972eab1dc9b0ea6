"""Sphinx extension: below each heading ``## wsi-scale NAME`` of docs/commands, what the program itself says of NAME."""

from collections.abc import Iterator
from typing import Any

import typer
from rich.text import Text
from sphinx.application import Sphinx
from sphinx.util import logging

from wsi_scale.cli.main import app as program

log = logging.getLogger(__name__)

#: Pages whose headings name commands.
PAGES = "docs/commands/"
HEADING = "## wsi-scale"


def contexts(command: Any = None, above: typer.Context | None = None) -> Iterator[typer.Context]:
    """Yield the context of each command that is not hidden and does something itself."""
    command = typer.main.get_command(program) if command is None else command
    context = typer.Context(command, info_name="wsi-scale" if above is None else command.name, parent=above)
    if not hasattr(command, "commands"):
        yield context
    for below in getattr(command, "commands", {}).values():
        if not below.hidden:
            yield from contexts(below, context)


def described(context: typer.Context) -> list[str]:
    """Describe a command in Markdown: purpose, usage, a table of arguments and options, and its own examples."""
    command = context.command
    rows = [record for parameter in command.get_params(context) if (record := parameter.get_help_record(context))]
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    table = [f"| `{_cell(names)}` | {_escaped(_cell(meaning))} |" for names, meaning in rows]
    examples = [
        line for line in Text.from_markup(command.epilog or "").plain.splitlines() if line.startswith("wsi-scale")
    ]
    return [
        *(_escaped(command.help or ""), "", *_block([usage])),
        *("| option | meaning |", "|---|---|", *table, ""),
        *(_block(examples) if examples else ()),
    ]


def _block(lines: list[str]) -> list[str]:
    return ["```text", *lines, "```", ""]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _escaped(text: str) -> str:
    """Let words such as <id> and snake_case stand as they are."""
    return text.replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


def add_help(_: Sphinx, docname: str, source: list[str]) -> None:
    """Put a command's description below its heading."""
    if not docname.startswith(PAGES):
        return
    known = {context.command_path: context for context in contexts()}
    lines: list[str] = []
    for line in source[0].splitlines():
        lines.append(line)
        if line.startswith(HEADING):
            name = line.removeprefix("## ").strip()
            if name in known:
                lines += ["", *described(known[name])]
            else:
                log.warning("there is no command %r", name, location=docname)
    source[0] = "\n".join(lines) + "\n"


def setup(app: Sphinx) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("source-read", add_help)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
