"""Exit codes: those of the page are those of the program."""

import re
from pathlib import Path

from tests.runs import wsi_scale
from wsi_scale.cli.exit_codes import ExitCode

ROOT = Path(__file__).parents[2]


def test_the_page_has_every_code_with_its_meaning() -> None:
    page = (ROOT / "docs/command-line.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", page, re.MULTILINE)
    assert rows == [(str(int(code)), code.meaning) for code in ExitCode]


def test_no_command_writes_a_number_instead() -> None:
    files = (ROOT / "wsi_scale/cli").glob("*.py")
    assert [file.name for file in files if re.search(r"Exit\(\d", file.read_text(encoding="utf-8"))] == []


def test_a_wrong_command_line_is_told_from_a_failure() -> None:
    assert wsi_scale("inspect").exit_code == ExitCode.USAGE
    assert wsi_scale("inspect", "none.svs").exit_code == ExitCode.FAILED
