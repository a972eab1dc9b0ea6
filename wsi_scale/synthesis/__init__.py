"""Synthetic tissue with known nuclear sizes: scenes for calibration and tests, and demo slides."""

from wsi_scale.synthesis.demo import DemoTruth, PlantedSlide, Region, make_demo
from wsi_scale.synthesis.pyramid import write_pyramid
from wsi_scale.synthesis.scene import Scene, calibration_scenes, render_scene, truth_scenes

__all__ = [
    "DemoTruth",
    "PlantedSlide",
    "Region",
    "Scene",
    "calibration_scenes",
    "make_demo",
    "render_scene",
    "truth_scenes",
    "write_pyramid",
]
