"""What readers tell of damaged pixels, format by format: the table of docs/reliability.md."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.damaged import Wound, bit, cut, damage, hole, strewn, wiped
from tests.faults.test_unreadable import write_ome, write_plain
from tests.runs import draw
from wsi_scale.errors import RegionError
from wsi_scale.slides import Slide, open_slide
from wsi_scale.slides.openslide_backend import OpenSlideSlide
from wsi_scale.slides.tiff_backend import TiffSlide

WOUNDS: list[tuple[str, Wound]] = [("wiped", wiped), ("strewn", strewn), ("cut", cut), ("hole", hole), ("bit", bit)]
Box = tuple[int, int, int, int]


def outcome(slide: Slide, box: Box, truth: NDArray[np.uint8]) -> str:
    """What becomes of a damaged tile: told, white (in place of tissue), wrong or harmless."""
    try:
        seen = slide.read(0, *box).astype(int)
    except RegionError:
        return "told"
    if np.abs(seen - truth).max() <= 8:
        return "harmless"
    whitened = (seen.min(axis=2) >= 235) & (truth.min(axis=2) < 235)
    return "white" if whitened.mean() > 0.2 else "wrong"


def outcomes(reader: type[Slide], path: Path, harmed: Path, wound: Wound, tiles: range) -> Counter[str]:
    """Damage tile after tile of a TIFF, one at a time."""
    counted: Counter[str] = Counter()
    with open_slide(path) as sound:
        assert isinstance(sound, reader)
        for number in tiles:
            shutil.copyfile(path, harmed)
            x, y, width, height = damage(harmed, tile=number, wound=wound)
            box = (x, y, min(width, sound.width - x), min(height, sound.height - y))
            with open_slide(harmed) as slide:
                counted[outcome(slide, box, sound.read(0, *box))] += 1
    return counted


#: Wounds of which every tile is told, by reader and compression; of the others nothing is promised.
ALWAYS_TOLD: dict[tuple[type[Slide], str], str] = {
    (OpenSlideSlide, "jpeg"): "wiped strewn cut",
    (OpenSlideSlide, "zlib"): "wiped strewn cut hole bit",
    (OpenSlideSlide, "lzw"): "wiped strewn cut",
    (OpenSlideSlide, "none"): "",
    (TiffSlide, "jpeg"): "wiped strewn cut",
    (TiffSlide, "zlib"): "wiped strewn cut hole bit",
    (TiffSlide, "lzw"): "wiped strewn cut",
    (TiffSlide, "jpeg2000"): "wiped strewn cut",
    (TiffSlide, "zstd"): "wiped strewn cut",
    (TiffSlide, "webp"): "wiped strewn",
    (TiffSlide, "none"): "",
}


@pytest.mark.long
@pytest.mark.parametrize(("reader", "compression"), ALWAYS_TOLD, ids=[f"{r.__name__}-{c}" for r, c in ALWAYS_TOLD])
def test_damage_of_drawn_slides_is_told_as_the_table_says(
    tmp_path: Path, record_property: Callable[[str, object], None], reader: type[Slide], compression: str
) -> None:
    suffix, write = (".tif", write_plain) if reader is OpenSlideSlide else (".ome.tif", write_ome)
    sound = tmp_path / f"sound{suffix}"
    write(sound, draw(3.0, 512, 512), None if compression == "none" else compression)

    found = {name: outcomes(reader, sound, tmp_path / f"harmed{suffix}", wound, range(16)) for name, wound in WOUNDS}

    record_property("cases", 16 * len(WOUNDS))
    for name in ALWAYS_TOLD[reader, compression].split():
        assert found[name] == {"told": 16}, name
    # Nothing but a bit of a JPEG that moves its mean colour makes glass of tissue.
    assert all(not counted["white"] for name, counted in found.items() if name != "bit")


@pytest.mark.long
@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "tiles", "told"),
    [
        ("CMU-1-Small-Region.svs", range(20, 100, 10), "wiped strewn cut hole"),
        ("tcga-cr-7395-01a-01-ts1.svs", range(60, 140, 10), "wiped strewn cut"),
    ],
)
def test_damage_of_real_slides_is_told_as_the_table_says(
    data_root: Path,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    name: str,
    tiles: range,
    told: str,
) -> None:
    path = data_root / "slides" / name
    found = {kind: outcomes(OpenSlideSlide, path, tmp_path / "harmed.svs", wound, tiles) for kind, wound in WOUNDS}

    record_property("cases", len(tiles) * len(WOUNDS))
    for kind in told.split():
        assert found[kind] == {"told": len(tiles)}, kind
    assert all(not counted["white"] for counted in found.values())


@pytest.mark.long
@pytest.mark.data
def test_damage_of_dicom_frames_is_told_as_the_table_says(
    data_root: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    source = data_root / "slides" / "CMU-1-Small-Region_dicom"
    level_0 = max(source.iterdir(), key=lambda file: file.stat().st_size)
    frames = range(20, 100, 10)
    found: dict[str, Counter[str]] = {kind: Counter() for kind, _ in WOUNDS}
    with open_slide(source) as sound:
        for kind, wound in WOUNDS:
            for number in frames:
                row, column = divmod(number, -(-sound.width // 240))
                box = (column * 240, row * 240, min(240, sound.width - column * 240), 240)
                folder = tmp_path / kind / str(number)
                folder.mkdir(parents=True)
                for file in source.iterdir():
                    content = file.read_bytes()
                    changed = with_frame(content, number, wound) if file == level_0 else content
                    (folder / file.name).write_bytes(changed)
                with open_slide(folder) as slide:
                    found[kind][outcome(slide, box, sound.read(0, *box))] += 1

    record_property("cases", len(frames) * len(WOUNDS))
    for kind in ("wiped", "strewn", "cut", "hole"):
        assert found[kind] == {"told": len(frames)}, kind


def with_frame(content: bytes, number: int, wound: Wound) -> bytes:
    """Return a DICOM file with the data of one encapsulated frame damaged (its first item is the offset table)."""
    place = content.index(b"\xe0\x7f\x10\x00OB") + 12
    for _ in range(number + 1):
        place += 8 + int.from_bytes(content[place + 4 : place + 8], "little")
    start, length = place + 8, int.from_bytes(content[place + 4 : place + 8], "little")
    return content[:start] + wound(content[start : start + length]) + content[start + length :]
