"""Tuning to a depth: the top learns, what lies below stays bit by bit, and caching changes nothing."""

import copy
import itertools
from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.transfer.tasks import COMPUTE, network_source, stripes_task
from wsi_scale.networks.network import Network
from wsi_scale.transfer.depth import HEAD_ALONE_FACTOR, Depth, Tuning, at_depth, finetune
from wsi_scale.transfer.learner import HEAD, Learner, LinearHead, TuneSettings, standard_head, tune
from wsi_scale.transfer.loop import LoopHooks, LoopSettings, LoopState
from wsi_scale.transfer.task import compute_once

TASK = stripes_task()
TUNING = Tuning(epochs=2, batch=8, rate=1e-3)


def network(name: str = "embedded") -> tuple[Network, tuple[str, ...]]:
    source = network_source(name)
    ends = source.architecture.block_ends
    return source.tapped(ends), ends


def tuned(depth: int, tuning: Tuning = TUNING, name: str = "embedded", *, cache: bool = True) -> tuple[Depth, Learner]:
    whole, ends = network(name)
    parts = at_depth(whole, ends, depth)
    learner, _ = finetune(parts, TASK, replace(tuning, cache=cache), COMPUTE)
    return parts, learner


@pytest.mark.parametrize("depth", range(5))
def test_what_is_frozen_stays_bit_by_bit_and_the_rest_learns(depth: int) -> None:
    whole, _ = network()
    before = {key: value.clone() for key, value in whole.trunk.state_dict().items()}
    parts, _ = tuned(depth)
    frozen = {} if parts.lower is None else parts.lower.state_dict()
    learnt = {} if parts.upper is None else parts.upper.state_dict()
    assert frozen.keys() | learnt.keys() == before.keys()
    assert not frozen.keys() & learnt.keys()
    assert all(torch.equal(value, before[key]) for key, value in frozen.items())
    assert not any(torch.equal(value, before[key]) for key, value in learnt.items() if key.endswith("weight"))
    assert len(parts.blocks) == depth


@pytest.mark.parametrize(("policy", "moves"), [("frozen", False), ("tuned", True)])
def test_batch_norm_statistics_follow_the_policy(policy: str, moves: bool) -> None:
    whole, _ = network("resnet50")
    before = {key: value.clone() for key, value in whole.trunk.state_dict().items()}
    parts, _ = tuned(1, replace(TUNING, epochs=1, batch_norm=policy), "resnet50")  # type: ignore[arg-type]
    assert parts.lower is not None
    assert parts.upper is not None
    assert all(torch.equal(value, before[key]) for key, value in parts.lower.state_dict().items())
    statistics = [key for key in parts.upper.state_dict() if "running_mean" in key]
    assert statistics
    assert all(torch.equal(parts.upper.state_dict()[key], before[key]) != moves for key in statistics)


@pytest.mark.parametrize("depth", [0, 2])
def test_computing_the_frozen_part_once_gives_the_same_result(depth: int) -> None:
    _, once = tuned(depth)
    _, each = tuned(depth, cache=False)
    for (name, ours), (_, theirs) in zip(once.state_dict().items(), each.state_dict().items(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-4), name


def test_depth_0_is_a_head_trained_on_extracted_features() -> None:
    whole, ends = network()
    rows = TASK.split
    features = compute_once(lambda images: whole(images)[ends[-1]], TASK.inputs, torch.arange(48).numpy(), COMPUTE)
    head = standard_head(features[rows.training], TASK.target[rows.training], 2)
    by_hand = Learner(nn.Identity(), head)
    rate = HEAD_ALONE_FACTOR * TUNING.rate
    loop = LoopSettings(TUNING.epochs, 1, rate, HEAD.weight_decay, TUNING.patience, TUNING.seed)
    on_features = replace(TASK, inputs=lambda chosen: features[chosen][:, :, None, None])
    tune(by_hand, on_features, TuneSettings(loop, TUNING.batch), COMPUTE)
    _, learner = tuned(0)
    for ours, theirs in zip(learner.head.parameters(), by_hand.head.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_the_same_seed_gives_the_same_result_and_another_another() -> None:
    (_, one), (_, same), (_, other) = tuned(1), tuned(1), tuned(1, replace(TUNING, seed=1))
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), same.state_dict().values(), strict=True))
    assert not torch.equal(one.head.linear.weight, other.head.linear.weight)


def test_an_interrupted_tuning_goes_on_to_the_same_result() -> None:
    states: list[LoopState] = []
    whole, ends = network()
    finished, _ = finetune(
        at_depth(whole, ends, 2), TASK, TUNING, COMPUTE, LoopHooks(on_epoch=lambda s: states.append(copy.deepcopy(s)))
    )
    resumed, _ = finetune(at_depth(whole, ends, 2), TASK, TUNING, COMPUTE, LoopHooks(states[0]))
    pairs = zip(finished.state_dict().values(), resumed.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_lower_blocks_learn_more_slowly() -> None:
    whole, _ = network()
    before = {key: value.clone() for key, value in whole.trunk.state_dict().items()}
    parts, _ = tuned(4, replace(TUNING, epochs=1, block_decay=0.1))
    assert parts.upper is not None
    after = parts.upper.state_dict()
    moved = [
        max(float((after[key] - before[key]).abs().max()) for key in after if key.removesuffix(".weight") in block)
        for block in parts.blocks
    ]
    assert all(lower < 0.5 * upper for lower, upper in itertools.pairwise(moved))


def test_tuning_all_learns_the_stripes() -> None:
    _, learner = tuned(4, replace(TUNING, epochs=4))
    said = compute_once(learner, TASK.inputs, TASK.split.test, COMPUTE).argmax(dim=1)
    assert float((said == TASK.target[TASK.split.test]).float().mean()) > 0.9
    assert isinstance(learner.head, LinearHead)
