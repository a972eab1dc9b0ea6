"""The embedded network's training: resumable, exported whole, and blind to what is kept out."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from wsi_scale.artifacts.checkpoint import CHECKPOINT, read_checkpoint
from wsi_scale.artifacts.regressor import read_regressor
from wsi_scale.config.models import Config, ExecutionConfig
from wsi_scale.config.training import TrainingConfig
from wsi_scale.errors import ArtifactError, ConfigError
from wsi_scale.execution.compute import resolve
from wsi_scale.learning.distillation import teacher_responses
from wsi_scale.learning.embedded_training import (
    PHOTOGRAPHS,
    photographs,
    train_embedded,
)
from wsi_scale.learning.estimator import load_estimator
from wsi_scale.learning.fields import read_fields, read_kept_out, split_validation
from wsi_scale.learning.train import NETWORK, REGRESSOR, train_and_export
from wsi_scale.magnification.density import normalise_density
from wsi_scale.magnification.training import ChainRegressor
from wsi_scale.networks.chain import EMBEDDED_PLAN, EMBEDDED_SCALE_LAYERS
from wsi_scale.networks.file import read_network_file, write_network_file
from wsi_scale.networks.load import find_network
from wsi_scale.networks.places import carried_path
from wsi_scale.networks.preprocessing import normalise
from wsi_scale.synthesis.scene import Scene, render_scene
from wsi_scale.transfer.loop import LoopState

COMPUTE = resolve(ExecutionConfig())
REPOSITORY = Path(__file__).parents[2]
TAUGHT: dict[str, object] = {"teacher": "embedded", "teacher_layers": ("C2_2",), "teacher_tiles": 50}


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
        wider_mpp_range=(0.2, 1.0),
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

    expected = train_embedded(settings(fields, 4), tmp_path / "whole", COMPUTE).best_model
    with pytest.raises(StoppedError):
        train_embedded(settings(fields, 4), tmp_path / "parts", COMPUTE, on_step=stop_in_the_third_epoch)

    actual = train_embedded(settings(fields, 4), tmp_path / "parts", COMPUTE).best_model

    assert all(torch.equal(actual[name], expected[name]) for name in expected)


def test_a_teacher_responds_once_and_the_same_responses_give_the_same_network(fields: Path, tmp_path: Path) -> None:
    taught = settings(fields, 2).model_copy(
        update={
            "teacher": "embedded",
            "teacher_layers": ("C2_2",),
            "teacher_tiles": 50,
            "teacher_responses": tmp_path / "l.npz",
        }
    )
    losses: list[float] = []
    whole = train_embedded(taught, tmp_path / "whole", COMPUTE, on_step=losses.append).best_model
    (kept,) = tmp_path.glob("l.*.npz")
    asked = kept.stat().st_mtime_ns
    again = train_embedded(taught, tmp_path / "again", COMPUTE).best_model

    assert list(tmp_path.glob("l.*.npz")) == [kept]
    assert kept.stat().st_mtime_ns == asked
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    assert whole["teacher_head.weight"].shape[0] == 64


class BegunError(Exception):
    """A training was about to begin."""


def begins_at(config: TrainingConfig, folder: Path) -> int:
    """Epoch that a training would begin at in a folder."""

    def stop(epoch: int, _: int) -> None:
        raise BegunError(epoch)

    with pytest.raises(BegunError) as begun:
        train_embedded(config, folder, COMPUTE, on_start=stop)
    return int(str(begun.value))


def changed(fields: Path, folder: Path, how: str) -> TrainingConfig:
    """A training of one epoch with one thing changed, in a copy of the fields."""
    shutil.copytree(fields, folder)
    if how == "image":
        Image.fromarray(np.full((512, 512, 3), 77, np.uint8)).save(folder / "4.png")
    elif how == "mpp":
        table = (folder / "fields.tsv").read_text()
        (folder / "fields.tsv").write_text(table.replace("case-4\tH&E\t0.25", "case-4\tH&E\t0.26"))
    elif how == "kept out":
        (folder / "kept_out.tsv").write_text("case\twhy\ncase-0\ttest\n")
    return settings(folder, 1).model_copy(update={"learning_rate": 1e-3} if how == "setting" else {})


def test_another_training_goes_on_from_nothing_that_is_there(
    fields: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    same = tmp_path / "same"
    first = train_embedded(settings(fields, 1), same, COMPUTE)
    assert begins_at(changed(fields, tmp_path / "moved", "nothing"), same) == 1
    assert not caplog.records
    for how in ("image", "mpp", "kept out", "setting"):
        assert begins_at(changed(fields, tmp_path / how, how), same) == 0, how
    assert begins_at(settings(fields, 1).model_copy(update=TAUGHT), same) == 0
    caplog.clear()

    other = changed(fields, tmp_path / "other", "setting")
    second = train_embedded(other, same, COMPUTE)

    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"{same}/embedded.")
    assert "it is kept, and a new start is written to embedded." in line
    fresh = train_embedded(other, tmp_path / "fresh", COMPUTE)
    assert second.history == fresh.history != first.history
    assert all(torch.equal(value, fresh.best_model[name]) for name, value in second.best_model.items())
    assert begins_at(settings(fields, 1), same) == 1


def test_responses_to_other_fields_or_of_another_teacher_are_not_taken(fields: Path, tmp_path: Path) -> None:
    header, state = read_network_file(carried_path())
    teacher = tmp_path / "teacher.safetensors"
    write_network_file(teacher, header, state)
    config = settings(fields, 1).model_copy(update={**TAUGHT, "teacher": str(teacher)})
    known = read_fields(config.fields, stain=None)
    first = teacher_responses(known, config, COMPUTE, tmp_path / "teacher.npz")
    others: list[dict[str, object]] = [
        {"teacher_layers": ("C3_2",)}, {"teacher_tiles": 100}, {"seed": 1}, {"mpp_range": (0.3, 0.7)}
    ]  # fmt: skip
    for other in others:
        responses = teacher_responses(known, config.model_copy(update=other), COMPUTE, tmp_path / "teacher.npz")
        assert not np.array_equal(responses.features, first.features), other

    known[4] = replace(known[4], image=np.full((512, 512, 3), 77, np.uint8))
    write_network_file(teacher, header, {name: 0.9 * value for name, value in state.items()})
    both = teacher_responses(known, config, COMPUTE, tmp_path / "teacher.npz")
    fresh = teacher_responses(known, config, COMPUTE, tmp_path / "fresh.npz")
    np.testing.assert_array_equal(both.tiles, fresh.tiles)
    np.testing.assert_array_equal(both.features, fresh.features)
    assert not np.array_equal(both.tiles, first.tiles)
    assert len(list(tmp_path.glob("teacher.*.npz"))) == 2 + len(others)


def test_damaged_responses_are_told_in_one_line(fields: Path, tmp_path: Path) -> None:
    config = settings(fields, 1).model_copy(update=TAUGHT)
    known = read_fields(config.fields, stain=None)
    teacher_responses(known, config, COMPUTE, tmp_path / "teacher.npz")
    (path,) = tmp_path.glob("teacher.*.npz")
    whole = path.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], whole[:99_999] + bytes([whole[99_999] ^ 1]) + whole[100_000:]):
        path.write_bytes(damaged)
        with pytest.raises(ArtifactError, match="delete it to compute them again") as error:
            teacher_responses(known, config, COMPUTE, tmp_path / "teacher.npz")
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)


def test_responses_leave_out_cases_and_their_share_of_the_standardisation(fields: Path, tmp_path: Path) -> None:
    config = settings(fields, 1).model_copy(
        update={"teacher": "embedded", "teacher_layers": ("C2_2",), "teacher_tiles": 50}
    )
    responses = teacher_responses(read_fields(config.fields, stain=None), config, COMPUTE, tmp_path / "teacher.npz")
    rest = responses.without(frozenset({"case-0", "case-1"}))
    assert {"case-0", "case-1"} <= set(responses.cases)
    assert set(rest.cases) == set(responses.cases) - {"case-0", "case-1"}
    np.testing.assert_allclose(rest.features.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(rest.features.std(axis=0), 1, atol=1e-2)


@pytest.fixture(scope="module")
def trained(fields: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a training of two epochs leaves."""
    folder = tmp_path_factory.mktemp("trained")
    assert train_and_export(Config(training=settings(fields, 2)), folder) == folder / NETWORK
    return folder


def test_training_ends_in_a_network_file_and_a_regressor_that_belong_together(trained: Path) -> None:
    source = find_network(str(trained / NETWORK))
    stored = read_regressor(trained / REGRESSOR)
    assert stored.header["network_digest"] == source.tapped(EMBEDDED_SCALE_LAYERS).digest
    assert tuple(stored.header["layers"]) == EMBEDDED_SCALE_LAYERS
    assert {*source.architecture.search_layers, source.architecture.feature_layer} <= set(source.architecture.nodes)
    # Its interval is calibrated elsewhere.
    assert len(stored.arrays["scores"]) == 0


def test_what_was_exported_says_what_was_trained(trained: Path) -> None:
    model = ChainRegressor(EMBEDDED_PLAN, EMBEDDED_SCALE_LAYERS)
    (checkpoint,) = trained.glob(f"*{CHECKPOINT}")
    model.load_state_dict(read_checkpoint(checkpoint, LoopState).best_model)
    tiles = np.stack([render_scene(Scene(3.0, seed=seed, size_px=128, mpp=0.5)) for seed in range(3)])
    with torch.no_grad():
        expected = torch.softmax(model.eval()(normalise(torch.from_numpy(normalise_density(tiles)))), dim=1).numpy()

    estimator = load_estimator(Config(), trained / REGRESSOR, str(trained / NETWORK))

    # The network's weights are stored as halves.
    np.testing.assert_allclose(estimator.regressor.head.distribution(estimator.features(tiles)), expected, atol=2e-3)


def test_what_it_was_trained_on_and_what_it_never_saw_stands_in_both(trained: Path, fields: Path) -> None:
    provenance = read_network_file(trained / NETWORK)[0].provenance
    assert provenance["data"] == [fields.name]
    assert provenance["kept_out"] == ["case-0", "case-1"]
    assert provenance["steps"] == 4
    assert read_regressor(trained / REGRESSOR).header["training"] == provenance


def test_what_is_kept_out_changes_nothing_by_how_it_looks(fields: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for path in fields.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    for case in ("0", "1"):
        Image.fromarray(np.full((512, 512, 3), 77, np.uint8)).save(other / f"{case}.png")

    one, two = (train_embedded(settings(at, 1), tmp_path / at.name, COMPUTE).best_model for at in (fields, other))

    assert all(torch.equal(one[name], two[name]) for name in one)


def test_the_photographs_that_are_no_tissue_come_with_scikit_image() -> None:
    assert len(photographs()) == len(PHOTOGRAPHS)
    for image in photographs():
        assert (image.ndim, image.shape[2], image.dtype) == (3, 3, np.uint8)
        # A quarter of the largest tile.
        assert min(image.shape[:2]) >= max(TrainingConfig().tile_px) // 4


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
    header, _ = read_network_file(carried_path())

    assert header.provenance["kept_out"] == sorted(read_kept_out(REPOSITORY / "configs/kept_out.tsv"))
