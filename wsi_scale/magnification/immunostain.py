"""Immunohistochemistry drawn into training tiles: haematoxylin alone, and objects of physical size in a chromogen.

Networks that learnt from H&E mistake patches of chromogen for larger structures. Re-mixing colours does not teach
them, because patches, rings and stained nuclei are shapes; so they are drawn, at sizes in µm.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import expit, ndtri
from skimage.color import hed_from_rgb, rgb_from_hed

from wsi_scale.magnification.density import DENSITY

Tile = NDArray[np.uint8]
Plane = NDArray[np.float32]

#: Optical densities of chromogens, of about unit length: 3,3'-diaminobenzidine (Ruifrok & Johnston 2001, table 1), a
#: red and a darker brown. Haematoxylin and eosin are theirs too, as scikit-image has them.
CHROMOGENS = np.array([[0.27, 0.57, 0.78], [0.21, 0.82, 0.53], [0.42, 0.58, 0.70]], np.float32)
#: Haematoxylin's optical density, and what takes its amount out of a density.
_HAEMATOXYLIN, _TO_HAEMATOXYLIN = rgb_from_hed[0].astype(np.float32), hed_from_rgb[:, 0].astype(np.float32)
#: Radii of nuclei, µm: of the blur that finds them, and the range of those drawn.
_SEED_BLUR_UM, _NUCLEUS_UM = 1.2, (2.3, 5.0)
#: Least distance of two nuclei, µm, and the fewest pixels of it that are resolved.
_APART_UM, _APART_PX = 4.5, 2
#: Optical density up to which there is no tissue.
_GLASS = 0.1
#: Least width of an edge, µm; never less than half a pixel.
_EDGE_UM = 0.35
#: Sizes of regions that are positive, of patches, and of the reaction product's grain, µm.
_REGION_UM, _PATCH_UM, _GRAIN_UM = (15.0, 120.0), (1.0, 12.0), (0.8, 3.0)


@dataclass(frozen=True)
class Cells:
    """Where nuclei probably lie.

    Attributes
    ----------
    distance_um
        (row, col) distance to the nearest nucleus's centre.
    nearest
        (row, col) which nucleus that is.
    count
        Number of nuclei.
    """

    distance_um: Plane
    nearest: NDArray[np.intp]
    count: int


def draw_positivity(tile: Tile, mpp: float, rng: np.random.Generator) -> Tile:
    """Turn an H&E tile into one of immunohistochemistry with a drawn reaction.

    Eosin is taken away, and in a part of the cells nuclei, cytoplasm or membranes, or patches of tissue, get a
    chromogen. Their sizes are in µm, so that the drawing says nothing of the scale but what nuclei say.

    Parameters
    ----------
    tile
        (row, col, rgb).
    mpp
        µm per pixel.
    """
    density = DENSITY[tile]
    haematoxylin = np.maximum(density @ _TO_HAEMATOXYLIN, 0)
    blue = haematoxylin[..., None] * _HAEMATOXYLIN
    background = np.maximum(density - blue, 0).mean(axis=2)
    left = np.float32(rng.uniform(0.5, 1.1)) * blue + np.float32(rng.uniform(0.05, 0.5)) * background[..., None]
    chromogen = _chromogen(rng)
    amount = _reaction(haematoxylin, background, mpp, rng)
    grain = 1 + np.float32(rng.uniform(0, 0.3)) * _field(amount.shape, rng.uniform(*_GRAIN_UM), mpp, rng)
    amount = amount * np.maximum(grain, 0)
    unspecific = np.float32(rng.uniform(0, 0.3)) * background
    result = left * (1 - 0.5 * np.minimum(amount, 1))[..., None] + (amount + unspecific)[..., None] * chromogen
    return np.asarray(np.clip(256 * np.exp(-result) - 1, 0, 255), np.uint8)


def _chromogen(rng: np.random.Generator) -> NDArray[np.float32]:
    colour = CHROMOGENS[rng.choice(len(CHROMOGENS), p=(0.65, 0.15, 0.2))] * rng.uniform(0.85, 1.15, 3)
    return np.asarray(colour * rng.uniform(0.8, 3.4), np.float32)


def _reaction(haematoxylin: Plane, background: Plane, mpp: float, rng: np.random.Generator) -> Plane:
    """Amount of chromogen, 0–1, (row, col)."""
    kind = rng.choice(("nuclei", "cytoplasm", "membranes", "patches"))
    positive = _region(haematoxylin.shape, mpp, rng)
    tissue = np.clip((haematoxylin + background - _GLASS) / 0.2, 0, 1)
    if kind == "patches":
        grain = _field(haematoxylin.shape, rng.uniform(*_PATCH_UM), mpp, rng)
        return np.asarray(positive * tissue * _soft(grain, rng.uniform(0.2, 0.7)), np.float32)
    cells = find_cells(haematoxylin, mpp)
    if cells.count == 0:
        return np.zeros(haematoxylin.shape, np.float32)
    share = np.sqrt(rng.uniform(0.01, 1.0))
    strength = (rng.random(cells.count) < share) * rng.uniform(0.4, 1.0, cells.count)
    radius = rng.uniform(*_NUCLEUS_UM) * rng.uniform(0.85, 1.15, cells.count)
    shape = _shape(kind, cells.distance_um - radius[cells.nearest], mpp, rng)
    if kind == "nuclei":
        shape = shape * np.clip(haematoxylin / max(float(np.percentile(haematoxylin, 90)), 0.05), 0, 1)
    return np.asarray(positive * tissue * strength[cells.nearest] * shape, np.float32)


def _shape(kind: str, outside_um: NDArray[np.floating], mpp: float, rng: np.random.Generator) -> Plane:
    """Weight of a compartment, 0–1, by the distance outside the nucleus (negative inside), µm."""
    edge = max(_EDGE_UM, 0.5 * mpp)
    if kind == "nuclei":
        return _sigmoid(-outside_um / edge)
    far = rng.uniform(2.0, 9.0)
    if kind == "cytoplasm":
        return _sigmoid(outside_um / edge) * _sigmoid((far - outside_um) / edge)
    width = max(rng.uniform(0.5, 1.2), 0.5 * mpp)
    # What is narrower than a pixel covers only part of it.
    return np.asarray(np.exp(-(((outside_um - far / 2) / width) ** 2)) * min(1.0, 1.5 / max(mpp, 1.0)))


def find_cells(haematoxylin: Plane, mpp: float) -> Cells:
    """Find nuclei as maxima of blurred haematoxylin; where a pixel holds several, as many as can be told apart."""
    blurred = ndimage.gaussian_filter(haematoxylin, max(_SEED_BLUR_UM / mpp, 0.5))
    apart = max(round(_APART_UM / mpp), _APART_PX)
    seen = (blurred == ndimage.maximum_filter(blurred, 2 * apart + 1)) & (blurred > blurred.mean())
    seeds = np.argwhere(seen)
    if not len(seeds):
        return Cells(np.zeros_like(haematoxylin), np.zeros(haematoxylin.shape, np.intp), 0)
    numbers = np.zeros(haematoxylin.shape, np.intp)
    numbers[tuple(seeds.T)] = np.arange(len(seeds))
    distance, nearest = ndimage.distance_transform_edt(~seen, return_indices=True)
    return Cells((distance * mpp).astype(np.float32), numbers[tuple(nearest)], len(seeds))


def _region(shape: tuple[int, ...], mpp: float, rng: np.random.Generator) -> Plane:
    """Where the reaction takes place at all, 0–1: everywhere, or in regions some tens of µm wide."""
    if rng.random() < 0.3:
        return np.ones(shape, np.float32)
    return _soft(_field(shape, rng.uniform(*_REGION_UM), mpp, rng), rng.uniform(0.2, 0.8))


def _field(shape: tuple[int, ...], size_um: float, mpp: float, rng: np.random.Generator) -> Plane:
    """Random field of structures of a size, (row, col), with mean 0 and standard deviation 1."""
    step = max(1, round(size_um / mpp / 4))
    coarse = [extent // step + 3 for extent in shape]
    field = ndimage.gaussian_filter(rng.standard_normal(coarse), max(size_um / mpp / 2.5 / step, 0.5), mode="wrap")
    zoomed = ndimage.zoom(field, step, order=1)[: shape[0], : shape[1]]
    return np.asarray((zoomed - field.mean()) / max(field.std(), 1e-6), np.float32)


def _soft(field: Plane, share: float) -> Plane:
    """Weight near 1 in the share of a standard normal field that is highest, near 0 elsewhere."""
    return _sigmoid((field - ndtri(1 - share)) / 0.15)


def _sigmoid(values: NDArray[np.floating]) -> Plane:
    return np.asarray(expit(values), np.float32)
