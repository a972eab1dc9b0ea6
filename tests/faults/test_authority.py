"""Files that say their pixel size in several ways, some of them wrong: the right one is believed, or none."""

import functools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from tests.runs import draw, wsi_scale
from wsi_scale.slides import SlideInfo, inspect_slide
from wsi_scale.slides.mpp_claim import MppClaim
from wsi_scale.slides.tiff_mpp import read_tiff_claims
from wsi_scale.units import is_plausible_mpp

TRUE = 0.263018
DEFAULTS = [
    *((dpi, "INCH") for dpi in (1, 72, 96, 100, 150, 200, 300, 600, 1200)),
    *((per_cm, "CENTIMETER") for per_cm in (1, 10, 28.35, 37.8, 39.37, 59.06, 100, 118.11, 236.22)),
    *((per_mm, "MILLIMETER") for per_mm in (1, 2.835, 3.78, 11.811, 23.622)),
]


def ome(*images: tuple[int, int, float | None]) -> bytes:
    """OME-XML of images of a width, height and pixel size (µm)."""
    parts = []
    for index, (width, height, mpp) in enumerate(images):
        known = f'PhysicalSizeX="{mpp}" PhysicalSizeY="{mpp}"' if mpp is not None else ""
        parts.append(
            f'<Image ID="Image:{index}"><Pixels ID="Pixels:{index}" DimensionOrder="XYCZT" Type="uint8" '
            f'SizeX="{width}" SizeY="{height}" SizeC="3" SizeZ="1" SizeT="1" {known}><Channel ID="Channel:{index}:0" '
            f'SamplesPerPixel="3"/><TiffData IFD="{index}" PlaneCount="1"/></Pixels></Image>'
        )
    body = "".join(parts)
    return f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">{body}</OME>'.encode()


def aperio(mpp: float, size: int = 256) -> bytes:
    return f"Aperio Format\r\n{size}x{size} (128x128) JPEG/RGB Q=30|AppMag = 40|MPP = {mpp}|".encode()


def tagged(mpp: float | tuple[float, float]) -> dict[str, Any]:
    x, y = mpp if isinstance(mpp, tuple) else (mpp, mpp)
    return {"resolution": (1e4 / x, 1e4 / y), "resolutionunit": "CENTIMETER"}


@functools.cache
def picture() -> NDArray[np.uint8]:
    return draw(3.0, 256, 256)


def write(path: Path, description: bytes | None = None, *, tiled: bool = True, **options: Any) -> SlideInfo:
    """Describe a TIFF of 256 × 256 px, tiled (OpenSlide reads it) or in strips (tifffile does)."""
    tiles = {"tile": (128, 128), "compression": "jpeg"} if tiled else {"compression": "zlib"}
    with tifffile.TiffWriter(path, ome=False) as writer:
        writer.write(draw(3.0, 256, 256), photometric="rgb", metadata=None, description=description, **tiles, **options)
    return inspect_slide(path, "s")


@pytest.mark.parametrize(("tiled", "defaults"), [(True, DEFAULTS), (False, DEFAULTS[::6])])
def test_a_programs_default_is_no_pixel_size(
    tmp_path: Path, tiled: bool, defaults: list[tuple[float, str]], record_property: Callable[..., None]
) -> None:
    for number, (resolution, unit) in enumerate(defaults):
        info = write(tmp_path / f"{number}.tif", tiled=tiled, resolution=(resolution,) * 2, resolutionunit=unit)
        assert (info.mpp, info.mpp_source, info.header_mpp) == (None, "missing", None), (resolution, unit)
        (warning,) = info.warnings
        assert re.match(r"mpp is missing: header says \S+ µm/px, a converter's default: not used; give it", warning)
    record_property("cases", len(defaults))


@pytest.mark.parametrize("tiled", [True, False])
def test_ome_xml_outranks_tags_and_a_default_beside_it_is_not_spoken_of(
    tmp_path: Path, tiled: bool, record_property: Callable[..., None]
) -> None:
    for number, (resolution, unit) in enumerate(DEFAULTS[::6]):
        path = tmp_path / f"{number}.ome.tif"
        info = write(path, ome((256, 256, TRUE)), tiled=tiled, resolution=(resolution,) * 2, resolutionunit=unit)
        assert (info.mpp, info.mpp_source, info.warnings, info.trusted) == (TRUE, "ome", (), True), (resolution, unit)
    record_property("cases", len(DEFAULTS[::6]))


@pytest.mark.parametrize(
    ("said", "tag", "mpp", "source", "doubted"),
    [
        (ome((256, 256, TRUE)), 2 * TRUE, TRUE, "ome", True),
        (ome((256, 256, TRUE)), 1.11 * TRUE, TRUE, "ome", True),
        (ome((256, 256, TRUE)), (TRUE, 1.2 * TRUE), TRUE, "ome", True),
        (ome((256, 256, TRUE)), 1.09 * TRUE, TRUE, "ome", False),
        (aperio(TRUE), 4 * TRUE, TRUE, "metadata", True),
        (aperio(TRUE), TRUE / 1.05, TRUE, "metadata", False),
        # What is of no use outranks and contradicts nothing.
        (ome((256, 256, TRUE)), 900.0, TRUE, "ome", False),
        (aperio(1000.0), TRUE, TRUE, "tiff", False),
        (ome((256, 256, 0.0)), TRUE, TRUE, "tiff", False),
        (ome((256, 256, 352.8)), TRUE, TRUE, "tiff", False),
        (ome((256, 256, None)), TRUE, TRUE, "tiff", False),
        (aperio(1000.0), 900.0, 1000.0, "metadata", False),
    ],
)
def test_the_highest_usable_authority_is_believed_and_a_contradiction_is_no_lesson(
    tmp_path: Path, said: bytes, tag: Any, mpp: float, source: str, doubted: bool
) -> None:
    info = write(tmp_path / ("s.svs" if said.startswith(b"Aperio") else "s.ome.tif"), said, **tagged(tag))

    assert (info.mpp, info.mpp_source) == (pytest.approx(mpp), source)
    assert info.mpp_doubts == (("sources",) if doubted else ())
    assert info.trusted is (not doubted and is_plausible_mpp(mpp))
    if doubted:
        (line,) = info.warnings
        name = {"ome": "OME metadata", "metadata": "the scanner's metadata"}[source]
        assert line.startswith(f"the file claims several mpp: 0.263 ({name}), ")
        assert "(TIFF resolution tags)" in line
        assert "0.263" in line


def test_a_file_that_says_two_things_is_settled_by_who_knows_better(tmp_path: Path) -> None:
    write(tmp_path / "s.ome.tif", ome((256, 256, TRUE)), **tagged(2 * TRUE))

    told = inspect_slide(tmp_path / "s.ome.tif", "s", TRUE)
    contradicted = inspect_slide(tmp_path / "s.ome.tif", "s", 2 * TRUE)

    assert (told.warnings, told.trusted) == ((), True)
    assert contradicted.warnings == (
        "mpp 0.526 µm/px, as given by you, differs from 0.263 in the header (OME metadata); yours is used",
    )


def test_what_falls_through_is_told(tmp_path: Path) -> None:
    info = write(tmp_path / "s.svs", aperio(1000.0), **tagged(TRUE))
    assert info.warnings == (
        "mpp 1000 µm/px (the scanner's metadata) lies outside 0.05–50; 0.263 (TIFF resolution tags) is used",
    )


def test_an_aperio_scan_that_openslide_does_not_decode_keeps_its_pixel_size(tmp_path: Path) -> None:
    write(tmp_path / "s.svs", aperio(TRUE), tiled=False)
    assert read_tiff_claims(tmp_path / "s.svs", (256, 256)) == (MppClaim("metadata", TRUE, TRUE),)


#: Width, height and pixel size of a label, a macro image, a scan and its second level.
LABEL, MACRO, SCAN, HALF = (80, 60, 40.0), (64, 64, 4 * TRUE), (256, 256, TRUE), (128, 128, 2 * TRUE)


@pytest.mark.parametrize("order", [(LABEL, MACRO, SCAN), (SCAN, MACRO, LABEL), (MACRO, SCAN, LABEL)])
@pytest.mark.parametrize("kind", ["tags", "ome", "sub"])
def test_a_pixel_size_is_that_of_the_image_asked_for(tmp_path: Path, order: tuple[Any, ...], kind: str) -> None:
    path = tmp_path / "many.tif"
    with tifffile.TiffWriter(path, ome=False) as writer:
        for number, (width, height, mpp) in enumerate(order):
            options = {"subifds": 1} if kind == "sub" else {}
            options |= {"description": ome(*order)} if kind == "ome" and number == 0 else {}
            options |= tagged(mpp) if kind != "ome" else {}
            writer.write(np.full((height, width, 3), 200, np.uint8), photometric="rgb", metadata=None, **options)
            if kind == "sub":
                below = np.full((height // 2, width // 2, 3), 200, np.uint8)
                writer.write(below, photometric="rgb", metadata=None, subfiletype=1, **tagged(2 * mpp))
    for width, height, mpp in (*order, *([HALF] if kind == "sub" else [])):
        (claim,) = read_tiff_claims(path, (width, height))
        assert (claim.x, claim.y) == pytest.approx((mpp, mpp))
        assert claim.authority == ("ome" if kind == "ome" else "tiff")
    assert read_tiff_claims(path, (999, 999)) == ()


@pytest.mark.parametrize("xml", [b"<OME><Image></OME>", b"<!ENTITY a 'b'><OME></OME>", b"<OME></OME>", b"\xff</OME>"])
def test_broken_ome_xml_leaves_the_tags(tmp_path: Path, xml: bytes) -> None:
    info = write(tmp_path / "s.ome.tif", xml, **tagged(TRUE))
    assert (info.mpp, info.mpp_source) == (pytest.approx(TRUE), "tiff")


def test_a_header_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "s.tif").write_bytes(b"II*\0" + bytes(9))
    assert read_tiff_claims(tmp_path / "s.tif", (256, 256)) == ()


def test_inspect_prints_both_values_with_their_names(tmp_path: Path) -> None:
    write(tmp_path / "s.ome.tif", ome((256, 256, TRUE)), **tagged(2 * TRUE))

    result = wsi_scale("inspect", tmp_path / "s.ome.tif", "--json")

    told = json.loads(result.stdout)
    assert (told["mpp_source"], told["mpp_doubts"]) == ("ome", ["sources"])
    assert result.stderr.splitlines() == [
        "warning: the file claims several mpp: 0.263 (OME metadata), 0.526 (TIFF resolution tags) µm/px; the first is "
        "used, but not trusted for training"
    ]


@pytest.mark.parametrize("suffix", ["ndpi", "scn", "svs", "bif"])
def test_a_plain_pyramid_called_after_a_vendor_keeps_its_mpp(tmp_path: Path, suffix: str) -> None:
    info = write(tmp_path / f"plain.{suffix}", **tagged(TRUE))

    assert info.status == "ok"
    assert info.mpp == pytest.approx(TRUE, rel=1e-6)
