"""Tissue of any stain, in any light, is told from glass, ink and padding."""

import numpy as np
import pytest
from numpy.typing import NDArray

from wsi_scale.slides.segmentation import segment_tissue

Picture = NDArray[np.uint8]


def scene(
    ground: tuple[int, int, int], stain: tuple[int, int, int], noise: float = 2.0, grain: float = 12.0
) -> Picture:
    """A disc of stained, grainy tissue on an even ground, with camera noise."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:400, :500]
    disc = (rows - 200) ** 2 + (columns - 250) ** 2 < 110**2
    image = np.where(disc[..., None], stain, ground).astype(float)
    image += disc[..., None] * random.normal(0, grain, (400, 500, 1))
    return np.clip(image + random.normal(0, noise, image.shape), 0, 255).astype(np.uint8)


def mask_of(image: Picture) -> NDArray[np.bool_]:
    return segment_tissue(image, np.ones(image.shape[:2], np.bool_))


@pytest.mark.parametrize(
    ("ground", "stain"),
    [
        ((243, 243, 243), (200, 120, 180)),  # H&E
        ((240, 236, 241), (232, 214, 228)),  # pale H&E on tinted glass
        ((245, 245, 245), (150, 110, 80)),  # DAB
        ((245, 245, 245), (190, 195, 220)),  # haematoxylin alone
        ((4, 4, 6), (10, 12, 150)),  # DAPI
        ((12, 12, 12), (70, 70, 70)),  # grey fluorescence
    ],
)
def test_tissue_of_any_stain_is_found_and_its_ground_is_not(
    ground: tuple[int, int, int], stain: tuple[int, int, int]
) -> None:
    mask = mask_of(scene(ground, stain))
    rows, columns = np.mgrid[:400, :500]
    radius = np.hypot(rows - 200, columns - 250)
    assert mask[radius < 100].mean() > 0.97
    assert mask[radius > 125].mean() < 0.01


@pytest.mark.parametrize("level", [0, 128, 205, 243, 255])
@pytest.mark.parametrize("noise", [0.0, 2.0, 5.0])
def test_an_even_slide_has_no_tissue(level: int, noise: float) -> None:
    random = np.random.default_rng(1)
    image = np.clip(random.normal(level, noise, (300, 400, 3)), 0, 255).astype(np.uint8)
    assert not mask_of(image).any()


@pytest.mark.parametrize("ink", [(50, 160, 140), (60, 90, 190), (180, 22, 28), (20, 20, 25)])
def test_ink_is_no_tissue(ink: tuple[int, int, int]) -> None:
    image = scene((243, 243, 243), (200, 120, 180))
    image[350:385, 20:480] = ink
    mask = mask_of(image)
    assert mask[345:390].mean() < 0.02
    assert mask[150:250, 200:300].all()


def test_black_padding_is_no_tissue() -> None:
    image = scene((243, 243, 243), (200, 120, 180))
    image[:, :100] = 0
    mask = mask_of(image)
    assert not mask[:, :100].any()
    assert mask[150:250, 200:300].all()
