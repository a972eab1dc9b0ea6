"""PatchCamelyon: patches of one field, 93 µm, as files whose µm per pixel is right or wrong."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.helps.images import Floats, Pixels, resized, sizes_for
from wsi_scale.config.training import TransferConfig
from wsi_scale.learning.labelled import read_labelled_images

#: µm per pixel of the patches (level 2 of CAMELYON16), and their side.
MPP, SIDE_PX = 0.972, 96
#: log2 of true over claimed mpp of a file, and how much each counts: the trapezoid rule for factors drawn
#: log-uniformly from 0.5–2.
WRONG_OCTAVES = (-1.0, -0.5, 0.0, 0.5, 1.0)
SHARES = (0.125, 0.25, 0.25, 0.25, 0.125)


@dataclass(frozen=True)
class Patches:
    """Patches and their labels.

    Attributes
    ----------
    images
        (patch, row, col, rgb).
    tumour
        (patch,) 1 where the centre holds tumour, else 0.
    """

    images: Pixels
    tumour: NDArray[np.int64]

    def every(self, step: int) -> "Patches":
        """Each so-manieth patch."""
        return Patches(self.images[::step], self.tumour[::step])

    def wrong_by(self, octaves: float) -> Pixels:
        """Images of files that claim 0.972 µm/px though their pixels are 2^octaves times as large.

        The field stays 93 µm, so that an image has 96 · 2^−octaves pixels: nothing is padded, nothing cut off.
        """
        return resized(self.images, int(sizes_for(SIDE_PX, np.array(-octaves))))


def read_patches(root: Path) -> tuple[Patches, Patches]:
    """Read the patches to train on, and those to test on: validation and test, as nothing is chosen on either."""
    examples, split = read_labelled_images(TransferConfig(data=root / "patches" / "pcam.tsv", side_px=SIDE_PX))
    parts = split.training, np.concatenate([split.validation, split.test])
    training, test = (Patches(examples.images(rows), np.asarray(examples.target[rows], np.int64)) for rows in parts)
    return training, test


def over_factors(values: Floats) -> Floats:
    """Mean over the wrong factors, (factor, …)."""
    mean: Floats = np.tensordot(np.array(SHARES), values, axes=1)
    return mean
