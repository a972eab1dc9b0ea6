"""The manual says something of every command and name, and its checks find what is wrong."""

import re
import sys
from pathlib import Path

import pytest

import wsi_scale
from tests.docs.blocks import ROOT, blocks

sys.path.append(str(ROOT / "docs/site"))
from checks import faults
from commands import contexts, described

PAGES = sorted((ROOT / "docs/commands").glob("*.md"))
COMMANDS = {context.command_path: context for context in contexts()}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_a_heading_and_an_example(command: str) -> None:
    (page,) = [page for page in PAGES if f"\n## {command}\n" in page.read_text(encoding="utf-8")]
    shown = [shown.line for block in blocks(page) for shown in block.commands]
    assert any(line.startswith(command) for line in shown)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_manual_shows_every_option_of_a_command(command: str) -> None:
    told = "\n".join(described(COMMANDS[command]))
    given = [parameter for parameter in COMMANDS[command].command.params if not parameter.hidden]
    options = [name for parameter in given for name in parameter.opts]
    assert [name for name in options if name not in told] == []


def test_every_public_name_is_in_the_reference_of_the_interface() -> None:
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    named = set(re.findall(r"auto(?:function|class|exception):: (\w+)", page))
    assert named == set(wsi_scale.__all__) - {"__version__"}


def test_ten_tasks_each_lead_to_a_page() -> None:
    rows = re.findall(
        r"^\| (\d+) \|.*\]\(\S+\) \|$", (ROOT / "docs/tasks.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert rows == [str(number) for number in range(1, 11)]


def test_the_check_of_the_site_finds_dead_links_and_what_comes_from_other_hosts(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<h1 id="here"></h1><a href="#here"></a><a href="#gone"></a><a href="b.html#x"></a><a href="c.html"></a>'
        '<a href="https://elsewhere.org"></a><script src="https://cdn.org/x.js"></script><img src="gone.png">'
    )
    (tmp_path / "b.html").write_text('<p id="x"><a href="a.html#here"></a></p>')
    assert faults(tmp_path) == [
        "a.html: fetches https://cdn.org/x.js",
        "a.html: #gone leads nowhere",
        "a.html: c.html leads nowhere",
        "a.html: gone.png leads nowhere",
    ]
