"""HTML of results for notebooks."""

import base64
import html
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Longer side of a picture, pixels.
SHOWN_PX = 480


def facts_html(title: str, facts: Mapping[str, object], pictures: str = "") -> str:
    """Format facts as a small table, with pictures below it.

    Parameters
    ----------
    facts
        Name → value; shown as text.
    pictures
        HTML.
    """
    rows = "".join(
        f'<tr><th style="text-align:left">{html.escape(name)}</th>'
        f'<td style="text-align:left">{html.escape(str(value).encode("utf-8", "replace").decode())}</td></tr>'
        for name, value in facts.items()
    )
    return f"<div><b>{html.escape(title)}</b><table>{rows}</table>{pictures}</div>"


def picture_html(pixels: NDArray[np.uint8], description: str) -> str:
    """Embed a (row, col, rgb) picture, at most as large as it is shown."""
    image, encoded = Image.fromarray(pixels), io.BytesIO()
    image.thumbnail((SHOWN_PX, SHOWN_PX))
    image.save(encoded, "JPEG", quality=85)
    return _image(encoded.getvalue(), "jpeg", description)


def figure_html(figure: "Figure", description: str) -> str:
    """Embed a figure of matplotlib."""
    encoded = io.BytesIO()
    figure.savefig(encoded, format="png", dpi=90)
    return _image(encoded.getvalue(), "png", description)


def _image(encoded: bytes, kind: str, description: str) -> str:
    data = base64.b64encode(encoded).decode()
    style = f"max-width:{SHOWN_PX}px;height:auto"
    return f'<img src="data:image/{kind};base64,{data}" alt="{html.escape(description)}" style="{style}">'
