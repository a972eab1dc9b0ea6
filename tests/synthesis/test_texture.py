import numpy as np
import pytest

from wsi_scale.synthesis.texture import (
    TEXTURE_FAMILIES,
    TEXTURES,
    bump,
    enlarge,
    fibre_field,
    gaussian_field,
    ground,
    make_flow,
    smoothstep,
)


def correlation_length_px(field: np.ndarray) -> float:
    """Sd of the smoothing Gaussian that gives the field's correlation at a distance of some pixels."""
    spectrum = np.abs(np.fft.fft2(field - field.mean())) ** 2
    correlation = np.fft.ifft2(spectrum).real[0]
    correlation /= correlation[0]
    distance = int(np.argmax(correlation < 0.5))
    return float(distance / (2 * np.sqrt(np.log(2))))


@pytest.mark.parametrize("length_px", [1.0, 3.0, 7.5, 20.0])
def test_a_field_has_the_asked_correlation_length_and_variance_one(length_px: float) -> None:
    fields = [gaussian_field((512, 512), length_px, np.random.default_rng(seed)) for seed in range(6)]

    assert np.mean([correlation_length_px(field) for field in fields]) == pytest.approx(length_px, rel=0.25, abs=0.4)
    assert np.sqrt(np.mean([np.mean(field**2) for field in fields])) == pytest.approx(1.0, rel=0.15)


def test_a_field_much_finer_than_a_pixel_averages_out() -> None:
    coarse, fine = (gaussian_field((200, 200), length, np.random.default_rng(0)).std() for length in (0.2, 0.1))

    assert coarse < 0.8
    assert fine == pytest.approx(coarse / 2, rel=0.05)


def test_enlarging_keeps_a_ramp_in_place() -> None:
    ramp = np.add.outer(np.arange(40), 2 * np.arange(30)).astype(np.float32)

    large = enlarge(ramp, (120, 90))

    rows, columns = np.indices((120, 90))
    expected = (rows + 0.5) / 3 - 0.5 + 2 * ((columns + 0.5) / 3 - 0.5)
    np.testing.assert_allclose(large[3:-3, 3:-3], expected[3:-3, 3:-3], atol=1e-3)


def test_enlarging_to_the_same_shape_changes_nothing() -> None:
    field = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)

    np.testing.assert_array_equal(enlarge(field, (9, 5)), field)


def test_fibres_vary_less_along_the_flow_than_across_it() -> None:
    rng = np.random.default_rng(1)
    flow = make_flow((300, 300), 0.5, rng, angle=0.0, waviness_um=0.0)

    fibres = fibre_field(flow, (300, 300), (0.9, 14.0), rng)

    assert np.abs(np.diff(fibres, axis=1)).mean() < 0.3 * np.abs(np.diff(fibres, axis=0)).mean()


@pytest.mark.parametrize("angle", [0.0, 0.6, 1.5])
def test_a_flow_tells_the_direction_it_was_given(angle: float) -> None:
    flow = make_flow((200, 260), 0.5, np.random.default_rng(0), angle=angle, waviness_um=0.0)

    told = flow.angle(np.array([30.0, 90.0]), np.array([20.0, 70.0]))

    np.testing.assert_allclose(np.cos(2 * (told - angle)), 1.0, atol=1e-3)


@pytest.mark.parametrize("name", sorted(TEXTURES))
def test_every_ground_has_mean_one(name: str) -> None:
    rng = np.random.default_rng(2)
    flow = make_flow((256, 256), 0.5, rng, angle=0.3)

    assert ground(TEXTURES[name], flow, (256, 256), 0.5, rng).mean() == pytest.approx(1.0, abs=0.08)


def test_families_share_no_texture() -> None:
    assert not set(TEXTURE_FAMILIES["calibration"]) & set(TEXTURE_FAMILIES["truth"])
    assert set().union(*TEXTURE_FAMILIES.values()) == set(TEXTURES)


def test_a_bump_is_nearly_gaussian() -> None:
    values = np.linspace(-6, 6, 101, dtype=np.float32)

    np.testing.assert_allclose(bump(values, 1.5), np.exp(-((values / 1.5) ** 2)), atol=0.08)


def test_a_smoothstep_rises_from_zero_to_one() -> None:
    values = np.array([-1, 0, 1, 2, 9], np.float32)

    np.testing.assert_allclose(smoothstep(values, 0.0, 2.0), [0, 0, 0.5, 1, 1])
