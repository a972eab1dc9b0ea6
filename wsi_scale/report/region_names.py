"""Where the names of regions stand on a picture: within it, and not on one another."""

from collections.abc import Iterable


def place_names(
    names: Iterable[tuple[float, float, str]], letter: float, line: float, right: float
) -> list[tuple[float, float, str]]:
    """Keep names within a picture, and leave out those that would lie on one before: two on each other cannot be read.

    Parameters
    ----------
    names
        (left, base line, name), in the units of the picture.
    letter, line
        Width of a letter and height of a line.
    right
        Right end of the picture: a name that would go beyond is moved to the left.

    Returns
    -------
    list of (float, float, str)
        The same in the same order; the name is "" where it has no room.

    Examples
    --------
    >>> place_names([(0, 0, "core"), (5, 2, "rest"), (5, 20, "rest"), (60, 0, "margin")], letter=7, line=12, right=90)
    [(0, 0, 'core'), (5, 2, ''), (5, 20, 'rest'), (48, 0, 'margin')]
    """
    placed: list[tuple[float, float, str]] = []
    for start, y, name in names:
        width = letter * len(name)
        x = min(start, max(0, right - width))
        free = all(abs(y - v) >= line or x + width <= u or x >= u + letter * len(other) for u, v, other in placed)
        placed.append((x, y, name if free else ""))
    return placed
