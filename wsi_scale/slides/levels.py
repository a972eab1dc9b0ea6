"""The true downsample of each level of a pyramid.

Sizes alone do not give it. Writers drop or round up what does not divide, stretch a level over the whole picture, pad
it to whole tiles, or crop level 0 after the levels were made; some pages are not levels at all. If sizes do not decide,
pixels do: places far from the origin, where a wrong factor shows most, are compared with the next finer level.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from wsi_scale.slides.level_evidence import Comparison, Evidence, Read, Scale, Size, textured_places

#: A level is coarser than level 0 by at least this factor.
_LEAST_FACTOR = 1.2
#: Most pixels that a level may be wider or higher than level 0 asks for: a tile.
_MOST_PADDING_PX = 1024

#: A less likely factor is believed only if it leaves this share of the difference.
_CLEARLY_BETTER = 0.93


@dataclass(frozen=True)
class Level:
    """One level of a slide's pyramid.

    Parameters
    ----------
    width, height
        Size in the level's own pixels; what it holds beyond the slide does not count.
    downsample
        Level-0 pixels per pixel of this level, as the reader reports it where its sizes are right (1 at level 0).
    scale_x, scale_y
        The same, as true as it is known.
    """

    width: int
    height: int
    downsample: float
    scale_x: float = 1.0
    scale_y: float = 1.0


@dataclass(frozen=True)
class Settled:
    """A pyramid whose factors are known.

    Parameters
    ----------
    levels
        Finest first.
    numbers
        The reader's own number of each of them.
    left_out
        The reader's numbers of what shows no part of level 0 at a factor that can be told.
    """

    levels: tuple[Level, ...]
    numbers: tuple[int, ...]
    left_out: tuple[int, ...]


def could_be_level(finest: Size, size: Size) -> bool:
    """Whether an image of this size can be a level of one of ``finest`` size, by some factor.

    >>> could_be_level((997, 1001), (512, 512)), could_be_level((1024, 1024), (400, 90))
    (True, False)
    """
    factor = _least_factor(finest, size)
    padding = max(size[axis] - finest[axis] / factor for axis in (0, 1))
    return factor >= _LEAST_FACTOR and padding <= min(_MOST_PADDING_PX, max(size) / 2 + 1)


def likely_scales(finest: Size, size: Size, finer: float = 1.0) -> tuple[Scale, ...]:
    """Factors at which the sizes of a level fit within a pixel, the likeliest first.

    Whole factors come first (the finer level's times a whole number before others, powers of two before others), then
    halves, then a level that is stretched over the whole picture.

    Parameters
    ----------
    finest, size
        (width, height) of level 0 and of the level.
    finer
        Factor of the next finer level.

    Returns
    -------
    tuple of (float, float)
        Level-0 pixels per pixel along x and y.

    Examples
    --------
    >>> likely_scales((1024, 512), (256, 128)), likely_scales((1001, 997), (15, 15), 32.0)[0]
    (((4.0, 4.0),), (64.0, 64.0))
    """
    stretched = finest[0] / size[0], finest[1] / size[1]
    mean = (stretched[0] + stretched[1]) / 2
    # One axis at least must bound the factor from above: a level of one pixel does not.
    most = min((finest[axis] / (size[axis] - 1) for axis in (0, 1) if size[axis] > 1), default=2 * mean)
    spread = range(max(1, math.ceil(_least_factor(finest, size))), math.floor(min(most, 2 * mean)) + 1)
    whole = [float(factor) for factor in spread if _fits(finest, size, factor)]
    whole.sort(key=lambda factor: (factor % finer != 0, not _is_power_of_two(factor), abs(factor - mean)))
    halves = [factor + 0.5 for factor in spread if _fits(finest, size, factor + 0.5)] if mean < 8 else []
    common = [(factor, factor) for factor in (*whole[:3], *halves)]
    if _fits(finest, size, mean) and stretched not in common:
        common.append(stretched)
    return tuple(common)


def settle_by_size(sizes: Sequence[Size], reported: Sequence[float]) -> Settled:
    """Settle a pyramid whose reader knows its vendor's rules: whole factors where they fit, else the sizes' ratio.

    Parameters
    ----------
    sizes
        (width, height) of each level, finest first.
    reported
        The reader's downsample of each.
    """
    levels: list[Level] = []
    for size, downsample in zip(sizes, reported, strict=True):
        likely = likely_scales(sizes[0], size, levels[-1].scale_x if levels else 1.0)
        scale = likely[0] if likely else (sizes[0][0] / size[0], sizes[0][1] / size[1])
        levels.append(Level(*size, downsample, *scale))
    return Settled(tuple(levels), tuple(range(len(levels))), ())


def settle_by_pixels(sizes: Sequence[Size], reported: Sequence[float], read: Read) -> Settled:
    """Settle a pyramid of which only sizes and pixels are known.

    A level whose sizes fit and that has nothing to compare (glass) is taken by its sizes; one whose pixels contradict
    every likely factor is left out.

    Parameters
    ----------
    sizes
        (width, height) of each level, finest first.
    reported
        The reader's downsample of each.
    read
        Reads a box of a level; what it cannot decode does not count.
    """
    finest = sizes[0]
    levels, numbers, left_out = [Level(*finest, reported[0])], [0], []
    places = textured_places(sizes, read) if len(sizes) > 1 else ()
    for number in range(1, len(sizes)):
        finer = levels[-1]
        finer_scale = finer.scale_x, finer.scale_y
        between = numbers[-1], number
        compare = Comparison(read, between, (finer.width, finer.height), sizes[number], finer_scale, places)
        scale = _true_scale(finest, sizes[number], finer.scale_x, compare)
        if scale is None:
            left_out.append(number)
            continue
        levels.append(_level(finest, sizes[number], reported[number], scale))
        numbers.append(number)
    return Settled(tuple(levels), tuple(numbers), tuple(left_out))


def _true_scale(finest: Size, size: Size, finer: float, compare: Comparison) -> Scale | None:
    """Factor at which a level agrees best with the finer one; None if it agrees at none."""
    likely = likely_scales(finest, size, finer)
    if compare(likely[0] if likely else _padded_scales(finest, size, finer)[0]) is None:
        # Nothing but glass: sizes that fit are all that counts, and all that matters.
        return likely[0] if likely else None
    return _best(likely, compare) or _best(_padded_scales(finest, size, finer), compare)


def _best(scales: Sequence[Scale], compare: Comparison) -> Scale | None:
    """Factor with the least difference among those that agree; an earlier one unless a later one is clearly better."""
    best: tuple[Scale, Evidence] | None = None
    for scale in scales:
        evidence = compare(scale)
        if evidence is None or not evidence.agrees(max(scale)):
            continue
        if best is None or evidence.difference < _CLEARLY_BETTER * best[1].difference:
            best = scale, evidence
    return best[0] if best else None


def _padded_scales(finest: Size, size: Size, finer: float) -> tuple[Scale, ...]:
    """Whole factors at which a level holds more than the slide: filled up to whole tiles, or made before a cut."""
    least = _least_factor(finest, size)
    wanted = {math.ceil(least), 2 ** max(0, math.ceil(math.log2(least))), *(finer * step for step in (2, 3, 4))}
    return tuple((float(factor), float(factor)) for factor in sorted(wanted) if factor >= least)


def _level(finest: Size, size: Size, reported: float, scale: Scale) -> Level:
    """Cut off what lies beyond the slide; a level that is rounded up by part of a pixel keeps that."""
    asked = finest[0] / scale[0], finest[1] / scale[1]
    width, height = (own if own <= fit + 1 else math.floor(fit) for own, fit in zip(size, asked, strict=True))
    sound = all(abs(finest[axis] / reported - asked[axis]) <= 1 for axis in (0, 1))
    return Level(width, height, reported if sound else (scale[0] + scale[1]) / 2, *scale)


def _fits(finest: Size, size: Size, factor: float) -> bool:
    """Whether both sizes are level 0's divided by the factor, to within a pixel."""
    return all(abs(finest[axis] / factor - size[axis]) <= 1 for axis in (0, 1))


def _least_factor(finest: Size, size: Size) -> float:
    """Smallest factor at which a level of this size holds the whole slide (but for a pixel dropped)."""
    return max(finest[axis] / (size[axis] + 1) for axis in (0, 1))


def _is_power_of_two(factor: float) -> bool:
    return math.log2(factor).is_integer()
