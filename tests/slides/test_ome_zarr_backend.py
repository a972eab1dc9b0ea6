"""OME-Zarr slides: the same pixels and µm per pixel as the slide that they were made of; one line for what is none."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import ome_zarr.format as versions
import pytest
import zarr
from numpy.typing import NDArray
from ome_zarr.writer import write_multiscale, write_multiscale_labels

from wsi_scale.errors import MppError, RegionError, SlideError
from wsi_scale.slides import find_slides, inspect_slide, open_slide
from wsi_scale.slides.identity import slide_files, slide_identity
from wsi_scale.slides.metadata import HOW_TO_GIVE_MPP, require_mpp
from wsi_scale.slides.ome_zarr_backend import OmeZarrSlide

Make = Callable[..., NDArray[np.uint8]]
RGB = [{"label": name, "color": color, "window": {"start": 0, "end": 255, "min": 0, "max": 255}}
       for name, color in (("Red", "FF0000"), ("Green", "00FF00"), ("Blue", "0000FF"))]  # fmt: skip
FORMATS = {"0.4": versions.FormatV04, "0.5": versions.FormatV05}


def halved(image: NDArray[Any]) -> NDArray[Any]:
    """2 × 2 means of (height, width, channel)."""
    height, width = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
    parts = image[:height, :width].astype(float)
    return (parts.reshape(height // 2, 2, width // 2, 2, -1).mean(axis=(1, 3)) + 0.5).astype(image.dtype)


def write(
    path: Path,
    image: NDArray[Any],
    version: str = "0.5",
    axes: str = "cyx",
    mpp: float = 0.25,
    unit: str | None = "micrometer",
    channels: list[dict[str, Any]] | None = RGB,
    chunks: int = 128,
    **options: Any,
) -> Path:
    """Write (height, width, channel) as a pyramid of three levels, by the reference library."""
    levels = [image, halved(image), halved(halved(image))]
    root = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    write_multiscale(
        [_arranged(level, axes) for level in levels],
        root,
        fmt=FORMATS[version](),
        axes=list(axes),
        axes_units=dict.fromkeys("yx", unit) if unit else {},
        scale={axis: mpp if axis in "yx" else 1.0 for axis in axes},
        storage_options={"chunks": tuple(chunks if axis in "yx" else 1 for axis in axes), **options},
    )
    if channels:
        said = dict(root.attrs)
        said.get("ome", said)["omero"] = {"channels": channels}
        root.attrs.put(said)
    return path


def _arranged(level: NDArray[Any], axes: str) -> NDArray[Any]:
    planes = np.moveaxis(level, -1, 0)
    planes = planes if "c" in axes else planes[0]
    return planes.reshape([{"c": level.shape[-1], "y": level.shape[0], "x": level.shape[1]}.get(a, 1) for a in axes])


@pytest.mark.parametrize("version", FORMATS)
@pytest.mark.parametrize("axes", ["cyx", "tczyx"])
def test_a_picture_comes_back_with_its_levels_and_pixel_size(
    picture: Make, tmp_path: Path, version: str, axes: str
) -> None:
    image = picture(401, 603)
    path = write(tmp_path / "slide.ome.zarr", image, version, axes)
    with open_slide(path) as slide:
        assert isinstance(slide, OmeZarrSlide)
        assert [(level.width, level.height) for level in slide.levels] == [(603, 401), (301, 200), (150, 100)]
        assert [round(level.downsample) for level in slide.levels] == [1, 2, 4]
        np.testing.assert_array_equal(slide.read(0, 100, 51, 333, 270), image[51:321, 100:433])
        np.testing.assert_array_equal(slide.read(1, 0, 0, 301, 200), halved(image))
        assert slide.read_alpha(0, 0, 0, 10, 10) is None
    info = inspect_slide(path, "slide")
    assert (info.mpp, info.mpp_source, info.vendor) == (0.25, "ome", "ome-zarr")


@pytest.mark.parametrize(
    ("unit", "scale", "mpp"), [("nanometer", 250.0, 0.25), ("millimeter", 5e-4, 0.5), (None, 1, None)]
)
def test_pixel_sizes_are_read_in_their_unit_and_without_one_are_missing(
    picture: Make, tmp_path: Path, unit: str | None, scale: float, mpp: float | None
) -> None:
    info = inspect_slide(write(tmp_path / "slide.zarr", picture(300, 300), mpp=scale, unit=unit), "slide")
    assert info.mpp == (mpp if mpp is None else pytest.approx(mpp))


def test_a_scale_without_a_unit_is_told_with_what_to_do(picture: Make, tmp_path: Path) -> None:
    info = inspect_slide(write(tmp_path / "slide.zarr", picture(300, 300), mpp=0.25, unit=None), "slide")

    with pytest.raises(MppError) as told:
        require_mpp(info)

    assert "the store has a scale of 0.25 (x) and 0.25 (y) with no unit; if that is in µm" in str(told.value)
    assert str(told.value).endswith(HOW_TO_GIVE_MPP)


@pytest.mark.parametrize("number", [0, 1])
def test_a_damaged_file_of_a_store_is_named(picture: Make, tmp_path: Path, number: int) -> None:
    path = write(tmp_path / "slide.zarr", picture(300, 300))
    damaged = sorted(path.rglob("zarr.json"), key=lambda file: len(file.parts))[number]
    damaged.write_text("{")

    with pytest.raises(SlideError, match=f"{damaged.parent.name}/zarr.json is not JSON"):
        open_slide(path)


def test_a_scale_of_the_whole_image_counts_besides_that_of_the_level(picture: Make, tmp_path: Path) -> None:
    path = write(tmp_path / "slide.zarr", picture(300, 300), mpp=0.25)
    said = json.loads((path / "zarr.json").read_text())
    whole = [{"type": "scale", "scale": [1.0, 4.0, 2.0]}]
    said["attributes"]["ome"]["multiscales"][0]["coordinateTransformations"] = whole
    (path / "zarr.json").write_text(json.dumps(said))
    info = inspect_slide(path, "slide")
    assert (info.mpp_x, info.mpp_y) == (0.5, 1.0)


def test_sharded_chunks_and_grey_are_read(picture: Make, tmp_path: Path) -> None:
    grey = picture(300, 300)[..., :1]
    path = write(tmp_path / "slide.zarr", grey, axes="yx", channels=None, chunks=64, shards=(128, 128))
    with open_slide(path) as slide:
        np.testing.assert_array_equal(slide.read(0, 30, 20, 200, 250), np.repeat(grey[20:270, 30:230], 3, axis=2))


def test_sixteen_bits_in_colour_become_eight(picture: Make, tmp_path: Path) -> None:
    image = picture(260, 260)
    path = write(tmp_path / "slide.zarr", image.astype(np.uint16) << 4)
    with open_slide(path) as slide:
        np.testing.assert_array_equal(slide.read(0, 0, 0, 260, 260), image)


def test_the_largest_of_several_series_is_the_slide(picture: Make, tmp_path: Path) -> None:
    root = zarr.open_group(tmp_path / "scan.zarr", mode="w", zarr_format=2)
    root.attrs["bioformats2raw.layout"] = 3
    slide = picture(500, 400)
    write(tmp_path / "scan.zarr" / "0", picture(60, 90, seed=1), "0.4", "tczyx", mpp=8.0)
    write(tmp_path / "scan.zarr" / "1", slide, "0.4", "tczyx")
    with open_slide(tmp_path / "scan.zarr") as opened:
        np.testing.assert_array_equal(opened.read(0, 0, 0, 400, 500), slide)
    assert inspect_slide(tmp_path / "scan.zarr", "scan").mpp == 0.25


def test_a_chunk_that_the_store_leaves_out_is_background(picture: Make, tmp_path: Path) -> None:
    path = write(tmp_path / "slide.zarr", picture(256, 256))
    for channel in range(3):
        (path / "s0" / "c" / str(channel) / "0" / "1").unlink()
    with open_slide(path) as slide:
        alpha = slide.read_alpha(0, 100, 0, 156, 256)
        assert alpha is not None
        np.testing.assert_array_equal(alpha == 0, (np.arange(100, 256) >= 128) & (np.arange(256) < 128)[:, None])
        assert (slide.read(0, 200, 10, 20, 20) == 255).all()


@pytest.mark.parametrize(
    ("version", "options", "chunk"),
    [("0.5", {}, "s0/c/1/1/1"), ("0.4", {}, "s0/1/1/1"), ("0.5", {"compressors": None}, "s0/c/1/1/1"),
     ("0.5", {"chunks": 64, "shards": (1, 128, 128)}, "s0/c/1/1/1")],
    ids=["0.5", "0.4", "not compressed", "in a shard"],
)  # fmt: skip
def test_a_chunk_that_is_cut_short_is_one_line_with_place_and_file(
    picture: Make, tmp_path: Path, version: str, options: dict[str, Any], chunk: str
) -> None:
    image = picture(300, 300)
    path = write(tmp_path / "slide.zarr", image, version, **options)
    content = (path / chunk).read_bytes()
    (path / chunk).write_bytes(content[: len(content) // 2])
    with open_slide(path) as slide:
        with pytest.raises(RegionError) as caught:
            slide.read(0, 100, 110, 100, 100)
        np.testing.assert_array_equal(slide.read(0, 0, 0, 128, 300), image[:, :128])
    assert str(caught.value).startswith(f"{path}: level 0 cannot be decoded at x=100 y=110 ({chunk}: ")
    assert str(caught.value).endswith("); the file is damaged, copy or export it again")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damaged", [["s2"], ["s2", "s1"]])
def test_a_damaged_coarse_level_of_16_bits_leaves_the_slide_readable(
    picture: Make, tmp_path: Path, damaged: list[str]
) -> None:
    image = picture(256, 256)
    path = write(tmp_path / "slide.zarr", image.astype(np.uint16) << 4)
    for chunk in (file for level in damaged for file in (path / level / "c").rglob("*") if file.is_file()):
        chunk.write_bytes(b"no chunk")
    with open_slide(path) as slide:
        np.testing.assert_array_equal(slide.read(0, 0, 0, 256, 256), image)


@pytest.mark.parametrize(
    "channels",
    [
        [{"label": name} for name in "RGB"],
        [{"color": color} for color in ("#ff0000", "#00ff00", "#0000ff")],
        [{"label": str(number), "color": "FFFFFF"} for number in range(3)],
        None,
    ],
    ids=["names", "colours", "white", "nothing"],
)
def test_a_picture_in_colour_is_known_however_its_channels_are_described(
    picture: Make, tmp_path: Path, channels: list[dict[str, Any]] | None
) -> None:
    image = picture(64, 64)
    with open_slide(write(tmp_path / "slide.zarr", image, channels=channels)) as slide:
        np.testing.assert_array_equal(slide.read(0, 0, 0, 64, 64), image)


FLUO = [{"label": "DAPI", "color": "0000FF"}, {"label": "FITC", "color": "00FF00"}, {"label": "Cy5", "color": "FF0000"}]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda image: {"image": np.dstack([image] * 2)}, "but 6 channels; export one channel"),
        (lambda image: {"image": image.astype(np.float32)}, "an image of float32 is no slide"),
        (lambda _: {"channels": FLUO}, r"three channels \(DAPI, FITC, Cy5\) are not red, green and blue"),
        (
            lambda image: {"image": image.astype(np.uint16), "channels": None},
            r"\(unnamed\) are not red, green and blue",
        ),
    ],
    ids=["six channels", "float", "fluorescence", "16 bits unnamed"],
)
def test_what_is_no_picture_in_colour_is_refused_in_one_line(
    picture: Make, tmp_path: Path, change: Callable[[Any], dict[str, Any]], said: str
) -> None:
    image = picture(64, 64)
    path = write(tmp_path / "slide.zarr", **({"image": image} | change(image)))
    with pytest.raises(SlideError, match=said) as error:
        open_slide(path)
    assert "\n" not in str(error.value)


def test_a_stack_an_older_version_and_a_store_without_image_are_refused(picture: Make, tmp_path: Path) -> None:
    root = zarr.open_group(tmp_path / "stack.zarr", mode="w")
    planes = np.zeros((5, 64, 64), np.uint8)
    write_multiscale([planes], root, axes=list("zyx"), fmt=versions.FormatV05())
    with pytest.raises(SlideError, match="but 5 depths"):
        open_slide(tmp_path / "stack.zarr")

    old = write(tmp_path / "old.zarr", picture(64, 64), "0.4")
    said = json.loads((old / ".zattrs").read_text())
    said["multiscales"][0] |= {"version": "0.3", "axes": ["c", "y", "x"]}
    (old / ".zattrs").write_text(json.dumps(said))
    with pytest.raises(SlideError, match=r"OME-Zarr 0\.3 is not read; convert it to 0\.4 or 0\.5"):
        open_slide(old)

    zarr.open_group(tmp_path / "table.zarr", mode="w").create_array("x", data=np.zeros(3))
    with pytest.raises(SlideError, match="says of no image"):
        open_slide(tmp_path / "table.zarr")


def test_a_folder_finds_images_and_neither_labels_tables_nor_scale_maps(picture: Make, tmp_path: Path) -> None:
    path = write(tmp_path / "case" / "a.ome.zarr", picture(64, 64))
    labels = np.zeros((64, 64), np.uint8)
    write_multiscale_labels([labels], zarr.open_group(path), "nuclei", axes=list("yx"))
    write(tmp_path / "b.zarr", picture(64, 64), "0.4")
    zarr.open_group(tmp_path / "table.zarr", mode="w").create_array("x", data=np.zeros(3))
    write(tmp_path / "copied.ome.zarr", picture(64, 64))
    zarr.open_group(tmp_path / "copied.ome.zarr").attrs["wsi_scale"] = {"format": 2}
    (tmp_path / "damaged.ome.zarr").mkdir()
    (tmp_path / "damaged.ome.zarr" / "zarr.json").write_text("{")

    assert [slide.slide_id for slide in find_slides(tmp_path)] == ["b", "case__a", "damaged"]
    assert [slide.slide_id for slide in find_slides(path)] == ["a"]
    with pytest.raises(SlideError, match="this is a result of wsi-scale"):
        open_slide(tmp_path / "copied.ome.zarr")
    assert inspect_slide(tmp_path / "damaged.ome.zarr", "damaged").status == "unreadable"


def test_a_store_is_known_by_the_content_and_place_of_its_chunks(picture: Make, tmp_path: Path) -> None:
    path = write(tmp_path / "a.zarr", picture(256, 256), "0.4")
    known = slide_identity(path)
    copy = Path(shutil.copytree(path, tmp_path / "moved.zarr"))
    (copy / ".DS_Store").write_bytes(b"x")
    assert slide_identity(copy) == known
    assert path / ".zattrs" in slide_files(path)
    chunk = copy / "s0" / "0" / "0" / "0"
    chunk.rename(chunk.with_name("7"))
    assert slide_identity(copy) != known


def test_a_real_slide_converted_is_the_same_slide(data_root: Path, tmp_path: Path) -> None:
    with open_slide(data_root / "slides" / "CMU-1-Small-Region.svs") as slide:
        image = slide.read(0, 0, 0, slide.width, slide.height)
    path = write(tmp_path / "cmu.ome.zarr", image, mpp=0.499, chunks=512)
    with open_slide(path) as converted:
        np.testing.assert_array_equal(converted.read(0, 0, 0, converted.width, converted.height), image)


@pytest.mark.parametrize(
    "text",
    [
        "[]", "5", '{"attributes": 3}', '{"attributes": {"ome": {"version": "0.5", "multiscales": []}}}',
        '{"attributes": {"ome": {"version": "0.5", "multiscales": [{"axes": [{"name": "y"}, {"name": "x"}]}]}}}',
        '{"attributes": {"ome": {"version": "0.5", "multiscales": [{"axes": [{"name": "x"}, {"name": "y"}]}]}}}',
        '{"attributes": {"ome": {"bioformats2raw.layout": 3}}}', "\xff", "[" * 100_000,
    ],
)  # fmt: skip
def test_damaged_metadata_is_one_line_and_stops_no_search(tmp_path: Path, text: str) -> None:
    (tmp_path / "slide.ome.zarr").mkdir()
    (tmp_path / "slide.ome.zarr" / "zarr.json").write_text(text, encoding="latin-1")
    (tmp_path / "other.svs").write_bytes(b"")
    assert "other" in [slide.slide_id for slide in find_slides(tmp_path)]
    with pytest.raises(SlideError) as error:
        open_slide(tmp_path / "slide.ome.zarr")
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "change", [{"shape": [3, 0, 64]}, {"shape": [3, -5, 64]}, {"shape": "x"}, {"data_type": "nope"}]
)
def test_an_array_with_impossible_metadata_is_one_line(picture: Make, tmp_path: Path, change: dict[str, Any]) -> None:
    path = write(tmp_path / "slide.ome.zarr", picture(64, 64))
    described = json.loads((path / "s0" / "zarr.json").read_text())
    (path / "s0" / "zarr.json").write_text(json.dumps(described | change))
    with pytest.raises(SlideError) as error, open_slide(path) as slide:
        slide.read(0, 0, 0, slide.width, slide.height)
    assert "\n" not in str(error.value)
