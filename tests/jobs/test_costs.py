"""What a cohort will cost: tiles expected from some slides, and rates from those that were done."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.runs import MPP, configured, draw, error_line, rename_slide, wsi_scale
from wsi_scale.artifacts.runs import read_runs
from wsi_scale.errors import ArtifactError, ConfigError
from wsi_scale.jobs.batches import Batch
from wsi_scale.jobs.costs import Rates, Tissue, cost_of, expected_tiles, known, look_at, measured
from wsi_scale.slides.sheet import SheetRow
from wsi_scale.synthesis import write_pyramid


def test_all_slides_looked_at_leave_no_error() -> None:
    assert expected_tiles(np.array([[1.0, 40.0], [2.0, 50.0]]), slides=2, gigabytes=3.0) == (90.0, 0.0)


def test_tiles_are_expected_by_size_and_the_error_covers_the_truth() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.uniform(0.1, 2.0, 500)
    tiles = np.round(sizes * rng.normal(1000, 200, 500))
    covered = 0
    for _ in range(200):
        chosen = rng.choice(500, 40, replace=False)
        found, error = expected_tiles(np.stack([sizes, tiles], axis=1)[chosen], slides=500, gigabytes=sizes.sum())
        covered += abs(found - tiles.sum()) < 2 * error
    assert 0.9 < covered / 200 < 0.99


def test_a_slide_that_cannot_be_read_is_told_and_counts_no_tile(tmp_path: Path) -> None:
    write_pyramid(tmp_path / "good.tiff", draw(3.0, 500, 700), MPP)
    (tmp_path / "bad.tiff").write_text("no slide\n" * 50)
    rows = [SheetRow(name, tmp_path / f"{name}.tiff", None, None) for name in ("good", "bad")]

    found = look_at(rows, {"good": 0.001, "bad": 0.001}, configured())

    assert (found.slides, found.looked_at, found.tiles) == (2, 2, 6)
    assert len(found.unreadable) == 1
    assert "bad.tiff: not a known slide" in found.unreadable[0]


def test_rates_are_those_of_the_slides_that_were_done(finished: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        rename_slide(Path(shutil.copytree(finished, tmp_path / "slides" / name)), name)
    failed = Path(shutil.copytree(finished, tmp_path / "slides" / "failed"))
    for name in ("tiles.parquet", "tile.json", "search.json", "extract.json"):
        (failed / name).unlink()
    spent = sum(stage.cpu_seconds for run in read_runs(finished) for stage in run.stages if stage.stage != "report")

    rates = measured(tmp_path, configured())

    assert rates.slide_s + 20 * rates.tile_s == pytest.approx(spent, rel=0.05)
    assert rates.slide_bytes + 20 * rates.tile_bytes > 100_000
    assert rates.memory_mb > 200
    assert "too alike" in rates.source
    with pytest.raises(ConfigError, match=r"another value of features\.mpps;"):
        measured(tmp_path, configured("features.mpps=[1.0]"))


def test_results_without_times_are_told(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "slides" / "small")
    (tmp_path / "slides" / "small" / "runs.json").unlink()
    with pytest.raises(ArtifactError, match="run some of the slides first"):
        measured(tmp_path, configured())


def test_a_network_without_known_rates_is_told() -> None:
    assert known(configured("network=vgg19")).tile_s > known(configured()).tile_s
    with pytest.raises(ConfigError, match="give --like RESULTS"):
        known(configured("network=resnet50"))


def test_a_cost_is_that_of_slides_tiles_and_processes_over_the_cores() -> None:
    tissue = Tissue(slides=100, gigabytes=1.0, looked_at=40, tiles=1000.0, tiles_error=10.0, unreadable=())
    rates = Rates("here", slide_s=2.0, tile_s=0.5, slide_bytes=1e6, tile_bytes=1e4, memory_mb=1000)

    cost = cost_of(tissue, [Batch("a", ("a",), 0.5), Batch("b", ("b",), 0.5)], rates, cores=4)

    # Two slides alone, one job after the other on all cores; what runs before on one core each runs side by side.
    one_core, network = 2 * 2.4 + 2 / 3, 4.0 + 2 * 2 / 3 + 250 / 4
    assert cost.seconds == pytest.approx(17 + 2 * one_core / 2 + 2 * network)
    assert cost.memory_mb == 2000
    assert cost.disk_bytes == pytest.approx(1.1e8)


def test_small_slides_are_not_expected_to_take_only_as_long_as_their_tiles() -> None:
    """A run of these slides took 91 s of processor time, most of it in jobs that leave a core idle."""
    tissue = Tissue(slides=3, gigabytes=0.01, looked_at=3, tiles=126, tiles_error=0, unreadable=())
    batches = [Batch(name, (name,), 0.01 / 3) for name in "abc"]
    assert 60 < cost_of(tissue, batches, known(configured()), cores=2).seconds < 90


def test_many_small_slides_share_their_starts() -> None:
    """A thousand slides of four tiles: 38 minutes of two cores by what their stages and processes took."""
    tissue = Tissue(slides=1000, gigabytes=1.0, looked_at=40, tiles=4000, tiles_error=0, unreadable=())
    batches = [Batch(str(number), tuple(map(str, range(16))), 0.016) for number in range(63)]
    rates = Rates("here", slide_s=3.5, tile_s=0.125, slide_bytes=0, tile_bytes=0, memory_mb=1000)
    assert 36 * 60 < cost_of(tissue, batches, rates, cores=2).seconds < 42 * 60


def test_slides_that_cannot_be_counted_stand_in_the_table(tmp_path: Path) -> None:
    write_pyramid(tmp_path / "good.tiff", draw(3.0, 500, 700), MPP)
    Image.fromarray(draw(3.0, 500, 700)).save(tmp_path / "no-mpp.png")
    done = wsi_scale("plan", tmp_path)
    assert "tiles    6; 1 of 2 slides could not be counted\n" in done.stdout
    assert done.stderr.startswith("warning: no-mpp: the slide has no usable µm per pixel (mpp); give it with --mpp")


def test_the_command_tells_it(tmp_path: Path) -> None:
    write_pyramid(tmp_path / "good.tiff", draw(3.0, 500, 700), MPP)

    done = wsi_scale("plan", tmp_path, "--cores", 2)

    assert done.exit_code == 0, done.output
    told = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert list(told) == ["slides", "tiles", "time", "memory", "disk", "rates"]
    assert told["tiles"] == "6"
    assert told["time"].endswith("on 2 cores")
    assert not (tmp_path / "results").exists()
    as_json = json.loads(wsi_scale("plan", tmp_path, "--cores", 2, "--json").stdout)
    assert (as_json["tissue"]["tiles"], as_json["cores"]) == (6, 2)
    assert "holds no results of slides" in error_line(wsi_scale("plan", tmp_path, "--like", tmp_path))


def test_no_number_of_cores_makes_a_slide_faster_than_one_job_of_eight() -> None:
    tissue = Tissue(slides=7, gigabytes=7.0, looked_at=7, tiles=700, tiles_error=0, unreadable=())
    rates = Rates("here", 9.0, 0.8, 0, 0, 1000)
    batches = [Batch(str(number), (str(number),), 1.0) for number in range(7)]
    assert cost_of(tissue, batches, rates, cores=640).seconds == pytest.approx(17 + 2 * 2.4 + 4 + 9 + 100 * 0.8 / 8)
    assert cost_of(tissue, batches, rates, cores=1).seconds == pytest.approx(17 + 7 * (2 * 2.4 + 4 + 9 + 100 * 0.8))
