"""Configuration: parsed once, frozen, and every fault told."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from wsi_scale.config.load import RENAMED, dump_section, load_config, parse_config
from wsi_scale.config.models import Config, SearchConfig, TilingConfig
from wsi_scale.errors import ConfigError, UserError

SECTIONS = [name for name, field in Config.model_fields.items() if isinstance(field.default, BaseModel)]


def fault(*assignments: str) -> str:
    """Text of the one-line error that assignments cause."""
    with pytest.raises(ConfigError) as error:
        load_config(None, assignments)
    text = str(error.value)
    assert "\n" not in text
    return text


def write(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_nothing_given_means_the_documented_defaults() -> None:
    config = load_config()
    assert config == Config()
    assert (config.network, config.results, config.slides.path) == ("embedded", Path("results"), None)
    assert (config.tiling.tile_px, config.tiling.mpp, config.tiling.field_um) == (224, 0.5, 112.0)
    assert (config.search.method, config.search.finest_mpp, config.search.coarsest_mpp) == ("covariant", 0.25, 4.0)
    assert config.map.ome_zarr_version == "0.5"
    assert (config.execution.device, config.execution.dtype) == ("auto", "auto")


def test_every_key_says_what_it_means() -> None:
    for section in SECTIONS:
        model = type(getattr(Config(), section))
        assert model.__doc__
        for key, field in model.model_fields.items():
            assert field.description, f"{section}.{key}"


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, "# nothing\n")) == Config()


def test_a_file_is_read_and_assignments_win(tmp_path: Path) -> None:
    path = write(tmp_path, "network: vgg19\ntiling:\n  mpp: 1.0\n  tile_px: 256\n")
    config = load_config(path, ["tiling.mpp=0.25", "search.method=published"])
    assert (config.network, config.tiling.mpp, config.tiling.tile_px) == ("vgg19", 0.25, 256)
    assert config.search.method == "published"


def test_the_last_assignment_wins() -> None:
    assert load_config(None, ["tiling.mpp=1", "tiling.mpp=2"]).tiling.mpp == 2


def test_values_are_yaml() -> None:
    config = load_config(
        None, ["features.mpps=[0.5, 1]", "search.layers=[C2_2, C3_4]", "features.optimal=false", "weights=null"]
    )
    assert config.features.mpps == (0.5, 1.0)
    assert config.search.layers == ("C2_2", "C3_4")
    assert config.features.optimal is False
    assert config.weights is None


@pytest.mark.parametrize(
    "text", ["/data/study #2", "a: b", "null", "~", "2024-01-01", "[a]", "'", "%&*!|>@`", " a ", "no"]
)
def test_values_that_are_no_yaml_are_taken_as_they_are(text: str) -> None:
    given = {"transfer.data": Path(text), "network": text, "transfer.keep_fraction": 0.5, "transfer.kept_out": None}
    config = load_config(
        None, ["transfer.data=other", "transfer.keep_fraction=0.25", "transfer.kept_out=table.tsv"], given
    )
    assert (config.transfer.data, config.network) == (Path(text), text)
    assert (config.transfer.keep_fraction, config.transfer.kept_out) == (0.5, Path("table.tsv"))


def test_a_wrong_value_that_is_no_yaml_is_told_as_any_other() -> None:
    with pytest.raises(ConfigError, match=r"execution\.device: .*'cpu #1'"):
        load_config(None, (), {"execution.device": "cpu #1"})
    with pytest.raises(ConfigError, match=r"transfer\.data: "):
        load_config(None, (), {"transfer.data": Path("a" * 300)})


@pytest.mark.parametrize("text", ["0.4", '"0.4"', "'0.4'"])
def test_a_version_may_look_like_a_number(text: str) -> None:
    assert load_config(None, [f"map.ome_zarr_version={text}"]).map.ome_zarr_version == "0.4"


def test_a_whole_section_can_be_given_and_then_changed() -> None:
    config = load_config(None, ["tiling={mpp: 1.0, tile_px: 128}", "tiling.tile_px=256"])
    assert (config.tiling.mpp, config.tiling.tile_px) == (1.0, 256)
    # As the workflow hands a section to a job.
    config = load_config(None, ['search={"method": "published", "layers": null}'])
    assert config.search == SearchConfig(method="published")


def test_a_whole_section_replaces_what_the_file_says(tmp_path: Path) -> None:
    path = write(tmp_path, "tiling:\n  mpp: 1.0\n  overlap_px: 8\n")
    assert load_config(path, ["tiling={mpp: 2.0}"]).tiling == TilingConfig(mpp=2.0)


@pytest.mark.parametrize("text", ["/data/my slides", "Präparate/a=b", "C:/x", "slides.csv"])
def test_slides_can_be_just_a_path(text: str, tmp_path: Path) -> None:
    assert load_config(None, [f"slides={text}"]).slides.path == Path(text)
    assert load_config(write(tmp_path, f"slides: {text}\n")).slides.path == Path(text)


def test_slides_given_as_a_path_can_still_be_changed_by_key() -> None:
    assert load_config(None, ["slides=/a", "slides.path=/b"]).slides.path == Path("/b")
    assert "unknown key slides.paths; did you mean slides.path?" in fault("slides=/a", "slides.paths=/b")


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_a_renamed_key_names_the_new_one(old: str, new: str) -> None:
    assert f"unknown key {old}: it is now called {new}" in fault(f"{old}=0.5")
    section, key = new.split(".")
    assert key in dump_section(getattr(load_config(), section))


@pytest.mark.parametrize(
    ("assignment", "known"),
    [
        ("tiling.tilepx=3", "tiling.tile_px"),
        ("tiling.overlap=3", "tiling.overlap_px"),
        ("networkk=vgg19", "network"),
        ("searchh.method=published", "search"),
        ("search.rungs_per_octav=3", "search.rungs_per_octave"),
        ("execution.batch=3", "execution.batch_mpx"),
    ],
)
def test_an_unknown_key_names_the_nearest_known_one(assignment: str, known: str) -> None:
    name = assignment.partition("=")[0]
    expected = name.split(".")[0] if "." not in known else name
    assert f"unknown key {expected}; did you mean {known}?" in fault(assignment)


def test_an_unknown_key_unlike_any_other_names_them_all() -> None:
    text = fault("tiling.xyzzy=1")
    assert all(key in text for key in TilingConfig.model_fields)


def test_all_faults_are_told_at_once() -> None:
    text = fault("tiling.mpp=-1", "tiling.tilepx=3", "search.method=magic", "execution.threads=zero", "resultz=x")
    for part in ("tiling.mpp", "tiling.tilepx", "search.method", "execution.threads", "unknown key resultz"):
        assert part in text
    assert "got '-1'" in text
    assert "'covariant' or 'published'" in text


def test_a_fault_names_the_file_it_is_in(tmp_path: Path) -> None:
    path = write(tmp_path, "tiling:\n  mpp: 0\n")
    with pytest.raises(ConfigError, match=re.escape(str(path))):
        load_config(path)


@pytest.mark.parametrize(
    ("assignments", "text"),
    [
        (["tiling.overlap_px=300"], "overlap_px (300) must be smaller than tile_px (224)"),
        (["search.coarsest_mpp=0.3"], "coarsest_mpp must be at least twice finest_mpp"),
        (["tiling.mpp=.nan"], "tiling.mpp"),
        (["tiling.mpp=1000"], "tiling.mpp"),
        (["tiling=3"], "tiling"),
        (["features.mpps=[0.5, 0]"], "features.mpps.1"),
        (["features.mpps=[0.5, 1, 0.5]"], "features.mpps: it names one µm per pixel twice; give each once"),
        (["features.mpps=[]", "features.optimal=false"], "features: without mpps and without the optimal mpp"),
        (["search.layers=[]"], "search.layers: it is empty; name at least one layer"),
        (["map.ome_zarr_version=0.6"], "map.ome_zarr_version"),
    ],
)
def test_values_that_cannot_be_are_refused(assignments: list[str], text: str) -> None:
    assert text in fault(*assignments)


@pytest.mark.parametrize("assignment", ["tiling.mpp", "=3", " =3", "tiling.mpp=[", "tiling.mpp={a: b"])
def test_what_is_no_assignment_is_refused(assignment: str) -> None:
    assert f"--set {assignment!r}" in fault(assignment)


@pytest.mark.parametrize("assignment", ["network.name=x", "weights.path=x", "results.a.b=x", "tiling.mpp.x=1"])
def test_a_key_below_a_plain_value_is_refused(assignment: str) -> None:
    assert assignment.split(".")[0] in fault(assignment)


@pytest.mark.parametrize("text", ["- a\n- b\n", "just text\n", "3\n", "a: [\n", "a: b: c\n", "\t\tx: 1\n", "1: 2\n"])
def test_a_file_of_something_else_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        load_config(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_cannot_be_read_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x80")
    for path in (tmp_path / "none.yaml", tmp_path, tmp_path / "binary.yaml"):
        with pytest.raises(ConfigError) as error:
            load_config(path)
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)


def test_a_configuration_error_is_a_user_error_and_a_value_error() -> None:
    assert issubclass(ConfigError, UserError)
    assert issubclass(ConfigError, ValueError)


def test_a_configuration_is_frozen() -> None:
    config = Config()
    with pytest.raises(ValidationError, match="frozen"):
        config.network = "vgg19"
    for section in SECTIONS:
        key = next(iter(type(getattr(config, section)).model_fields))
        with pytest.raises(ValidationError, match="frozen"):
            setattr(getattr(config, section), key, None)


def test_parsing_leaves_the_values_it_is_given_alone(tmp_path: Path) -> None:
    values = {"slides": "/a", "tiling": {"mpp": 1.0}}
    parse_config(values)
    assert values == {"slides": "/a", "tiling": {"mpp": 1.0}}
    text = "tiling:\n  mpp: 1.0\n"
    path = write(tmp_path, text)
    load_config(path, ["tiling.mpp=2"])
    assert path.read_text() == text


@st.composite
def configurations(draw: st.DrawFn) -> dict[str, Any]:
    """Some values that differ from the defaults."""
    finest = draw(st.floats(0.06, 1))
    return {
        "network": draw(st.sampled_from(["embedded", "vgg19", "a b.safetensors"])),
        "weights": draw(st.none() | st.just("w.pth")),
        "slides": {"path": draw(st.none() | st.just("/slides/ä b"))},
        "tiling": {"tile_px": draw(st.integers(64, 512)), "mpp": draw(st.floats(0.1, 5))},
        "search": {
            "finest_mpp": finest,
            "coarsest_mpp": finest * draw(st.floats(2, 16)),
            "layers": draw(st.none() | st.lists(st.sampled_from(["C2_2", "C3_4"]), min_size=1, max_size=2)),
        },
        "features": {"mpps": draw(st.lists(st.floats(0.1, 4), max_size=3, unique_by=lambda mpp: f"{mpp:g}"))},
        "training": {"fields": draw(st.lists(st.just("a/crops.tsv"), max_size=2)), "stain": draw(st.none())},
    }


@given(configurations())
@settings(max_examples=50, deadline=None)
def test_what_is_dumped_is_parsed_back_even_through_yaml(values: dict[str, Any]) -> None:
    config = parse_config(values)
    dumped = dump_section(config)
    assert parse_config(dumped) == config
    assert parse_config(yaml.safe_load(yaml.safe_dump(dumped))) == config
    by_section = [
        f"{name}={yaml.safe_dump(value, default_flow_style=True, width=10**6)}" for name, value in dumped.items()
    ]
    assert load_config(None, by_section) == config


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_alone_is_parsed_back(section: str) -> None:
    config = Config()
    assert getattr(parse_config({section: dump_section(getattr(config, section))}), section) == getattr(config, section)
