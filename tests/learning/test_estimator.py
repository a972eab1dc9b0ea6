"""A regressor with the network whose features it reads."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.planted import reading_head, write_planted
from tests.runs import configured
from wsi_scale.artifacts.regressor import read_regressor, write_regressor
from wsi_scale.errors import ArtifactError, UserError
from wsi_scale.learning.estimator import load_estimator, regressor_of, stored_form
from wsi_scale.magnification.density import normalise_density
from wsi_scale.magnification.out_of_range import OutOfRange
from wsi_scale.magnification.regressor import Regressor
from wsi_scale.networks.file import read_network_file, write_network_file
from wsi_scale.networks.load import find_network

CPU = configured("execution.device=cpu")
TILES = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)


def bent() -> Regressor:
    """A regressor with folds, as a cohort leaves it."""
    rng = np.random.default_rng(0)
    return replace(
        Regressor.of_head(reading_head(4)),
        bends=rng.normal(size=(3, 4)),
        offsets=rng.normal(size=3),
        scores=rng.random(7),
        score_folds=np.array([1, 1, 2, 2, 2, 1, 0]),
        fold_of={"Fall Ä": 1, "case 2": 2},
    )


def test_what_is_stored_comes_back_and_says_the_same(tmp_path: Path) -> None:
    regressor, features = bent(), np.random.default_rng(1).normal(size=(5, 4))
    write_regressor(tmp_path / "r", stored_form(regressor, {"network": "n", "network_digest": "d", "layers": ["C1_1"]}))

    again = regressor_of(read_regressor(tmp_path / "r"), "d")

    for group in (None, "Fall Ä", "case 2", "elsewhere"):
        one, two = (each.predict_tiles(features, group) for each in (regressor, again))
        np.testing.assert_array_equal(one.log2_mpp, two.log2_mpp)
        np.testing.assert_array_equal(one.spread_octaves, two.spread_octaves)
        assert again.half_width(0.3, 0.8, group) == regressor.half_width(0.3, 0.8, group)
    assert again.fold_of == regressor.fold_of


def test_what_it_abstains_on_is_stored_with_it_and_older_files_have_none(tmp_path: Path) -> None:
    learnt = replace(bent(), out_of_range=OutOfRange(np.array([0.5, -1.0, 0.0, 2.0]), -0.75), he_alone=True)
    for name, regressor in (("new", learnt), ("old", bent())):
        write_regressor(
            tmp_path / name,
            stored_form(regressor, {"network": "n", "network_digest": "d", "layers": ["C1_1"], "stain": "H&E"}),
        )

    again, older = (regressor_of(read_regressor(tmp_path / name), "d") for name in ("new", "old"))

    assert older.out_of_range is None
    assert again.out_of_range is not None
    assert again.out_of_range.bias == -0.75
    np.testing.assert_array_equal(again.out_of_range.weights, [0.5, -1.0, 0.0, 2.0])
    assert (older.he_alone, again.he_alone) == (False, True)


def test_one_of_another_network_is_refused_in_one_line() -> None:
    stored = stored_form(bent(), {"network": "mine", "network_digest": "d"})
    with pytest.raises(ArtifactError, match="fitted on another network than the mine at hand; fit it again") as error:
        regressor_of(stored, "e")
    assert "\n" not in str(error.value)


def test_it_brings_its_network_along_and_sees_tiles_of_one_density(tmp_path: Path) -> None:
    estimator = load_estimator(CPU, write_planted(tmp_path, 0.5, octaves_per_light=1.0))

    features = estimator.features(TILES)

    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    light = np.maximum(((normalise_density(TILES) / 255 - mean) / std).mean(axis=3) + 3, 0).mean(axis=(1, 2))
    np.testing.assert_allclose(features[:, 0], np.log(light + 1e-3), atol=1e-3)
    np.testing.assert_allclose(estimator.regressor.predict_tiles(features).log2_mpp, -1 + features[:, 0], atol=1e-2)


def test_a_network_that_was_moved_is_found_where_one_says(tmp_path: Path) -> None:
    regressor = write_planted(tmp_path, 0.5)
    (tmp_path / "elsewhere").mkdir()
    moved = tmp_path / "elsewhere" / "n.safetensors"
    (tmp_path / "planted.safetensors").rename(moved)

    with pytest.raises(UserError, match=r"planted\.safetensors") as error:
        load_estimator(CPU, regressor)
    assert "\n" not in str(error.value)
    assert load_estimator(CPU, regressor, str(moved)).features(TILES).shape == (3, 1)


def test_another_network_in_its_place_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    regressor = write_planted(tmp_path / "a", 0.5)
    stored = read_regressor(regressor)
    write_regressor(regressor, replace(stored, header={**stored.header, "network_digest": "0" * 64}))
    with pytest.raises(ArtifactError, match="another network"):
        load_estimator(CPU, regressor)


def test_files_that_were_replaced_are_read_anew(tmp_path: Path) -> None:
    def light() -> np.ndarray:
        estimator = load_estimator(CPU, tmp_path / "planted.regressor.safetensors")
        return np.exp(estimator.features(TILES)[:, 0])

    write_planted(tmp_path, 0.5)
    before = light()
    network = tmp_path / "planted.safetensors"
    header, state = read_network_file(network)
    write_network_file(network, header, {name: 2 * value for name, value in state.items()})
    with pytest.raises(ArtifactError, match="another network"):
        light()

    regressor = read_regressor(tmp_path / "planted.regressor.safetensors")
    digest = find_network(str(network)).tapped(("C1_1",)).digest
    replaced = replace(regressor, header={**regressor.header, "network_digest": digest})
    write_regressor(tmp_path / "planted.regressor.safetensors", replaced)
    np.testing.assert_allclose(light(), 2 * before, rtol=1e-2)


def test_it_is_the_named_one_before_the_configured_one_before_the_packages_own(tmp_path: Path) -> None:
    paths = {}
    for name, mpp in (("named", 0.25), ("configured", 2.0)):
        (tmp_path / name).mkdir()
        paths[name] = write_planted(tmp_path / name, mpp)
    config = configured("execution.device=cpu", f"magnification.regressor={paths['configured']}")

    for estimator, log2_mpp in ((load_estimator(config, paths["named"]), -2), (load_estimator(config), 1)):
        tiles = estimator.regressor.predict_tiles(estimator.features(TILES))
        np.testing.assert_allclose(tiles.log2_mpp, log2_mpp, atol=1e-3)
    assert load_estimator(CPU).network.name == "embedded"


def test_features_are_of_full_precision_whatever_the_search_runs_in(tmp_path: Path) -> None:
    regressor = write_planted(tmp_path, 0.5)
    half = configured("execution.device=cpu", "execution.dtype=bfloat16")
    one, two = (load_estimator(config, regressor).features(TILES) for config in (CPU, half))
    np.testing.assert_array_equal(one, two)
