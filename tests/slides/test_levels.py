"""A field read from any level of any pyramid shows what level 0 shows, or the level is left out."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from tests.runs import draw
from wsi_scale.slides import Field, Slide, open_slide, read_field
from wsi_scale.slides.levels import likely_scales, settle_by_pixels

Picture = NDArray[np.uint8]
Pyramid = list[Picture]

BOX, LANCZOS = Image.Resampling.BOX, Image.Resampling.LANCZOS
FILTERS = Image.Resampling.HAMMING, Image.Resampling.BILINEAR


@pytest.fixture(scope="module")
def tissue() -> Picture:
    return draw(3.0, 1024, 1024)


def means(image: Picture, factor: int) -> Picture:
    """Means of whole blocks; what does not divide is dropped."""
    rows, columns = image.shape[0] // factor * factor, image.shape[1] // factor * factor
    blocks = image[:rows, :columns].reshape(rows // factor, factor, columns // factor, factor, 3)
    return np.round(blocks.mean(axis=(1, 3))).astype(np.uint8)


def stretched(image: Picture, factor: float, kind: Image.Resampling) -> Picture:
    """Shrink the whole picture to a rounded size."""
    size = int(image.shape[1] / factor), int(image.shape[0] / factor)
    return np.asarray(Image.fromarray(image).resize(size, kind))


def padded(image: Picture, tile: int, mode: str) -> Picture:
    """Fill up to whole tiles."""
    rest = ((0, -image.shape[0] % tile), (0, -image.shape[1] % tile), (0, 0))
    if mode == "edge":
        return np.pad(image, rest, mode="edge")
    return np.pad(image, rest, constant_values={"white": 255, "black": 0}[mode])


def odd(tissue: Picture) -> Picture:
    return tissue[:1001, :997]


def floored(tissue: Picture) -> Pyramid:
    return [odd(tissue), *(means(odd(tissue), factor) for factor in (2, 4, 8))]


def filled(mode: str, tile: int) -> Callable[[Picture], Pyramid]:
    return lambda tissue: [odd(tissue), *(padded(level, tile, mode) for level in floored(tissue)[1:])]


def by(*factors: int) -> Callable[[Picture], Pyramid]:
    return lambda tissue: [odd(tissue), *(means(odd(tissue), factor) for factor in factors)]


def resized(kind: Image.Resampling, *factors: float) -> Callable[[Picture], Pyramid]:
    return lambda tissue: [odd(tissue), *(stretched(odd(tissue), factor, kind) for factor in factors)]


#: Kind of pyramid, and the factors that are found.
KINDS: dict[str, tuple[Callable[[Picture], Pyramid], list[float]]] = {
    "exact": (lambda tissue: [tissue, *(means(tissue, factor) for factor in (2, 4, 8))], [1, 2, 4, 8]),
    "floored": (floored, [1, 2, 4, 8]),
    "ceiled": (lambda t: [odd(t), *(np.asarray(Image.fromarray(odd(t)).reduce(f)) for f in (2, 4, 8))], [1, 2, 4, 8]),
    "padded with white": (filled("white", 128), [1, 2, 4, 8]),
    "padded to large tiles": (lambda tissue: filled("white", 256)(tissue)[:3], [1, 2, 4]),
    "padded with black": (filled("black", 128), [1, 2, 4, 8]),
    "padded with the edge": (filled("edge", 128), [1, 2, 4, 8]),
    "stretched": (resized(LANCZOS, 2, 4, 8), [1, 2.002, 4.004, 8.024]),
    "by three": (by(3, 9), [1, 3, 9]),
    "by two and a half": (lambda t: [t[:1000, :1000], stretched(t[:1000, :1000], 2.5, LANCZOS)], [1, 2.5]),
    "by two and a half, rounded": (resized(LANCZOS, 2.5), [1, 2.504]),
    "cut at level 0": (lambda t: [t[:900, :950], *(means(t, factor) for factor in (2, 4, 8))], [1, 2, 4, 8]),
    "every other pixel": (lambda t: [t, t[::2, ::2], t[::4, ::4]], [1]),
    "cut at level 1": (lambda t: [t, means(t, 2)[:480, :480], means(t, 4)], [1, 4]),
    "mirrored": (lambda t: [t, means(t, 2)[:, ::-1]], [1]),
    "of another scene": (lambda t: [t, means(t[::-1], 2)], [1]),
}


def write(path: Path, levels: Pyramid) -> Path:
    """Write a pyramid: reduced pages, or SubIFDs in an OME-TIFF."""
    ome = ".ome." in path.name
    with tifffile.TiffWriter(path, ome=ome) as writer:
        for number, level in enumerate(levels):
            below = {"subifds": len(levels) - 1} if ome and not number else {"subfiletype": int(number > 0)}
            metadata = {"axes": "YXS"} if ome and not number else None
            writer.write(level, tile=(64, 64), photometric="rgb", compression="zlib", metadata=metadata, **below)
    return path


def far_and_near(slide: Slide, downsample: int) -> Iterator[Field]:
    side = min(320, slide.width, slide.height) // downsample * downsample
    for x, y in ((0, 0), (slide.width - side, slide.height - side)):
        yield Field(x // downsample * downsample, y // downsample * downsample, side, side)


def worst(slide: Slide, downsample: int) -> tuple[float, float]:
    """Mean difference (grey levels) and shift (level-0 pixels) of fields from level 0 resampled."""
    from skimage.registration import phase_cross_correlation

    whole = Image.fromarray(slide.read(0, 0, 0, slide.width, slide.height))
    differences, shifts = [], []
    for field in far_and_near(slide, downsample):
        size = (int(field.width) // downsample,) * 2
        box = (field.x, field.y, field.x + field.width, field.y + field.height)
        pixels = read_field(slide, field, size).astype(np.float64)
        # Levels are shrunk by sharper filters than the triangle that fields are read with.
        sharp, soft = (np.asarray(whole.resize(size, kind, box=box), np.float64) for kind in FILTERS)
        differences.append(min(np.abs(pixels - sharp).mean(), np.abs(pixels - soft).mean()))
        expected = sharp.mean(axis=2)
        if expected.std() < 10:  # glass does not tell where it is
            continue
        found = phase_cross_correlation(expected, pixels.mean(axis=2), upsample_factor=20)  # type: ignore[no-untyped-call]
        shifts.append(np.abs(found[0]).max() * downsample)
    return max(differences), max(shifts, default=0.0)


@pytest.mark.parametrize("name", ["p.tif", pytest.param("p.ome.tif", marks=pytest.mark.long)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_field_of_any_pyramid_is_level_0_resampled(tmp_path: Path, tissue: Picture, kind: str, name: str) -> None:
    make, factors = KINDS[kind]
    path = write(tmp_path / name, make(tissue))
    with open_slide(path) as slide:
        assert [level.scale_x for level in slide.levels] == pytest.approx(factors, rel=3e-3)
        assert [level.downsample for level in slide.levels] == pytest.approx(factors, rel=5e-3)
        assert len(slide.warnings) == len(make(tissue)) - len(factors)
        for downsample in (2, 4, 8):
            difference, shift_px = worst(slide, downsample)
            assert difference <= 4
            assert shift_px <= 0.5


def test_glass_alone_is_taken_by_its_sizes(tmp_path: Path) -> None:
    glass = np.random.default_rng(0).normal(240, 1, (1001, 997, 3)).astype(np.uint8)
    with open_slide(write(tmp_path / "glass.ome.tif", floored(glass))) as slide:
        assert [level.scale_x for level in slide.levels] == [1, 2, 4, 8]


def test_a_level_left_out_is_named(tmp_path: Path, tissue: Picture) -> None:
    with open_slide(write(tmp_path / "m.tif", [tissue, means(tissue, 2)[:, ::-1]])) as slide:
        (warning,) = slide.warnings
        assert "512x512 px is left out" in warning
        assert "\n" not in warning


def test_levels_of_a_few_pixels_do_no_harm(tissue: Picture) -> None:
    levels = [tissue[:700, :500], *(stretched(tissue[:700, :500], 2**n, BOX) for n in range(1, 9))]
    sizes = [(level.shape[1], level.shape[0]) for level in levels]

    def read(number: int, x: int, y: int, width: int, height: int) -> Picture:
        return levels[number][y : y + height, x : x + width]

    settled = settle_by_pixels(sizes, [500 / width for width, _ in sizes], read)
    assert settled.left_out == ()


@given(
    st.tuples(st.integers(300, 200_000), st.integers(300, 200_000)),
    st.integers(1, 8),
    st.sampled_from((np.floor, np.ceil)),
)
def test_a_pyramid_by_two_is_told_from_its_sizes_down_to_small_levels(
    finest: tuple[int, int], levels: int, rounded: Callable[[float], float]
) -> None:
    sizes: Sequence[tuple[int, int]] = [
        (max(1, int(rounded(finest[0] / 2**n))), max(1, int(rounded(finest[1] / 2**n)))) for n in range(levels + 1)
    ]
    for n in range(1, levels + 1):
        if min(sizes[n]) < 12:  # the pixels of what is smaller tell nothing either
            break
        assert likely_scales(finest, sizes[n], 2.0 ** (n - 1))[0] == (2**n, 2**n)


@pytest.mark.long
@pytest.mark.data
def test_a_field_of_every_real_pyramid_is_level_0_resampled(data_root: Path) -> None:
    for path in sorted((data_root / "slides").glob("*.*")):
        if path.suffix not in (".tif", ".svs") or "multi-channel" in path.name:
            continue
        with open_slide(path) as slide:
            assert not slide.warnings
            for downsample in (2, 4, 8) if len(slide.levels) > 1 else ():
                difference, shift_px = worst(slide, downsample)
                # Lossy levels of a real scanner differ more than drawn ones.
                assert difference <= 10
                assert shift_px <= 0.5
