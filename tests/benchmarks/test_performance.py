"""`make bench`, tried in tiny sizes on drawn tissue."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wsi_scale as ws
from benchmarks.performance.__main__ import MEASUREMENTS
from benchmarks.performance.difference import all_responses, hide_rungs
from benchmarks.performance.material import SLIDE_MPP, Bench, settings
from benchmarks.performance.passes import searched_network
from benchmarks.performance.published import operations
from benchmarks.performance.record import Record
from benchmarks.performance.required import REQUIRED, table
from benchmarks.performance.timing import seconds_in_turn
from wsi_scale.execution.compute import resolve, work_sizes
from wsi_scale.scale.adaptive import search_adaptive

FIGURES = {figure for figures in MEASUREMENTS.values() for figure in figures}


def leaves(value: Any) -> Iterator[float | None]:
    if isinstance(value, dict):
        for each in value.values():
            yield from leaves(each)
    else:
        yield value


def test_every_figure_is_finite_or_has_a_reason(tmp_path: Path) -> None:
    output = tmp_path / "performance.json"
    command = [sys.executable, "-m", "benchmarks.performance", "--quick", "--output", str(output)]
    # VGG19's weights are not at hand everywhere, and take a minute.
    environment = {**os.environ, "WSI_SCALE_WEIGHTS": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads(output.read_text())
    assert content["hardware"]["cores"] >= 1
    assert content["cpu"].keys() == FIGURES
    unmeasured = {figure for figure, value in content["cpu"].items() if None in leaves(value)}
    assert unmeasured == content["left_out"].keys()
    assert all(content["left_out"].values())
    assert {"adaptive_vs_full", "extract_vs_lazyslide"} <= unmeasured
    assert "search_vs_published" not in unmeasured
    assert all(math.isfinite(value) for value in leaves(content["cpu"]) if value is not None)
    assert content["cpu"]["adaptive_vs_full"]["embedded"] > 0
    assert "start_up help" in done.stdout


def test_hidden_rungs_are_those_that_the_search_leaves_out(tmp_path: Path) -> None:
    config = settings("embedded")
    compute = resolve(config.execution)
    network, calibration, sizes = searched_network(config, compute)
    fields = list(Bench(quick=True, folder=tmp_path).fields())
    block = work_sizes(config.execution, compute.device).block_tiles
    log2_mpp = np.log2(config.tiling.field_um / np.array(sizes))
    hidden = hide_rungs(all_responses(network, fields, sizes, compute, block), log2_mpp, calibration)
    found = search_adaptive(hidden.responses, log2_mpp, calibration, hidden.left).optimal_mpp
    for number, field in enumerate(fields):
        image = np.array(field.open())
        tiles = ws.tile_slide(image, slide_mpp=SLIDE_MPP, method="none", min_tissue=0)
        searched = ws.search_scale(image, tiles, device="cpu")
        assert 2 ** log2_mpp[hidden.layers[number] > 0].min() == pytest.approx(searched.channel("finest_mpp").item())
        assert found[number] == pytest.approx(searched.optimal_mpp.item(), rel=1e-5)
    assert hidden.left.any()


def test_figures_that_are_not_measured_anew_are_kept(tmp_path: Path) -> None:
    path, gpu = tmp_path / "performance.json", tmp_path / "gpu.json"
    gpu.write_text(json.dumps({"device": {"name": "card"}, "figures": {"search_vgg19": 700.0}}))
    record = Record(path)
    record.describe(gpu)
    record.add({"memory_growth": 1.04321}, {"large_peak_mib": 1000}, "growth")
    record.leave_out("dense_cost", "not built yet")
    again = Record.kept(path)
    again.add({"dense_cost": 1.5}, {}, "dense")
    content = json.loads(path.read_text())
    assert content["cpu"] == {"memory_growth": 1.043, "dense_cost": 1.5}
    assert content["left_out"] == {}
    assert content["cuda"] == {"device": {"name": "card"}, "search_vgg19": 700.0}


def test_the_table_says_what_is_met_on_this_hardware() -> None:
    cpu = {"search_vs_plain": {"embedded": {"float32": 3.0}}, "memory_growth": 1.2, "dense_cost": None}
    content = {"cpu": cpu, "left_out": {"dense_cost": "not built yet"}}
    with_it, without = (
        [line.split() for line in table({**content, "hardware": {"bfloat16": has}})][1:] for has in (True, False)
    )
    assert with_it[0][-3:] == [">=", "3.5", "NO"]
    assert without[0][-3:] == [">=", "2", "yes"]
    assert with_it[1] == ["memory_growth", "1.2", "<=", "1.1", "NO"]
    assert with_it[2] == ["dense_cost", "-", "<=", "1.8", "(not", "built", "yet)"]
    assert {required.figure[0] for required in REQUIRED} <= FIGURES


def test_what_is_compared_takes_turns() -> None:
    order: list[str] = []
    counts = iter([3.0, 1.0, 2.0])

    def counted() -> float:
        order.append("counted")
        return next(counts)

    seconds = seconds_in_turn({"counted": counted, "timed": lambda: order.append("timed")}, 3)
    assert order == ["counted", "timed"] * 3
    assert seconds["counted"] == 2.0
    assert 0 <= seconds["timed"] < 1


def test_vgg19_costs_as_many_operations_as_its_authors_say() -> None:
    assert operations(224) == pytest.approx(19.6e9, rel=0.01)
