"""Stage `calibrate`: measured once, kept, found again, and bound to its network."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from tests.runs import configured, job
from wsi_scale.artifacts.calibration import read_calibration, write_calibration
from wsi_scale.config.settings import CalibrateSettings, SearchSettings
from wsi_scale.learning.calibrations import calibration_for
from wsi_scale.networks.known import describe
from wsi_scale.networks.load import find_network
from wsi_scale.stages.calibrate import calibrate
from wsi_scale.stages.search import search

#: Few scenes and few rungs: what the shipped calibration is not.
SHORT = ("calibration.scenes=16", "search.rungs_per_octave=1")


def measurements(caplog: pytest.LogCaptureFixture) -> int:
    return sum("measuring one on 16 scenes" in record.getMessage() for record in caplog.records)


def test_a_calibration_is_measured_once_and_kept_in_the_users_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    path = calibrate(CalibrateSettings.of(configured(*SHORT)))
    again = calibrate(CalibrateSettings.of(configured(*SHORT)))
    copy = calibrate(CalibrateSettings.of(configured(*SHORT)), tmp_path / "mine.json")

    assert measurements(caplog) == 1
    assert path == again
    assert path.is_relative_to(tmp_path / "cache" / "wsi_scale" / "calibrations")
    assert copy.read_bytes() == path.read_bytes()
    stored = read_calibration(path)
    assert (stored.network, stored.scenes, stored.rungs_per_octave) == ("embedded", 16, 1)
    for layer in stored.layers.values():
        assert len(layer["channels"]) == len(layer["offset"]) == len(layer["slope"]) == len(layer["residual"])
        assert all(0.7 <= slope <= 1.3 for slope in layer["slope"])


def test_where_the_cache_cannot_be_written_it_is_kept_with_the_results(
    small_slide: Path,
    finished_copy: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "below"))
    this, config = job(small_slide, finished_copy), configured(*SHORT)

    records = [search(this, SearchSettings.of(config)) for _ in range(2)]

    assert [record.status for record in records] == ["ok", "ok"]
    assert (finished_copy / "calibration.json").exists()
    assert measurements(caplog) == 1
    assert any("the calibration is kept with the results" in record.getMessage() for record in caplog.records)


def test_a_calibration_of_other_weights_is_refused(small_slide: Path, finished_copy: Path, tmp_path: Path) -> None:
    own = read_calibration(calibrate(CalibrateSettings.of(configured())))
    other = tmp_path / "other.json"
    write_calibration(other, replace(own, digest="0" * 64))

    record = search(job(small_slide, finished_copy), SearchSettings.of(configured()), other)

    assert record.status == "failed"
    assert "belongs to other weights of embedded; make one with `wsi-scale calibrate`" in record.reason


def test_a_published_search_needs_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    settings = SearchSettings.of(configured("search.method=published"))
    network = describe(find_network("embedded").tapped(["C2_2"]))

    assert calibration_for(settings, network, tmp_path / "calibration.json") is None
    assert caplog.records == []


def test_a_published_search_takes_no_calibration_that_it_is_given(small_slide: Path, finished_copy: Path) -> None:
    given = calibrate(CalibrateSettings.of(configured()))
    record = search(job(small_slide, finished_copy), SearchSettings.of(configured("search.method=published")), given)
    assert record.status == "ok", record.reason


def test_a_damaged_calibration_in_the_cache_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    settings = CalibrateSettings.of(configured(*SHORT))
    path = calibrate(settings)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"0.", b"1.", 1))
    assert calibrate(settings) == path
    assert path.read_bytes() == whole
