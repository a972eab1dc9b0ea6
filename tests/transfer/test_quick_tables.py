"""The tables of transfer, quickly: the embedded network instead of VGG19, few images, one or two seeds."""

import json
import math
from pathlib import Path

import pytest

from benchmarks.transfer import small, tuning
from benchmarks.transfer.tasks import Size, load_task

pytestmark = pytest.mark.data
SIZE = Size(training=24, validation=12, tiles=30, epochs=1, rounds=2, batch=8, tuning_epochs=1)


@pytest.fixture
def quick(data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module in (small, tuning):
        monkeypatch.setattr(module, "QUICK", SIZE)
        monkeypatch.setattr(module, "RESULTS", tmp_path)
        monkeypatch.setattr(module, "IMAGES", tmp_path)
    monkeypatch.setattr("benchmarks.transfer.tasks.RESULTS", tmp_path)
    return tmp_path


def test_small_networks(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small, "TASKS", ("pcam", "mpp"))
    monkeypatch.setattr(small, "NETWORK", "embedded")
    monkeypatch.setattr(small, "LAYER", "C4_2")
    monkeypatch.setattr(small, "KEEP_FRACTION", 0.4)
    monkeypatch.setattr(small, "STEPS", {v: (m, b, 0.4) for v, (m, b, _) in small.STEPS.items()})
    monkeypatch.setattr(small, "SCRATCH_EPOCHS", 1)
    monkeypatch.setattr(small, "seeds_of", lambda full: range(2))
    small.main(full=False)
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
    small.main(full=False)
    assert {path: path.stat().st_mtime_ns for path in (quick / "small_networks").iterdir()} == kept


def test_depths(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "SMOKE", (("mpp",), ("embedded",), range(1)))
    monkeypatch.setattr(tuning, "CACHED_EPOCHS", 1)
    monkeypatch.setattr(tuning, "CACHED", "embedded")
    tuning.main(full=False)
    rows = json.loads((quick / "fine_tuning.json").read_text())["mpp"]["embedded"]
    assert list(rows) == ["0", "1", "2", "3", "4"]
    assert rows["0"]["difference"] == 0
    assert all({"metric_name", "metric", "spread", "seconds"} <= set(row) for row in rows.values())
    assert (quick / "fine-tuning.png").stat().st_size > 10_000
    assert json.loads((quick / "fine_tuning_cached.json").read_text())["largest_difference"] < 1e-3


@pytest.mark.usefixtures("quick")
def test_the_embedded_network_is_tuned_on_cases_that_it_never_saw(data_root: Path) -> None:
    kept_out = {line.split("\t")[0] for line in Path("configs/kept_out.tsv").read_text().splitlines()[1:]}
    examples, split = load_task(data_root, "mpp", SIZE, unseen=True)
    assert set(examples.groups) <= kept_out
    assert not set(examples.groups[split.training]) & set(examples.groups[split.test])
