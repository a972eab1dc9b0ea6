"""A matplotlib figure as inline SVG in the text colour of the page, light or dark."""

import base64
import hashlib
import html
import io
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Colours that figures are drawn with, and what the page replaces them by.
INK, FAINT, ACCENT, SECOND = "#010203", "#010204", "#010205", "#010206"
_ON_THE_PAGE = {
    INK: "var(--figure-ink)",
    FAINT: "var(--figure-faint)",
    ACCENT: "var(--figure-accent)",
    SECOND: "var(--figure-second)",
}
#: The page's own colours and rules in daylight, for a figure that leaves it (report/templates/style.css.j2).
_ALONE = {
    "var(--figure-ink)": "#2b3037", "var(--figure-faint)": "#8b929c",
    "var(--figure-accent)": "#2a6f97", "var(--figure-second)": "#c4541a",
}  # fmt: skip
_ALONE_STYLE = (
    "<style>text{font:12px sans-serif;fill:#2b3037}.plot text{font:inherit}.frame,.tick{fill:none;stroke:#8b929c;"
    "stroke-width:.8}.ground{fill:#f7dcd8}.stripe{stroke:#cc3311;stroke-width:2.5;fill:none}.unreadable{stroke:#cc3311;"
    "stroke-width:.5}.cells{image-rendering:pixelated}</style>"
)
#: Text stays text (the page's own font), and the same figure gives the same bytes.
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "wsi-scale", "font.size": 9.0,
    "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": FAINT,
    "xtick.color": FAINT, "ytick.color": FAINT,
    "xtick.labelcolor": INK, "ytick.labelcolor": INK, "axes.linewidth": 0.7, "xtick.major.width": 0.7,
    "ytick.major.width": 0.7, "axes.spines.top": False, "axes.spines.right": False, "axes.facecolor": "none",
    "figure.facecolor": "none",
}  # fmt: skip


def inline_svg(figure: "Figure", description: str) -> str:
    """Draw a figure as an ``<svg>`` element.

    Parameters
    ----------
    figure
        Drawn in the colours of this module.
    description
        Text for readers who cannot see the figure.
    """
    from matplotlib import rc_context

    stream = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with rc_context(STYLE):
        figure.savefig(stream, format="svg", metadata=nothing)
    drawn = stream.getvalue()
    body = drawn[drawn.index(">", drawn.index("<svg")) + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", body, flags=re.DOTALL)
    width, height = (float(v) * 72 for v in figure.get_size_inches())
    head = f'<svg class="plot" viewBox="0 0 {width:.6g} {height:.6g}" role="img"'
    return f'{head} aria-label="{html.escape(description)}">{_on_the_page(_scoped(body))}'


def _scoped(body: str) -> str:
    """Make ids unique to the figure, and drop unused ones."""
    scope = "f" + hashlib.sha256(body.encode()).hexdigest()[:8]
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', body))
    body = re.sub(r' id="([^"]+)"', lambda m: f' id="{scope}-{m[1]}"' if m[1] in used else "", body)
    return re.sub(r'(url\(#|href="#)', rf"\1{scope}-", body)


def _on_the_page(body: str) -> str:
    for color, variable in _ON_THE_PAGE.items():
        body = body.replace(color, variable)
    return body


def svg_file(drawn: str) -> str:
    """Make a figure of the page a file of its own, as a data URI: a link to it saves the figure.

    Parameters
    ----------
    drawn
        An ``<svg>`` element of the page.

    Examples
    --------
    >>> svg_file('<svg class="map" viewBox="0 0 1 1"></svg>')[:26]
    'data:image/svg+xml;base64,'
    """
    alone = str(drawn).strip()  # of a template's text it would escape what replaces a part
    for variable, color in _ALONE.items():
        alone = alone.replace(variable, color)
    head, end, body = alone.partition(">")
    named = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    alone = f"{head.replace('<svg', f'<svg {named}', 1)}{end}{_ALONE_STYLE}{body}"
    return f"data:image/svg+xml;base64,{base64.b64encode(alone.encode()).decode('ascii')}"
