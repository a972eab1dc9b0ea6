"""Of what a file claims of its pixel size, the first usable claim is believed."""

from hypothesis import given, settings
from hypothesis import strategies as st

from wsi_scale.slides.mpp_claim import MppClaim, believed, disagree

claims = st.lists(
    st.builds(MppClaim, st.sampled_from(["metadata", "ome", "tiff"]), st.floats(0.01, 100), st.floats(0.01, 100)),
    max_size=3,
)


@given(claims)
@settings(deadline=None)
def test_whoever_is_believed_is_usable_if_anybody_is_and_nobody_usable_stands_before_him(said: list[MppClaim]) -> None:
    best = believed(said)
    usable = [claim for claim in said if claim.usable]
    assert best == (usable[0] if usable else said[0] if said else None)


@given(st.floats(0.05, 40), st.floats(1.0, 1.2))
@settings(deadline=None)
def test_ten_percent_is_the_limit_whoever_says_more(mpp: float, factor: float) -> None:
    one, other = MppClaim("ome", mpp, mpp), MppClaim("tiff", mpp, mpp * factor)
    if abs(factor - 1.1) > 1e-9:
        assert disagree([one, other]) == disagree([other, one]) == (factor > 1.1)
    assert not disagree([one])
    assert not disagree([])
