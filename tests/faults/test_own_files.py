"""Files that this program did not write stay as they are."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zarr

from benchmarks.clean import clean
from tests.runs import contents, error_line, wsi_scale
from wsi_scale.artifacts.status import StatusRow, write_status
from wsi_scale.jobs.demo import MARKER

#: What a user may keep in a folder that is given as -o; a name that ends in / is a folder.
KEPT = (
    ".x.part", ".foo.old", ".cache.part/", ".scale.ome.zarr.a1.part/", ".tiles.parquet.backup.old", "notes.txt",
    ".lock", ".my.tiles.parquet.wsi-scale-part", "old/", "scale.ome.zarr.old/",
)  # fmt: skip


def keep(folder: Path, names: tuple[str, ...] = KEPT) -> dict[str, bytes]:
    """Put files of a user's own into a folder."""
    for name in names:
        file = folder / name / "inner.txt" if name.endswith("/") else folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"my {name}")
    return contents(folder)


def test_a_run_leaves_files_of_others_in_its_folder_alone(small_slide: Path, finished_copy: Path) -> None:
    before = contents(finished_copy) | keep(finished_copy)

    result = wsi_scale("run", small_slide, "-o", finished_copy, "--overwrite")

    assert result.exit_code == 0, result.output
    assert contents(finished_copy) == before
    assert (finished_copy / ".lock").read_text() == "my .lock"


@pytest.mark.parametrize("name", ["report.html", "overlay.png", "scale.ome.zarr/", "slide.json", "tile.json"])
@pytest.mark.parametrize("options", [(), ("--overwrite",)])
def test_a_folder_with_files_of_others_under_names_of_results_is_refused(
    small_slide: Path, tmp_path: Path, name: str, options: tuple[str, ...]
) -> None:
    before = keep(tmp_path / "mine", (name, "notes.txt"))

    line = error_line(wsi_scale("run", small_slide, "-o", tmp_path / "mine", *options))

    assert f"{tmp_path / 'mine'} holds {name.strip('/')} not made by this program" in line
    assert "choose another folder" in line
    assert contents(tmp_path / "mine") == before


def test_a_folder_with_other_files_is_used(small_slide: Path, tmp_path: Path) -> None:
    before = keep(tmp_path)
    assert wsi_scale("inspect", small_slide, "-o", tmp_path).exit_code == 0
    after = contents(tmp_path)
    assert set(after) - set(before) == {"slide.json", "inspect.json"}
    assert all(after[name] == before[name] for name in before)


def test_results_of_a_version_that_locked_under_another_name_are_taken_up(
    small_slide: Path, finished_copy: Path
) -> None:
    before = contents(finished_copy)
    (finished_copy / ".wsi-scale.lock").unlink()
    assert wsi_scale("run", small_slide, "-o", finished_copy).exit_code == 0
    assert contents(finished_copy) == before


@pytest.mark.parametrize("name", ["scale.ome.zarr", "features.zarr"])
def test_a_store_of_somebody_elses_among_results_fails_its_stage_and_stays(
    small_slide: Path, finished_copy: Path, name: str
) -> None:
    shutil.rmtree(finished_copy / name)
    root = zarr.open_group(finished_copy / name, mode="w")
    root.create_array("0", data=np.arange(12).reshape(3, 4))
    before = contents(finished_copy / name)

    line = error_line(wsi_scale("run", small_slide, "-o", finished_copy))

    assert f"{name} was not made by this program; move it away or choose another folder" in line
    assert contents(finished_copy / name) == before


def test_results_that_a_link_names_are_written_beside_and_stay(
    small_slide: Path, finished_copy: Path, tmp_path: Path
) -> None:
    expected = contents(finished_copy)
    (finished_copy / "scale.ome.zarr").rename(tmp_path / "elsewhere")
    (finished_copy / "scale.ome.zarr").symlink_to(tmp_path / "elsewhere")
    before = contents(tmp_path / "elsewhere")

    result = wsi_scale("run", small_slide, "-o", finished_copy, "--overwrite")

    assert result.exit_code == 0, result.output
    assert contents(tmp_path / "elsewhere") == before
    assert contents(finished_copy) == expected


@pytest.fixture
def demo_results(tmp_path: Path) -> Path:
    """What `make demo` leaves, in outline."""
    results = tmp_path / "results"
    slides, rows = results / "demo-slides", []
    slides.mkdir(parents=True)
    (slides / MARKER).write_text("{}")
    (slides / "truth.tsv").write_text("slide_id\ttrue_mpp\ndemo-1\t0.5\ndemo-1\t0.5\ndemo-2\t0.5\n")
    for slide_id in ("demo-1", "demo-2"):
        (slides / f"{slide_id}.tiff").touch()
        add_slide(results, slide_id, slides / f"{slide_id}.tiff")
        rows.append(StatusRow(slide_id, str(slides / f"{slide_id}.tiff"), "ok", ""))
    write_status(results, rows)
    for name in (
        "report.html",
        "audit.tsv",
        "regressor.safetensors",
        "planned.json",
        "execution.json",
        "jobs/demo-1/inspect.txt",
        "runs.json",
        "logs/report.log",
    ):
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).touch()
    return results


def add_slide(results: Path, slide_id: str, slide: Path) -> None:
    for folder in (results / "slides" / slide_id, results / "logs" / "slides"):
        folder.mkdir(parents=True, exist_ok=True)
    (results / "slides" / slide_id / "slide.json").write_text(json.dumps({"path": str(slide)}))
    (results / "logs" / "slides" / f"{slide_id}.log").touch()


def test_cleaning_removes_all_that_the_demo_left(demo_results: Path) -> None:
    clean(demo_results)
    assert not demo_results.exists()
    clean(demo_results)


def keep_a_slide(results: Path) -> None:
    add_slide(results, "patient", Path("/data/patient.svs"))


def keep_a_slide_of_the_same_name(results: Path) -> None:
    (results / "slides" / "demo-1" / "slide.json").write_text('{"path": "/data/demo-1.tiff"}')


def keep_figures(results: Path) -> None:
    (results / "bench").mkdir()
    (results / "bench" / "truth.json").touch()


def keep_a_slide_beside_the_demos(results: Path) -> None:
    (results / "demo-slides" / "mine.tiff").touch()


@pytest.mark.parametrize(
    ("addition", "kept"),
    [
        (keep_a_slide, {"slides/patient", "logs/slides/patient.log", "report.html", "status.tsv"}),
        (
            keep_a_slide_of_the_same_name,
            {"slides/demo-1", "logs/slides/demo-1.log", "status.tsv", "regressor.safetensors"},
        ),
        (keep_figures, {"bench/truth.json"}),
        (keep_a_slide_beside_the_demos, {"demo-slides/mine.tiff"}),
    ],
)
def test_cleaning_keeps_results_that_the_demo_did_not_make(
    demo_results: Path, addition: Callable[[Path], None], kept: set[str]
) -> None:
    addition(demo_results)
    clean(demo_results)
    assert all((demo_results / name).exists() for name in kept)
    assert not (demo_results / "slides" / "demo-2").exists()
    assert not (demo_results / "demo-slides" / "demo-1.tiff").exists()


def test_results_without_a_demo_are_not_touched(tmp_path: Path) -> None:
    add_slide(tmp_path, "patient", Path("/data/patient.svs"))
    (tmp_path / "demo-slides").mkdir()
    (tmp_path / "demo-slides" / "mine.tiff").touch()
    before = sorted(tmp_path.rglob("*"))
    clean(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before
