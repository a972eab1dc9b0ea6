"""Checks before a release, and the table of licences: `make release-check`, `make licences`."""

import argparse
import json
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LICENCES = ROOT / "docs/licences.md"
#: Brought by the build hook; git does not keep them.
VENDOR = tuple(
    f"wsi_scale/viewer/static/vendor/{name}" for name in ("openseadragon.min.js", "openseadragon-LICENSE.txt")
)
#: A wheel that is larger carries what does not belong into it.
MOST_WHEEL_MB = 4
_HEAD = """# Licences of what wsi_scale depends on

Made by `make licences` from what each package says of itself; versions as in `requirements.lock`. wsi_scale itself is
under the MIT licence; OpenSeadragon, which the viewer carries, under BSD-3-Clause.
"""


def requirements(*extras: str) -> list[Requirement]:
    """List what the package requires, and what some of its extras add."""
    with (ROOT / "pyproject.toml").open("rb") as stream:
        project: dict[str, Any] = tomllib.load(stream)["project"]
    added = [text for extra in extras for text in project["optional-dependencies"][extra]]
    return [Requirement(text) for text in (*project["dependencies"], *added)]


def locked() -> dict[str, str]:
    """Package → exact version in requirements.lock."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = [line.partition("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, _, version in pins}


def lock_faults() -> list[str]:
    """Say which requirements the lock lacks, or has in a version that does not do."""
    pins = locked()
    wanted = [(wish, pins.get(canonicalize_name(wish.name))) for wish in requirements("dev", "slurm")]
    return [
        f"requirements.lock: {wish} is {version or 'missing'}; run `make lock`"
        for wish, version in wanted
        if version is None or version not in wish.specifier
    ]


def version() -> str:
    """Return the version in wsi_scale/version.py."""
    text = (ROOT / "wsi_scale/version.py").read_text(encoding="utf-8")
    return text.partition('__version__ = "')[2].partition('"')[0]


def version_faults() -> list[str]:
    """Say where another version stands than in wsi_scale/version.py."""
    number = version()
    places = {
        "CITATION.cff": f"\nversion: {number}\n",
        "CHANGELOG.md": f"\n## [{number}]",
        "packaging/recipe.yaml": f'\n  version: "{number}"\n',
    }
    return [
        f"{file}: it does not name version {number}"
        for file, text in places.items()
        if text not in (ROOT / file).read_text(encoding="utf-8")
    ]


def wheel_faults(wheel: Path, tracked: Sequence[str]) -> list[str]:
    """Say what a wheel lacks, and what does not belong into it.

    Parameters
    ----------
    tracked
        Files that git keeps, by their paths in the repository.
    """
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
    package = {name for name in tracked if name.startswith("wsi_scale/")} | set(VENDOR)
    carried = {name for name in names if name.startswith("wsi_scale/workflow/")}
    origins = {name.removeprefix("wsi_scale/workflow/") for name in carried}
    faults = [f"{wheel.name} lacks {name}" for name in sorted(package - set(names))]
    faults += [f"{wheel.name} lacks the workflow's Snakefile"] if "Snakefile" not in origins else []
    faults += [f"{wheel.name} has {name}, which git does not keep" for name in sorted(set(names) - package - carried)]
    faults += [f"{wheel.name} has {name}, which git does not keep" for name in sorted(origins - set(tracked))]
    if wheel.stat().st_size > MOST_WHEEL_MB * 1e6:
        faults.append(f"{wheel.name} is larger than {MOST_WHEEL_MB} MB")
    return faults


def sdist_faults(sdist: Path, tracked: Sequence[str]) -> list[str]:
    """Say what a source distribution lacks, and what does not belong into it."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames() if not archive.getmember(name).isdir()}
    needed = {"LICENSE", "README.md", "hatch_build.py", "pyproject.toml", "requirements.lock", *VENDOR}
    needed |= {name for name in tracked if name.startswith("wsi_scale/")}
    foreign = names - set(tracked) - {"PKG-INFO", *VENDOR}
    return [
        *(f"{sdist.name} lacks {name}" for name in sorted(needed - names)),
        *(f"{sdist.name} has {name}, which git does not keep" for name in sorted(foreign)),
    ]


def check(folder: Path) -> list[str]:
    """Check versions, the lock, and the distributions in a folder."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607
    tracked = listed.stdout.splitlines()
    wheels, sdists = (sorted(folder.glob(f"wsi_scale-{version()}{end}")) for end in ("-py3-none-any.whl", ".tar.gz"))
    faults = [*version_faults(), *lock_faults()]
    faults += [] if len(wheels) == len(sdists) == 1 else [f"{folder} does not hold one wheel and one sdist"]
    faults += [fault for wheel in wheels for fault in wheel_faults(wheel, tracked)]
    return faults + [fault for sdist in sdists for fault in sdist_faults(sdist, tracked)]


def licence_page(rows: Sequence[Mapping[str, str]]) -> str:
    """Write the page of licences: what the package needs to run, and what only its extras and its development need.

    Parameters
    ----------
    rows
        Of pip-licenses: Name, Version, License, URL.
    """
    needed, pins = closure(), locked()
    known = [row for row in rows if canonicalize_name(row["Name"]) in pins]
    parts = {
        "Needed to run": [row for row in known if canonicalize_name(row["Name"]) in needed],
        "Only for the workflow, other extras or development": [
            row for row in known if canonicalize_name(row["Name"]) not in needed
        ],
    }
    lines = [_HEAD.rstrip()]
    for heading, part in parts.items():
        lines += ["", f"## {heading}", "", "| package | version | licence |", "|---|---|---|"]
        lines += [f"| {_linked(row)} | {row['Version']} | {_short(row['License'])} |" for row in part]
    return "\n".join(lines) + "\n"


def closure() -> set[str]:
    """Names of all packages that the package needs to run, as they are installed here."""
    from importlib.metadata import PackageNotFoundError, requires

    found: set[tuple[str, str]] = set()
    left = [(canonicalize_name(wish.name), extra) for wish in requirements() for extra in ("", *wish.extras)]
    while left:
        name, asked = left.pop()
        if (name, asked) in found:
            continue
        try:
            wishes = [Requirement(text) for text in requires(name) or ()]
        except PackageNotFoundError:
            continue
        found.add((name, asked))
        for wish in wishes:
            if wish.marker is None or wish.marker.evaluate({"extra": asked}):
                left += [(canonicalize_name(wish.name), extra) for extra in ("", *wish.extras)]
    return {name for name, _ in found}


def _linked(row: Mapping[str, str]) -> str:
    return f"[{row['Name']}]({row['URL']})" if row["URL"].startswith("http") else row["Name"]


def _short(licence: str) -> str:
    """Return a licence's name; some packages give its whole text."""
    first = licence.strip().splitlines()[0]
    return "not stated" if first == "UNKNOWN" else re.sub(r"\s*\|\s*", " or ", first)


def _said(faults: Sequence[str]) -> Iterator[str]:
    yield from faults
    yield f"{len(faults)} faults" if faults else "versions, lock, wheel and sdist are as they should be"


def main() -> None:
    """Check a release (`check FOLDER`), or renew docs/licences.md from the output of pip-licenses (`licences FILE`)."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("what", choices=("check", "licences"))
    parser.add_argument("place", type=Path)
    given = parser.parse_args()
    if given.what == "licences":
        LICENCES.write_text(licence_page(json.loads(given.place.read_text(encoding="utf-8"))), encoding="utf-8")
        return
    faults = check(given.place)
    print(*_said(faults), sep="\n")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
