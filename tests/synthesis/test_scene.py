from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from wsi_scale.synthesis.scene import DrawnScene, Scene, calibration_scenes, draw_scene, render_scene, truth_scenes
from wsi_scale.synthesis.texture import TEXTURES


@pytest.mark.parametrize("texture", sorted(TEXTURES))
def test_the_same_scene_gives_the_same_pixels(texture: str) -> None:
    scene = Scene(radius_um=3.0, texture=texture, seed=5, size_px=128)

    first, again = render_scene(scene), render_scene(scene)

    assert first.shape == (128, 128, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize(
    ("scenes", "mean", "deviation"),
    [
        (
            calibration_scenes(6, 7, size_px=96),
            [181.60, 134.80, 147.91, 204.41, 139.99, 189.35],
            [39.69, 41.56, 56.00, 28.00, 42.25, 30.54],
        ),
        (
            truth_scenes(6, 7, size_px=96),
            [163.54, 139.07, 157.31, 139.53, 144.29, 157.93],
            [34.77, 47.52, 51.23, 35.68, 32.18, 30.96],
        ),
    ],
    ids=["calibration", "truth"],
)
def test_scenes_stay_as_calibrations_and_figures_have_seen_them(
    scenes: Sequence[Scene], mean: list[float], deviation: list[float]
) -> None:
    pixels = np.stack([render_scene(scene) for scene in scenes]).astype(np.float64)

    # Another processor rounds a few pixels otherwise; a nucleus more or less is seen.
    np.testing.assert_allclose(pixels.mean(axis=(1, 2, 3)), mean, atol=0.03)
    np.testing.assert_allclose(pixels.std(axis=(1, 2, 3)), deviation, atol=0.03)


def test_a_scene_tells_its_nuclei() -> None:
    nuclei = draw_scene(Scene(radius_um=3.0, seed=5, size_px=256)).nuclei

    assert len(nuclei) > 10
    assert np.median(nuclei.radius_um) == pytest.approx(3.0, rel=0.05)


def test_options_change_the_nuclei_and_nothing_else() -> None:
    plain = draw_scene(Scene(radius_um=3.0, density=0.3, seed=5))
    nuclei = {
        "mixed": replace(Scene(radius_um=3.0, density=0.3, seed=5), mixed_radius_um=6.0),
        "overlapping": replace(Scene(radius_um=3.0, density=0.3, seed=5), spacing=0.4),
        "elongated": replace(Scene(radius_um=3.0, density=0.3, seed=5), elongation=2.5),
    }
    drawn = {name: draw_scene(scene) for name, scene in nuclei.items()}

    for name in drawn:
        assert (drawn[name].pixels == plain.pixels).all(axis=-1).mean() > 0.2, name
    area = drawn["mixed"].nuclei.radius_um ** 2
    assert area[drawn["mixed"].nuclei.radius_um > 4.5].sum() / area.sum() == pytest.approx(0.25, abs=0.12)
    assert _smallest_gap(drawn["overlapping"]) < _smallest_gap(plain)
    assert np.median(drawn["elongated"].nuclei.elongation) == pytest.approx(2.5, rel=0.1)


def _smallest_gap(drawn: DrawnScene) -> float:
    places = np.column_stack([drawn.nuclei.x_um, drawn.nuclei.y_um])
    return float(cKDTree(places).query(places, k=2)[0][:, 1].min())


def test_crowded_nuclei_cover_more_than_usual_ones() -> None:
    usual, crowded = (draw_scene(Scene(3.0, density, seed=5)).nuclei for density in (0.35, 0.6))

    assert (crowded.radius_um**2).sum() > 1.15 * (usual.radius_um**2).sum()


def test_a_scene_out_of_focus_has_the_same_nuclei_and_softer_pixels() -> None:
    sharp, soft = (draw_scene(Scene(3.0, seed=5, blur_px=blur)) for blur in (0.0, 3.0))

    np.testing.assert_array_equal(sharp.nuclei.x_um, soft.nuclei.x_um)
    assert (
        np.abs(np.diff(soft.pixels.astype(float), axis=0)).mean()
        < np.abs(np.diff(sharp.pixels.astype(float), axis=0)).mean()
    )


def test_another_seed_gives_another_picture() -> None:
    scene = Scene(radius_um=3.0, size_px=96)

    assert not np.array_equal(render_scene(scene), render_scene(replace(scene, seed=1)))


@pytest.mark.parametrize("radius_um", [2.0, 3.0, 4.5, 6.5])
def test_the_planted_radius_can_be_measured_back(radius_um: float, read_radii: Callable[..., np.ndarray]) -> None:
    scenes = [Scene(radius_um, density=0.06, texture="smooth", seed=seed) for seed in range(3)]

    radii = [read_radii(render_scene(scene), scene.mpp, 0.6 * radius_um) for scene in scenes]

    assert np.median(np.concatenate(radii)) == pytest.approx(radius_um, rel=0.12)


def test_the_radius_in_um_does_not_depend_on_the_pixels(read_radii: Callable[..., np.ndarray]) -> None:
    fine = Scene(4.0, density=0.06, texture="smooth", seed=2)
    coarse = replace(fine, mpp=0.5, size_px=224)

    medians = [np.median(read_radii(render_scene(scene), scene.mpp, 2.0)) for scene in (fine, coarse)]

    assert medians[0] == pytest.approx(medians[1], rel=0.12)


@pytest.mark.parametrize("texture", sorted(TEXTURES))
def test_ground_blur_and_noise_are_the_same_to_the_pixel_whatever_the_radius(texture: str) -> None:
    small, large = (
        render_scene(Scene(radius, density=0.0, texture=texture, seed=9, size_px=160)) for radius in (1.5, 8.0)
    )

    np.testing.assert_array_equal(small, large)


def test_the_spectrum_between_nuclei_does_not_scale_with_them() -> None:
    pictures = [render_scene(Scene(radius, density=0.15, texture="b", seed=4)).astype(float) for radius in (2.0, 6.0)]

    shared = (pictures[0] == pictures[1]).all(axis=-1)

    assert shared.mean() > 0.3


@pytest.mark.parametrize("density", [0.08, 0.18, 0.30])
def test_nuclei_cover_about_the_asked_share(density: float) -> None:
    shares = []
    for seed in range(6):
        scene = Scene(3.0, density=density, texture="smooth", seed=seed)
        bare = render_scene(replace(scene, density=0.0)).astype(float)
        red, ground = render_scene(scene)[..., 0].astype(float), bare[..., 0]
        shares.append(np.mean(red < 0.8 * ground))

    assert np.mean(shares) == pytest.approx(density, rel=0.35)


def test_radii_are_spread_evenly_in_octaves() -> None:
    radii = np.array([scene.radius_um for scene in calibration_scenes(32, 0)])

    octave = np.log2(radii / 1.5) / np.log2(8.0 / 1.5)

    np.testing.assert_array_equal(np.floor(np.sort(octave) * 32), np.arange(32))


def test_scenes_follow_their_seed() -> None:
    assert calibration_scenes(8, 3) == calibration_scenes(8, 3)
    assert calibration_scenes(8, 3) != calibration_scenes(8, 4)


def test_truth_scenes_share_nothing_with_calibration_scenes() -> None:
    calibration, truth = calibration_scenes(40, 0), truth_scenes(40, 0)

    for name in ("texture", "stain", "seed"):
        assert not {getattr(s, name) for s in calibration} & {getattr(s, name) for s in truth}


def test_every_family_uses_all_its_textures_and_densities() -> None:
    for scenes in (calibration_scenes(40, 1), truth_scenes(40, 1)):
        assert len({scene.texture for scene in scenes}) == 4
        assert all(0.08 <= scene.density <= 0.30 for scene in scenes)


def test_scenes_take_the_asked_grid() -> None:
    (scene,) = calibration_scenes(1, 0, radii_um=(2.0, 2.1), mpp=0.5, size_px=96)

    assert (scene.mpp, scene.size_px) == (0.5, 96)
    assert 2.0 <= scene.radius_um <= 2.1
