"""Glass of any colour, in any light: the mask is that of the same slide on white glass."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from tests.runs import draw
from wsi_scale.slides import Thumbnail, open_slide, read_thumbnail, tissue_mask
from wsi_scale.slides.tissue import shows_brightfield

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Gains = tuple[float, float, float]

#: What each channel keeps of its light: aged glass, cool and warm lamps, filters, short exposures.
GAINS: dict[str, Gains] = {
    "beige": (0.95, 0.89, 0.75),
    "yellow": (0.98, 0.95, 0.55),
    "bluish": (0.78, 0.83, 0.88),
    "greenish": (0.80, 0.92, 0.78),
    "pinkish": (0.92, 0.80, 0.90),
    "grey": (0.62, 0.62, 0.62),
    "dim": (0.34, 0.34, 0.34),
    "dim and yellow": (0.42, 0.40, 0.30),
}
#: Size of the drawn slides, pixels.
HEIGHT, WIDTH = 300, 360
#: Colours of tissue on white glass.
STAINS = {"H&E": (200, 120, 180), "pale": (232, 214, 228), "DAB": (150, 110, 80), "haematoxylin": (190, 195, 220)}


def with_noise(image: NDArray[np.floating], sigma: float = 1.2, seed: int = 0) -> Picture:
    noise = np.random.default_rng(seed).normal(0, sigma, image.shape)
    return np.clip(np.round(image + noise), 0, 255).astype(np.uint8)


def disc(stain: tuple[int, int, int], gains: Gains = (1.0, 1.0, 1.0)) -> tuple[Picture, NDArray[np.floating]]:
    """A disc of grainy tissue on glass, and each pixel's distance from its middle."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    radius = np.hypot(rows - HEIGHT / 2, columns - WIDTH / 2)
    grain = np.random.default_rng(1).normal(1, 0.06, (HEIGHT, WIDTH, 1))
    image = np.where(radius[..., None] < 85, stain * grain, (243, 242, 244))
    return with_noise(image * np.array(gains)), radius


def mask_of(image: Picture) -> Mask:
    return tissue_mask(Thumbnail(image, 1.0, 1.0), "auto")


def brightfield(image: Picture) -> bool:
    return shows_brightfield(Thumbnail(image, 1.0, 1.0))


def lit(image: Picture, gains: Gains) -> Picture:
    return np.round(image * np.array(gains)).astype(np.uint8)


@pytest.mark.parametrize("stain", STAINS)
@pytest.mark.parametrize("light", GAINS)
def test_the_colour_of_the_glass_leaves_the_mask(light: str, stain: str) -> None:
    image, radius = disc(STAINS[stain], GAINS[light])
    mask = mask_of(image)
    assert mask[radius < 75].mean() > 0.97
    assert mask[radius > 100].mean() < 0.01
    assert brightfield(image)


@pytest.mark.parametrize("light", GAINS)
def test_a_field_full_of_tissue_stays_full(light: str) -> None:
    image = lit(draw(3.0, HEIGHT, WIDTH), GAINS[light])
    assert mask_of(image).mean() > 0.95
    assert brightfield(image)


@pytest.mark.parametrize("light", GAINS)
@pytest.mark.parametrize("noise", [0.0, 2.5])
def test_glass_alone_is_empty(light: str, noise: float) -> None:
    rows, columns = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    # A tenth less light in the corners, as lenses have it.
    falls = 1 - 0.05 * (rows**2 + columns**2)[..., None]
    assert not mask_of(with_noise(241 * falls * np.array(GAINS[light]), noise)).any()


@pytest.mark.parametrize("paint", [255, 246])
@pytest.mark.parametrize("light", GAINS)
def test_what_a_scanner_painted_is_neither_glass_nor_tissue(light: str, paint: int) -> None:
    image, radius = disc(STAINS["H&E"], GAINS[light])
    wide = np.full((HEIGHT + 120, WIDTH + 250, 3), paint, np.uint8)
    inner = np.s_[60 : 60 + HEIGHT, 150 : 150 + WIDTH]
    wide[inner] = image
    mask = mask_of(wide)
    assert mask[inner][radius < 75].mean() > 0.97
    mask[inner] &= radius > 100
    assert mask.mean() < 0.01


@pytest.mark.parametrize("light", GAINS)
def test_black_beside_the_glass_is_no_tissue(light: str) -> None:
    image, radius = disc(STAINS["H&E"], GAINS[light])
    wide = np.zeros((HEIGHT, WIDTH + 250, 3), np.uint8)
    inner = np.s_[:, 150 : 150 + WIDTH]
    wide[inner] = image
    mask = mask_of(wide)
    assert brightfield(wide)
    assert mask[inner][radius < 75].mean() > 0.97
    mask[inner] &= radius > 100
    assert mask.mean() < 0.01


@pytest.mark.parametrize("ink", [(50, 160, 140), (60, 90, 190), (180, 22, 28), (20, 20, 25)])
@pytest.mark.parametrize("light", ["beige", "bluish", "dim"])
def test_ink_is_no_tissue_on_any_glass(light: str, ink: tuple[int, int, int]) -> None:
    image, radius = disc(STAINS["H&E"])
    image[255:285, 20:340] = ink
    mask = mask_of(lit(image, GAINS[light]))
    assert mask[250:290].mean() < 0.02
    assert mask[radius < 75].mean() > 0.97


@pytest.mark.parametrize("colour", [(8, 12, 150), (20, 200, 30), (70, 70, 70), (120, 60, 90)])
@pytest.mark.parametrize("ground", [0, 3, 6, 20])
def test_fluorescence_is_no_dim_brightfield(colour: tuple[int, int, int], ground: int) -> None:
    radius = disc(STAINS["H&E"])[1]
    signal = 1 - draw(3.0, HEIGHT, WIDTH)[..., 1:2] / 255.0
    signal *= np.clip((100 - radius) / 20, 0, 1)[..., None]
    image = with_noise(ground + 1.5 * signal * np.array(colour))
    assert not brightfield(image)
    mask = mask_of(image)
    assert mask[radius < 70].mean() > 0.7
    assert mask[radius > 115].mean() < 0.01


@pytest.mark.parametrize("kind", ["png", "tiff"])
@pytest.mark.parametrize("light", ["beige", "bluish", "dim"])
def test_transparent_is_not_tissue_whatever_lies_beneath(tmp_path: Path, light: str, kind: str) -> None:
    image, radius = disc(STAINS["H&E"], GAINS[light])
    wide = np.zeros((HEIGHT + 100, WIDTH + 300, 4), np.uint8)
    wide[..., :3] = np.random.default_rng(0).integers(0, 255, wide[..., :3].shape)
    inner = np.s_[50 : 50 + HEIGHT, 150 : 150 + WIDTH]
    wide[inner] = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
    hole = np.s_[190:210, 320:340]
    wide[hole] = (255, 0, 0, 0)
    path = tmp_path / f"holes.{kind}"
    if kind == "png":
        Image.fromarray(wide).save(path)
    else:
        tifffile.imwrite(path, wide, photometric="rgb", extrasamples=["UNASSALPHA"], compression="zlib")
    with open_slide(path) as slide:
        thumbnail = read_thumbnail(slide)
    mask = tissue_mask(thumbnail, "auto")
    assert not mask[hole].any()
    assert not tissue_mask(thumbnail, "none")[hole].any()
    assert mask[195:205, 350:370].all()
    assert mask[inner][(radius < 75) & (radius > 25)].mean() > 0.97
    mask[inner] &= radius > 100
    assert mask.mean() < 0.01


def test_a_slide_without_transparency_has_none_on_its_thumbnail(tmp_path: Path) -> None:
    Image.fromarray(disc(STAINS["H&E"])[0]).convert("RGBA").save(tmp_path / "opaque.png")
    with open_slide(tmp_path / "opaque.png") as slide:
        assert read_thumbnail(slide).transparent is None
