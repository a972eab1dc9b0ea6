"""Texts stay the texts that were written, whoever read the YAML."""

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from wsi_scale.config.load import load_config, parse_config
from wsi_scale.config.text import read_yaml
from wsi_scale.errors import ConfigError

#: Names of folders of which YAML makes something else.
NAMES = (
    "2024", "007", "0x1F", "1_000", "2024-01-01", "2024-01-01 10:00:00", "1e5", "1.50", ".5", ".inf", "yes", "no",
    "on", "True", "12:30:45", "0b1", "+1", "=", "NO",
)  # fmt: skip


def fault(*assignments: str, file: Path | None = None) -> str:
    with pytest.raises(ConfigError) as error:
        load_config(file, assignments)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_looks_like_something_else_is_a_name(tmp_path: Path, name: str) -> None:
    assert load_config(None, [f"slides={name}", f"network={name}", f"results={name}"]).results == Path(name)
    assert load_config(None, [f"slides={{path: {name}}}"]).slides.path == Path(name)
    (tmp_path / "c.yaml").write_text(f"slides: {name}\nnetwork: {name}\nsearch:\n  layers: [{name}, C2_2]\n")
    config = load_config(tmp_path / "c.yaml", [f"features.layer={name}"])
    assert (config.slides.path, config.network, config.features.layer) == (Path(name), name, name)
    assert config.search.layers == (name, "C2_2")


def test_null_is_nothing_unless_it_is_quoted() -> None:
    config = load_config(None, ["weights=null", "features.layer=", "transfer.stain=~", 'training.stain="null"'])
    assert (config.weights, config.features.layer, config.transfer.stain) == (None, None, None)
    assert config.training.stain == "null"


def test_numbers_and_truth_values_are_read_where_a_field_wants_them() -> None:
    config = load_config(
        None, ["transfer.learning_rate=1e-4", "tiling.tile_px=256", "features.optimal=no", "tiling.mpp='1.5'"]
    )
    assert (config.transfer.learning_rate, config.tiling.tile_px) == (1e-4, 256)
    assert (config.features.optimal, config.tiling.mpp) == (False, 1.5)


@pytest.mark.parametrize(("value", "path"), [(2024, "2024"), (date(2024, 1, 1), "2024-01-01")])
def test_what_snakemake_made_of_a_text_is_that_text_again(value: Any, path: str) -> None:
    for values in ({"slides": value}, {"slides": {"path": value}}):
        assert parse_config(values).slides.path == Path(path)
    assert parse_config({"network": value}).network == path


@pytest.mark.parametrize("value", [True, 1e5, datetime(2024, 1, 1, 10), [1], {1}])
def test_what_cannot_be_told_back_is_refused(value: Any) -> None:
    for values in ({"slides": value}, {"slides": {"path": value}}, {"network": value}):
        with pytest.raises(ConfigError) as error:
            parse_config(values)
        assert "\n" not in str(error.value)
    if isinstance(value, bool | float):
        assert "write it in quotes" in str(error.value)


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("execution.batch_mpx=inf", "finite number"),
        ("search.coarsest_mpp=1e999", "search.coarsest_mpp"),
        ("tiling.mpp=nan", "tiling.mpp"),
        ("features.mpps=[1e300]", "features.mpps.0"),
        ("search.finest_mpp=1e-9", "search.finest_mpp"),
        (f"demo.seed={10**30}", "demo.seed: Input should be less than 4294967296"),
        (f"tiling.tile_px={'9' * 5000}", "tiling.tile_px"),
        ("execution.threads=1000000000", "execution.threads"),
        ("results=''", "results: Input should be a text of at least one character"),
        ('slides.path="a\\0b"', "without null bytes"),
        ("weights=" + "x" * 300, "not longer than a file name"),
        ("tiling=[]", "tiling"),
        ("tiling={mpp: 1, mpp: 2}", "key 'mpp' occurs twice"),
        ("tiling.mpp=" + "[" * 5000, "nested too deeply"),
        ("network=!!python/object:os.system x", "neither"),
        ("network=!!timestamp never", "neither"),
        ("features.mpps=&a [*a]", "not YAML"),
    ],
)
def test_what_cannot_be_is_one_short_line(assignment: str, told: str) -> None:
    if told == "neither":  # tags mean nothing: the text is taken as it stands
        assert load_config(None, [assignment]).network in ("x", "never")
    else:
        assert told in fault(assignment)
        assert len(fault(assignment)) < 600 + len(assignment)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"tiling:\n  mpp: 1\ntiling:\n  tile_px: 96\n", "key 'tiling' occurs twice"),
        (b"[" * 100_000, "nested too deeply"),
        (b"a: b\n---\na: c\n", "expected a single document"),
        (b"slides: \xe4\n", "is not YAML"),
        (b"slides: \0\n", "is not YAML"),
        (b"? [a]\n: b\n", "is not YAML"),
        (b"a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\nd: [*c, *c, *c]\n", "unknown key a"),
    ],
)
def test_a_file_that_cannot_be_is_one_short_line(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "c.yaml").write_bytes(content)
    line = fault(file=tmp_path / "c.yaml")
    assert told in line
    assert str(tmp_path / "c.yaml") in line
    assert len(line) < 1500


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_is_read_as_editors_write_it(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "c.yaml").write_text("slides: Präparate µ\r\ntiling:\r\n", encoding=encoding)
    assert load_config(tmp_path / "c.yaml").slides.path == Path("Präparate µ")


def test_a_section_whose_keys_are_commented_out_is_the_default(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("tiling:\n  # mpp: 1.0\nsearch: null\nslides:\n")
    assert load_config(tmp_path / "c.yaml") == load_config()
    assert parse_config({"tiling": None}) == load_config()


def test_yaml_is_lists_keys_and_texts() -> None:
    assert read_yaml("a: [1, 2.0, {b: 2024-01-01}]\nc: |\n  d\n") == {
        "a": ["1", "2.0", {"b": "2024-01-01"}],
        "c": "d\n",
    }
