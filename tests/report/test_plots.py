import re
from dataclasses import astuple

import numpy as np
import pytest
from numpy.typing import NDArray

from wsi_scale.report.plots import agreement_plot, curve_figure, distribution_figure
from wsi_scale.report.svg import PAGE, inline_svg

MPP = 2.0 ** (np.arange(10) / 3 - 2)
CURVES = np.random.default_rng(0).random((20, 10))


def _curve(finest: float = 0.25) -> str:
    return _curve_of(MPP, CURVES, finest)


def _curve_of(mpp: NDArray[np.float64], curves: NDArray[np.float64], finest: float) -> str:
    figure = curve_figure(mpp, curves, finest, 0.6)
    assert figure is not None
    return inline_svg(figure, "curve")


def distribution_plot(values: NDArray[np.float64], description: str) -> str:
    return inline_svg(distribution_figure(values), description)


def _drawn() -> list[str]:
    values = 2.0 ** np.random.default_rng(1).normal(0, 0.4, 200)
    return [
        _curve(),
        distribution_plot(values, "spread"),
        agreement_plot([0.25, 1.0], [0.3, 0.9], "agreement"),
    ]


def test_the_same_figure_gives_the_same_bytes() -> None:
    assert _drawn() == _drawn()


def test_a_figure_takes_all_its_colours_from_the_page() -> None:
    for svg in _drawn():
        assert "var(--figure-" in svg
        assert not any(color in svg for color in astuple(PAGE))
        assert not re.search(r"#[0-9a-f]{6}\b", svg)


def test_a_figure_names_nothing_outside_the_page_and_no_date() -> None:
    for svg in _drawn():
        assert "http" not in svg
        assert "metadata" not in svg
        assert not re.search(r"20\d\d-\d\d-\d\d", svg)


def test_ids_of_different_figures_do_not_clash() -> None:
    found = [set(re.findall(r' id="([^"]+)"', svg)) for svg in _drawn()]
    assert all(found)
    assert not found[0] & found[1]
    for svg, ids in zip(_drawn(), found, strict=True):
        assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg)) == ids


def test_a_description_is_escaped() -> None:
    svg = distribution_plot(np.array([0.5, 1.0]), 'a "quoted" <name>')
    assert "&quot;quoted&quot; &lt;name&gt;" in svg


def test_interpolated_rungs_are_shaded_and_a_slide_without_any_is_not() -> None:
    assert _curve(finest=0.5).count("opacity: 0.16") == 1
    assert "opacity: 0.16" not in _curve(finest=0.25)


def test_rungs_without_a_value_are_left_out() -> None:
    curves = CURVES.copy()
    curves[:, 0] = np.nan
    assert _curve_of(MPP, curves, 0.25) == _curve_of(MPP[1:], curves[:, 1:], 0.25)


def test_a_layer_without_any_value_has_no_plot() -> None:
    assert curve_figure(MPP, np.full((4, 10), np.nan), 0.25, 0.6) is None


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.5, 0.5], [0.05, 50.0]])
def test_any_spread_of_values_can_be_drawn(values: list[float]) -> None:
    assert distribution_plot(np.array(values), "spread").startswith("<svg")
