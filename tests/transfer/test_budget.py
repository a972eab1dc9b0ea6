"""One threshold for all layers, as low as a budget allows."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from wsi_scale.transfer.budget import LEAST, Kept, keep_best


def sizes(kept: Kept) -> int:
    return sum(int(mask.sum()) for mask in kept.values())


@given(st.integers(0, 1000), st.integers(20, 90))
def test_as_many_as_allowed_stay_and_the_best_of_them(seed: int, most: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = {name: torch.rand(40, generator=generator) for name in ("a", "b")}
    kept, threshold = keep_best(scores, sizes, most)
    assert sizes(kept) <= most
    for name, values in scores.items():
        assert int(kept[name].sum()) == LEAST or bool((kept[name] == (values >= threshold)).all())
    worst = min(float(values[kept[name]].min()) for name, values in scores.items())
    for name, values in scores.items():
        if int(kept[name].sum()) > LEAST:
            assert bool((values[~kept[name]] < worst).all()) or sizes(kept) <= most
            assert bool(kept[name][values.argmax()])
    # One more would be too many: no layer is at its least, and the scores are all different.
    if all(int(mask.sum()) > LEAST for mask in kept.values()):
        assert sizes(kept) == min(most, 80)


def test_a_layer_never_vanishes() -> None:
    scores = {"good": torch.ones(20), "bad": torch.zeros(20), "thin": torch.zeros(3)}
    kept, threshold = keep_best(scores, sizes, 25)
    assert threshold == float("inf")
    assert {name: int(mask.sum()) for name, mask in kept.items()}["bad"] == LEAST
    assert int(kept["thin"].sum()) == 3


def test_what_scores_too_little_goes_even_where_there_is_room() -> None:
    scores = {"a": torch.cat([torch.full((10,), 0.001), torch.full((10,), 0.5)])}
    assert int(keep_best(scores, sizes, 1000)[0]["a"].sum()) == 20
    assert int(keep_best(scores, sizes, 1000, least_score=0.01)[0]["a"].sum()) == 10
