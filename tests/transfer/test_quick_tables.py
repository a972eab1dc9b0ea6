"""The tables of transfer, quickly: the embedded network instead of VGG19, few images, one or two seeds."""

import json
import math
from pathlib import Path

import pytest

from benchmarks.transfer import small, tuning
from benchmarks.transfer.small import SmallStudy
from benchmarks.transfer.tasks import Places, Size, load_task
from benchmarks.transfer.tuning import TuningStudy

pytestmark = pytest.mark.data
SIZE = Size(training=24, validation=12, tiles=30, epochs=1, rounds=2, batch=8, tuning_epochs=1)


@pytest.fixture
def places(data_root: Path, tmp_path: Path) -> Places:
    return Places(data_root, tmp_path, tmp_path)


def test_small_networks(places: Places) -> None:
    quick, study = places.results, SmallStudy(
        places, size=SIZE, seeds=range(2), tasks=("pcam", "mpp"), network="embedded", layer="C4_2",
        keep_fraction=0.4, kept_twice=0.16, scratch_epochs=1,
    )  # fmt: skip
    small.main(study)
    table = json.loads((quick / "small_networks.json").read_text())
    assert list(table) == ["pcam", "mpp"]
    for task, rows in table.items():
        assert tuple(rows) == small.VARIANTS
        assert rows["frozen"]["difference_low"] == rows["frozen"]["difference_high"] == 0
        whole = rows["frozen"]["parameters"]
        for variant in ("channel", "basis", "magnitude", "scratch"):
            assert rows[variant]["parameters"] <= 0.4 * whole, (task, variant)
        for variant in ("channel+basis", "basis+channel"):
            assert rows[variant]["parameters"] <= 0.16 * whole, (task, variant)
        for row in rows.values():
            assert row["difference_low"] <= row["difference"] <= row["difference_high"]
            assert row["parameters"] < row["parameters_total"]
            assert all(math.isfinite(row[key]) for key in ("metric", "spread", "multiply_adds", "tiles_per_second"))
    assert (quick / "small-networks.png").stat().st_size > 10_000
    kept = {path: path.stat().st_mtime_ns for path in (quick / "small_networks").iterdir()}
    small.main(study)
    assert {path: path.stat().st_mtime_ns for path in (quick / "small_networks").iterdir()} == kept


def test_depths(places: Places) -> None:
    quick = places.results
    study = TuningStudy(
        places, size=SIZE, datasets=("mpp",), architectures=("embedded",), cached="embedded", cached_epochs=1
    )
    tuning.main(study)
    rows = json.loads((quick / "fine_tuning.json").read_text())["mpp"]["embedded"]
    assert list(rows) == ["0", "1", "2", "3", "4"]
    assert rows["0"]["difference"] == 0
    assert all({"metric_name", "metric", "spread", "seconds"} <= set(row) for row in rows.values())
    assert (quick / "fine-tuning.png").stat().st_size > 10_000
    assert json.loads((quick / "fine_tuning_cached.json").read_text())["largest_difference"] < 1e-3


def test_the_embedded_network_is_tuned_on_cases_that_it_never_saw(places: Places) -> None:
    kept_out = {line.split("\t")[0] for line in Path("configs/kept_out.tsv").read_text().splitlines()[1:]}
    examples, split = load_task(places, "mpp", SIZE, unseen=True)
    assert set(examples.groups) <= kept_out
    assert not set(examples.groups[split.training]) & set(examples.groups[split.test])
