"""A matplotlib figure as inline SVG in the text colour of the page, light or dark."""

import base64
import hashlib
import html
import io
import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Colours:
    """What a figure is drawn in: text, axes, and the two colours of what it shows."""

    ink: str
    faint: str
    accent: str
    second: str


#: For a page: they stand for the page's own colours, light or dark.
PAGE = Colours("#010203", "#010204", "#010205", "#010206")
#: For a figure that leaves the page (report/templates/style.css.j2 has the same).
DAYLIGHT = Colours("#2b3037", "#8b929c", "#2a6f97", "#c4541a")
#: How much larger than drawn a figure gets on the page: its text is then as large as that around it.
_LARGEST = 1.6
_VARIABLES = Colours("var(--figure-ink)", "var(--figure-faint)", "var(--figure-accent)", "var(--figure-second)")
#: Rules of the page that a map needs away from it.
_ALONE_STYLE = (
    "<style>text{font:12px sans-serif;fill:#2b3037}.plot text{font:inherit}.frame,.tick{fill:none;stroke:#8b929c;"
    "stroke-width:.8}.ground{fill:#f7dcd8}.stripe{stroke:#cc3311;stroke-width:2.5;fill:none}.unreadable{stroke:#cc3311;"
    "stroke-width:.5}.cells{image-rendering:pixelated}path.region{fill:none;stroke:#1c1f24;stroke-width:1.4}text.region{"
    "fill:#1c1f24;stroke:#fff;stroke-width:3px;paint-order:stroke;font-weight:600}</style>"
)


def style(colours: Colours) -> dict[Any, Any]:
    """Set matplotlib so that text stays text (the page's own font) and the same figure gives the same bytes."""
    ink, faint = colours.ink, colours.faint
    return {
        "svg.fonttype": "none", "svg.hashsalt": "wsi-scale", "font.size": 10.5,
        "text.color": ink, "axes.labelcolor": ink, "axes.edgecolor": faint,
        "xtick.color": faint, "ytick.color": faint,
        "xtick.labelcolor": ink, "ytick.labelcolor": ink, "axes.linewidth": 0.7, "xtick.major.width": 0.7,
        "ytick.major.width": 0.7, "axes.spines.top": False, "axes.spines.right": False, "axes.facecolor": "none",
        "figure.facecolor": "none",
    }  # fmt: skip


def inline_svg(figure: "Figure", description: str) -> str:
    """Draw a figure as an ``<svg>`` element.

    Parameters
    ----------
    figure
        Drawn in the colours of a page.
    description
        Text for readers who cannot see the figure.
    """
    from matplotlib import rc_context

    stream = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with rc_context(style(PAGE)):
        figure.savefig(stream, format="svg", metadata=nothing)
    drawn = stream.getvalue()
    body = drawn[drawn.index(">", drawn.index("<svg")) + 1 :]
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", body, flags=re.DOTALL)
    width, height = (float(v) * 72 for v in figure.get_size_inches())
    most = f"max-width:{width * _LARGEST:.0f}px"
    head = f'<svg class="plot" viewBox="0 0 {width:.6g} {height:.6g}" style="{most}" role="img"'
    return f'{head} aria-label="{html.escape(description)}">{_on_the_page(_scoped(body))}'


def _scoped(body: str) -> str:
    """Make ids unique to the figure, and drop unused ones."""
    scope = "f" + hashlib.sha256(body.encode()).hexdigest()[:8]
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', body))
    body = re.sub(r' id="([^"]+)"', lambda m: f' id="{scope}-{m[1]}"' if m[1] in used else "", body)
    return re.sub(r'(url\(#|href="#)', rf"\1{scope}-", body)


def _on_the_page(body: str) -> str:
    return _recoloured(body, PAGE, _VARIABLES)


def _recoloured(drawn: str, before: Colours, after: Colours) -> str:
    for field in fields(Colours):
        drawn = drawn.replace(getattr(before, field.name), getattr(after, field.name))
    return drawn


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
    # A template's own kind of text would escape what replaces a part of it.
    head, end, body = _recoloured(str(drawn).strip(), _VARIABLES, DAYLIGHT).partition(">")
    named = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    alone = f"{head.replace('<svg', f'<svg {named}', 1)}{end}{_ALONE_STYLE}{body}"
    return f"data:image/svg+xml;base64,{base64.b64encode(alone.encode()).decode('ascii')}"
