"""One tree of errors, drawn at the head of its module."""

import ast
import inspect
import pickle
from pathlib import Path

import pytest

import wsi_scale
from wsi_scale import errors
from wsi_scale.errors import ConfigError, SheetError, UserError, WsiScaleError

CLASSES = [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, Exception)]


def test_every_error_is_in_the_tree_that_the_module_draws() -> None:
    assert errors.__doc__ is not None
    drawn: dict[str, str] = {}
    path: list[str] = []
    for line in errors.__doc__.splitlines():
        name = next((word for word in line.replace("└──", " ").replace("├──", " ").replace("│", " ").split()), "")
        if hasattr(errors, name):
            depth = line.index(name) // 4
            path[depth:] = [name]
            drawn[name] = path[depth - 1] if depth else "Exception"
    assert drawn == {each.__name__: each.__bases__[0].__name__ for each in CLASSES}


def test_everything_that_a_person_can_mend_is_a_user_error() -> None:
    assert all(issubclass(each, UserError) for each in CLASSES if each is not WsiScaleError)


def test_a_configuration_error_is_also_a_value_error() -> None:
    assert issubclass(ConfigError, ValueError)


@pytest.mark.parametrize(("count", "said"), [(1, "1 fault in"), (2, "2 faults in"), (10, "10 faults in")])
def test_a_sheet_tells_all_its_faults_in_one_line(count: int, said: str) -> None:
    problems = [f"line {i + 2}: no path" for i in range(count)]
    error = pickle.loads(pickle.dumps(SheetError("slides.tsv", problems)))
    assert said in str(error)
    assert all(problem in str(error) for problem in problems)
    assert "\n" not in str(error)
    assert error.problems == tuple(problems)


# Sheets are read where the user is; everything else can be raised in a worker of a cluster.
@pytest.mark.parametrize("error", [each for each in CLASSES if each is not SheetError])
def test_an_error_comes_back_from_another_process(error: type[Exception]) -> None:
    back = pickle.loads(pickle.dumps(error("slide.svs: what, where and what to do")))
    assert type(back) is error
    assert str(back) == "slide.svs: what, where and what to do"


def test_every_error_that_is_raised_by_name_is_of_the_tree() -> None:
    """What is raised in the package is of the tree, or one of a few kinds that mean a bug."""
    bugs = {"ValueError", "TypeError", "NotImplementedError", "RuntimeError", "KeyError", "AssertionError"}
    known = {each.__name__ for each in CLASSES} | bugs
    package = Path(wsi_scale.__file__).parent
    raised = {}
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name):
                raised.setdefault(node.exc.func.id, path.name)
    # Typer and Snakemake leave by exceptions of their own, a module without a name raises AttributeError,
    # urllib's stands in for a missing download, and a job that is told to stop has no error.
    allowed = known | {"SystemExit", "Exit", "URLError", "AttributeError", "StoppedError"}
    # Scratch that cannot be used is as if its file system said so: one line warns, and the original is read.
    allowed |= {"OSError", "PermissionError", "BlockingIOError"}
    assert {name: path for name, path in raised.items() if name not in allowed} == {}
