"""A folder in which the commands of the pages find what they name."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.docs.blocks import ROOT, Command
from tests.runs import MPP, draw
from wsi_scale.cli.main import app
from wsi_scale.synthesis import write_pyramid

#: The left half of the slides, as QuPath writes it.
REGION = {
    "type": "Feature",
    "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [225, 0], [225, 450], [0, 450], [0, 0]]]},
    "properties": {"objectType": "annotation", "name": "tumour"},
}
#: Radii of the nuclei in the left and the right half of the slides, µm.
RADII_UM = (2.9, 3.5)


def _slide(path: Path, seed: int, header_mpp: float = MPP) -> Path:
    halves = [draw(radius, 450, 225, seed) for radius in RADII_UM]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_pyramid(path, np.concatenate(halves, axis=1), MPP, header_mpp=header_mpp)
    return path


def _labelled(place: Path) -> None:
    """Draw the images that the pages train on, a folder for each class."""
    for label, radius in zip(("small", "large"), (2.0, 4.5), strict=True):
        (place / "patches" / label).mkdir(parents=True)
        for number in range(12):
            Image.fromarray(draw(radius, 64, 64, seed=number)).save(place / "patches" / label / f"{number}.png")


def make_place(place: Path) -> Path:
    """Draw small slides under the names that the pages use, and take two studies through the stages."""
    study, archive = place / "data/study", place / "data/archive"
    for seed, name in enumerate(("a.svs", "slide_id.tiff"), 1):
        _slide(study / name, seed)
    _slide(archive / "wrong-mpp.tiff", 5, header_mpp=MPP / 2)
    cut = _slide(archive / "cut.tiff", 6)
    cut.write_bytes(cut.read_bytes()[:2000])
    for name in ("slide.svs", "results/demo-slides/demo-1_doubling.tiff", "data/folder/b.svs"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(study / "a.svs", place / name)
    for name in ("slide.tif", "image.png"):  # neither says how large its pixels are
        Image.fromarray(draw(RADII_UM[0], 500, 500)).save(place / name)
    _labelled(place)
    (place / "slide.geojson").write_text(json.dumps(REGION), encoding="utf-8")
    for slides, results in ((study, "results"), (archive, "archive-results")):
        for slide in sorted(slides.iterdir()):
            run(Command(f"wsi-scale run {slide} --results {results} --slides {slides}"), place)
    run(Command("wsi-scale report results"), place)
    return place


def typed(command: Command, place: Path) -> str:
    """Return a command's line with the absolute paths of the pages below the folder."""
    return re.sub(r"(?<![\w/.])/data\b", str(place / "data"), command.line)


def run(command: Command, place: Path) -> tuple[int, str]:
    """Run a command in the folder; return its status and all that it prints, with the pages' paths."""
    line = typed(command, place)
    if any(sign in line for sign in "|>*$"):
        program = f'wsi-scale() {{ "{sys.executable}" -m wsi_scale "$@"; }}; set -o pipefail; {line}'
        done = subprocess.run(["bash", "-c", program], cwd=place, capture_output=True, text=True, check=False)
        return done.returncode, _as_on_pages(done.stderr + done.stdout, place)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("COLUMNS", "120")
        patch.setenv("WSI_SCALE_WEIGHTS", str(place / "data/weights"))
        result = CliRunner().invoke(app, shlex.split(line)[1:], catch_exceptions=False)
    return result.exit_code, _as_on_pages(result.output, place)


def _as_on_pages(printed: str, place: Path) -> str:
    named = {f"{place}/data": "/data", f"{place}/": "", f"{ROOT}/": "…/", f"{Path.home()}/": "~/"}
    for path, shown in named.items():
        printed = printed.replace(path, shown)
    return printed
