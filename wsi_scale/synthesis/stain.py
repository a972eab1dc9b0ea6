"""Stains: how much light a unit of haematoxylin, eosin or ink absorbs in each colour."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Colour = tuple[float, float, float]

BLUE_INK: Colour = (1.5, 0.95, 0.22)
GREEN_INK: Colour = (1.45, 0.5, 1.05)


@dataclass(frozen=True)
class Stain:
    """Optical densities (natural logarithm; red, green, blue) of one unit of each dye.

    Attributes
    ----------
    haematoxylin
        Of a typical nucleus.
    eosin
        Of typical stroma.
    glass
        Transmission of the empty slide, 0–1.
    ink
        Of a felt-tip pen's stroke.
    """

    haematoxylin: Colour
    eosin: Colour
    glass: Colour = (0.955, 0.95, 0.957)
    ink: Colour = BLUE_INK


#: Laboratories' habits; random stains are mixtures of some of them.
ANCHORS: dict[str, Stain] = {
    "classic": Stain((1.05, 1.25, 0.60), (0.10, 0.60, 0.30)),
    "pink": Stain((0.95, 1.25, 0.55), (0.12, 0.85, 0.42)),
    "violet": Stain((0.98, 1.15, 0.48), (0.32, 0.66, 0.26)),
    "pale": Stain((0.62, 0.75, 0.36), (0.08, 0.34, 0.18)),
    "brick": Stain((1.15, 1.35, 0.95), (0.14, 0.80, 0.62)),
    "dusk": Stain((1.15, 1.02, 0.52), (0.24, 0.50, 0.20)),
    "rose": Stain((0.80, 1.20, 0.62), (0.05, 0.58, 0.22)),
}

#: Which anchors a family of scenes mixes: evaluation never sees the stains of calibration.
STAIN_FAMILIES: dict[str, tuple[str, ...]] = {
    "calibration": ("classic", "pink", "violet", "pale"),
    "truth": ("brick", "dusk", "rose"),
}


def random_stain(rng: np.random.Generator, anchors: Sequence[str]) -> Stain:
    """Mix the named anchor stains at random and vary the mixture's strength by about a fifth.

    Examples
    --------
    >>> stain = random_stain(np.random.default_rng(0), ("classic", "pink"))
    >>> stain.haematoxylin[1] > stain.eosin[0]
    True
    """
    shares = rng.dirichlet(np.full(len(anchors), 0.7))
    dyes = [np.array([getattr(ANCHORS[anchor], dye) for anchor in anchors]) for dye in ("haematoxylin", "eosin")]
    varied = [(shares @ dye) * rng.normal(1.0, 0.05, 3).clip(0.8, 1.2) * rng.uniform(0.8, 1.2) for dye in dyes]
    glass = rng.uniform(0.92, 0.975) + rng.normal(0.0, 0.006, 3)
    return Stain(_colour(varied[0]), _colour(varied[1]), _colour(glass.clip(0.9, 0.99)))


def _colour(values: np.ndarray) -> Colour:
    red, green, blue = (round(float(value), 4) for value in values)
    return red, green, blue
