"""The figures that stand in the repository, and what is drawn of them."""

from pathlib import Path

from PIL import Image

from benchmarks.helps.__main__ import FIGURES, PARTS, plain, without_points
from benchmarks.helps.judge import Interval
from benchmarks.helps.radius import TERTILES
from benchmarks.helps.report import draw_optimal, draw_radius, draw_wrong_mpp
from wsi_scale.artifacts.documents import read_json


def test_the_committed_figures_are_parts_that_can_be_measured(tmp_path: Path) -> None:
    figures = read_json(FIGURES)
    assert set(figures) <= set(PARTS)
    wrong = {part.removeprefix("wrong-mpp-"): found for part, found in figures.items() if part.startswith("wrong")}
    draw_wrong_mpp(wrong, tmp_path)
    draw_optimal({"embedded": figures["optimal-embedded"]}, tmp_path / "optimal.png")
    drawn = sorted(path.name for path in tmp_path.iterdir())
    assert drawn == sorted(["optimal.png", *(f"helps-wrong-mpp-{network}.png" for network in wrong)])


def test_the_radius_is_drawn_for_one_network_and_for_two(tmp_path: Path) -> None:
    row = {f"sd, {name} confident third": {"value": 0.1} for name in TERTILES}
    part = {"weighted by area": row | {"points": [[0.1, 0.3, 0], [0.5, 0.1, 1], [0.9, 0.0, 2]]}}
    draw_radius({"embedded": part}, tmp_path / "one.png")
    draw_radius({"embedded": part, "vgg19": part}, tmp_path / "two.png")
    with Image.open(tmp_path / "one.png") as one, Image.open(tmp_path / "two.png") as two:
        assert two.width == 2 * one.width


def test_figures_are_stored_without_what_only_a_picture_needs() -> None:
    found = {"row": {"sd": Interval(0.1, 0.0, 0.2), "points": [1], "octaves": (0.5, 1.0)}}
    assert without_points(plain(found)) == {
        "row": {"sd": {"value": 0.1, "low": 0.0, "high": 0.2}, "octaves": [0.5, 1.0]}
    }
