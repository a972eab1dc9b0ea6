"""Every command on README's and docs' pages is one that there is, and is run, or it is said what it needs."""

import os
import re
import shutil
from pathlib import Path

import pytest
import typer
import yaml

from tests.docs.blocks import PAGES, ROOT, Block, alike, blocks, why_not_run
from tests.docs.place import make_place, run
from tests.runs import own_cache, shared
from wsi_scale.cli.main import app
from wsi_scale.config.load import load_config, parse_config

__all__ = ["own_cache", "shared"]

BLOCKS = [block for page in PAGES for block in blocks(page)]
#: Pages of which a command is run.
RUN = sorted({block.page for block in BLOCKS if not all(why_not_run(block, command) for command in block.commands)})
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, own_cache: Path) -> Path:
    """A folder with the slides and results that the pages name."""
    assert os.environ["XDG_CACHE_HOME"] == str(own_cache)
    return make_place(tmp_path_factory.mktemp("prepared") / "place")


@pytest.fixture
def place(prepared: Path, tmp_path: Path) -> Path:
    """The folder in which the commands of a page are run, one after the other."""
    return Path(shutil.copytree(prepared, tmp_path / "place"))


def parse(words: list[str]) -> None:
    """Parse a command of wsi-scale as the program does; check its settings."""
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name=words[0])
    rest = [word for number, word in enumerate(words) if number and not (number == 1 and word.startswith("-"))]
    if not rest:
        assert words[1:] in (["--version"], ["--help"], ["--install-completion"]), words
        return
    while hasattr(command, "commands"):
        assert set(rest[:1]) & set(command.commands), f"there is no command {' '.join(words)}"
        command = command.commands[rest.pop(0)]
    if "--help" in rest:
        return
    parsed = command.make_context(command.name, rest, parent=context)
    load_config(None, parsed.params.get("assignments") or ())


def check_keys(words: list[str]) -> None:
    """Check the keys that a command hands to the workflow."""
    after = words[words.index("--config") + 1 :]
    given = [word.partition("=") for word in after if re.match(r"\w+=", word)]
    values = {name: yaml.safe_load(value) for name, _, value in given}
    parse_config(
        {key: {"path": value} if key == "slides" and isinstance(value, str) else value for key, value in values.items()}
    )


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_commands_are_ones_that_there_are(block: Block) -> None:
    for command in block.commands:
        words = command.words
        if words[:1] == ["wsi-scale"] and words[1:2] != ["workflow"]:
            parse(words)
        if (
            words[:1] in (["snakemake"], ["wsi-scale"])
            and "--config" in words
            and words[1:2] in (["workflow"], ["--cores"])
        ):
            check_keys(words)
        if words[:1] == ["make"]:
            assert set(words[1:]) <= TARGETS, command.line


def test_whatever_is_not_run_says_why() -> None:
    silent = [
        f"{block}: {command.line}"
        for block in BLOCKS
        for command in block.commands
        if command.words[:1] != ["wsi-scale"] and not why_not_run(block, command)
    ]
    assert silent == []


@pytest.mark.parametrize("page", RUN)
def test_commands_do_what_the_page_says(page: str, place: Path) -> None:
    shown = [(block, command) for block in BLOCKS if block.page == page for command in block.commands]
    for block, command in shown:
        if why_not_run(block, command):
            continue
        status, printed = run(command, place)
        assert status == block.status, f"{block}: {command.line}: {printed}"
        told = iter(alike(printed))
        missing = [line for line in alike("\n".join(command.printed)) if line != "…" and line not in told]
        assert missing == [], f"{block}: {command.line} prints\n{printed}"
