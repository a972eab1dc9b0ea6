from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.runs import own_cache, shared
from tests.transfer.tasks import stripes

__all__ = ["own_cache", "shared"]


@pytest.fixture(scope="session")
def stripe_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of stripes of two widths, a folder for each."""
    folder = tmp_path_factory.mktemp("stripes")
    examples = stripes(40)
    for row, label in enumerate(examples.target):
        target = folder / examples.classes[label] / f"{row}.png"
        target.parent.mkdir(exist_ok=True)
        Image.fromarray(examples.images(np.array([row]))[0]).save(target)
    return folder
