"""Detection of slides that are not stained with haematoxylin and eosin, from the light that views absorb."""

import numpy as np
from numpy.typing import NDArray

from wsi_scale.magnification.density import DENSITY

#: The stain that the package's network is for, and that others can be drawn into.
HAEMATOXYLIN_EOSIN = "H&E"
#: Optical density (mean over the channels, natural logarithm) from which on a pixel counts as stained.
STAINED = 0.2
#: Share of the stain in brown pixels above which a slide is not H&E, and red light absorbed over green: haematoxylin
#: alone has 0.93 (Ruifrok & Johnston 2001, table 1), and eosin lowers it. Of H&E of some 130 cases and 9 scanners the
#: most was 0.22 and 0.86, of slides of haematoxylin without eosin the least 1.01.
MOST_BROWN, MOST_RED = 0.3, 0.95


def absorbed_light(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Sum the optical density of stained pixels: of red, green and blue light, and of all light in brown pixels.

    Parameters
    ----------
    images
        (view, row, col, rgb).

    Returns
    -------
    (view, 4)
        Red, green, blue, and the sum of all three where blue light is absorbed most.
    """
    density = DENSITY[images[:, ::2, ::2]]
    density = density * (density.mean(axis=3, keepdims=True) > STAINED)
    brown = density[..., 2] > density[..., :2].max(axis=3)
    light = density.sum(axis=(1, 2), dtype=np.float64)
    return np.column_stack([light, (density.sum(axis=3) * brown).sum(axis=(1, 2), dtype=np.float64)])


def why_other_stain(light: NDArray[np.float64]) -> str:
    """Why a slide is not one of haematoxylin and eosin, in one line; "" if it looks like one.

    Both absorb green light most. Diaminobenzidine, the brown of immunohistochemistry, absorbs blue light most; and
    where there is no eosin, haematoxylin lets the absorption of red light rise above that of green.

    Parameters
    ----------
    light
        (4,) of its views, as :func:`absorbed_light` sums it.
    """
    red, green, blue, brown = light
    share = brown / max(red + green + blue, 1e-9)
    if share > MOST_BROWN:
        return (
            f"{share:.0%} of the stain is brown, probably immunohistochemistry: µm per pixel is estimated on H&E alone"
        )
    if red > MOST_RED * green:
        return "there is hardly any eosin, probably it is another stain: µm per pixel is estimated on H&E alone"
    return ""
