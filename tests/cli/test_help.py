"""Looking at the commands is free: no torch, no waiting."""

import resource
import subprocess
import sys
from pathlib import Path

from tests.runs import in_child

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


def test_help_and_inspect_take_less_than_a_second(small_slide: Path) -> None:
    for command in (("--help",), ("inspect", small_slide)):
        took = []
        for _ in range(3):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            assert in_child(*command).returncode == 0
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

        # Of processor time, which other processes hardly change; one core does all of it.
        assert min(took) < 1, command


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
