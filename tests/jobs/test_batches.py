"""Which slides share their processes, and what their jobs ask for."""

from itertools import pairwise

import pytest

from wsi_scale.jobs.batches import FULL_GB, MOST_SLIDES, Batch, batches, batches_of, needs


def ids(count: int) -> list[str]:
    return [f"s{number:04}" for number in range(count)]


def sizes(slides: int, gigabytes: float = 0.0, before: dict[str, str] | None = None) -> list[int]:
    batch_of = batches_of(ids(slides), dict.fromkeys(ids(slides), gigabytes), before or {})
    return [len(batch.slide_ids) for batch in batches(batch_of, {}).values()]


def test_each_slide_of_a_small_cohort_is_alone_in_a_batch_of_its_name() -> None:
    assert batches_of(ids(3), {}, {}) == {"s0000": "s0000", "s0001": "s0001", "s0002": "s0002"}


@pytest.mark.parametrize("slides", [17, 100, 1000])
def test_small_slides_of_a_large_cohort_share_batches(slides: int) -> None:
    found = sizes(slides)
    assert sum(found) == slides
    assert max(found) <= MOST_SLIDES
    assert len(found) <= max(16, slides / MOST_SLIDES + 1)


def test_large_slides_are_alone() -> None:
    assert sizes(100, gigabytes=FULL_GB * 0.8) == [1] * 100


def test_a_name_that_others_could_read_in_their_own_way_is_no_batch_name() -> None:
    odd = ["a b", "$HOME", "-x", "ok.svs", "ü", "batch-0001"]
    named = batches_of(odd, {}, {})
    assert named["ok.svs"] == "ok.svs"
    assert named["batch-0001"] == "batch-0001"
    assert [named[slide_id] for slide_id in odd[:3]] == ["batch-0002", "batch-0003", "batch-0004"]
    assert len(set(named.values())) == len(odd)


def test_a_slide_stays_in_its_batch_whatever_comes_or_goes() -> None:
    first = batches_of(ids(100), {}, {})
    more = batches_of(["new", *ids(100)[10:]], {}, first)
    assert {slide_id: more[slide_id] for slide_id in ids(100)[10:]} == {
        slide_id: first[slide_id] for slide_id in ids(100)[10:]
    }
    assert more["new"] not in first.values()


def test_a_slide_that_comes_back_does_not_join_a_batch_of_its_name_that_has_another() -> None:
    assert batches_of(["a"], {}, {"b": "a"})["a"] != "a"


def test_needs_grow_with_size_and_attempts() -> None:
    search = ("predict", "search", "extract")
    small, large = Batch("a", ("a",), 0.01), Batch("b", ("b",), 4.0)
    asked = [needs(search, batch, threads=8, attempt=attempt) for batch in (small, large) for attempt in (1, 2, 3)]
    assert all(one.mem_mb * 2 == two.mem_mb for one, two in (*pairwise(asked[:3]), *pairwise(asked[3:])))
    assert asked[0].mem_mb == asked[3].mem_mb == 9000
    assert asked[0].runtime < 60
    assert 600 < asked[3].runtime < 1000
    assert needs(("inspect",), small, 1, 1).mem_mb == 2000
    assert needs(("inspect",), Batch("c", tuple(ids(16)), 0.1), 1, 1).runtime > needs(("inspect",), small, 1, 1).runtime
