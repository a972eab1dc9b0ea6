"""Looking at the commands is free: no torch, no waiting."""

import functools
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from tests.runs import in_child, processor_s
from wsi_scale.cli.examples import EXAMPLES
from wsi_scale.cli.main import app
from wsi_scale.config.load import load_config
from wsi_scale.config.settings import value_of

HEAVY = (
    "torch", "torchvision", "zarr", "pyarrow", "pandas", "skimage", "scipy", "sklearn", "matplotlib", "dask", "numpy",
)  # fmt: skip

EVERY_HELP = """
import sys
from typer.main import get_command
from typer.testing import CliRunner
from wsi_scale.cli.main import app

def paths(command, path=()):
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from paths(inner, (*path, name))

for path in paths(get_command(app)):
    result = CliRunner().invoke(app, [*path, "--help"])
    assert result.exit_code == 0, (path, result.output)
    assert "Usage" in result.output, path
    print("help", *path)
print("loaded", *(set(HEAVY) & set(sys.modules)))
"""

LIGHT_COMMANDS = """
import sys
from pathlib import Path
from typer.testing import CliRunner
from wsi_scale.cli.main import app

folder, slide = Path(sys.argv[1]), sys.argv[2]
text = folder / "text.svs"
text.write_text("nothing " * 9)
out = folder / "out"
commands = [["inspect", slide], ["sheet", str(folder), "-o", str(folder / "sheet.tsv")]]
for stage in ("inspect", "predict", "tile", "search", "extract"):
    commands.append([stage, str(text), "-o", str(out), "--record-only"])
commands.append(["report", str(folder), "--record-only"])
for command in commands:
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, (command, result.output)
print("loaded", *({"torch", "torchvision"} & set(sys.modules)))
"""

LOADED = f"""
import sys
from wsi_scale.cli.main import app
try:
    app(sys.argv[1:])
finally:
    print("loaded", *sorted(set({HEAVY!r}) & set(sys.modules)))
"""


#: Option or argument → the key whose default its help shows.
MIRRORED = {
    ("run", "network"): "network",
    ("run", "device"): "execution.device",
    ("prune channels", "keep_fraction"): "transfer.keep_fraction",
    ("demo", "seed"): "demo.seed",
}


@functools.cache
def program() -> Any:
    return get_command(app)


def commands(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Yield every command that the help lists, by its name, and the program itself."""
    command = command or program()
    if not command.hidden:
        yield " ".join(path), command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*path, name))


def parsed(arguments: list[str]) -> tuple[str, dict[str, Any]]:
    """Parse a command line without running it: the command's name and its parameters."""
    command: Any = program()
    context, path = command.make_context("wsi-scale", arguments), []
    while rest := [*context._protected_args, *context.args] if hasattr(command, "commands") else []:
        name, command, left = command.resolve_command(context, rest)
        path.append(name)
        context = command.make_context(name, left, parent=context)
    return " ".join(path), context.params


def python(code: str, *arguments: object) -> list[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_every_command_has_help_and_none_loads_anything_heavy_for_it() -> None:
    *helps, loaded = python(f"HEAVY = {HEAVY!r}\n{EVERY_HELP}")

    named = {line.removeprefix("help").strip() for line in helps}
    assert named >= {
        *("", "run", "inspect", "predict", "tile", "search", "extract", "export", "sheet", "fit", "report"),
        *("magnification", "magnification predict", "magnification audit"),
        *("calibrate", "train", "weights", "weights list", "weights import", "weights verify", "demo", "doctor"),
    }  # fmt: skip
    assert loaded == "loaded"


def test_every_help_ends_with_examples(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for name, _ in commands():
        program()([*name.split(), "--help"], standalone_mode=False)
        said = capsys.readouterr().out
        lines = [line.strip() for line in said.rstrip().splitlines()]
        assert lines[-len(EXAMPLES[name]) :] == list(EXAMPLES[name]), name
    assert EXAMPLES.keys() == dict(commands()).keys()


def test_examples_are_command_lines_of_their_command() -> None:
    for name, example in ((name, example) for name, examples in EXAMPLES.items() for example in examples):
        called, *arguments = shlex.split(example)
        assert called == "wsi-scale"
        assert parsed(arguments)[0].startswith(name), example


def test_a_default_that_a_help_takes_from_the_configuration_is_that_of_the_configuration() -> None:
    known = dict(commands())
    for (name, option), key in MIRRORED.items():
        (found,) = [parameter for parameter in known[name].params if parameter.name == option]
        shown = found.default if found.default is not None else found.show_default
        assert str(shown) == str(value_of(load_config(), key)), key


def test_the_shell_completes_commands() -> None:
    asked = {"_WSI_SCALE_COMPLETE": "complete_bash", "COMP_WORDS": "wsi-scale magn", "COMP_CWORD": "1"}
    done = subprocess.run(
        [Path(sys.executable).with_name("wsi-scale")],
        env=os.environ | asked,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == ["magnification"]


@pytest.mark.parametrize(("command", "most"), [("--help", 1.5), ("inspect", 3.5)])
def test_help_and_inspect_are_quick(small_slide: Path, command: str, most: float) -> None:
    arguments = (command, small_slide) if command == "inspect" else (command,)

    measure = min(processor_s("-c", "import zarr")[0] for _ in range(3))
    spent = min(processor_s("-m", "wsi_scale", *arguments)[0] for _ in range(3))

    # Against another program's time at the same moment, so that neither the machine nor its load decides.
    assert spent < most * measure


def test_inspecting_a_slide_loads_what_reads_it_and_tiling_one_no_torch(small_slide: Path, tmp_path: Path) -> None:
    common = ("run", small_slide, "-o", tmp_path / "out", "--record-only", "--stages")

    inspected = python(LOADED, *common, "inspect")
    tiled = python(LOADED, *common, "tile")

    assert inspected == ["inspect: ok", "loaded numpy"]
    assert tiled[0] == "tile: ok"
    assert not {"torch", "torchvision", "matplotlib", "dask", "sklearn"} & set(tiled[1].split())


def test_commands_that_need_no_network_load_none(small_slide: Path, tmp_path: Path) -> None:
    # A slide that has failed is passed on by the stages that would need one.
    assert python(LIGHT_COMMANDS, tmp_path, small_slide)[-1] == "loaded"


def test_the_version_is_told() -> None:
    from wsi_scale import __version__

    assert in_child("--version").stdout == f"wsi-scale {__version__}\n"
