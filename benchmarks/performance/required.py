"""What is required of each figure, and the table of both."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Required:
    """A bound of a figure.

    Attributes
    ----------
    figure
        Names on the way to it in the file.
    least, most
        The bound, of which one is given.
    without_bfloat16
        The least value on a CPU that does not compute bfloat16 natively; None for the same.
    """

    figure: tuple[str, ...]
    least: float | None = None
    most: float | None = None
    without_bfloat16: float | None = None

    def bound(self, bfloat16: bool) -> float | None:
        """Return the least value on this CPU."""
        return self.without_bfloat16 if not bfloat16 and self.without_bfloat16 is not None else self.least


REQUIRED = (
    Required(("adaptive_vs_full", "embedded"), least=2.0),
    Required(("adaptive_vs_full", "vgg19"), least=2.5),
    *(Required(("difference", network, "p99"), most=0.03) for network in ("embedded", "vgg19")),
    *(Required(("difference", network, "max"), most=0.1) for network in ("embedded", "vgg19")),
    *(Required(("difference", network, "fields"), least=300) for network in ("embedded", "vgg19")),
    Required(("search_vs_plain", "embedded", "float32"), least=3.5, without_bfloat16=2.0),
    Required(("search_vs_plain", "vgg19", "float32"), least=4.5, without_bfloat16=2.7),
    Required(("search_vs_published", "best"), least=45, without_bfloat16=20),
    Required(("matmul_fraction", "vgg19"), least=0.85),
    Required(("pipeline_overhead", "embedded"), most=1.25),
    Required(("pipeline_overhead", "vgg19"), most=1.10),
    Required(("read_vs_openslide", "tifffile"), least=2.0),
    Required(("dense_cost",), most=1.8),
    Required(("extract_vs_lazyslide", "default"), least=2.0, without_bfloat16=1.0),
    Required(("extract_vs_lazyslide", "float32"), least=1.0),
    Required(("extract_vs_lazyslide", "bfloat16"), least=1.0),
    Required(("extract_vs_lazyslide", "cosine"), least=0.999),
    *(
        Required((f"{what}_growth{stage}",), most=1.10)
        for what in ("memory", "time_per_tile")
        for stage in ("", "_extract")
    ),
    Required(("start_up", "help"), most=1.0),
    Required(("start_up", "inspect"), most=1.0),
)


def table(content: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each figure of the file: figure, value, required, met or not."""
    bounds = {required.figure: required for required in REQUIRED}
    bfloat16 = content["hardware"]["bfloat16"]
    yield f"{'figure':46} {'value':>10}  {'required':>10}  met"
    for figure, value in _flat(content["cpu"], ()):
        required = bounds.get(figure)
        asked, met = _judged(required, value, bfloat16=bfloat16) if required else ("", "")
        shown = "-" if value is None else f"{value:g}"
        reason = f"  ({content['left_out'][figure[0]]})" if value is None and figure[0] in content["left_out"] else ""
        yield f"{' '.join(figure):46} {shown:>10}  {asked:>10}  {met}{reason}".rstrip()


def _judged(required: Required, value: float | None, *, bfloat16: bool) -> tuple[str, str]:
    least = required.bound(bfloat16)
    asked = f">= {least:g}" if least is not None else f"<= {required.most:g}"
    if value is None:
        return asked, ""
    met = value >= least if least is not None else required.most is not None and value <= required.most
    return asked, "yes" if met else "NO"


def _flat(values: dict[str, Any], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], float | None]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, (*above, name))
        else:
            yield (*above, name), value
