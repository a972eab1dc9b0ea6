"""Commands on terminals of any encoding, closed by their reader, or on a full disk."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

#: What a terminal may be: the environment of a command.
TERMINALS = {
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "latin-1 strict": {"PYTHONIOENCODING": "latin-1:strict"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "no language": {"LC_ALL": "", "LANG": ""},
    "utf-8": {"PYTHONIOENCODING": "utf-8"},
}


def run(*arguments: object, terminal: str = "utf-8", **options: object) -> subprocess.CompletedProcess[bytes]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-m", "wsi_scale", *(os.fsencode(str(argument)) for argument in arguments)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.run(command, env=environment | TERMINALS[terminal], check=False, timeout=120, **streams)  # type: ignore[call-overload,no-any-return]


@pytest.fixture
def odd_slide(small_slide: Path, tmp_path: Path) -> Path:
    """A slide whose name holds µ, a character beyond latin-1, and a byte that is no text."""
    return Path(shutil.copy(small_slide, tmp_path / "µ≥ \udce4.tiff"))


@pytest.mark.parametrize("terminal", TERMINALS)
def test_a_name_that_the_terminal_cannot_show_is_shown_escaped(odd_slide: Path, terminal: str) -> None:
    done = run("inspect", odd_slide, "--json", "--slide-id", "µ≥", terminal=terminal)

    assert (done.returncode, done.stderr) == (0, b"")
    told = json.loads(done.stdout.decode("latin-1" if "latin" in terminal else "utf-8"))
    assert told["width"] == 1300
    if terminal not in ("ascii", "C"):  # there typer puts question marks, and arguments are bytes
        assert (told["slide_id"], told["path"]) == ("µ≥", str(odd_slide))


@pytest.mark.parametrize("terminal", ["latin-1", "C"])
def test_help_and_errors_are_shown(tmp_path: Path, terminal: str) -> None:
    shown = run("predict", "--help", terminal=terminal)
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert b"per pixel from the slide's pixels" in shown.stdout

    failed = run("inspect", tmp_path / "≥ \udce4.svs", terminal=terminal)
    assert failed.returncode == 1
    assert failed.stderr.startswith(b"error: there is no slide")
    assert failed.stderr.count(b"\n") == 1


def test_a_stage_that_has_done_its_work_on_an_odd_name_says_so(odd_slide: Path, tmp_path: Path) -> None:
    done = run("inspect", odd_slide, "-o", tmp_path / "out", "--slide-id", "≥", terminal="ascii")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"inspect: ok\n", b"")
    # The file is plain UTF-8, whatever the name is.
    assert json.loads((tmp_path / "out" / "slide.json").read_bytes())["path"] == str(odd_slide).replace(
        "\udce4", "\\udce4"
    )


@pytest.mark.parametrize("command", ["--help", "inspect"])
def test_a_reader_that_has_had_enough_is_no_fault(small_slide: Path, command: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = run(command, *([small_slide] if command == "inspect" else []), stdout=closed)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("command", ["--version", "inspect"])
def test_an_output_that_is_full_is_one_line(small_slide: Path, command: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run(command, *([small_slide] if command == "inspect" else []), stdout=full)
    assert done.returncode == 1
    assert done.stderr == b"error: cannot write to standard output: No space left on device\n"


def test_a_closed_output_is_no_fault(small_slide: Path) -> None:
    done = run("inspect", small_slide, preexec_fn=lambda: os.close(1), stdout=None)
    assert (done.returncode, done.stderr) == (0, b"")
