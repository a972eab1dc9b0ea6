import numpy as np

from wsi_scale.synthesis.stain import ANCHORS, STAIN_FAMILIES, random_stain


def test_families_share_no_anchor() -> None:
    assert not set(STAIN_FAMILIES["calibration"]) & set(STAIN_FAMILIES["truth"])
    assert set().union(*STAIN_FAMILIES.values()) == set(ANCHORS)


def test_a_random_stain_follows_its_generator() -> None:
    first, again, other = (random_stain(np.random.default_rng(seed), tuple(ANCHORS)) for seed in (0, 0, 1))

    assert first == again
    assert first != other


def test_nuclei_absorb_red_and_eosin_hardly_does() -> None:
    for seed in range(30):
        stain = random_stain(np.random.default_rng(seed), tuple(ANCHORS))

        assert stain.haematoxylin[0] > 0.4
        assert stain.eosin[0] < 0.45
        assert stain.eosin[1] > stain.eosin[0]
