"""Pages for people: links lead somewhere, named modules exist, and what is stated twice is the same."""

import re
from pathlib import Path

import pytest
import yaml

from wsi_scale.version import __version__

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    page
    for pattern in ("*.md", "config/*.md", "docs/**/*.md", "benchmarks/*.md", "wsi_scale/**/*.md")
    for page in ROOT.glob(pattern)
)
SOURCES = [
    file.as_posix()
    for folder in ("wsi_scale", "tests", "benchmarks", "workflows")
    for file in (ROOT / folder).rglob("*")
] + [file.as_posix() for file in ROOT.glob("*.py")]


def links(page: Path) -> list[str]:
    """Return where the links of a page lead, but for those to other sites."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"[a-z]+:", target)]


def anchors(page: Path) -> set[str]:
    """Return the names of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ +(.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    kept = ("".join(sign for sign in heading.lower() if sign.isalnum() or sign in " -_") for heading in headings)
    return {name.strip().replace(" ", "-") for name in kept}


def leads_somewhere(page: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    place = page.parent / path if path else page
    return place.exists() and (not anchor or anchor in anchors(place))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    assert [target for target in links(page) if not leads_somewhere(page, target)] == []


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "docs/architecture.md", "docs/science.md", "docs/releasing.md"])
def test_modules_that_a_page_names_exist(name: str) -> None:
    named = set(re.findall(r"`([\w/]+\.(?:py|smk))`", (ROOT / name).read_text(encoding="utf-8")))
    assert {module for module in named if not any(source.endswith(f"/{module}") for source in SOURCES)} == set()


def test_the_version_to_cite_is_the_package_s() -> None:
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == __version__


def test_the_forge_calls_targets_that_there_are() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"].values()
    called = {
        step["run"].split()[1] for job in jobs for step in job["steps"] if step.get("run", "").startswith("make ")
    }
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert called
    assert called <= targets
