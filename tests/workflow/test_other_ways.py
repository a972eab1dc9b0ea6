"""Whichever way a user comes in, the same slide leaves the same bytes."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import LocalCluster

from tests.runs import contents, wsi_scale
from tests.workflow.conftest import ODD_ID, ODD_NAME, Run


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Address of a scheduler with two worker processes."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as running:  # type: ignore[no-untyped-call]
        yield running.scheduler_address


@pytest.mark.parametrize(
    ("slide_id", "name"), [(ODD_ID, ODD_NAME), ("a__same", "a/same.tiff"), ("b__same", "b/same.tiff")]
)
def test_a_single_run_leaves_the_bytes_of_the_workflow(
    first: Run, messy: Path, tmp_path: Path, slide_id: str, name: str
) -> None:
    folder = tmp_path / "one slide"
    regressor = first.results / "regressor.safetensors"

    result = wsi_scale("run", messy / name, "--output", folder, "--slide-id", slide_id, "--regressor", regressor)

    assert result.exit_code == 0, result.output
    assert contents(folder) == first.of_slide(slide_id)
    assert (folder / "report.html").exists()


def test_a_cluster_leaves_the_bytes_of_threads(first: Run, messy: Path, tmp_path: Path, cluster: str) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(first.results / "slides" / "a__same", folder)
    slide = messy / "a" / "same.tiff"
    common = (slide, "--output", folder, "--slide-id", "a__same", "--scheduler", cluster, "--overwrite")
    before = (folder / "scale.ome.zarr" / "zarr.json").stat().st_ino

    calibration = first.results / "calibration.json"
    for stage, more in (("search", ("--calibration", calibration)), ("extract", ())):
        result = wsi_scale(stage, *common, *more)
        assert result.exit_code == 0, result.output

    assert contents(folder) == first.of_slide("a__same")
    assert (folder / "scale.ome.zarr" / "zarr.json").stat().st_ino != before
