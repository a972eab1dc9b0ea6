"""A slide's results in a few numbers."""

from dataclasses import replace

import numpy as np

from wsi_scale.results.audit import unreadable_row
from wsi_scale.results.summary import SlideSummary, quartiles


def test_quartiles_lie_in_order_and_within_the_values() -> None:
    values = np.random.default_rng(0).lognormal(size=101)
    found = quartiles(values)
    assert values.min() < found.low < found.median < found.high < values.max()
    assert found.median == np.median(values)


def test_there_is_no_share_where_nothing_could_be_answered() -> None:
    empty = SlideSummary("a", "empty", "no tissue", 0, 0, None, None, unreadable_row("a", "a.svs", ""), ())

    assert empty.answered_share is None
    assert replace(empty, tiles=8, answered=None).answered_share is None
    assert replace(empty, tiles=8, answered=6).answered_share == 0.75
