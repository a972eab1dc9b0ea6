"""What tests share: the real data where it is at hand, and the table that the long tests of the Makefile end in."""

import json
import os
import signal
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.chromium import CHROMIUM, chromium

__all__ = ["chromium"]

# A shell that starts the gate in the background has told it to ignore Ctrl-C, and what it starts would too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The gate tries the same examples each time, so that it fails for a change, not by chance.
settings.register_profile("gate", derandomize=True)
settings.register_profile("explore")
settings.load_profile("gate")

#: Files whose fixtures run whole workflows, installs and trainings.
SLOW = (
    "tests/workflow/",
    "tests/docs/",
    "tests/test_wheel.py",
    "tests/transfer/test_quick_tables.py",
    "tests/synthesis/test_demo_audit",
)


def pytest_report_header() -> list[str]:
    """Say which browser the viewer's tests use."""
    return [
        f"browser: {CHROMIUM}" if CHROMIUM else "browser: no Chromium here, tests of the viewer's page are left out"
    ]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the Makefile ask for a table of what was tried."""
    parser.addoption("--cases-json", type=Path, help="write counts of cases tried, as specified and failed; figures")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the files that take minutes: left to the end, one process would wait for another's."""
    if CHROMIUM is None:
        left_out = [item for item in items if item.get_closest_marker("browser")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    items.sort(key=lambda item: not item.nodeid.startswith(SLOW))


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """Let reports that quote bytes which are no text pass from one process of the tests to the other."""
    return _as_text((yield))


def _as_text(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_as_text(key): _as_text(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_as_text, value))
    return value


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the table: a test counts for the cases that it records, or for one; what else it records are figures."""
    target: Path | None = session.config.getoption("--cases-json")
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if target is None or reporter is None:
        return
    passed = reporter.stats.get("passed", [])
    failed = reporter.stats.get("failed", []) + reporter.stats.get("error", [])
    counts = [[dict(report.user_properties).get("cases", 1) for report in reports] for reports in (passed, failed)]
    table = {
        "cases": sum(map(sum, counts)),
        "as_specified": sum(counts[0]),
        "failed": sorted({report.nodeid for report in failed}),
    }
    table |= {key: value for report in passed + failed for key, value in report.user_properties if key != "cases"}
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(table, indent=1) + "\n")
    reporter.write_line(f"{table['as_specified']} of {table['cases']} cases as specified: {target}")


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder of real slides, tissue and weights; tests that need it skip with one line otherwise."""
    named = os.environ.get("WSI_SCALE_DATA")
    if not named:
        pytest.skip("WSI_SCALE_DATA is not set: no real slides or weights here")
    return Path(named).absolute()
