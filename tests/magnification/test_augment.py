"""Augmentation keeps the scale and hides what gives it away."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.linear_model import LinearRegression

from wsi_scale.magnification.augment import KERNELS, Augmentation, cut_tile, disguise, jpeg

Grating = Callable[..., np.ndarray]
Reader = Callable[[np.ndarray], float]

ORDINARY = Augmentation()
CLEAN = Augmentation(grid_octaves=(0.0, 1e-9), jpeg_quality=(97, 98), blur_px=0, stain=0, grey=0, noise=0)


@pytest.mark.parametrize("wavelength_px_there", [5.0, 9.0, 13.0])
def test_the_ruler_of_these_tests_is_good_to_one_percent(
    grating: Grating, wavelength_px: Reader, wavelength_px_there: float
) -> None:
    for angle in (0.0, 0.3, 0.8, 1.5):
        tile = grating(96, 1.0, wavelength_px_there, angle)
        assert wavelength_px(tile) == pytest.approx(wavelength_px_there, rel=0.01)


@pytest.mark.parametrize("target_mpp", [0.18, 0.25, 0.31, 0.5, 0.9])
@pytest.mark.parametrize("tile_px", [96, 160])
def test_a_cut_tile_has_the_mpp_that_it_claims(
    grating: Grating, wavelength_px: Reader, target_mpp: float, tile_px: int
) -> None:
    mpp, wavelength_um = 0.25, 9 * target_mpp
    field = grating(720, mpp, wavelength_um)
    for seed in range(12):
        tile = cut_tile(field, mpp, target_mpp, tile_px, np.random.default_rng(seed), ORDINARY)
        assert tile.shape == (tile_px, tile_px, 3)
        assert tile.dtype == np.uint8
        assert wavelength_px(tile) * target_mpp == pytest.approx(wavelength_um, rel=0.03)


def test_a_disguise_leaves_the_scale(grating: Grating, wavelength_px: Reader) -> None:
    for wavelength in (6.0, 10.0, 13.0):
        tile = grating(96, 1.0, wavelength)
        for seed in range(12):
            changed = disguise(tile, np.random.default_rng(seed), ORDINARY)
            assert changed.shape == tile.shape
            assert changed.dtype == np.uint8
            assert wavelength_px(changed) == pytest.approx(wavelength, rel=0.03)


def test_a_disguise_changes_what_it_should(grating: Grating) -> None:
    tile = grating(96, 1.0, 10.0)
    kept = tile.copy()
    changed = [disguise(tile, np.random.default_rng(seed), ORDINARY) for seed in range(20)]
    np.testing.assert_array_equal(tile, kept)
    assert not any(np.array_equal(each, tile) for each in changed)
    # Colour, light and sharpness all vary from draw to draw.
    assert np.std([each.mean() for each in changed]) > 5
    assert np.std([np.abs(np.diff(each.astype(float), axis=1)).mean() for each in changed]) > 1


def test_a_share_of_disguised_tiles_is_grey() -> None:
    tile = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    always, never = Augmentation(grey=1, jpeg_quality=(97, 98)), Augmentation(grey=0)
    for seed in range(8):
        grey = disguise(tile, np.random.default_rng(seed), always).astype(int)
        colour = disguise(tile, np.random.default_rng(seed), never).astype(int)
        assert np.abs(grey[..., 0] - grey[..., 2]).mean() < np.abs(colour[..., 0] - colour[..., 2]).mean()


@given(st.integers(0, 2**32 - 1), st.integers(0, 250), st.integers(1, 255))
@settings(deadline=None, max_examples=40)
def test_without_mixed_stains_what_was_darker_stays_darker(seed: int, grey: int, step: int) -> None:
    plain = Augmentation(stain=0, grey=0, noise=0, jpeg_quality=(97, 98))
    dark, light = (
        disguise(np.full((16, 16, 3), value, np.uint8), np.random.default_rng(seed), plain).astype(int)
        for value in (grey, min(255, grey + step))
    )
    # JPEG rounds.
    assert (dark <= light + 3).all()


def test_under_a_disguise_white_stays_light_and_black_stays_dark() -> None:
    plain = Augmentation(noise=0, jpeg_quality=(97, 98))
    for seed in range(20):
        white = disguise(np.full((16, 16, 3), 255, np.uint8), np.random.default_rng(seed), plain)
        black = disguise(np.zeros((16, 16, 3), np.uint8), np.random.default_rng(seed), plain)
        assert white.mean() > 190
        assert black.mean() < 40


def test_the_same_seed_gives_the_same_tile(grating: Grating) -> None:
    field = grating(400, 0.25, 3.0)
    for seed in range(3):
        once, twice = (
            disguise(cut_tile(field, 0.25, 0.4, 64, rng, ORDINARY), rng, ORDINARY)
            for rng in (np.random.default_rng(seed), np.random.default_rng(seed))
        )
        np.testing.assert_array_equal(once, twice)


def test_a_tile_as_large_as_the_field_can_be_cut(grating: Grating, wavelength_px: Reader) -> None:
    field = grating(200, 0.25, 4.0)
    for seed in range(4):
        tile = cut_tile(field, 0.25, 0.5, 100, np.random.default_rng(seed), ORDINARY)
        assert wavelength_px(tile) * 0.5 == pytest.approx(4.0, rel=0.03)


def test_tiles_come_from_everywhere_in_a_field_and_are_turned_and_mirrored() -> None:
    y, x = np.mgrid[:128, :128]
    field = np.stack([x, y, np.zeros_like(x)], axis=2).astype(np.uint8)
    places, turns = [], set()
    for seed in range(200):
        tile = cut_tile(field, 1.0, 1.0, 32, np.random.default_rng(seed), CLEAN).astype(float)
        places.append(tile[..., :2].mean(axis=(0, 1)))
        by_row, by_col = (tile[..., :2].mean(axis=axis) for axis in (1, 0))
        # 24 pixels along one of the field's axes and none along the other, whatever JPEG does to them.
        steps = np.concatenate([by_row[-4] - by_row[4], by_col[-4] - by_col[4]])
        turns.add(tuple(np.round(steps / 24).astype(int)))
    lowest, highest = np.min(places, axis=0), np.max(places, axis=0)
    assert (lowest < 24).all()
    assert (highest > 104).all()
    assert len(turns) == 8


def test_a_low_quality_loses_more_than_a_high_one() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    losses = [np.abs(np.asarray(jpeg(image, q)).astype(float) - np.asarray(image)).mean() for q in (95, 60, 20)]
    assert losses == sorted(losses)


def test_the_intermediate_grid_can_be_coarser_and_finer_than_the_target() -> None:
    low, high = ORDINARY.grid_octaves
    assert low < 0 < high
    assert len(set(KERNELS)) >= 4


def scale_free_texture(side_px: int, seed: int) -> np.ndarray:
    """Noise whose power falls with the square of the frequency: it looks the same at every magnification."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(*(np.fft.fftfreq(side_px),) * 2))
    frequency[0, 0] = 1
    layers = [np.fft.ifft2(np.fft.fft2(rng.normal(size=(side_px, side_px))) / frequency).real for _ in range(3)]
    colour = np.stack([layer / layer.std() for layer in layers], axis=2)
    grey = colour.mean(axis=2, keepdims=True)
    return np.clip(150 + 30 * grey / grey.std() + 6 * colour, 0, 255).astype(np.uint8)


def sharpness(tile: np.ndarray) -> list[float]:
    """Log energy of high over middle frequencies, in two bands."""
    side = tile.shape[0]
    grey = tile.astype(float).mean(axis=2)
    window = np.hanning(side)
    power = np.abs(np.fft.fft2((grey - grey.mean()) * window * window[:, None])) ** 2
    frequency = np.hypot(*np.meshgrid(*(np.fft.fftfreq(side),) * 2))
    bands = [
        np.log(power[(frequency >= a) & (frequency < b)].mean()) for a, b in ((0.06, 0.2), (0.2, 0.35), (0.35, 0.5))
    ]
    return np.diff(bands).tolist()


def explained(make: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]) -> float:
    """R² of log2 mpp on sharpness, on tiles of textures that were not fitted on."""
    fields = [scale_free_texture(256, seed) for seed in range(6)]
    rng = np.random.default_rng(0)
    log2_mpp = rng.uniform(-0.5, 0.25, 400)
    features = [sharpness(make(fields[i % 6], 0.25 * 2**octaves, rng)) for i, octaves in enumerate(log2_mpp)]
    first = np.arange(400) % 6 < 3
    x, y = np.array(features), log2_mpp
    return float(LinearRegression().fit(x[first], y[first]).score(x[~first], y[~first]))


def resample(field: np.ndarray, mpp: float, rng: np.random.Generator) -> np.ndarray:
    """One plain resampling from pixels of 0.25 µm."""
    side = 64 * mpp / 0.25
    x, y = rng.uniform(0, 256 - side, 2)
    box = (x, y, x + side, y + side)
    return np.asarray(Image.fromarray(field).resize((64, 64), Image.Resampling.LANCZOS, box=box))


def test_sharpness_gives_the_label_away_where_nothing_is_disguised() -> None:
    assert explained(resample) > 0.6


def test_a_disguise_keeps_sharpness_blur_and_jpeg_from_giving_the_label_away() -> None:
    def disguised(field: np.ndarray, mpp: float, rng: np.random.Generator) -> np.ndarray:
        return disguise(cut_tile(field, 0.25, mpp, 64, rng, ORDINARY), rng, ORDINARY)

    assert explained(disguised) < 0.15
