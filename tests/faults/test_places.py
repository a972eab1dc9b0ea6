"""Places that cannot be written, however they are named."""

from pathlib import Path

import pytest

from tests.runs import error_line, wsi_scale


@pytest.mark.parametrize(
    "arguments",
    [
        "run {slide} --output {below}",
        "inspect {slide} --output {below}",
        "tile {slide} --output {below}",
        "calibrate embedded --output {below}/c.json",
        "export {done} --anndata {below}/small.h5ad",
        "sheet {slide} --output {below}/slides.tsv",
        "report {done} --slides {slide}",
        "fit {slide} --output {below}",
        "magnification audit {slide} --output {below}",
        "demo {below}",
    ],
)
def test_what_lies_below_a_regular_file_is_told_in_one_line(
    small_slide: Path, finished: Path, tmp_path: Path, arguments: str
) -> None:
    file = tmp_path / "file"
    file.write_text("no folder\n")
    places = {"slide": small_slide, "below": file / "below", "done": finished}
    if arguments.startswith("report"):
        places["done"] = file

    result = wsi_scale(*(part.format(**places) for part in arguments.split()))

    assert str(file) in error_line(result)
    assert result.stderr.count("\n") == 1
    assert file.read_text() == "no folder\n"
