"""The picture of a slide's map: where the map lies on the slide, what is left out, and what it is written as."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.report.conftest import GRID, SlideWriter
from tests.runs import error_line, recorded, wsi_scale
from wsi_scale.artifacts.regions import write_regions
from wsi_scale.artifacts.scale_map import read_scale_map
from wsi_scale.errors import ArtifactError
from wsi_scale.report.picture import Shown, draw_picture
from wsi_scale.report.pictured import read_pictured
from wsi_scale.results.regions import Region
from wsi_scale.results.scale_map import Reason


def test_each_suffix_gives_its_kind_of_picture_and_the_same_bytes(write_ok: SlideWriter, tmp_path: Path) -> None:
    folder = write_ok(tmp_path / "slide", "slide")
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}

    for suffix, start in starts.items():
        for name in ("one", "two"):
            done = wsi_scale("plot", folder, "-o", tmp_path / f"{name}.{suffix}", "--confidence", "0.7")
            assert done.exit_code == 0, done.output
        one, two = (tmp_path / f"{name}.{suffix}" for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()
        assert one.read_bytes().startswith(start)

    drawn = (tmp_path / "one.svg").read_text()
    for words in ("optimal mpp, µm/px", "dominant radius, µm", "500 µm", "of a confidence below 0.7 not shown"):
        assert words in drawn
    with Image.open(tmp_path / "one.png") as picture:
        width, height = picture.size
    assert (width > 1200, width > height) == (True, True)


def test_the_map_lies_around_the_centres_of_its_tiles(write_ok: SlideWriter, tmp_path: Path) -> None:
    folder = write_ok(tmp_path / "slide", "slide")
    scale_map, _ = read_scale_map(folder)

    figure = draw_picture(read_pictured(folder), Shown("confidence"))

    _, mapped = figure.axes[:2]
    slide, cells = mapped.images
    assert list(slide.get_extent()) == [0, GRID.slide_width * GRID.mpp_x, GRID.slide_height * GRID.mpp_y, 0]
    # Tiles side by side begin with the slide.
    assert list(cells.get_extent()) == [0, GRID.cols * GRID.step_um, GRID.rows * GRID.step_um, 0]
    shown = np.asarray(cells.get_array())[..., 3] > 0
    np.testing.assert_array_equal(shown, np.isfinite(scale_map.confidence))


def test_only_tiles_that_are_sure_enough_are_shown_and_the_others_counted(
    write_ok: SlideWriter, tmp_path: Path
) -> None:
    folder = write_ok(tmp_path / "slide", "slide")
    scale_map, _ = read_scale_map(folder)
    answered = np.isfinite(scale_map.optimal_mpp)
    sure = answered & (scale_map.confidence >= 0.7)

    figure = draw_picture(read_pictured(folder), Shown("optimal_mpp", 0.7))

    mapped = figure.axes[1]
    shown = np.asarray(mapped.images[1].get_array())[..., 3] > 0
    np.testing.assert_array_equal(shown, sure)
    tiles = (scale_map.reason != Reason.GLASS).sum()
    assert figure.get_supxlabel() == (
        f"{sure.sum()} of {tiles} tiles shown; {(answered & ~sure).sum()} of a confidence below 0.7 not shown; "
        f"{tiles - answered.sum()} without an answer"
    )
    assert figure.get_suptitle() == "slide"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--channel", "size"), "there is no channel 'size'; choose one of optimal_mpp, confidence"),
        (("-o", "picture.jpg"), "picture.jpg: name a file that ends in .png, .svg or .pdf"),
        (("-o", "nowhere/picture.png"), "nowhere"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(
    write_ok: SlideWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], told: str
) -> None:
    folder = write_ok(tmp_path / "slide", "slide")
    (tmp_path / "nowhere").write_text("a file")
    monkeypatch.chdir(tmp_path)

    assert told in error_line(wsi_scale("plot", folder, *options))


def test_a_slide_without_a_map_or_sure_tiles_is_one_line(
    write_ok: SlideWriter, write_failed: SlideWriter, tmp_path: Path
) -> None:
    failed = write_failed(tmp_path / "failed", "failed", "no mpp")
    unsure = write_ok(tmp_path / "unsure", "unsure")

    assert error_line(wsi_scale("plot", failed)).endswith(
        "there is no scale.ome.zarr, because the slide has failed: no mpp"
    )
    with pytest.raises(
        ArtifactError, match=r"no tile has a value of optimal mpp to show; \d+ tiles of a confidence below 1.1"
    ):
        draw_picture(read_pictured(unsure), Shown("optimal_mpp", 1.1))


def test_every_figure_of_the_report_is_written_as_svg_and_png(write_ok: SlideWriter, tmp_path: Path) -> None:
    folder = write_ok(tmp_path / "slide", "slide")

    done = wsi_scale("plot", folder, "--all", "-o", tmp_path / "figures")

    names = ("optimal_mpp", "dominant_radius_um", "confidence", "relu3_3", "relu4_3", "relu5_1", "distribution")
    files = {path.name: path for path in (tmp_path / "figures").iterdir()}
    assert done.exit_code == 0, done.output
    assert set(files) == {f"slide-{name}{suffix}" for name in names for suffix in (".svg", ".png")}
    with Image.open(files["slide-relu3_3.png"]) as picture:
        assert picture.width > 500
        colours = picture.convert("RGB").getcolors(1 << 20)
    # On white, in the report's blue and orange.
    assert colours is not None
    assert {(255, 255, 255), (42, 111, 151), (196, 84, 26)} <= {colour for _, colour in colours}


def test_regions_are_outlined_with_their_names_on_slide_and_map(write_ok: SlideWriter, tmp_path: Path) -> None:
    folder = write_ok(tmp_path / "slide", "slide")
    ring = np.array([[800.0, 400.0], [4000.0, 400.0], [4000.0, 3600.0]])
    write_regions(folder, [Region("core A", "Tumor", ((ring,),))])
    recorded(folder, "tile")
    recorded(folder, "search")

    figure = draw_picture(read_pictured(folder), Shown())

    for axes in figure.axes[:2]:
        assert [text.get_text() for text in axes.texts] == ["core A"]
        (outline,) = axes.lines
        np.testing.assert_allclose(outline.get_xydata()[:3], ring * (GRID.mpp_x, GRID.mpp_y))


def test_names_of_regions_stay_on_the_slide_and_off_each_other(write_ok: SlideWriter, tmp_path: Path) -> None:
    folder = write_ok(tmp_path / "slide", "slide")
    square = np.array([[0.0, 0.0], [0.0, 900.0], [900.0, 900.0], [900.0, 0.0]])
    places = {"core": (0, 0), "covered": (20, 20), "invasive margin": (GRID.slide_width - 900, 2000)}
    write_regions(folder, [Region(name, "", ((square + place,),)) for name, place in places.items()])
    recorded(folder, "tile")
    recorded(folder, "search")

    figure = draw_picture(read_pictured(folder), Shown())

    figure.draw_without_rendering()
    for axes in figure.axes[:2]:
        assert [text.get_text() for text in axes.texts] == ["core", "invasive margin"]
        assert axes.texts[1].get_window_extent().x1 <= axes.get_window_extent().x1 + 1
        assert len(axes.lines) == 3


def test_a_folder_that_is_not_one_slides_is_told_with_what_to_give(write_ok: SlideWriter, tmp_path: Path) -> None:
    write_ok(tmp_path / "cohort" / "slides" / "a", "a")
    (tmp_path / "picture.png").write_bytes(b"")

    def told(*folder: object) -> str:
        return error_line(wsi_scale("plot", *folder))

    assert f"holds results of 1 slide; give the folder of one, such as {tmp_path}/cohort/slides/a" in told(
        tmp_path / "cohort"
    )
    assert f"{tmp_path}/nowhere is not there; give a folder of results" in told(tmp_path / "nowhere")
    assert f"{tmp_path}/picture.png is a file; give a folder of results" in told(tmp_path / "picture.png")
