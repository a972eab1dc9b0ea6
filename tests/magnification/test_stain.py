"""Detection of stains other than haematoxylin and eosin."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage.color import rgb_from_hed

from wsi_scale.learning.fields import read_table
from wsi_scale.magnification.stain import absorbed_light, why_other_stain

HAEMATOXYLIN, EOSIN, DAB = rgb_from_hed


def stained(*amounts: tuple[float, NDArray[np.float64]]) -> NDArray[np.uint8]:
    """A view, (1, row, col, rgb), whose left half is glass, with stains of these amounts on the right."""
    density = np.zeros((1, 64, 64, 3))
    density[:, :, 32:] = sum(amount * colour for amount, colour in amounts)
    return np.round(255 * np.exp(-density)).astype(np.uint8)


def why(view: NDArray[np.uint8]) -> str:
    return why_other_stain(absorbed_light(view).sum(axis=0))


@pytest.mark.parametrize("eosin", [0.2, 0.5, 1.0])
def test_haematoxylin_and_eosin_are_what_is_expected(eosin: float) -> None:
    assert why(stained((0.6, HAEMATOXYLIN), (eosin, EOSIN))) == ""


def test_brown_is_immunohistochemistry() -> None:
    reason = why(stained((0.3, HAEMATOXYLIN), (0.8, DAB)))
    assert reason.startswith("100% of the stain is brown, probably immunohistochemistry")


def test_a_few_brown_cells_are_pigment() -> None:
    view = stained((0.6, HAEMATOXYLIN), (0.4, EOSIN))
    view[:, :8] = stained((0.8, DAB))[:, :8]
    assert why(view) == ""


def test_without_eosin_it_is_another_stain() -> None:
    methylene_blue = np.array([0.9, 0.7, 0.2])
    assert why(stained((0.8, methylene_blue))).startswith("there is hardly any eosin")


def test_glass_and_nothing_are_no_stain() -> None:
    assert why(stained()) == ""
    assert why_other_stain(np.zeros(4)) == ""


def test_real_immunohistochemistry_is_told_from_real_h_and_e(data_root: Path) -> None:
    told: dict[bool, list[bool]] = {True: [], False: []}
    for folder in ("tissue", "tissue_more"):
        for row in read_table(data_root / folder / "crops.tsv", "table", ("file", "stain")):
            if row["stain"] == "H&E" or row["stain"].startswith("IHC"):
                pixels = np.asarray(Image.open(data_root / folder / row["file"]).convert("RGB"))
                told[row["stain"] == "H&E"].append(bool(why(pixels[None])))
    assert len(told[True]) > 150
    assert len(told[False]) >= 10
    assert sum(told[True]) == 0
    assert all(told[False])
