"""What a release is made of says the same everywhere."""

import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from benchmarks import release

#: Name on the package index → name on conda-forge, where they differ.
CONDA = {"torch": "pytorch", "matplotlib": "matplotlib-base", "dask": "dask-core", "openslide-bin": "openslide"}


def recipe() -> dict[str, dict[str, object]]:
    text = (release.ROOT / "packaging/recipe.yaml").read_text(encoding="utf-8")
    found: dict[str, dict[str, object]] = yaml.safe_load(text)
    return found


def as_in_conda(wish: Requirement) -> str:
    bounds = str(wish.specifier).replace("4.0.0.6", "4.0.0")  # the wheel's own count of its builds
    return f"{CONDA.get(wish.name, wish.name)} {bounds}"


def test_the_version_is_the_same_everywhere() -> None:
    assert release.version_faults() == []


def test_the_lock_has_everything_in_a_version_that_does() -> None:
    assert release.lock_faults() == []


def test_the_conda_recipe_requires_what_the_package_requires() -> None:
    needed = recipe()["requirements"]["run"]
    assert isinstance(needed, list)
    system, python, *others = needed
    assert (system, python) == ("__unix", "python >=${{ python_min }}")
    assert sorted(others) == sorted(as_in_conda(wish) for wish in release.requirements())
    assert recipe()["context"]["python_min"] == "3.11"


def test_snakemake_is_asked_for_by_its_extra_alone() -> None:
    assert not [wish for wish in release.requirements() if wish.name.startswith("snakemake")]
    assert [wish.name for wish in release.requirements("workflow")].count("snakemake") == 1


def test_the_page_of_licences_has_every_locked_package_in_its_version() -> None:
    lines = release.LICENCES.read_text(encoding="utf-8").splitlines()
    rows = [line.split("|") for line in lines if line.startswith("| ") and not line.startswith("| package")]
    named = {canonicalize_name(row[1].strip().lstrip("[").partition("]")[0]): row[2].strip() for row in rows}
    assert named == release.locked()


@pytest.mark.parametrize(
    ("added", "fault"),
    [("wsi_scale/notes.txt", "has wsi_scale/notes.txt"), ("wsi_scale/workflow/mine.smk", "has mine.smk"), (None, "")],
)
def test_what_git_does_not_keep_is_found_in_a_wheel(tmp_path: Path, added: str | None, fault: str) -> None:
    tracked = ["wsi_scale/a.py", "Snakefile"]
    wheel = tmp_path / "wsi_scale.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in filter(None, ("wsi_scale/a.py", "wsi_scale/workflow/Snakefile", *release.VENDOR, added)):
            archive.writestr(name, "")

    found = release.wheel_faults(wheel, tracked)

    assert [fault in line for line in found] == ([True] if added else [])
    assert release.wheel_faults(wheel, [*tracked, "wsi_scale/b.py"])[0] == "wsi_scale.whl lacks wsi_scale/b.py"


def test_what_is_missing_or_foreign_is_found_in_a_source_distribution(tmp_path: Path) -> None:
    sdist = tmp_path / "wsi_scale.tar.gz"
    with tarfile.open(sdist, "w:gz") as archive:
        archive.add(__file__, "wsi_scale-0/results/mine.csv")

    found = release.sdist_faults(sdist, [])

    assert "wsi_scale.tar.gz has results/mine.csv, which git does not keep" in found
    assert "wsi_scale.tar.gz lacks LICENSE" in found
