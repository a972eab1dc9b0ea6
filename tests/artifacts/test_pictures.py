"""Mask, thumbnail and overlay as pictures."""

from pathlib import Path

import numpy as np
from PIL import Image

from wsi_scale.artifacts import pictures


def test_the_mask_comes_back_and_the_pictures_open(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (40, 60, 3), np.uint8)
    mask = rng.random((20, 30)) < 0.5
    pictures.write_pictures(tmp_path, image, mask, image[:, ::-1].copy())
    np.testing.assert_array_equal(pictures.read_tissue(tmp_path).mask, mask)
    with Image.open(tmp_path / "overlay.png") as overlay:
        np.testing.assert_array_equal(np.asarray(overlay), image[:, ::-1])
    with Image.open(tmp_path / "thumbnail.jpg") as thumbnail:
        assert thumbnail.format == "JPEG"
        assert thumbnail.size == (60, 40)
