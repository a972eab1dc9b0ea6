"""Stage `prune`: a cut network is a network file that everything else takes, and its regressor reads it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from wsi_scale.artifacts.regressor import read_regressor
from wsi_scale.cli.talk import print_json
from wsi_scale.config.models import Config
from wsi_scale.config.training import TrainingConfig
from wsi_scale.errors import ConfigError
from wsi_scale.learning import layers as layers_module
from wsi_scale.learning.estimator import load_estimator
from wsi_scale.learning.layers import LayersPruned, prune_layers
from wsi_scale.networks.architectures import architecture
from wsi_scale.networks.load import find_network
from wsi_scale.steps.sources import predict_sources
from wsi_scale.synthesis.scene import Scene, render_scene


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A field of drawn tissue for each of ten cases."""
    folder = tmp_path_factory.mktemp("fields")
    lines = ["file\tcase\tstain\tmpp"]
    for case in range(10):
        scene = Scene(2.5 + 0.2 * case, seed=case, size_px=640, mpp=0.25)
        Image.fromarray(render_scene(scene)).save(folder / f"{case}.png")
        lines.append(f"{case}.png\tcase-{case}\tH&E\t0.25")
    (folder / "fields.tsv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def squeezenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seeded weights of SqueezeNet."""
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("weights") / "squeezenet1_1.pth"
    torch.save(architecture("squeezenet1_1").build().state_dict(), path)
    return path


def config(fields: Path) -> Config:
    training = TrainingConfig(fields=(fields / "fields.tsv",), mpp_range=(0.25, 1.0))
    return Config(training=training)


@pytest.fixture(autouse=True)
def few_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers_module, "TILES", 150)
    monkeypatch.setattr(layers_module, "REPETITIONS", 3)


@pytest.mark.parametrize("network", ["embedded", "squeezenet1_1"])
def test_a_cut_ends_with_the_layer_that_tells_scale_best_and_costs_less(
    network: str, fields: Path, squeezenet: Path, tmp_path: Path
) -> None:
    weights = squeezenet if network == "squeezenet1_1" else None
    path = tmp_path / "cut.safetensors"

    found = prune_layers(config(fields), network, weights, path)

    assert found.r2[found.layer] == max(found.r2.values())
    assert list(find_network(str(path)).architecture.nodes)[-1] == found.layer
    whole, cut = found.parameters
    assert cut <= whole
    assert found.multiply_adds[1] <= found.multiply_adds[0]
    deepest = list(found.r2)[-1]
    assert (cut < whole) == (found.layer != deepest)


def test_its_regressor_belongs_to_it_and_answers_with_an_interval(fields: Path, tmp_path: Path) -> None:
    found = prune_layers(config(fields), "embedded", None, tmp_path / "cut.safetensors")

    stored = read_regressor(found.regressor)
    cut = find_network(str(found.network)).tapped(tuple(stored.header["layers"]))
    assert stored.header["network_digest"] == cut.digest
    assert len(stored.arrays["scores"]) > 0
    (answer,) = predict_sources([fields / "3.png"], Config(), load_estimator(Config(), found.regressor))
    assert answer["status"] in ("ok", "abstained")
    if answer["status"] == "ok":
        assert answer["mpp_low"] < answer["mpp"] < answer["mpp_high"]


def test_the_result_is_told_as_json_with_paths_and_numbers_of_numpy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = tmp_path / "cut.safetensors", tmp_path / "cut.regressor.safetensors"
    r2 = {"C1_2": np.float32(0.5), "C2_2": 0.75}
    print_json(
        LayersPruned(
            *files, layer="C2_2", r2=r2, parameters=(9, 4), multiply_adds=(np.int64(8), 3), tiles_per_second=(1.0, 2.0)
        )
    )

    told = json.loads(capsys.readouterr().out)
    assert (told["network"], told["layer"], told["r2"]) == (str(files[0]), "C2_2", r2)
    assert told["multiply_adds"] == [8, 3]


def test_too_few_cases_are_refused_in_one_line(fields: Path, tmp_path: Path) -> None:
    lines = (fields / "fields.tsv").read_text().splitlines()[:5]
    (fields / "few.tsv").write_text("\n".join(lines) + "\n")
    few = Config(training=TrainingConfig(fields=(fields / "few.tsv",)))

    with pytest.raises(ConfigError, match="8 cases or more"):
        prune_layers(few, "embedded", None, tmp_path / "cut.safetensors")
    assert not (tmp_path / "cut.safetensors").exists()
