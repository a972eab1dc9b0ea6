"""Training tiles of known mpp, with sharpness, stain and compression varied so that they do not reveal the mpp."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from wsi_scale.magnification.density import DENSITY

Tile = NDArray[np.uint8]

KERNELS = (
    Image.Resampling.BOX,
    Image.Resampling.BILINEAR,
    Image.Resampling.HAMMING,
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
)


@dataclass(frozen=True)
class Augmentation:
    """Ranges of the augmentation (docs/science.md: wide ones generalise to other scanners).

    Attributes
    ----------
    grid_octaves
        log2 of the intermediate grid's pixel over the target's: the tile passes through it, so that the
        number of resamplings and their kernel say nothing about the scale.
    blur_px
        Largest standard deviation of the Gaussian blur at the target, pixels.
    jpeg_quality
        Range of the JPEG quality, at the intermediate grid or at the target.
    stain
        Standard deviation of the mixing of optical densities.
    density_octaves
        Largest log2 of the factor on all densities: strong and weak stains, scanners' tone curves.
    grey
        Share of tiles turned grey.
    noise
        Largest standard deviation of the noise, grey levels.
    positivity
        Share of H&E tiles that become immunohistochemistry (:mod:`wsi_scale.magnification.immunostain`).
    """

    grid_octaves: tuple[float, float] = (-0.6, 0.5)
    blur_px: float = 2.0
    jpeg_quality: tuple[int, int] = (30, 98)
    stain: float = 0.2
    density_octaves: float = 0.9
    grey: float = 0.3
    noise: float = 7.0
    positivity: float = 0.0


def cut_tile(
    image: Tile, mpp: float, target_mpp: float, tile_px: int, rng: np.random.Generator, augmentation: Augmentation
) -> Tile:
    """Cut a tile at a random place and bring it to ``target_mpp`` by a random route.

    Parameters
    ----------
    image
        (row, col, rgb) at ``mpp`` µm per pixel; must hold tile_px × target_mpp µm.
    target_mpp
        µm per pixel of the result, (tile_px, tile_px, 3).
    """
    side = tile_px * target_mpp / mpp
    y, x = (rng.uniform(0, max(extent - side, 0)) for extent in image.shape[:2])
    box = (
        int(x),
        int(y),
        min(int(np.ceil(x + side)), image.shape[1]),
        min(int(np.ceil(y + side)), image.shape[0]),
    )
    crop = Image.fromarray(image[box[1] : box[3], box[0] : box[2]])
    inner = (x - box[0], y - box[1], min(x - box[0] + side, crop.width), min(y - box[1] + side, crop.height))
    grid_px = max(16, round(tile_px / 2 ** rng.uniform(*augmentation.grid_octaves)))
    middle = crop.resize((grid_px, grid_px), _kernel(rng), box=inner, reducing_gap=2.0)
    if rng.random() < 0.5:
        middle = jpeg(middle, int(rng.integers(*augmentation.jpeg_quality)))
    tile = middle.resize((tile_px, tile_px), _kernel(rng))
    return np.asarray(_turn(tile, rng))


def disguise(tile: Tile, rng: np.random.Generator, augmentation: Augmentation) -> Tile:
    """Change sharpness, stain, light, noise and compression of a tile, but not its scale."""
    image = Image.fromarray(tile)
    kind = rng.random()
    if kind < 0.45:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0, augmentation.blur_px)))
    elif kind < 0.7:
        image = image.filter(ImageFilter.UnsharpMask(rng.uniform(0.5, 2), int(rng.integers(30, 200)), 0))
    light = _restain(np.asarray(image), rng, augmentation)
    light += np.float32(rng.uniform(0, augmentation.noise)) * rng.standard_normal(light.shape, np.float32)
    result = np.clip(light, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        result = np.asarray(jpeg(Image.fromarray(result), int(rng.integers(*augmentation.jpeg_quality))))
    return result


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    """Compress and decompress."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


def _kernel(rng: np.random.Generator) -> Image.Resampling:
    return KERNELS[rng.integers(len(KERNELS))]


def _turn(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    turn = int(rng.integers(8))
    if turn & 1:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return image.rotate(90 * (turn >> 1))


def _restain(tile: Tile, rng: np.random.Generator, augmentation: Augmentation) -> NDArray[np.float32]:
    """Mix optical densities by a random matrix near the identity, then grey, white balance and gamma."""
    mixing = (np.eye(3) + rng.normal(0, augmentation.stain, (3, 3))) * 2 ** rng.uniform(
        -augmentation.density_octaves, augmentation.density_octaves
    )
    density = np.maximum(DENSITY[tile] @ mixing.astype(np.float32), 0)
    if rng.random() < augmentation.grey:
        density = np.repeat(density.mean(axis=2, keepdims=True), 3, axis=2)
    balance = np.log(rng.uniform(0.85, 1.05, 3)).astype(np.float32)
    gamma = np.float32(2 ** rng.uniform(-0.4, 0.4))
    result: NDArray[np.float32] = 255 * np.exp(gamma * (balance - density))
    return result
