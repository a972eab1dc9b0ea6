"""A slide read from a copy on local scratch is the same slide: results and messages are those of the original."""

import logging
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.damaged import damage
from tests.faults.test_unreadable import searched, write_plain
from tests.runs import configured, contents, draw, in_child, job, wsi_scale
from tests.slides.test_identity import KINDS
from wsi_scale.artifacts.fingerprint import file_identity
from wsi_scale.config.settings import SearchSettings
from wsi_scale.execution.lock import LOCK
from wsi_scale.jobs.runner import holding
from wsi_scale.jobs.staging import slide_input
from wsi_scale.slides.identity import slide_files, slide_identity


def settings_in(scratch: Path | str, *more: str) -> SearchSettings:
    return SearchSettings.of(configured(f"execution.scratch={scratch}", *more))


def configuration(page: Path) -> str:
    """Return what a page says of the configuration."""
    return page.read_text(encoding="utf-8").split("<summary>Configuration")[1]


def test_a_run_leaves_the_same_bytes_and_copies_once(
    small_slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("NODE_DISK", str(tmp_path / "scratch"))
    quick = ("--set", "magnification.tiles_per_slide=1", "--set", "tiling.mpp=1.0", "--set", "features.mpps=[2.0]")
    command = ("run", small_slide, "--output", tmp_path / "out", "--overwrite", *quick)
    assert wsi_scale(*command).exit_code == 0
    plain, told_by_page = contents(tmp_path / "out"), configuration(tmp_path / "out" / "report.html")
    assert wsi_scale(*command, "--set", "execution.scratch=$NODE_DISK").exit_code == 0
    assert contents(tmp_path / "out") == plain
    assert configuration(tmp_path / "out" / "report.html") == told_by_page
    (told,) = [record.getMessage() for record in caplog.records if "copied to" in record.getMessage()]
    assert told.startswith(f"{small_slide}: 0.00 GB copied to {tmp_path}/scratch/")
    (left,) = (tmp_path / "scratch").iterdir()
    assert [path.name for path in left.iterdir()] == [LOCK]


def test_a_run_whose_results_stand_copies_nothing(finished_copy: Path, small_slide: Path) -> None:
    place = finished_copy.parent / "scratch"
    assert wsi_scale("run", small_slide, "-o", finished_copy, "--set", f"execution.scratch={place}").exit_code == 0
    assert not place.exists()


def test_a_failure_is_told_of_the_original(tmp_path: Path, own_cache: Path) -> None:
    write_plain(tmp_path / "s.tif", draw(3.0, 400, 520), "jpeg")
    damage(tmp_path / "s.tif", tile=6)
    (tmp_path / "scratch").mkdir()
    told = []
    for folder, more in (("plain", ()), ("staged", (f"execution.scratch={tmp_path / 'scratch'}",))):
        status, reason, _ = searched(tmp_path / "s.tif", tmp_path / folder, "tissue.thumbnail_px=256", *more)
        told.append((status, reason, (tmp_path / folder / "search.json").read_bytes()))
    assert told[0] == told[1]
    assert told[0][0] == "failed"
    assert "s.tif: 1 of the first 6 tiles cannot be read" in told[0][1]


@pytest.mark.parametrize("lay", KINDS)
def test_all_files_of_a_slide_are_staged_by_their_names_and_no_others(
    lay: Callable[[Path], Path], tmp_path: Path
) -> None:
    (tmp_path / "slides").mkdir()
    (tmp_path / "scratch").mkdir()
    slide = lay(tmp_path / "slides")
    (tmp_path / "slides" / "another.svs").touch()
    this, identity = job(slide, tmp_path / "out"), slide_identity(slide)
    with holding(this.folder):
        found = slide_input(this, identity, settings_in(tmp_path / "scratch"), None)
        assert found.path == slide
        assert found.read_from is not None
        assert found.read_from.is_relative_to(tmp_path / "scratch")
        assert slide_identity(found.read_from) == identity
        assert [file.relative_to(found.read_from.parent) for file in slide_files(found.read_from)] == [
            file.relative_to(slide.parent) for file in slide_files(slide)
        ]
        staged = {path for path in found.read_from.parent.rglob("*") if path.is_file()}
        assert staged == set(slide_files(found.read_from))


def test_a_dicom_slide_is_read_alike(data_root: Path, tmp_path: Path, own_cache: Path) -> None:
    slide = data_root / "slides" / "CMU-1-Small-Region_dicom"
    (tmp_path / "scratch").mkdir()
    quick = ("--stages", "inspect,tile,search", "--set", "tiling.mpp=4.0")
    for folder, more in (("plain", ()), ("staged", ("--set", f"execution.scratch={tmp_path / 'scratch'}"))):
        assert wsi_scale("run", slide, "-o", tmp_path / folder, *quick, *more).exit_code == 0
    assert contents(tmp_path / "plain") == contents(tmp_path / "staged")


def test_on_a_full_disk_the_original_is_read(small_slide: Path, finished_copy: Path, tmp_path: Path) -> None:
    """No file of the child may grow to the size of the slide; those of a search are smaller."""
    (tmp_path / "scratch").mkdir()
    limit = small_slide.stat().st_size - 1
    done = in_child(
        *("search", small_slide, "-o", finished_copy, "--overwrite"),
        *("--set", f"execution.scratch={tmp_path / 'scratch'}"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == (
        f"WARNING {small_slide} is read where it lies, not copied to {tmp_path}/scratch: File too large\n"
    )
    (left,) = (tmp_path / "scratch").iterdir()
    assert [path.name for path in left.iterdir()] == [LOCK]


def test_workers_of_dask_read_the_original(small_slide: Path, tmp_path: Path) -> None:
    this = job(small_slide, tmp_path / "out")
    identity = file_identity(small_slide)
    with holding(this.folder):
        found = slide_input(this, identity, settings_in(tmp_path), "tcp://elsewhere:8786")
    assert found.read_from is None
    assert not list(tmp_path.glob("wsi-scale-staged-*"))


@pytest.mark.parametrize("scratch", ["/no/such/folder", "$NO_SUCH_VARIABLE"])
def test_where_scratch_is_not_there_one_line_says_so_for_all_stages(
    small_slide: Path, tmp_path: Path, scratch: str, caplog: pytest.LogCaptureFixture
) -> None:
    this = job(small_slide, tmp_path / "out")
    with holding(this.folder):
        for _ in range(2):
            found = slide_input(this, file_identity(small_slide), settings_in(scratch), None)
            assert found.read_from == small_slide
    (record,) = caplog.records
    assert record.getMessage() == (
        f"{small_slide} is read where it lies, not copied to {scratch}: No such file or directory"
    )


def test_a_bound_is_in_units_of_10_to_the_9_bytes(
    small_slide: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    this, size = job(small_slide, tmp_path / "out"), small_slide.stat().st_size
    for bytes_, fits in ((size, True), (size - 1, False)):
        bound = f"execution.scratch_gb={bytes_ / 1e9:.12f}"
        with holding(this.folder):
            found = slide_input(this, file_identity(small_slide), settings_in(tmp_path, bound), None)
            assert (found.read_from == small_slide) != fits
    assert len(caplog.records) == 1
