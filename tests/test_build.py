"""The build hook: OpenSeadragon is the release that it names, or it is not in the package."""

import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

import hatch_build


def test_what_lies_there_already_needs_no_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = Path(hatch_build.__file__).parent / hatch_build.FOLDER
    folder = Path(shutil.copytree(there, tmp_path / "vendor"))
    monkeypatch.setenv("PATH", str(tmp_path))

    hatch_build.bring(folder)

    (folder / "openseadragon.min.js").write_text("changed")
    with pytest.raises(hatch_build.MissingLibraryError, match="there is no npm"):
        hatch_build.bring(folder)


def test_another_package_than_the_named_one_is_refused(tmp_path: Path) -> None:
    package = tmp_path / "openseadragon.tgz"
    with tarfile.open(package, "w:gz") as archive:
        archive.add(__file__, "package/build/openseadragon/openseadragon.min.js")

    with pytest.raises(hatch_build.MissingLibraryError, match="has the digest sha512-"):
        hatch_build._unpack(package, tmp_path / "vendor")

    assert not (tmp_path / "vendor").exists()


def test_git_keeps_it_out_and_the_package_takes_it_in() -> None:
    root = Path(hatch_build.__file__).parent
    command = ["git", "check-ignore", "--quiet", f"{hatch_build.FOLDER}/openseadragon.min.js"]
    assert subprocess.run(command, cwd=root, check=False).returncode == 0
