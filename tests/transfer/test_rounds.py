"""Pruning in rounds: nothing but scales and the head learns, budgets are met, and interruptions cost nothing."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import fx

from tests.transfer.tasks import COMPUTE, network_source, stripes_task
from wsi_scale.networks.graph import channel_flow, single_output
from wsi_scale.transfer.basis import merge_pairs
from wsi_scale.transfer.channels import mean_sizes
from wsi_scale.transfer.judge import judge_outputs
from wsi_scale.transfer.learner import Learner, fitted_head
from wsi_scale.transfer.methods import BasisScaling, ChannelScaling, Magnitude, PruningMethod
from wsi_scale.transfer.rounds import PruneHooks, PruneState, PruningSchedule, prune
from wsi_scale.transfer.task import compute_once

TASK = stripes_task()
PLAN = PruningSchedule(keep_fraction=0.3, rounds=2, epochs=2, batch=8)
NAMES = ("channels", "magnitude", "basis")


def parameters(trunk: torch.nn.Module) -> int:
    return sum(p.numel() for p in trunk.parameters())


@pytest.fixture(scope="module")
def trunk() -> fx.GraphModule:
    return single_output(network_source("embedded").tapped(["C4_2"]))


def method(name: str, trunk: fx.GraphModule) -> PruningMethod:
    if name == "basis":
        return BasisScaling()
    flow = channel_flow(trunk, "embedded")
    costs = dict.fromkeys((site.conv for site in flow.sites), 1.0)
    if name == "channels":
        return ChannelScaling(flow, 0.5, costs)
    return Magnitude(flow, 0.5, costs, sizes=mean_sizes(trunk, flow))


@pytest.mark.parametrize("name", NAMES)
def test_the_budget_is_met_and_the_parent_stays_as_it_was(name: str, trunk: fx.GraphModule) -> None:
    before = copy.deepcopy(trunk.state_dict())
    small = prune(trunk, method(name, trunk), TASK, PLAN, COMPUTE)
    assert 0.25 * parameters(trunk) < parameters(small) <= 0.3 * parameters(trunk)
    assert all(torch.equal(value, before[key]) for key, value in trunk.state_dict().items())
    assert small(torch.randn(2, 3, 48, 48)).shape[0] == 2


def widths(network: fx.GraphModule) -> np.ndarray:
    return np.array([m.out_channels for m in network.modules() if isinstance(m, torch.nn.Conv2d)])


def test_many_rounds_of_magnitude_remove_what_one_does(trunk: fx.GraphModule) -> None:
    plans = [replace(PLAN, rounds=rounds, epochs=1) for rounds in (1, 8)]
    one, many = (prune(trunk, method("magnitude", trunk), TASK, plan, COMPUTE) for plan in plans)
    assert np.abs(np.log2(widths(one) / widths(many))).max() < 0.5


def test_what_stays_of_a_filter_is_the_parents_times_its_scale(trunk: fx.GraphModule) -> None:
    small = prune(trunk, method("channels", trunk), TASK, PLAN, COMPUTE)
    first = "features.0"
    whole, kept = (part.get_submodule(first).weight.detach().flatten(1) for part in (trunk, small))
    cosine = torch.nn.functional.cosine_similarity(kept[:, None], whole[None], dim=2).max(dim=1).values
    assert torch.allclose(cosine, torch.ones(len(kept)), atol=1e-5)
    assert len(kept) < len(whole)


@pytest.mark.parametrize("name", ["channels", "basis"])
def test_the_same_seed_gives_the_same_network(name: str, trunk: fx.GraphModule) -> None:
    one, other = (prune(trunk, method(name, trunk), TASK, PLAN, COMPUTE) for _ in range(2))
    assert sorted(one.state_dict()) == sorted(other.state_dict())
    assert all(torch.equal(value, other.state_dict()[key]) for key, value in one.state_dict().items())


class KilledError(Exception):
    """Stands for the kill."""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("calls", [1, 3, 4])
def test_an_interrupted_pruning_goes_on_to_the_same_network(name: str, calls: int, trunk: fx.GraphModule) -> None:
    kept: list[PruneState] = []

    def stop(state: PruneState) -> None:
        kept.append(copy.deepcopy(state))
        if len(kept) == calls:
            raise KilledError

    whole = prune(trunk, method(name, trunk), TASK, PLAN, COMPUTE)
    with pytest.raises(KilledError):
        prune(trunk, method(name, trunk), TASK, PLAN, COMPUTE, PruneHooks(on_epoch=stop))
    resumed = prune(trunk, method(name, trunk), TASK, PLAN, COMPUTE, PruneHooks(kept[-1]))
    assert all(torch.equal(value, resumed.state_dict()[key]) for key, value in whole.state_dict().items())


def test_pruning_twice_goes_below_either(trunk: fx.GraphModule) -> None:
    narrow = prune(trunk, method("channels", trunk), TASK, PLAN, COMPUTE)
    twice = prune(narrow, method("basis", narrow), TASK, PLAN, COMPUTE)
    assert parameters(twice) <= 0.3 * parameters(narrow)
    ranked = prune(trunk, method("basis", trunk), TASK, PLAN, COMPUTE)
    flow = channel_flow(ranked, "split")
    assert any(site.activation is None for site in flow.sites)
    thin = prune(ranked, method("channels", ranked), TASK, PLAN, COMPUTE)
    assert parameters(thin) <= 0.3 * parameters(ranked)
    assert parameters(merge_pairs(thin)) > 0


def test_batch_norm_keeps_its_statistics() -> None:
    trunk = single_output(network_source("resnet50").tapped(["layer1"]))
    before = {key: value.clone() for key, value in trunk.state_dict().items() if "running" in key}
    small = prune(trunk, BasisScaling(), TASK, replace(PLAN, rounds=1, epochs=1), COMPUTE)
    assert before
    assert all(torch.equal(small.state_dict()[key], value) for key, value in before.items())


def test_a_head_learns_what_the_stripes_are(trunk: fx.GraphModule) -> None:
    learner = Learner(trunk, fitted_head(trunk, TASK, 0, COMPUTE)).eval()
    outputs = compute_once(learner, TASK.inputs, TASK.split.test, COMPUTE).numpy()
    assert judge_outputs(outputs, TASK.target[TASK.split.test].numpy(), ("coarse", "fine")).metric > 0.9
    assert np.isfinite(outputs).all()
