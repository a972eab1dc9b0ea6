"""The one training loop."""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from wsi_scale.artifacts.checkpoint import read_checkpoint, write_checkpoint
from wsi_scale.networks.chain import build_chain
from wsi_scale.transfer.loop import Batch, LoopHooks, LoopSettings, LoopState, Objective, rate_at, train

SETTINGS = LoopSettings(epochs=4, steps=3, learning_rate=1e-2, seed=1)
AVERAGED = replace(SETTINGS, averaging=0.9)


class Brightness(nn.Module):
    """A chain with batch norm, and a head that reads its spatial means."""

    def __init__(self) -> None:
        super().__init__()
        self.features = build_chain((4, "M", 8), batch_norm=True)
        self.head = nn.Linear(8, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.head(self.features(images).mean(dim=(2, 3)))
        return answer


def small_model(seed: int = 0) -> nn.Module:
    """A chain with batch norm and dropout, in the memory layout in which networks are trained."""
    torch.manual_seed(seed)
    model = nn.Sequential(Brightness(), nn.Dropout(0.3))
    return model.to(memory_format=torch.channels_last)


def batches(epoch: int) -> Iterator[Batch]:
    """Brightness is the truth; the same epoch has the same batches."""
    generator = torch.Generator().manual_seed(epoch)
    for _ in range(3):
        truth = torch.rand(6, generator=generator)
        noise = torch.rand(6, 3, 8, 8, generator=generator)
        yield (truth[:, None, None, None] + 0.1 * noise).to(memory_format=torch.channels_last), truth


def squared_error(model: nn.Module, batch: Batch) -> torch.Tensor:
    images, truth = batch
    return (model(images)[:, 0] - truth).square().mean()


@torch.no_grad()
def validate(model: nn.Module) -> float:
    return float(torch.stack([squared_error(model, batch) for batch in batches(99)]).mean())


OBJECTIVE = Objective(batches, squared_error, validate)


def run(settings: LoopSettings = SETTINGS, *, state: LoopState | None = None) -> tuple[nn.Module, LoopState]:
    model = small_model()
    return model, train(model, OBJECTIVE, settings, LoopHooks(state))


def assert_same_bits(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert list(first) == list(second)
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_the_same_seed_gives_the_same_result() -> None:
    (first, first_state), (second, second_state) = run(), run()
    assert_same_bits(first.state_dict(), second.state_dict())
    assert first_state.history == second_state.history


def test_the_result_does_not_depend_on_what_was_random_before() -> None:
    expected, _ = run()
    model = small_model()
    torch.rand(17)
    train(model, OBJECTIVE, SETTINGS)
    assert_same_bits(model.state_dict(), expected.state_dict())


def test_another_seed_gives_another_result() -> None:
    first, second = run()[1], run(replace(SETTINGS, seed=2))[1]
    assert first.history != second.history


class Interrupted(Exception):  # noqa: N818 - stands for a kill
    """The process ends here."""


def interrupted_run(folder: Path, after: int, settings: LoopSettings = SETTINGS) -> LoopState:
    """Train until some epochs are done, keep a checkpoint as the stage does, and read it back."""
    path = folder / "checkpoint.safetensors"

    def keep(state: LoopState) -> None:
        write_checkpoint(path, state)
        if state.epoch == after:
            raise Interrupted

    with pytest.raises(Interrupted):
        train(small_model(), OBJECTIVE, settings, LoopHooks(on_epoch=keep))
    return read_checkpoint(path, LoopState)


@pytest.mark.parametrize("after", [1, 2, 3, 4])
@pytest.mark.parametrize("settings", [SETTINGS, AVERAGED], ids=["plain", "averaged"])
def test_interrupted_and_resumed_equals_uninterrupted_bit_by_bit(
    tmp_path: Path, after: int, settings: LoopSettings
) -> None:
    whole, whole_state = run(settings)
    resumed, state = run(settings, state=interrupted_run(tmp_path, after, settings))
    assert_same_bits(resumed.state_dict(), whole.state_dict())
    assert_same_bits(state.model, whole_state.model)
    assert_same_bits(state.average, whole_state.average)
    assert_same_bits(state.best_model, whole_state.best_model)
    assert [tuple(each) for each in state.history] == whole_state.history
    assert (state.epoch, state.best_epoch, state.best_score) == (4, whole_state.best_epoch, whole_state.best_score)
    for key, moments in whole_state.optimizer["state"].items():
        assert_same_bits(state.optimizer["state"][key], moments)


def test_what_was_handed_in_to_go_on_from_is_left_as_it_was(tmp_path: Path) -> None:
    state = interrupted_run(tmp_path, 2)
    before = copy.deepcopy(state)
    run(state=state)
    assert (state.epoch, state.history) == (before.epoch, before.history)
    assert_same_bits(state.model, before.model)


def test_a_training_that_was_finished_is_not_trained_further() -> None:
    model, state = run()
    steps: list[float] = []
    again = small_model(5)
    train(again, OBJECTIVE, SETTINGS, LoopHooks(state, on_step=steps.append))
    assert steps == []
    assert_same_bits(again.state_dict(), model.state_dict())


def scripted(scores: list[float]) -> Callable[[nn.Module], float]:
    """A validation that goes as written."""
    left = iter(scores)
    return lambda _: next(left)


def test_training_stops_when_nothing_gets_better_and_ends_with_the_best() -> None:
    seen: list[dict[str, torch.Tensor]] = []
    model = small_model()
    state = train(
        model,
        replace(OBJECTIVE, validate=scripted([3.0, 2.0, 2.5, 2.0, 9.0, 1.0])),
        replace(SETTINGS, epochs=50, patience=3),
        LoopHooks(on_epoch=lambda current: seen.append(current.model)),
    )
    # Epochs 2, 3 and 4 are no better than epoch 1: an equal score is not better.
    assert (state.epoch, state.best_epoch, state.best_score) == (5, 1, 2.0)
    assert [score for _, score in state.history] == [3.0, 2.0, 2.5, 2.0, 9.0]
    assert_same_bits(model.state_dict(), seen[1])
    assert not model.training


def test_patience_starts_anew_with_every_better_score() -> None:
    scores = [5.0, 6.0, 4.0, 6.0, 3.0, 6.0, 6.0, 0.0]
    state = train(
        small_model(), replace(OBJECTIVE, validate=scripted(scores)), replace(SETTINGS, epochs=50, patience=2)
    )
    assert (state.epoch, state.best_epoch) == (7, 4)


def test_without_an_early_stop_all_epochs_are_trained() -> None:
    steps: list[float] = []
    epochs: list[int] = []
    model = small_model()
    train(model, OBJECTIVE, SETTINGS, LoopHooks(None, lambda state: epochs.append(state.epoch), steps.append))
    assert len(steps) == 4 * 3
    assert epochs == [1, 2, 3, 4]


def test_something_is_learnt() -> None:
    model = small_model()
    before = validate(model.eval())
    _, state = run(replace(SETTINGS, epochs=25))
    assert state.best_score < 0.3 * before
    assert state.history[-1][0] < state.history[0][0]


def test_what_is_validated_and_kept_is_the_running_average_of_the_weights() -> None:
    model = small_model()
    name = "0.head.weight"
    expected = model.state_dict()[name].clone()
    steps: list[float] = []
    seen: list[torch.Tensor] = []

    def follow(loss: float) -> None:
        kept = min(0.9, (len(steps) + 1) / (len(steps) + 10))
        steps.append(loss)
        expected.lerp_(model.state_dict()[name], 1 - kept)

    def watch(average: nn.Module) -> float:
        seen.append(average.state_dict()[name].clone())
        torch.testing.assert_close(seen[-1], expected)
        return -float(len(seen))

    state = train(model, replace(OBJECTIVE, validate=watch), AVERAGED, LoopHooks(on_step=follow))

    assert torch.equal(model.state_dict()[name], seen[-1])
    assert not torch.equal(state.average[name], state.model[name])


def test_without_averaging_the_average_is_the_model() -> None:
    _, state = run()
    assert_same_bits(state.average, state.model)


def test_frozen_parameters_stay_and_the_others_move() -> None:
    model = small_model()
    chain = model[0]
    for parameter in chain.features.parameters():
        parameter.requires_grad = False
    before = copy.deepcopy(dict(model.named_parameters()))
    train(model, OBJECTIVE, SETTINGS)
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name]) == name.startswith("0.features"), name
        assert parameter.requires_grad != name.startswith("0.features")


def test_validation_sees_the_model_in_eval_mode_and_without_gradients() -> None:
    seen: list[tuple[bool, bool]] = []

    def watch(model: nn.Module) -> float:
        seen.append((model.training, torch.is_grad_enabled()))
        return 1.0

    train(small_model(), replace(OBJECTIVE, validate=watch), SETTINGS)
    assert seen == [(False, False)] * 4


@given(st.integers(2, 5000))
@settings(deadline=None)
def test_the_rate_warms_up_and_falls_to_nothing(total: int) -> None:
    warm_up = max(1, total // 20)
    rates = [rate_at(step, total) for step in range(total)]
    assert all(0 <= rate <= 1 for rate in rates)
    assert rates[:warm_up] == sorted(rates[:warm_up])
    assert rates[warm_up - 1] == 1
    assert rates[warm_up:] == sorted(rates[warm_up:], reverse=True)
    assert rate_at(total, total) == pytest.approx(0, abs=1e-12)


def test_the_rate_is_half_way_down_half_way_along() -> None:
    assert rate_at(0, 1000) == pytest.approx(1 / 50)
    assert rate_at(24, 1000) == pytest.approx(0.5)
    assert rate_at(50 + 475, 1000) == pytest.approx(0.5)
    assert rate_at(50 + 950 // 4, 1000) == pytest.approx(0.5 * (1 + math.cos(math.pi / 4)), abs=1e-3)
