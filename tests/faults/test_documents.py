"""Documents that were edited, cut or swapped: one line that names the file and the key, never a bug."""

import copy
import functools
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors import safe_open
from safetensors.numpy import save_file

from tests.artifacts.conftest import KINDS
from tests.runs import configured, error_line, job, wsi_scale
from wsi_scale.artifacts.prediction import read_prediction
from wsi_scale.artifacts.regressor import read_regressor, shipped_regressor
from wsi_scale.artifacts.slide_info import read_slide_info
from wsi_scale.config.load import dump_section, load_config, parse_config
from wsi_scale.config.models import Config
from wsi_scale.config.settings import CalibrateSettings
from wsi_scale.errors import UserError
from wsi_scale.jobs.audit import audit_slide
from wsi_scale.jobs.status import status_of
from wsi_scale.learning.estimator import load_estimator
from wsi_scale.networks.load import find_network
from wsi_scale.networks.places import carried_path
from wsi_scale.report.slide_view import read_slide_view
from wsi_scale.slides.metadata import SlideInfo
from wsi_scale.slides.sheet import read_sheet
from wsi_scale.stages.calibrate import calibrate

#: What may stand in the place of a value.
WRONG: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2.5, 10**30, 1e308, float("nan"), float("inf"), "", "0.25", "yes", "\0", "\ud800",
    [], [1], {}, {"a": 1}, [[[[]]]], "x" * 5000,
)  # fmt: skip
#: What is no document of ours at all.
OTHER = {
    "deep": "[" * 100_000, "deep keys": '{"a": ' * 50_000, "null": "null", "a list": "[]", "a number": "9" * 10_000,
    "NaN": "NaN", "no UTF-8": '{"path": "\xe4"}', "two": "{} {}", "empty": "", "lone surrogate": '{"path": "\\udce4"}',
}  # fmt: skip


def swapped(content: Any, rng: random.Random) -> Any:
    """Put something wrong in one place of a document, leave a key out, or add one."""
    changed = copy.deepcopy(content)
    place, key = rng.choice(list(places(changed)))
    way = rng.random()
    if way < 0.1 and isinstance(place, dict):
        del place[key]
    elif way < 0.15 and isinstance(place, dict):
        place["surplus"] = rng.choice(WRONG)
    else:
        place[key] = rng.choice(WRONG)
    return changed


def places(content: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of a document."""
    for key in list(content) if isinstance(content, dict) else range(len(content)):
        yield content, key
        if isinstance(content[key], dict | list):
            yield from places(content[key])


def survives(read: Callable[[], object]) -> bool:
    """Read; a fault of a user's is one line, and nothing else is raised."""
    fault = ""
    try:
        read()
    except UserError as error:
        fault = str(error)
    assert "\n" not in fault
    return not fault


def with_header(source: Path, target: Path, key: str, change: Callable[[Any], Any]) -> Path:
    """Write a safetensors file again with its header changed."""
    with safe_open(source, "np") as stored:
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - no mapping
        text = stored.metadata()[key]
    header = json.loads(text)
    header.pop("digest", None)  # whoever writes such a file would not leave that of another
    save_file(tensors, target, metadata={key: json.dumps(change(header))})
    return target


@pytest.mark.parametrize(
    ("name", "key", "value", "command"),
    [
        ("slide.json", "mpp_x", "0.25", "tile"),
        ("slide.json", "width", 10**30, "tile"),
        ("slide.json", "width", -5, "search"),
        ("slide.json", "mpp", float("nan"), "tile"),
        ("slide.json", "level_downsamples", "1, 2", "extract"),
        ("inspect.json", "status", 1, "tile"),
        ("tile.json", "reason", None, "search"),
        ("search.json", "surplus", 1, "extract"),
    ],
)
def test_a_wrong_value_is_told_with_its_file_and_key(
    small_slide: Path, finished_copy: Path, name: str, key: str, value: object, command: str
) -> None:
    path = finished_copy / name
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))

    line = error_line(wsi_scale(command, small_slide, "-o", finished_copy))

    assert all(word in line for word in (name, key, "again"))
    assert "please report it" not in line


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"mpp": float("nan")}, "mpp: Input should be a finite number (got nan)"),
        ({"mpp_low": 0.5}, "mpp 0.25 does not lie in its interval, 0.5–0.31"),
        ({"mpp": -1.0, "mpp_low": -2.0}, "mpp: Input should be greater than 0 (got -1.0)"),
        ({"status": "abstained"}, "an estimate has status ok"),
        ({"by_downsample": {"1": "0.25"}}, "by_downsample.1: Input should be a valid number (got '0.25')"),
        ({"views": True}, "views: Input should be a valid integer (got True)"),
    ],
)
def test_a_prediction_that_contradicts_itself_is_told(tmp_path: Path, changes: dict[str, Any], fault: str) -> None:
    KINDS["prediction"].write(tmp_path, 0)
    path = KINDS["prediction"].path(tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(UserError) as error:
        read_prediction(tmp_path)
    assert fault in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("kind", ["prediction", "record", "calibration", "slide info"])
@pytest.mark.parametrize("content", OTHER)
def test_what_is_no_document_of_ours_is_told_with_its_file(tmp_path: Path, kind: str, content: str) -> None:
    reader = KINDS[kind].read
    path = KINDS[kind].path(tmp_path)
    path.write_text(OTHER[content], encoding="latin-1")
    assert reader is not None
    with pytest.raises(UserError) as error:
        reader(tmp_path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.parametrize("kind", ["prediction", "record", "calibration"])
def test_a_document_with_any_value_swapped_is_read_or_told(
    tmp_path: Path, kind: str, seed: int, record_property: Callable[[str, object], None]
) -> None:
    count = 2000 if seed else 200
    reader, path = KINDS[kind].read, KINDS[kind].path(tmp_path)
    assert reader is not None
    KINDS[kind].write(tmp_path, 0)
    content = json.loads(path.read_text())
    read = 0
    for number in range(count):
        path.write_text(json.dumps(swapped(content, random.Random(f"{kind} {seed} {number}"))))
        read += survives(lambda: reader(tmp_path))
    assert read < count / 2
    record_property("cases", count)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", ["slide.json", "prediction.json", "inspect.json", "tile.json", "search.json"])
def test_results_with_any_value_swapped_are_summed_up_or_told(
    finished_copy: Path, name: str, seed: int, record_property: Callable[[str, object], None]
) -> None:
    count = 1000 if seed else 40
    this = job(Path("small.tiff"), finished_copy)
    content = json.loads((finished_copy / name).read_text())
    for number in range(count):
        changed = swapped(content, random.Random(f"{name} {seed} {number}"))
        (finished_copy / name).write_text(json.dumps(changed))
        survives(lambda: status_of(finished_copy, "small", "small.tiff"))
        assert not audit_slide(this).reason.startswith("unexpected")
        survives(lambda: SlideInfo.from_dict(read_slide_info(finished_copy)))
        survives(lambda: read_slide_view(finished_copy, "small"))
    record_property("cases", count)


@pytest.mark.long
@pytest.mark.parametrize("command", ["tile", "search", "extract", "report"])
def test_commands_on_results_with_any_value_swapped_end_well_or_in_one_line(
    small_slide: Path, finished_copy: Path, command: str, record_property: Callable[[str, object], None]
) -> None:
    names = ["slide.json", "prediction.json", "inspect.json", "tile.json", "search.json"]
    before = {name: (finished_copy / name).read_text() for name in names}
    for number in range(15):
        rng = random.Random(f"{command} {number}")
        for name, text in before.items():
            (finished_copy / name).write_text(text)
        name = rng.choice(names)
        (finished_copy / name).write_text(json.dumps(swapped(json.loads(before[name]), rng)))
        arguments = [finished_copy.parent] if command == "report" else [small_slide, "-o", finished_copy]
        result = wsi_scale(command, *arguments)
        status = finished_copy.parent / "status.tsv"
        told = result.output + (status.read_text() if status.exists() else "")
        assert result.exit_code in (0, 1)
        assert "please report it" not in told
        assert "Traceback" not in told
    record_property("cases", 15)


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long)])
def test_headers_with_any_value_swapped_are_read_or_told(
    tmp_path: Path, seed: int, record_property: Callable[[str, object], None]
) -> None:
    count = 200 if seed else 15
    for number in range(count):
        rng = random.Random(f"header {seed} {number}")
        change = functools.partial(swapped, rng=rng)
        regressor = with_header(shipped_regressor(), tmp_path / "r", "wsi_scale_regressor", change)
        survives(lambda path=regressor: load_estimator(Config(), path))
        network = with_header(carried_path(), tmp_path / "n.safetensors", "wsi_scale_network", change)
        survives(lambda path=network: find_network(str(path)).tapped(("C2_2",)))
    record_property("cases", 2 * count)


@pytest.mark.parametrize(
    ("name", "change", "fault"),
    [
        ("hidden_weights", lambda values: values * np.nan, "hidden_weights holds values that are not finite numbers"),
        ("mean", lambda values: values[:-1], "does not fit the others"),
        ("weights", lambda values: values.T.copy(), "does not fit the others"),
        ("centres", lambda values: values[:-1], "do not fit"),
        ("scale", lambda values: values * 0, "scale must be positive"),
        ("bends", lambda values: values[:0], "does not fit the others"),
        ("scores", lambda values: values[:5], "score_folds of shape"),
    ],
)
def test_a_regressor_whose_numbers_do_not_fit_is_told(
    tmp_path: Path, name: str, change: Callable[[Any], Any], fault: str
) -> None:
    with safe_open(shipped_regressor(), "np") as stored:
        tensors = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118 - no mapping
        metadata = stored.metadata()
    save_file(tensors | {name: change(tensors[name])}, tmp_path / "r", metadata=metadata)
    with pytest.raises(UserError) as error:
        read_regressor(tmp_path / "r")
    assert fault in str(error.value)
    assert str(tmp_path / "r") in str(error.value)


def test_a_regressor_of_another_count_of_features_is_told(tmp_path: Path) -> None:
    def without_a_layer(header: dict[str, Any]) -> dict[str, Any]:
        fewer = header["layers"][1:]
        digest = find_network(header["network"]).tapped(fewer).digest
        return header | {"layers": fewer, "network_digest": digest}

    path = with_header(shipped_regressor(), tmp_path / "r", "wsi_scale_regressor", without_a_layer)
    with pytest.raises(UserError, match="reads other features than layers C2_2, C3_2, C4_2 give; fit it again"):
        load_estimator(Config(), path)


@pytest.mark.parametrize("change", ["layer", "channel"])
def test_a_calibration_of_channels_that_are_not_there_is_told(
    small_slide: Path, finished_copy: Path, tmp_path: Path, change: str
) -> None:
    path = calibrate(CalibrateSettings.of(configured()), tmp_path / "own.json")
    content = json.loads(path.read_text())
    if change == "layer":
        content["layers"]["C9_9"] = content["layers"]["C3_1"]
    else:
        content["layers"]["C3_1"]["channels"][-1] = 9999
    del content["content_digest"]
    path.write_text(json.dumps(content))

    line = error_line(wsi_scale("search", small_slide, "-o", finished_copy, "--calibration", path))

    assert f"calibrates channels of {'C9_9' if change == 'layer' else 'C3_1'} that embedded lacks" in line


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long)])
def test_a_configuration_with_any_value_swapped_is_read_or_told(
    tmp_path: Path, seed: int, record_property: Callable[[str, object], None]
) -> None:
    count = 2000 if seed else 150
    content = dump_section(Config())
    for number in range(count):
        changed = swapped(content, random.Random(f"configuration {seed} {number}"))
        survives(lambda changed=changed: parse_config(changed))
        (tmp_path / "c.yaml").write_text(yaml.safe_dump(changed, allow_unicode=False), encoding="utf-8")
        survives(lambda: load_config(tmp_path / "c.yaml"))
    record_property("cases", 2 * count)


def test_a_sheet_of_any_bytes_is_read_or_told(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    (tmp_path / "a.svs").touch()
    sound = b"slide_id,path,mpp,group\r\none,a.svs,0.25,p\r\ntwo,a.svs,,\r\n"
    for number in range(1000):
        rng = random.Random(number)
        content = bytearray(sound)
        for _ in range(rng.randint(1, 8)):
            place = rng.randrange(len(content))
            content[place : place + rng.randint(0, 2)] = rng.choice(
                (b"", b"\0", b'"', b"\t", b";", b"\n", b"\r", b"\xff", b"\xe4", b",,", b"1e999", b"\xef\xbb\xbf")
            )
        (tmp_path / rng.choice(("s.csv", "s.tsv"))).write_bytes(content)
        for name in ("s.csv", "s.tsv"):
            survives(lambda name=name: read_sheet(tmp_path / name))
    record_property("cases", 1000)
