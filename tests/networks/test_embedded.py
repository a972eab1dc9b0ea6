"""The network that the package carries, its regressor and its calibration."""

from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from wsi_scale.artifacts.calibration import SUFFIX, CalibrationFile, read_calibration, shipped_folder
from wsi_scale.artifacts.regressor import read_regressor, shipped_regressor
from wsi_scale.magnification.features import REGRESSOR_LAYERS
from wsi_scale.networks.architectures import architecture
from wsi_scale.networks.chain import EMBEDDED_PLAN
from wsi_scale.networks.file import embedded_path, read_network_file
from wsi_scale.networks.load import NetworkSource, find_network, search_layers
from wsi_scale.networks.network import Network


@pytest.fixture(scope="module")
def network() -> Network:
    """The embedded network, tapped as deep as anything taps it."""
    source = find_network("embedded")
    layers = (*search_layers(source, "covariant", None), *source.architecture.published_layers, *REGRESSOR_LAYERS)
    return source.tapped((*layers, source.architecture.feature_layer))


def test_it_needs_no_weights_no_data_and_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WSI_SCALE_WEIGHTS", "WSI_SCALE_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    assert find_network("embedded").source == "the package"


def test_it_is_at_most_2_mb_on_disk() -> None:
    assert embedded_path().stat().st_size <= 2_000_000


def test_a_tile_of_224_px_costs_at_most_4_gflop(network: Network) -> None:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.maps(torch.zeros(1, 3, 224, 224))
    # A multiply-add counts as two.
    assert 0 < counter.get_total_flops() <= 4e9


def test_it_says_what_it_was_trained_on_and_what_it_never_saw() -> None:
    header, state = read_network_file(embedded_path())
    assert {"task", "data", "kept_out", "seed", "made_by"} <= set(header.provenance)
    assert set(header.provenance["data"]) <= {"tissue", "tissue_wide"}
    assert header.provenance["kept_out"]
    assert all(value.dtype == torch.float16 for value in state.values())


def test_its_file_is_of_the_plan_that_is_trained_and_its_layers_exist() -> None:
    header, _ = read_network_file(embedded_path())
    assert header.name == "embedded"
    assert header.plan == EMBEDDED_PLAN
    assert {*header.search_layers, header.feature_layer, *REGRESSOR_LAYERS} <= set(header.architecture.nodes)


def test_the_shipped_regressor_belongs_to_it() -> None:
    stored = read_regressor(shipped_regressor())
    network = find_network("embedded").tapped(REGRESSOR_LAYERS)
    assert stored.header["network_digest"] == network.digest
    assert tuple(stored.header["layers"]) == REGRESSOR_LAYERS
    width = sum(layer.channels for layer in network.layers)
    assert stored.arrays["weights"].shape[1] == stored.arrays["mean"].shape[0] == width
    assert stored.header["half_width_octaves"] > 0


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
