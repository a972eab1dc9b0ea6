"""Tables of crops, read by one reader."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.sources import UNKNOWN, Source, read_crops, read_sources
from wsi_scale.errors import ConfigError

HEADER = ("file", "case", "slide", "organ", "stain", "mpp", "scanner", "tissue_fraction", "source_set")


def write(table: Path, *rows: dict[str, str]) -> Path:
    table.parent.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(HEADER), *("\t".join(row.get(name, "") for name in HEADER) for row in rows)]
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table


def crop(file: str, **columns: str) -> dict[str, str]:
    return {"file": file, "case": "a", "mpp": "0.25", "stain": "H&E"} | columns


def test_columns_that_are_empty_get_their_defaults(tmp_path: Path) -> None:
    table = write(tmp_path / "tissue" / "crops.tsv", crop("one.png"))
    (source,) = read_sources(table)
    assert source == Source(tmp_path / "tissue" / "one.png", 0.25, "a", "a", "", UNKNOWN, "H&E", "tissue")


def test_columns_that_are_there_are_read(tmp_path: Path) -> None:
    columns = {
        "slide": "s",
        "organ": "colon",
        "scanner": "X (by its stripes)",
        "tissue_fraction": "0.5",
        "source_set": "set",
    }
    (source,) = read_sources(write(tmp_path / "crops.tsv", crop("one.png", **columns)))
    assert (source.slide, source.organ, source.scanner, source.tissue_fraction, source.name) == (
        *("s", "colon", "X", 0.5, "set"),
    )


def test_crops_of_one_stain_or_of_all_come_folder_by_folder(tmp_path: Path) -> None:
    write(tmp_path / "tissue" / "crops.tsv", crop("1.png"), crop("2.png", stain="PAS"))
    write(tmp_path / "tissue_wide" / "crops.tsv", crop("3.png"))
    assert [source.path.name for source in read_crops(tmp_path)] == ["1.png", "3.png"]
    assert [source.path.name for source in read_crops(tmp_path, stain=None)] == ["1.png", "2.png", "3.png"]
    assert [source.path.name for source in read_crops(tmp_path, ("tissue_wide",))] == ["3.png"]
    assert {source.name for source in read_crops(tmp_path)} == {"tissue"}


def test_an_image_is_known_by_its_content_and_mpp(tmp_path: Path) -> None:
    sources = read_sources(
        write(tmp_path / "crops.tsv", crop("1.png"), crop("2.png"), crop("3.png"), crop("1.png", mpp="0.5"))
    )
    for source, level in zip(sources[:3], (0, 0, 9), strict=True):
        Image.fromarray(np.full((5, 7, 3), level, np.uint8)).save(source.path)
    one, same, other, coarser = (source.identity for source in sources)
    assert one == same
    assert other != one != coarser
    assert sources[0].pixels().shape == (5, 7, 3)


@pytest.mark.parametrize("missing", ["file", "case", "mpp"])
def test_a_table_without_images_cases_or_mpp_is_refused(tmp_path: Path, missing: str) -> None:
    row = {name: value for name, value in crop("1.png").items() if name != missing}
    table = tmp_path / "crops.tsv"
    table.write_text("\t".join(row) + "\n" + "\t".join(row.values()) + "\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=f"needs a column {missing}"):
        read_sources(table)
