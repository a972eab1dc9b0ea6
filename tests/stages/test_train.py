"""The embedded network's training: resumable, exported whole, and blind to what is kept out."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from wsi_scale.artifacts.regressor import read_regressor
from wsi_scale.config.models import Config, TrainingConfig
from wsi_scale.errors import ConfigError
from wsi_scale.networks.file import embedded_path, read_network_file
from wsi_scale.networks.load import find_network
from wsi_scale.stages import embed as embed_module
from wsi_scale.stages.embed import embed
from wsi_scale.stages.train import read_fields, read_kept_out, split_validation, train_embedded
from wsi_scale.synthesis.scene import Scene, render_scene

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fields")
    lines = ["file\tcase\tstain\tmpp"]
    for case in range(6):
        Image.fromarray(render_scene(Scene(3.0, seed=case, size_px=512, mpp=0.25))).save(folder / f"{case}.png")
        lines.append(f"{case}.png\tcase-{case}\tH&E\t0.25")
    (folder / "fields.tsv").write_text("\n".join(lines) + "\n")
    (folder / "kept_out.tsv").write_text("case\twhy\ncase-0\ttest\ncase-1\ttest\n")
    return folder


def settings(fields: Path, epochs: int) -> TrainingConfig:
    return TrainingConfig(
        fields=(fields / "fields.tsv",),
        kept_out=fields / "kept_out.tsv",
        mpp_range=(0.25, 0.7),
        tile_px=(96,),
        batch=4,
        epochs=epochs,
        steps=2,
        validation_share=0.3,
    )


def test_an_interrupted_training_ends_in_the_same_network(fields: Path, tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    steps = []

    def stop_in_the_third_epoch(_: float) -> None:
        steps.append(1)
        if len(steps) == 5:
            raise StoppedError

    expected = train_embedded(settings(fields, 4), tmp_path / "whole").state_dict()
    with pytest.raises(StoppedError):
        train_embedded(settings(fields, 4), tmp_path / "parts", on_step=stop_in_the_third_epoch)

    actual = train_embedded(settings(fields, 4), tmp_path / "parts").state_dict()

    assert all(torch.equal(actual[name], expected[name]) for name in expected)


def test_training_ends_in_a_network_file_and_a_regressor_that_belong_together(
    fields: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed_module, "FIT_TILES", 100)

    path = embed(Config(training=settings(fields, 2)), tmp_path)

    network = find_network(str(path)).tapped(("C2_2", "C3_2", "C4_2", "C5_2"))
    regressor = read_regressor(tmp_path / "embedded.regressor.safetensors")
    assert regressor.header["network_digest"] == network.digest
    assert regressor.header["training"]["figures"]["cases"] == 2


def test_fields_of_another_stain_or_missing_tables_are_told_in_one_line(fields: Path) -> None:
    with pytest.raises(ConfigError, match="no field of stain"):
        read_fields((fields / "fields.tsv",), stain="PAS")
    with pytest.raises(ConfigError, match="cannot read"):
        read_fields((fields / "none.tsv",), stain=None)


def test_validation_shares_no_case_with_training(fields: Path) -> None:
    training, validation = split_validation(read_fields((fields / "fields.tsv",), stain=None), 0.4, seed=3)

    assert validation
    assert not {f.group for f in training} & {f.group for f in validation}


def test_the_shipped_network_kept_the_table_of_cases_out() -> None:
    header, _ = read_network_file(embedded_path())

    assert header.provenance["kept_out"] == sorted(read_kept_out(REPOSITORY / "configs/kept_out.tsv"))
