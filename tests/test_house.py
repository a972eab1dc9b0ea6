"""The figures that keep the source readable, measured over the source itself.

A function's length is its lines from the first statement after the docstring to the last, comments between them
included; nested functions and methods count on their own too. A module's length is its lines, all of them.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

from wsi_scale.artifacts.stages import COHORT_STAGES, SLIDE_STAGES

ROOT = Path(__file__).parents[1]
PACKAGE, BENCHMARKS = ROOT / "wsi_scale", ROOT / "benchmarks"

MEDIAN_LINES, NINTH_DECILE_LINES, MOST_LINES, MODULE_LINES = 8, 25, 60, 300
MOST_PARAMETERS, DOCUMENTED_SHARE, SAME_LINES = 6, 0.98, 6

#: Where a parameter is an option that a user gives, and a bundle of them would only hide it.
MANY_PARAMETERS = ("wsi_scale/cli/", "wsi_scale/api/")

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef


class Named(NamedTuple):
    """A function or class, by its file and the names that enclose it."""

    file: str
    name: str
    node: Definition

    def __str__(self) -> str:
        return f"{self.file}:{self.name}"


class Line(NamedTuple):
    """A line of code, stripped."""

    file: str
    number: int
    text: str


@cache
def modules(folder: Path) -> dict[str, ast.Module]:
    """Return the syntax tree of each module below a folder, by its path from the repository's root."""
    files = sorted(folder.rglob("*.py"))
    assert files
    return {str(file.relative_to(ROOT)): ast.parse(file.read_text(encoding="utf-8")) for file in files}


@cache
def definitions(folder: Path) -> tuple[Named, ...]:
    """Return every function and class below a folder, nested ones too."""
    trees = modules(folder).items()
    return tuple(Named(file, name, node) for file, tree in trees for name, node in _within(tree, ""))


def _within(node: ast.AST, prefix: str) -> Iterator[tuple[str, Definition]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Definition):
            yield prefix + child.name, child
            yield from _within(child, f"{prefix}{child.name}.")
        else:
            yield from _within(child, prefix)


def functions(folder: Path) -> list[tuple[Named, Function]]:
    return [(named, named.node) for named in definitions(folder) if isinstance(named.node, Function)]


def body_lines(node: Function) -> int:
    """Count the lines of a function's body without its docstring."""
    statements = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
    return (statements[-1].end_lineno or 0) - statements[0].lineno + 1 if statements else 0


def parameters(node: Function) -> int:
    """Count a function's parameters, all but self and cls."""
    given = node.args
    named = [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, (given.vararg, given.kwarg))]
    return sum(parameter.arg not in ("self", "cls") for parameter in named)


def long_functions() -> list[str]:
    found = [(named, body_lines(node)) for folder in (PACKAGE, BENCHMARKS) for named, node in functions(folder)]
    return [f"{named}: {lines}" for named, lines in found if lines > MOST_LINES]


def long_modules() -> list[str]:
    files = [*modules(PACKAGE), *modules(BENCHMARKS)]
    lengths = {file: len((ROOT / file).read_text(encoding="utf-8").splitlines()) for file in files}
    return [f"{file}: {lines}" for file, lines in lengths.items() if lines > MODULE_LINES]


def many_parameters() -> list[str]:
    found = [(named, parameters(node)) for folder in (PACKAGE, BENCHMARKS) for named, node in functions(folder)]
    bundled = [(named, count) for named, count in found if not named.file.startswith(MANY_PARAMETERS)]
    return [f"{named}: {count}" for named, count in bundled if count > MOST_PARAMETERS]


def public() -> list[Named]:
    """Return functions and classes of the package that neither a name on the way to them nor a function hides."""
    local = {id(inner) for _, node in functions(PACKAGE) for inner in ast.walk(node) if inner is not node}
    return [
        named
        for named in definitions(PACKAGE)
        if id(named.node) not in local and not any(part.startswith("_") for part in named.name.split("."))
    ]


def undocumented() -> list[str]:
    return [str(named) for named in public() if not ast.get_docstring(named.node)]


def code_lines(file: str, tree: ast.Module) -> list[Line]:
    """Return a module's lines that say something: no blanks, comments, imports, docstrings or lone brackets."""
    passed_over = {
        number
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom) or _is_text(node)
        for number in range(node.lineno, (node.end_lineno or 0) + 1)
    }
    if file.startswith(MANY_PARAMETERS):  # options that several commands share stand in the signature of each
        for node in ast.walk(tree):
            if isinstance(node, Function):
                passed_over |= set(range(node.lineno, node.body[0].lineno))
    texts = enumerate((ROOT / file).read_text(encoding="utf-8").splitlines(), 1)
    lines = [Line(file, number, text.strip()) for number, text in texts if number not in passed_over]
    return [line for line in lines if re.search(r"\w", line.text) and not line.text.startswith("#")]


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def repeated_runs() -> list[str]:
    """Return the places where a run of equal lines begins that stands elsewhere too, each run once."""
    places = defaultdict[tuple[str, ...], list[tuple[int, Line]]](list)
    for file, tree in (modules(PACKAGE) | modules(BENCHMARKS)).items():
        lines = code_lines(file, tree)
        for start in range(len(lines) - SAME_LINES + 1):
            run = lines[start : start + SAME_LINES]
            places[tuple(line.text for line in run)].append((start, run[0]))
    repeats = [found for found in places.values() if len(found) > 1]
    ongoing = {(line.file, start + 1) for found in repeats for start, line in found}
    first = [found for found in repeats if not all((line.file, start) in ongoing for start, line in found)]
    return [" = ".join(f"{line.file}:{line.number}" for _, line in found) for found in first]


def thread_setters() -> list[str]:
    trees = (modules(PACKAGE) | modules(BENCHMARKS)).items()
    names = [(file, node) for file, tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    return [f"{file}:{node.lineno}" for file, node in names if node.attr == "set_num_threads"]


def affinity_readers() -> list[str]:
    files = [*modules(PACKAGE), *modules(BENCHMARKS)]
    return [file for file in files if "sched_getaffinity" in (ROOT / file).read_text(encoding="utf-8")]


def test_functions_are_short() -> None:
    lengths = [body_lines(node) for _, node in functions(PACKAGE)]
    assert median(lengths) <= MEDIAN_LINES
    assert quantiles(lengths, n=10)[-1] <= NINTH_DECILE_LINES
    assert long_functions() == []


def test_modules_are_short() -> None:
    assert long_modules() == []


def test_parameters_are_few_where_no_user_gives_them() -> None:
    assert many_parameters() == []


def test_public_functions_and_classes_are_documented() -> None:
    share = 1 - len(undocumented()) / len(public())
    assert share >= DOCUMENTED_SHARE, undocumented()


def test_no_run_of_lines_stands_twice() -> None:
    assert repeated_runs() == []


def test_threads_are_set_in_one_place() -> None:
    assert len(thread_setters()) == 1, thread_setters()


def test_cores_are_counted_in_one_place() -> None:
    assert affinity_readers() == ["wsi_scale/execution/machine.py"]


def test_a_stage_is_a_module_and_a_module_of_stages_is_a_stage() -> None:
    there = {file.stem for file in (PACKAGE / "stages").glob("*.py")} - {"__init__"}
    assert there == SLIDE_STAGES.keys() | COHORT_STAGES.keys()
