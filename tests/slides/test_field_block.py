"""Fields of neighbouring tiles: equal to fields read one by one, each level's pixels read once."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wsi_scale.errors import RegionError
from wsi_scale.slides import Field, FieldBlock, Slide, field_block, open_slide, read_field

Make = Callable[..., Any]
Read = tuple[int, int, int, int, int]


@pytest.fixture(params=["p.tif", "p.ome.tif"])
def slide(picture: Make, write_pyramid: Make, request: pytest.FixtureRequest) -> Iterator[Slide]:
    """A pyramid whose sizes do not divide, read by OpenSlide or by tifffile."""
    with open_slide(write_pyramid(picture(509, 613), levels=4, name=request.param)) as opened:
        yield opened


@pytest.fixture
def reads(slide: Slide, monkeypatch: pytest.MonkeyPatch) -> list[Read]:
    """What is read of the slide: level, x, y, width, height."""
    seen: list[Read] = []
    plain = slide.read

    def counted(level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        seen.append((level, x, y, width, height))
        return plain(level, x, y, width, height)

    monkeypatch.setattr(slide, "read", counted)
    return seen


def neighbours(rows: int, cols: int, side: float, x: float = 10.3, y: float = 20.6) -> list[Field]:
    return [Field(x + side * col, y + side * row, side, side) for row in range(rows) for col in range(cols)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    corners=st.lists(st.tuples(st.floats(-300, 700), st.floats(-300, 700)), min_size=1, max_size=6),
    side=st.floats(10, 300),
    sizes=st.lists(st.integers(1, 160), min_size=1, max_size=4),
)
def test_images_equal_fields_read_one_by_one(
    slide: Slide, corners: list[tuple[float, float]], side: float, sizes: list[int]
) -> None:
    fields = [Field(x, y, side, side) for x, y in corners]
    block = FieldBlock(slide, fields)
    for size in sizes:
        for field, image in zip(fields, block.read(range(len(fields)), (size, size)), strict=True):
            np.testing.assert_array_equal(image, read_field(slide, field, (size, size)))


def test_a_ladder_from_coarse_to_fine_reads_each_level_once(slide: Slide, reads: list[Read]) -> None:
    block = FieldBlock(slide, neighbours(3, 4, 120))
    for size in (9, 15, 20, 30, 40, 60, 80, 120):
        block.read(range(12), (size, size))
    assert [read[0] for read in reads] == [3, 2, 1, 0]


def test_tiles_that_left_cost_no_reading(slide: Slide, reads: list[Read]) -> None:
    block = FieldBlock(slide, neighbours(3, 4, 120))
    block.read(range(12), (30, 30))
    reads.clear()
    block.read([5], (120, 120))
    assert len(reads) == 1
    assert max(reads[0][3:]) < 130


def test_fields_far_from_one_another_are_not_joined(slide: Slide, reads: list[Read]) -> None:
    far = [Field(x, y, 30, 30) for x, y in ((0, 0), (550, 0), (0, 450), (550, 450))]
    FieldBlock(slide, far).read(range(4), (30, 30))
    assert len(reads) == 4


def test_a_region_is_no_larger_than_its_bound(slide: Slide, reads: list[Read], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(field_block, "MAX_REGION_PX", 40_000)
    fields = neighbours(4, 4, 100)
    images = FieldBlock(slide, fields).read(range(16), (100, 100))
    assert len(reads) > 4
    assert all(width * height <= 40_000 for *_, width, height in reads)
    for field, image in zip(fields, images, strict=True):
        np.testing.assert_array_equal(image, read_field(slide, field, (100, 100)))


def test_what_cannot_be_decoded_is_white_and_costs_no_neighbour(slide: Slide, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = slide.read

    def broken(level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        if x <= 150 < x + width and y <= 150 < y + height:
            raise RegionError("its tile at 150, 150 is broken")
        return plain(level, x, y, width, height)

    fields = neighbours(4, 4, 100)
    expected = [read_field(slide, field, (100, 100)) for field in fields]
    monkeypatch.setattr(slide, "read", broken)
    block = FieldBlock(slide, [*fields, None])
    images = block.read(range(17), (100, 100))
    assert [bool(problem) for problem in block.problems] == [row in (5, 16) for row in range(17)]
    assert block.problems[5] == "its tile at 150, 150 is broken"
    for row in range(17):
        np.testing.assert_array_equal(images[row], expected[row] if row not in (5, 16) else np.full((100, 100, 3), 255))


def test_fields_of_different_sizes_are_read_from_their_own_levels(slide: Slide, reads: list[Read]) -> None:
    fields = [Field(50, 50, side, side) for side in (64, 128, 256)]
    for field, image in zip(fields, FieldBlock(slide, fields).read(range(3), (64, 64)), strict=True):
        np.testing.assert_array_equal(image, read_field(slide, field, (64, 64)))
    assert {read[0] for read in reads} == {0, 1, 2}
