from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from wsi_scale.synthesis.scene import Scene, calibration_scenes, render_scene, truth_scenes
from wsi_scale.synthesis.texture import TEXTURES


@pytest.mark.parametrize("texture", sorted(TEXTURES))
def test_the_same_scene_gives_the_same_pixels(texture: str) -> None:
    scene = Scene(radius_um=3.0, texture=texture, seed=5, size_px=128)

    first, again = render_scene(scene), render_scene(scene)

    assert first.shape == (128, 128, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)


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
