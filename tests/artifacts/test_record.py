"""A record tells what a stage left, and is believed only as it was written."""

import json
from pathlib import Path

import pytest

from wsi_scale.artifacts import names
from wsi_scale.artifacts.documents import write_json
from wsi_scale.artifacts.manifest import manifest_of
from wsi_scale.artifacts.record import (
    Record,
    check_artefact,
    find_newer,
    forget_record,
    read_record,
    record_path,
    valid_record,
    write_record,
)
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.errors import ArtifactError

FILE = names.SLIDE_INFO


def made(folder: Path, stage: str, fingerprint: str, after: dict[str, str] | None = None) -> Record:
    """Write what a stage leaves, and its record."""
    name = {"inspect": FILE, "predict": names.PREDICTION, "tile": names.TILES}[stage]
    (folder / name).write_text(f"made by {stage} {fingerprint}")
    record = Record(stage, "ok", "", fingerprint, manifest_of(folder, [name]), after or {})
    write_record(folder, record)
    return record


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    record = made(tmp_path, "tile", "b", {"inspect": "a"})
    assert read_record(tmp_path, "tile") == record
    assert read_record(tmp_path, "search") is None


@pytest.mark.parametrize(
    ("key", "value"),
    [("status", "empty"), ("reason", "edited"), ("fingerprint", "c"), ("after", {}), ("version", 1), ("digest", "")],
)
def test_an_edited_record_is_not_believed(tmp_path: Path, key: str, value: object) -> None:
    made(tmp_path, "tile", "b", {"inspect": "a"})
    path = record_path(tmp_path, "tile")
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    assert valid_record(tmp_path, "tile") is None
    with pytest.raises(ArtifactError, match="run again to make a new one"):
        read_record(tmp_path, "tile")


def test_the_record_of_another_stage_in_its_place_is_not_believed(tmp_path: Path) -> None:
    made(tmp_path, "inspect", "a")
    record_path(tmp_path, "inspect").rename(record_path(tmp_path, "predict"))
    with pytest.raises(ArtifactError, match="is the record of inspect"):
        read_record(tmp_path, "predict")


def test_a_forgotten_record_is_gone_and_forgetting_twice_does_no_harm(tmp_path: Path) -> None:
    made(tmp_path, "inspect", "a")
    for _ in range(2):
        forget_record(tmp_path, "inspect")
        assert read_record(tmp_path, "inspect") is None
    record_path(tmp_path, "inspect").mkdir()
    with pytest.raises(ArtifactError, match="cannot remove"):
        forget_record(tmp_path, "inspect")


def test_a_change_two_stages_before_is_found(tmp_path: Path) -> None:
    made(tmp_path, "inspect", "a")
    made(tmp_path, "predict", "b", {"inspect": "a"})
    tile = made(tmp_path, "tile", "c", {"predict": "b"})
    assert find_newer(tmp_path, tile) == ""
    made(tmp_path, "inspect", "a2")
    assert find_newer(tmp_path, tile) == "inspect"
    made(tmp_path, "predict", "b2", {"inspect": "a2"})
    assert find_newer(tmp_path, tile) == "predict"
    forget_record(tmp_path, "predict")
    assert find_newer(tmp_path, tile) == "predict"


def test_an_artefact_must_be_the_one_that_its_record_names(tmp_path: Path) -> None:
    record = made(tmp_path, "inspect", "a")
    assert check_artefact(tmp_path, FILE) == record
    content = (tmp_path / FILE).read_text()
    (tmp_path / FILE).write_text(content[::-1])
    with pytest.raises(ArtifactError, match=f"{FILE} is damaged; run `wsi-scale inspect` again"):
        check_artefact(tmp_path, FILE)
    (tmp_path / FILE).unlink()
    with pytest.raises(ArtifactError, match=f"{FILE} is missing"):
        check_artefact(tmp_path, FILE)
    forget_record(tmp_path, "inspect")
    with pytest.raises(ArtifactError, match=r"there is no inspect\.json"):
        check_artefact(tmp_path, FILE)


def test_an_artefact_older_than_what_it_was_made_from_is_told(tmp_path: Path) -> None:
    made(tmp_path, "inspect", "a")
    made(tmp_path, "tile", "b", {"inspect": "a"})
    made(tmp_path, "inspect", "a2")
    with pytest.raises(ArtifactError, match=r"is older than inspect\.json; run `wsi-scale tile` again"):
        check_artefact(tmp_path, names.TILES)


def test_a_stage_that_left_nothing_says_why(tmp_path: Path) -> None:
    write_record(tmp_path, Record("search", "empty", "no tissue", "a"))
    with pytest.raises(ArtifactError, match=rf"`search` wrote no {names.SCALE_MAP} \(empty: no tissue\)"):
        check_artefact(tmp_path, names.SCALE_MAP)


def test_a_record_of_an_unknown_status_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "tile.json", {"stage": "tile", "status": "fine", "reason": "", "fingerprint": ""})
    with pytest.raises(ArtifactError, match=r"status: Input should be 'ok', 'empty' or 'failed'.*got 'fine'"):
        read_record(tmp_path, "tile")


def test_a_record_holds_no_time_and_no_absolute_path(tmp_path: Path) -> None:
    write_record(tmp_path, Record("tile", "ok", "", "print"))
    content = json.loads((tmp_path / "tile.json").read_text())
    assert len(content.pop("digest")) == 64
    assert content == {
        "stage": "tile", "status": "ok", "reason": "", "fingerprint": "print", "files": {}, "after": {},
        "version": SLIDE_STAGES["tile"].version,
    }  # fmt: skip
