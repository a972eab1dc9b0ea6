"""Normalisation of optical density, against differences in stain strength and scanner tone curve."""

import numpy as np
from numpy.typing import NDArray

#: Optical density of each grey level.
DENSITY = -np.log((np.arange(256, dtype=np.float32) + 1) / 256)
#: Density (mean over the channels, natural logarithm) that a tile's denser tissue is brought to: its percentile.
LEVEL, PERCENTILE = 0.8, 90
#: Least and largest factor on the density, so that glass stays glass.
FACTORS = (0.4, 5.0)


def normalise_density(tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Scale the optical density of each tile so that the denser tissue of all tiles is equally dense.

    A scanner's tone curve (a power of the transmitted light) and the amount of stain multiply the density. Aperio
    AT2 and Leica GT450 differ by a factor of two on the same stain; a network's responses would mistake that for a
    change of scale.

    Parameters
    ----------
    tiles
        (tile, row, col, rgb).
    """
    if not len(tiles):
        return tiles
    density = DENSITY[tiles[:, ::2, ::2]].mean(axis=3).reshape(len(tiles), -1)
    dense = np.percentile(density, PERCENTILE, axis=1)
    factors = np.clip(LEVEL / np.maximum(dense, 1e-3), *FACTORS)
    curves = np.clip(256 * np.exp(-factors[:, None] * DENSITY) - 1, 0, 255).round().astype(np.uint8)
    return np.stack([curve[tile] for curve, tile in zip(curves, tiles, strict=True)])
