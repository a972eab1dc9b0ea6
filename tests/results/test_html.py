"""HTML of results in notebooks: what a slide's name holds is text, and pictures stay small."""

import base64
import io
import re

import numpy as np
from PIL import Image

from wsi_scale.results.html import SHOWN_PX, facts_html, picture_html


def test_facts_are_text_whatever_they_hold() -> None:
    page = facts_html("<Slide>", {"path": "<script>alert(1)</script>&\udce9.svs"}, "<img>")
    assert "<script>" not in page
    assert "&lt;Slide&gt;" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;?.svs" in page
    assert page.endswith("</table><img></div>")
    assert page.encode()


def test_a_picture_is_no_larger_than_it_is_shown() -> None:
    page = picture_html(np.full((300, 3000, 3), 200, np.uint8), 'a "wide" slide')
    assert 'alt="a &quot;wide&quot; slide"' in page
    (encoded,) = re.findall(r"data:image/jpeg;base64,([^\"]+)", page)
    assert Image.open(io.BytesIO(base64.b64decode(encoded))).size == (SHOWN_PX, SHOWN_PX // 10)
