import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import openslide
import pytest

from wsi_scale.synthesis import DemoTruth, PlantedSlide, make_demo
from wsi_scale.synthesis.recipes import RECIPES
from wsi_scale.synthesis.slide import render_slide

SIZE_UM = 200.0


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoTruth:
    return make_demo(tmp_path_factory.mktemp("demo"), 3, size_um=SIZE_UM)


def planted(demo: DemoTruth, part_of_name: str) -> PlantedSlide:
    (slide,) = (slide for slide in demo.slides if part_of_name in slide.slide_id)
    return slide


def level0(slide: PlantedSlide) -> np.ndarray:
    with openslide.OpenSlide(slide.path) as opened:
        return np.asarray(opened.read_region((0, 0), 0, opened.dimensions))[..., :3]


def rows(demo: DemoTruth) -> Iterator[dict[str, str]]:
    with demo.table.open(encoding="utf-8", newline="") as table:
        yield from csv.DictReader(table, delimiter="\t")


def test_the_same_seed_gives_the_same_bytes(demo: DemoTruth, tmp_path: Path) -> None:
    again = make_demo(tmp_path / "new" / "folder", 3, size_um=SIZE_UM)

    assert [slide.path.read_bytes() for slide in again.slides] == [s.path.read_bytes() for s in demo.slides]
    assert again.table.read_bytes() == demo.table.read_bytes()


def test_another_seed_gives_other_tissue() -> None:
    first, other = (render_slide(RECIPES[3], 120.0, 90.0, np.random.default_rng(seed)) for seed in (0, 1))

    assert not np.array_equal(first, other)


def test_the_folder_holds_the_slides_and_the_table_and_nothing_else(demo: DemoTruth) -> None:
    names = {entry.name for entry in demo.table.parent.iterdir()}

    assert len(demo.slides) >= 6
    assert names == {slide.path.name for slide in demo.slides} | {"truth.tsv"}


def test_openslide_reads_every_header_as_the_table_tells_it(demo: DemoTruth) -> None:
    for slide in demo.slides:
        with openslide.OpenSlide(slide.path) as opened:
            told = float(opened.properties[openslide.PROPERTY_NAME_MPP_X])
            assert told == pytest.approx(slide.header_mpp, rel=1e-5)
            assert opened.properties[openslide.PROPERTY_NAME_VENDOR] == "generic-tiff"
            assert opened.dimensions[0] * slide.true_mpp == pytest.approx(SIZE_UM, abs=slide.true_mpp)


def test_exactly_one_header_is_wrong_and_by_a_factor_of_two(demo: DemoTruth) -> None:
    wrong = [slide for slide in demo.slides if slide.header_mpp != slide.true_mpp]

    assert [slide.slide_id for slide in wrong] == ["demo-5_header-2x"]
    assert wrong[0].header_mpp == 2 * wrong[0].true_mpp


def test_slides_differ_in_native_mpp(demo: DemoTruth) -> None:
    assert {0.25, 0.35, 0.5} <= {slide.true_mpp for slide in demo.slides}


def test_regions_cover_each_slide_from_left_to_right(demo: DemoTruth) -> None:
    for slide in demo.slides:
        assert slide.regions[0].x0_um == 0
        assert slide.regions[-1].x1_um == SIZE_UM
        for left, right in zip(slide.regions[:-1], slide.regions[1:], strict=True):
            assert left.x1_um == right.x0_um


def test_the_table_says_what_was_planted(demo: DemoTruth) -> None:
    told = [(row["slide_id"], float(row["true_mpp"]), float(row["x0_um"]), row["radius_um"]) for row in rows(demo)]
    expected = [
        (slide.slide_id, slide.true_mpp, region.x0_um, f"{region.radius_um:g}" if region.radius_um else "")
        for slide in demo.slides
        for region in slide.regions
    ]

    assert told == expected


def test_all_kinds_of_structures_are_planted_somewhere(demo: DemoTruth) -> None:
    contents = {name for slide in demo.slides for name in slide.contains}

    assert contents == {
        "sizes", "glands", "vessels", "hole", "fat", "fold", "pen", "wrong-header", "no-tissue",
    }  # fmt: skip


def test_the_glass_slide_has_no_tissue(demo: DemoTruth) -> None:
    glass = level0(planted(demo, "glass")).astype(int)

    assert planted(demo, "glass").regions[0].radius_um is None
    assert np.mean(glass.min(axis=-1) < 200) < 0.01


def test_every_other_slide_has_tissue_in_the_middle_and_glass_around_it(demo: DemoTruth) -> None:
    for slide in demo.slides[:-1]:
        picture = level0(slide).astype(int)
        saturation = picture.max(axis=-1) - picture.min(axis=-1)
        height, width = saturation.shape
        middle = saturation[height // 4 : -height // 4, width // 4 : -width // 4]

        assert np.mean(middle > 25) > 0.5
        assert np.mean(saturation[-2:] > 25) < 0.5


def test_nuclei_double_in_size_half_way_across(read_radii: Callable[..., np.ndarray]) -> None:
    recipe = RECIPES[0]
    picture = render_slide(recipe, 400.0, 320.0, np.random.default_rng(0))
    middle = picture.shape[1] // 2

    left = np.median(read_radii(picture[:, :middle], recipe.mpp, 1.5))
    right = np.median(read_radii(picture[:, middle:], recipe.mpp, 3.0))

    assert recipe.radii_um[1] == 2 * recipe.radii_um[0]
    assert right / left == pytest.approx(2.0, rel=0.15)


def test_a_pen_stroke_is_blue_or_green_beyond_any_stain() -> None:
    recipe = RECIPES[3]
    with_pen = render_slide(recipe, 300.0, 240.0, np.random.default_rng(1)).astype(int)

    inked = with_pen[..., 2] - with_pen[..., 0] > 100

    assert recipe.pen
    assert 0.01 < np.mean(inked) < 0.2
