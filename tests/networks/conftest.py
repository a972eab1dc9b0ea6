"""Small seeded weights."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from wsi_scale.networks.chain import ChainPlan, build_chain

State = dict[str, torch.Tensor]


@pytest.fixture
def chain_state() -> Callable[..., State]:
    """Maker of seeded weights of a chain, under torchvision's names."""

    def make(plan: ChainPlan, seed: int = 0) -> State:
        generator = torch.Generator().manual_seed(seed)
        state = build_chain(plan).state_dict()
        return {f"features.{k}": torch.randn(v.shape, generator=generator) * 0.1 for k, v in state.items()}

    return make


@pytest.fixture(scope="session")
def seeded() -> Callable[[nn.Module], nn.Module]:
    """Give a module random parameters."""

    def fill(module: nn.Module, seed: int = 0) -> nn.Module:
        generator = torch.Generator().manual_seed(seed)
        for value in module.state_dict().values():
            if value.is_floating_point():
                value.copy_(torch.rand(value.shape, generator=generator) * 0.1)
        return module.eval()

    return fill


@pytest.fixture
def no_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A place without weights, without a cache and without a network; gives a folder to put things in."""
    for name in ("WSI_SCALE_WEIGHTS", "WSI_SCALE_DATA", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        # The port "discard" of this machine: a download fails at once.
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setattr("urllib.request._opener", None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data home"))
    yield tmp_path
    # The opener that knows the dead proxy is forgotten.
    monkeypatch.setattr("urllib.request._opener", None)
