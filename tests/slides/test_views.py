"""Views of a slide: fields of tissue at downsamples of level 0."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.damaged import damage
from tests.runs import MPP, draw
from wsi_scale.errors import RegionError
from wsi_scale.slides.field import Field, read_field
from wsi_scale.slides.open import open_slide
from wsi_scale.slides.views import DOWNSAMPLES, MIN_VIEW_PX, VIEW_PX, is_brightfield, view_px, view_thumbnail, views_of
from wsi_scale.synthesis import write_pyramid


@pytest.fixture(scope="module")
def tissue(shared: Path) -> Path:
    """A slide of 900 × 700 px, tissue everywhere."""
    write_pyramid(shared / "views.tiff", draw(3.0, 700, 900), MPP)
    return shared / "views.tiff"


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_every_downsample_is_looked_at_where_a_view_fits(tissue: Path) -> None:
    with open_slide(tissue) as slide:
        found = [(downsample, images.shape[1:]) for downsample, images, _ in views_of(slide, 5, rng())]
    # 700 // 4 = 175 px hold a view of 160; 700 // 8 = 87 px are below the least.
    assert found == [(d, (VIEW_PX, VIEW_PX, 3)) for d in (1, 2, 4)]


@pytest.mark.parametrize(
    ("width", "height", "sides"),
    [(95, 400, []), (96, 400, [96]), (159, 300, [159]), (500, 192, [160, 96]), (1280, 1280, [160] * 4)],
)
def test_a_small_image_is_looked_at_with_smaller_views_down_to_96_px(
    tmp_path: Path, width: int, height: int, sides: list[int]
) -> None:
    assert MIN_VIEW_PX == 96
    Image.new("RGB", (width, height)).save(tmp_path / "a.png")
    with open_slide(tmp_path / "a.png") as slide:
        assert [side for side in (view_px(slide, d) for d in DOWNSAMPLES) if side] == sides


def test_a_view_shows_what_lies_about_its_centre_at_its_downsample(tmp_path: Path) -> None:
    """Red and green tell the place; a dark pattern on them makes it tissue."""
    y, x = np.mgrid[:700, :900]
    image = np.stack([60 + x / 9, 60 + y / 9, 90 + 0 * x], axis=2).astype(np.uint8)
    Image.fromarray(image).save(tmp_path / "places.png")
    with open_slide(tmp_path / "places.png") as slide:
        for downsample, images, centres in views_of(slide, 12, rng()):
            assert len(images) == len(centres) > 0
            reach = VIEW_PX * downsample / 2
            assert (centres >= reach - 1e-6).all()
            assert (centres <= np.array([900, 700]) - reach + 1e-6).all()
            for view, centre in zip(images.astype(float), centres, strict=True):
                middle = view[..., :2].mean(axis=(0, 1))
                np.testing.assert_allclose((middle - 60) * 9, centre, atol=8)
                # From one side to the other it is as wide as its downsample makes it.
                across = (view[:, -1, 0] - view[:, 0, 0]).mean() * 9
                assert across == pytest.approx((VIEW_PX - 1) * downsample, rel=0.07)


def test_no_more_views_than_asked_for_and_none_twice(tissue: Path) -> None:
    with open_slide(tissue) as slide:
        for _, images, centres in views_of(slide, 7, rng()):
            assert len(images) <= 7
            assert len(np.unique(centres, axis=0)) == len(centres)


def test_the_same_seed_looks_at_the_same_places(tissue: Path) -> None:
    with open_slide(tissue) as slide:
        once, twice = ([centres for *_, centres in views_of(slide, 7, rng())] for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(once, twice, strict=True))


def test_a_view_that_cannot_be_decoded_is_left_out_and_the_others_show_what_they_should(
    tissue: Path, tmp_path: Path
) -> None:
    broken = Path(shutil.copy(tissue, tmp_path / "broken.tiff"))
    x, y, width, height = damage(broken, tile=5)
    count = 0
    with open_slide(tissue) as sound, open_slide(broken) as slide:
        # Levels 1 and 2, which coarser views are read from, are sound.
        for downsample, images, centres in views_of(slide, 30, rng(), view_thumbnail(slide, 0.2)):
            reach = VIEW_PX * downsample / 2
            for image, centre in zip(images, centres, strict=True):
                field = Field(*(centre - reach), 2 * reach, 2 * reach)
                np.testing.assert_array_equal(image, read_field(sound, field, (VIEW_PX, VIEW_PX)))
                away = np.abs(centre - [x + width / 2, y + height / 2]) - [width / 2, height / 2]
                assert downsample > 1 or away.max() >= reach
                count += downsample == 1
    assert 5 < count < 30


def test_a_slide_of_which_too_much_cannot_be_seen_gives_no_views(tissue: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copy(tissue, tmp_path / "broken.tiff"))
    with tifffile.TiffFile(tissue) as file:
        counts = [len(page.dataoffsets) for page in file.pages]
    for level, count in enumerate(counts):
        for number in range(count):
            damage(broken, level=level, tile=number)
    with open_slide(broken) as slide, pytest.raises(RegionError, match="unreadable_share"):
        list(views_of(slide, 9, rng()))


def test_views_lie_on_tissue(tmp_path: Path) -> None:
    image = np.full((700, 1500, 3), 243, np.uint8)
    image[:, :500] = draw(3.0, 700, 500)
    write_pyramid(tmp_path / "left.tiff", image, MPP)
    with open_slide(tmp_path / "left.tiff") as slide:
        for downsample, _, centres in views_of(slide, 20, rng()):
            # Those at the border are moved inside.
            assert (centres[:, 0] <= max(520, VIEW_PX * downsample / 2)).all()


def test_glass_gives_no_views(tmp_path: Path) -> None:
    write_pyramid(tmp_path / "glass.tiff", np.full((500, 500, 3), 241, np.uint8), MPP)
    with open_slide(tmp_path / "glass.tiff") as slide:
        assert list(views_of(slide, 5, rng())) == []


def test_brightfield_is_told_by_light_that_comes_through(tissue: Path, tmp_path: Path) -> None:
    with open_slide(tissue) as slide:
        assert is_brightfield(slide)
    signal = 255 - draw(3.0, 300, 300)
    signal[:60], signal[-60:], signal[:, :60], signal[:, -60:] = 0, 0, 0, 0
    Image.fromarray(signal // 2 + 6).save(tmp_path / "dark.png")
    with open_slide(tmp_path / "dark.png") as slide:
        assert not is_brightfield(slide)
