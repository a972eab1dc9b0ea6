"""Small fields of nuclei of one planted radius: for calibration and tests of a network's channels."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsi_scale.synthesis.canvas import Camera, Canvas, blank_canvas, develop
from wsi_scale.synthesis.nuclei import NuclearAppearance, Nuclei, Numbers, paint_nuclei, scatter
from wsi_scale.synthesis.stain import ANCHORS, STAIN_FAMILIES, Stain, random_stain
from wsi_scale.synthesis.texture import (
    TEXTURE_FAMILIES,
    TEXTURES,
    Field,
    Flow,
    fibre_field,
    gaussian_field,
    ground,
    make_flow,
)


@dataclass(frozen=True)
class Scene:
    """All parameters of a field; the same scene gives the same pixels.

    Attributes
    ----------
    radius_um
        Planted radius of the nuclei (circle of the same area), ±12 %.
    density
        Share of the area that they cover; above 0.35 nuclei are crowded.
    texture
        Name of the ground, a key of ``TEXTURES``.
    stain
        The dyes' colours.
    seed
        Seed of places, shapes, vacuoles, grain, blur and noise.
    size_px, mpp
        Side in pixels and µm per pixel.
    mixed_radius_um
        Radius of the nuclei that cover a quarter of what nuclei cover, where two sizes are mixed.
    spacing
        Least distance of two nuclei over the sum of their radii; below 1 they may overlap. By default drawn.
    elongation
        Usual long over short axis, at most 3.5. By default drawn, at most 1.7.
    blur_px
        Standard deviation of the optics' blur, pixels. By default drawn, at most 1.
    """

    radius_um: float
    density: float = 0.18
    texture: str = "a"
    stain: Stain = ANCHORS["classic"]
    seed: int = 0
    size_px: int = 448
    mpp: float = 0.25
    mixed_radius_um: float | None = None
    spacing: float | None = None
    elongation: float | None = None
    blur_px: float | None = None


@dataclass(frozen=True)
class DrawnScene:
    """A scene's pixels, (size_px, size_px, 3), and the nuclei in it, some of them across its edges."""

    pixels: NDArray[np.uint8]
    nuclei: Nuclei


def render_scene(scene: Scene) -> NDArray[np.uint8]:
    """Draw a scene as an array (size_px, size_px, 3).

    Only the nuclei's outlines follow ``radius_um``: ground, chromatin, rims, vacuoles, blur and noise keep
    their own sizes, and scenes that differ only in the radius share them to the pixel.

    Examples
    --------
    >>> render_scene(Scene(radius_um=3.0, size_px=64)).shape
    (64, 64, 3)
    """
    return draw_scene(scene).pixels


def draw_scene(scene: Scene) -> DrawnScene:
    """Draw a scene, and tell its nuclei."""
    ground_rng, places_rng, appearance_rng, camera_rng = (
        np.random.default_rng([scene.seed, part]) for part in range(4)
    )
    side_um = scene.size_px * scene.mpp
    canvas = blank_canvas(side_um, side_um, scene.mpp)
    flow = make_flow(
        canvas.shape,
        scene.mpp,
        ground_rng,
        angle=ground_rng.uniform(0, math.pi),
        waviness_um=ground_rng.uniform(4, 25),
    )
    _lay_ground(canvas, scene, flow, ground_rng)
    if ground_rng.uniform() < 0.4:
        _cut_vacuoles(canvas, ground_rng)
    nuclei = _place_nuclei(canvas, scene, flow, places_rng)
    appearance = _random_appearance(appearance_rng)
    paint_nuclei(canvas, nuclei, _chromatin(canvas, appearance_rng), appearance, appearance_rng)
    # Options replace what was drawn and draw nothing themselves, so that all else in a scene stays as it is.
    blur_px, noise = camera_rng.uniform(0.0, 1.0), camera_rng.uniform(0.5, 4.0)
    camera = Camera(blur_px=blur_px if scene.blur_px is None else scene.blur_px, noise=noise, unevenness=0.01)
    return DrawnScene(develop(canvas, scene.stain, camera, camera_rng), nuclei)


def calibration_scenes(
    count: int, seed: int, *, radii_um: tuple[float, float] = (1.5, 8.0), mpp: float = 0.25, size_px: int = 448
) -> list[Scene]:
    """Scenes to calibrate on, radii log-uniform and stratified over their range.

    Parameters
    ----------
    count
        How many.
    seed
        Seed of all scenes.
    radii_um
        Smallest and largest radius.
    mpp, size_px
        Of each scene.

    Examples
    --------
    >>> scenes = calibration_scenes(8, seed=0)
    >>> all(1.5 <= scene.radius_um <= 8.0 for scene in scenes)
    True
    """
    return _family("calibration", count, seed, radii_um, (mpp, size_px))


def truth_scenes(
    count: int, seed: int, *, radii_um: tuple[float, float] = (1.5, 8.0), mpp: float = 0.25, size_px: int = 448
) -> list[Scene]:
    """Scenes to evaluate on: as ``calibration_scenes``, with other textures, stains and seeds."""
    return _family("truth", count, seed, radii_um, (mpp, size_px))


def _family(family: str, count: int, seed: int, radii_um: tuple[float, float], grid: tuple[float, int]) -> list[Scene]:
    """Scenes of one family; textures alternate, in an order independent of the radius."""
    names = TEXTURE_FAMILIES[family]
    rng = np.random.default_rng([seed, sorted(TEXTURE_FAMILIES).index(family)])
    strata = (np.arange(count) + rng.uniform(size=count)) / max(count, 1)
    radii = radii_um[0] * (radii_um[1] / radii_um[0]) ** strata
    textures = rng.permutation([names[index % len(names)] for index in range(count)])
    return [
        Scene(
            radius_um=float(radius),
            density=float(rng.uniform(0.08, 0.30)),
            texture=str(texture),
            stain=random_stain(rng, STAIN_FAMILIES[family]),
            seed=int(rng.integers(2**31)),
            size_px=grid[1],
            mpp=grid[0],
        )
        for radius, texture in zip(radii, textures, strict=True)
    ]


def _lay_ground(canvas: Canvas, scene: Scene, flow: Flow, rng: np.random.Generator) -> None:
    density = ground(TEXTURES[scene.texture], flow, canvas.shape, scene.mpp, rng)
    canvas.eosin[:] = rng.uniform(0.55, 1.0) * np.maximum(density, 0.1)
    tint = rng.uniform(0.02, 0.16)
    canvas.haematoxylin[:] = tint * np.maximum(density, 0.1)
    if rng.uniform() < 0.5:
        canvas.eosin[:] *= 1 + rng.uniform(0.05, 0.18) * fibre_field(flow, canvas.shape, (0.8, 12.0), rng)
    if rng.uniform() < 0.35:
        _open_gaps(canvas, rng)


def _open_gaps(canvas: Canvas, rng: np.random.Generator) -> None:
    """Thin the tissue in irregular gaps between cells, some µm wide whatever the nuclei's radius."""
    field = gaussian_field(canvas.shape, rng.uniform(1.0, 4.0) / canvas.mpp, rng)
    kept = 1 / (1 + np.exp(np.clip(-6.0 * (field + rng.uniform(0.9, 1.5)), -30, 30)))
    canvas.eosin[:] *= kept
    canvas.haematoxylin[:] *= kept


def _cut_vacuoles(canvas: Canvas, rng: np.random.Generator) -> None:
    """Punch round white holes of a size that does not depend on the nuclei."""
    width, height = canvas.size_um
    usual = math.exp(rng.uniform(math.log(1.5), math.log(11.0)))
    share = rng.uniform(0.01, 0.08)
    for _ in range(min(150, math.ceil(share * width * height / (math.pi * usual**2)))):
        radius = usual * rng.uniform(0.6, 1.4)
        part, dx, dy = canvas.window(rng.uniform(0, width), rng.uniform(0, height), 1.3 * radius)
        depth = radius - np.hypot(dx, dy * rng.uniform(0.8, 1.25))
        kept = 1.0 - 0.95 * np.clip(depth / 0.35 + 0.5, 0.0, 1.0)
        canvas.eosin[part] *= kept
        canvas.haematoxylin[part] *= kept
        canvas.room[part] *= kept > 0.5


def _place_nuclei(canvas: Canvas, scene: Scene, flow: Flow, rng: np.random.Generator) -> Nuclei:
    """Nuclei of the planted radius with a few of another class, alone or in clusters."""
    clusters = rng.uniform(0.0, 0.8)
    field = gaussian_field(canvas.shape, rng.uniform(8.0, 25.0) / canvas.mpp, rng)
    weight = Canvas(field, field, field, np.exp(clusters * field), canvas.mpp)
    usual = float(weight.room.mean())

    def density_at(x_um: Numbers, y_um: Numbers) -> Numbers:
        local = scene.density * weight.room_at(x_um, y_um).astype(np.float64) / usual
        return np.minimum(local, max(0.42, scene.density))

    def radius_at(x_um: Numbers, _: Numbers) -> Numbers:
        radius = np.full(x_um.shape, scene.radius_um)
        if scene.mixed_radius_um is not None:
            radius[::4] = scene.mixed_radius_um  # places come in random order
        return radius

    drawn = rng.uniform(0.72, 1.05)
    x, y, radius = scatter(
        canvas, radius_at, density_at, rng, spacing=drawn if scene.spacing is None else scene.spacing
    )
    others = rng.uniform(size=len(x)) < rng.uniform(0.0, 0.05)
    radius = np.where(others, radius * rng.choice([0.55, 0.65, 1.6]), radius)
    usual_elongation = math.exp(rng.uniform(0.08, 0.55))
    longest = 2.6
    if scene.elongation is not None:
        usual_elongation, longest = scene.elongation, 3.5
    elongation = np.clip(usual_elongation * np.exp(rng.normal(0, 0.18, len(x))), 1.0, longest)
    along = rng.uniform() < 0.5
    angle = flow.angle(x, y) + rng.normal(0, 0.25, len(x)) if along else rng.uniform(0, math.pi, len(x))
    return Nuclei(x, y, radius, elongation, angle)


def _chromatin(canvas: Canvas, rng: np.random.Generator) -> Field:
    fine = gaussian_field(canvas.shape, rng.uniform(0.3, 0.6) / canvas.mpp, rng)
    return 0.8 * fine + 0.6 * gaussian_field(canvas.shape, rng.uniform(0.7, 1.1) / canvas.mpp, rng)


def _random_appearance(rng: np.random.Generator) -> NuclearAppearance:
    return NuclearAppearance(
        rim_um=rng.uniform(0.25, 0.5),
        rim=rng.uniform(0.05, 0.5),
        chromatin=rng.uniform(0.08, 0.3),
        pallor=rng.uniform(0.0, 0.5),
        nucleolus=rng.uniform(0.0, 0.5),
        halo=rng.uniform(-0.5, 0.35),
        halo_um=rng.uniform(0.6, 2.5),
        irregular=rng.uniform(0.01, 0.08),
        tone_spread=rng.uniform(0.05, 0.2),
    )
