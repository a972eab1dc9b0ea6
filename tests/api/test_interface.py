"""The public interface as a whole: cheap to import, true to the configuration, apart from everything else."""

import inspect
import subprocess
import sys
import typing
from pathlib import Path

import pytest

import wsi_scale as ws
from wsi_scale import errors
from wsi_scale.config.models import Config

#: Sections whose keys are keyword arguments of a function.
SECTIONS = {
    ws.estimate_mpp: ("magnification", "slides", "execution"),
    ws.audit: ("magnification", "slides", "execution"),
    ws.tile_slide: ("tiling", "tissue", "slides"),
    ws.search_scale: ("search", "slides", "execution"),
    ws.extract_features: ("features", "slides", "execution"),
}


def test_importing_it_costs_little_and_loads_no_torch() -> None:
    code = (
        "import time; start = time.perf_counter(); import wsi_scale; took = time.perf_counter() - start; import sys; "
        "print(took, 'torch' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    took, torch, numpy = done.stdout.split()
    assert float(took) < 0.3
    assert (torch, numpy) == ("False", "False")


def test_every_name_is_there_documented_with_an_example_and_typed() -> None:
    assert sorted(ws.__all__) == ws.__all__ == dir(ws)
    for name in ws.__all__:
        thing = getattr(ws, name)
        assert name == "__version__" or inspect.getdoc(thing), name
        if inspect.isfunction(thing):
            hints = typing.get_type_hints(thing, vars(sys.modules[thing.__module__]))
            assert set(inspect.signature(thing).parameters) | {"return"} == set(hints), name
        is_error = inspect.isclass(thing) and issubclass(thing, Exception)
        assert name == "__version__" or is_error or ">>> " in str(thing.__doc__), name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ws.nothing  # type: ignore[attr-defined]


@pytest.mark.parametrize("function", SECTIONS, ids=lambda function: function.__name__)
def test_defaults_are_those_of_the_configuration(function: typing.Callable[..., object]) -> None:
    models = [getattr(Config(), section) for section in SECTIONS[function]]
    told = 0
    for name, parameter in inspect.signature(function).parameters.items():
        found = [getattr(model, name) for model in models if name in type(model).model_fields]
        if found and name != "optimal" and not (function is not ws.tile_slide and name == "mpp"):
            assert parameter.default == found[0], name
            told += 1
    assert told >= 4


def test_what_grows_with_slides_or_tiles_shows_progress() -> None:
    functions = [getattr(ws, name) for name in ws.__all__ if inspect.isfunction(getattr(ws, name))]
    showing = {function.__name__ for function in functions if "progress" in inspect.signature(function).parameters}
    assert showing == {"audit", "search_scale", "extract_features", "run"}
    page = (Path(__file__).parents[2] / "docs/python.md").read_text(encoding="utf-8")
    assert "in `audit`, `search_scale`, `extract_features` and `run`" in page


def test_the_errors_are_one_tree() -> None:
    kinds = [getattr(ws, name) for name in ws.__all__ if name.endswith("Error")]
    classes = {each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, Exception)}
    assert set(kinds) == classes
    assert all(issubclass(kind, ws.UserError) for kind in kinds if kind is not ws.WsiScaleError)
    assert issubclass(ws.MppError, ws.SlideError)
