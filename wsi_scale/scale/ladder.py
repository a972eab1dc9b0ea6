"""Ladders of scales: the same field of view at falling numbers of pixels."""

from dataclasses import dataclass

from wsi_scale.errors import ConfigError


@dataclass(frozen=True)
class Rung:
    """A field of view at one scale.

    Attributes
    ----------
    size_px
        Side of the image, pixels.
    mpp
        µm per pixel: field of view over size, after rounding.
    """

    size_px: int
    mpp: float


@dataclass(frozen=True)
class Ladder:
    """Rungs of one field of view, finest first.

    Attributes
    ----------
    field_um
        Side of the field of view, µm, the same on every rung.
    rungs
        In order of rising mpp.
    """

    field_um: float
    rungs: tuple[Rung, ...]

    @property
    def sizes_px(self) -> tuple[int, ...]:
        """Side of each rung's image, pixels."""
        return tuple(rung.size_px for rung in self.rungs)

    @property
    def mpps(self) -> tuple[float, ...]:
        """µm per pixel of each rung."""
        return tuple(rung.mpp for rung in self.rungs)

    @property
    def cost(self) -> float:
        """Pixels of all rungs over the pixels of the finest."""
        return sum(size**2 for size in self.sizes_px) / self.sizes_px[0] ** 2


def geometric_ladder(
    field_um: float,
    *,
    finest_mpp: float,
    coarsest_mpp: float,
    rungs_per_octave: int,
    multiple_px: int,
    min_px: int,
) -> Ladder:
    """Place rungs at equal distances in log2 mpp, with sizes rounded to multiples of ``multiple_px``.

    Parameters
    ----------
    field_um
        Side of the field of view, µm.
    multiple_px
        Stride of the deepest layer, so that no layer loses a border.
    min_px
        Rungs smaller than this are left out.

    Raises
    ------
    ConfigError
        Fewer than five rungs remain.

    Examples
    --------
    >>> ladder = geometric_ladder(112, finest_mpp=0.25, coarsest_mpp=4, rungs_per_octave=3,
    ...                           multiple_px=4, min_px=16)
    >>> len(ladder.rungs), ladder.sizes_px[:4], round(ladder.cost, 2)
    (13, (448, 356, 284, 224), 2.7)
    """
    sizes: list[int] = []
    step = 0
    while (mpp := finest_mpp * 2 ** (step / rungs_per_octave)) <= coarsest_mpp * 1.001:
        size = round(field_um / mpp / multiple_px) * multiple_px
        fits = size >= max(min_px, multiple_px) and field_um / size <= coarsest_mpp * 1.001
        if fits and size not in sizes:
            sizes.append(size)
        step += 1
    if len(sizes) < 5:
        raise ConfigError(
            f"a field of {field_um:.0f} µm gives {len(sizes)} rungs between {finest_mpp} and {coarsest_mpp} µm/px, "
            "and a search needs 5; use larger tiles or a finer ladder"
        )
    return Ladder(field_um, tuple(Rung(size, field_um / size) for size in sizes))
