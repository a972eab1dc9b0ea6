"""Reading a slide in one call, for tests of what is read and of why it is not."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from wsi_scale.errors import SlideError
from wsi_scale.slides import open_slide


def reason(path: Path) -> str:
    with pytest.raises(SlideError) as caught, open_slide(path) as slide:
        slide.read(0, 0, 0, slide.width, slide.height)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text


def whole(path: Path, level: int = 0) -> NDArray[np.uint8]:
    with open_slide(path) as slide:
        return slide.read(level, 0, 0, slide.levels[level].width, slide.levels[level].height)
