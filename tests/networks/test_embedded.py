"""The network that the package carries, its regressor and its calibration."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from wsi_scale.artifacts.calibration import SUFFIX, CalibrationFile, read_calibration, shipped_folder
from wsi_scale.artifacts.regressor import read_regressor, shipped_regressor
from wsi_scale.learning.estimator import regressor_of
from wsi_scale.magnification.head import BIN_CENTRES
from wsi_scale.networks.architectures import architecture
from wsi_scale.networks.chain import EMBEDDED_PLAN, EMBEDDED_SCALE_LAYERS
from wsi_scale.networks.file import read_network_file
from wsi_scale.networks.load import NetworkSource, find_network, search_layers
from wsi_scale.networks.network import Network
from wsi_scale.networks.places import CARRIED, EMBEDDED_MPP, carried_path


@pytest.fixture(scope="module")
def network() -> Network:
    """The embedded network, tapped as deep as anything taps it."""
    source = find_network("embedded")
    layers = (*search_layers(source, "covariant", None), *source.architecture.block_ends, *EMBEDDED_SCALE_LAYERS)
    return source.tapped((*layers, source.architecture.feature_layer))


@pytest.mark.parametrize("name", CARRIED)
def test_it_needs_no_weights_no_data_and_no_network(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("WSI_SCALE_WEIGHTS", "WSI_SCALE_DATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    assert find_network(name).source == "the package"


def test_the_networks_are_at_most_2_mb_on_disk_together() -> None:
    assert sum(carried_path(name).stat().st_size for name in CARRIED) <= 2_000_000


def test_a_tile_of_224_px_costs_at_most_4_gflop(network: Network) -> None:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.maps(torch.zeros(1, 3, 224, 224))
    # A multiply-add counts as two.
    assert 0 < counter.get_total_flops() <= 4e9


@pytest.mark.parametrize("name", CARRIED)
def test_it_says_what_it_was_trained_on_and_what_it_never_saw(name: str) -> None:
    header, state = read_network_file(carried_path(name))
    assert {"task", "data", "kept_out", "seed", "made_by"} <= set(header.provenance)
    assert set(header.provenance["data"]) <= {"tissue", "tissue_wide", "tissue_more"}
    assert header.provenance["kept_out"]
    assert all(value.dtype == torch.float16 for value in state.values())


@pytest.mark.parametrize("name", CARRIED)
def test_its_file_is_of_the_plan_that_is_trained_and_its_layers_exist(name: str) -> None:
    header, _ = read_network_file(carried_path(name))
    assert header.name == "embedded"
    assert header.plan == EMBEDDED_PLAN
    assert {*header.search_layers, header.feature_layer, *EMBEDDED_SCALE_LAYERS} <= set(header.architecture.nodes)


def test_the_shipped_regressor_belongs_to_its_network() -> None:
    stored = read_regressor(shipped_regressor())
    network = find_network(EMBEDDED_MPP).tapped(EMBEDDED_SCALE_LAYERS)
    assert stored.header["network"] == EMBEDDED_MPP
    assert stored.header["network_digest"] == network.digest
    assert tuple(stored.header["layers"]) == EMBEDDED_SCALE_LAYERS
    width = sum(layer.channels for layer in network.layers)
    arrays = stored.arrays
    assert arrays["mean"].shape == arrays["scale"].shape == (width,)
    assert arrays["bends"].shape == (1, width)
    assert arrays["weights"].shape == (len(arrays["centres"]) + 1, len(arrays["hidden_bias"]))
    np.testing.assert_array_equal(arrays["centres"], BIN_CENTRES)


def test_the_shipped_regressor_knows_no_cohort_and_its_interval_is_calibrated() -> None:
    regressor = regressor_of(
        read_regressor(shipped_regressor()), find_network(EMBEDDED_MPP).tapped(EMBEDDED_SCALE_LAYERS).digest
    )
    assert regressor.he_alone
    assert regressor.out_of_range is not None
    assert regressor.fold_of == {}
    assert not regressor.bends.any()
    assert not regressor.offsets.any()
    # Enough slides for the coverage that is asked for by default.
    assert len(regressor.scores) >= 20
    assert (regressor.scores >= 0).all()
    assert 0 < regressor.half_width(0.25, 0.8) <= regressor.half_width(0.25, 0.9) < 2


def shipped_calibrations(network: str) -> list[CalibrationFile]:
    return [read_calibration(path) for path in shipped_folder().glob(f"{network}-*{SUFFIX}")]


def assert_belongs(calibration: CalibrationFile, source: NetworkSource) -> None:
    network = source.tapped(search_layers(source, "covariant", None))
    assert calibration.digest == network.digest
    widths = {layer.name: layer.channels for layer in network.layers}
    for name, layer in calibration.layers.items():
        assert all(0 <= channel < widths[name] for channel in layer["channels"])
        assert len({len(values) for values in layer.values()}) == 1


def test_its_shipped_calibration_belongs_to_it() -> None:
    (calibration,) = shipped_calibrations("embedded")
    assert_belongs(calibration, find_network("embedded"))


@pytest.mark.data
def test_the_shipped_calibration_of_vgg19_belongs_to_the_weights_of_the_data(data_root: Path) -> None:
    (calibration,) = shipped_calibrations("vgg19")
    assert_belongs(calibration, find_network("vgg19", data_root / "weights" / "vgg19_features.safetensors"))


def test_without_the_data_the_shipped_calibration_of_vgg19_is_still_one_of_its_layers() -> None:
    (calibration,) = shipped_calibrations("vgg19")
    assert set(calibration.layers) <= set(architecture("vgg19").search_layers)
