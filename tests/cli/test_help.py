"""Looking at the commands is free: no torch, no waiting."""

import subprocess
import sys
import time
from pathlib import Path

from tests.runs import in_child

HEAVY = ("torch", "torchvision", "zarr", "pyarrow", "skimage", "scipy", "matplotlib", "dask", "numpy")

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
commands = [["inspect", slide], ["sheet", str(folder), "-o", str(folder / "slides.tsv")]]
for stage in ("inspect", "predict", "tile", "search", "extract"):
    commands.append([stage, str(text), "-o", str(out), "--record-only"])
commands.append(["report", str(folder), "--record-only"])
for command in commands:
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, (command, result.output)
print("loaded", *({"torch", "torchvision"} & set(sys.modules)))
"""


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


def test_help_answers_within_two_seconds() -> None:
    took = []
    for _ in range(3):
        start = time.monotonic()
        assert in_child("--help").returncode == 0
        took.append(time.monotonic() - start)

    assert min(took) < 2


def test_commands_that_need_no_network_load_none(small_slide: Path, tmp_path: Path) -> None:
    # A slide that has failed is passed on by the stages that would need one.
    assert python(LIGHT_COMMANDS, tmp_path, small_slide)[-1] == "loaded"


def test_the_version_is_told() -> None:
    from wsi_scale import __version__

    assert in_child("--version").stdout == f"wsi-scale {__version__}\n"
