"""A network as a graph of operations: its channel flow, its blocks, and splitting it."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import fx, nn

from wsi_scale.errors import ConfigError
from wsi_scale.networks.network import Network

#: What hands channels on one by one: each channel of its output depends on the same channel of its input alone.
_CHANNELWISE = (nn.ReLU, nn.MaxPool2d, nn.AvgPool2d, nn.Dropout, nn.Identity)


def single_output(network: Network) -> fx.GraphModule:
    """Trace a network to a graph that maps normalised images to the deepest tap's map (n, channel, row, col)."""
    traced = _traced(network)
    _output(traced).args = (_taps(traced)[network.layers[-1].name],)
    return _cleaned(traced)


def split_after(network: Network, layer: str) -> tuple[fx.GraphModule, fx.GraphModule]:
    """Split a network with taps after ``layer``.

    Returns
    -------
    lower, upper
        Images → map of ``layer``; that map → map of the deepest tap.
    """
    traced = _traced(network)
    taps = _taps(traced)
    lower, upper = copy.deepcopy(traced), traced
    own = {node.name: node for node in lower.graph.nodes}
    _output(lower).args = (own[taps[layer].name],)
    _output(upper).args = (taps[network.layers[-1].name],)
    with upper.graph.inserting_before(taps[layer]):
        given = upper.graph.placeholder("maps")
    taps[layer].replace_all_uses_with(given)
    return _cleaned(lower), _cleaned(upper)


@dataclass(frozen=True)
class Site:
    """A convolution and its neighbours.

    Attributes
    ----------
    conv
        Its name.
    activation
        Name of the ReLU that follows it; None where its output goes to another convolution as it is.
    sources
        Convolutions whose channels, one after the other, are its input; () where that is the image.
    """

    conv: str
    activation: str | None
    sources: tuple[str, ...]


@dataclass(frozen=True)
class ChannelFlow:
    """How channels flow through a network.

    Attributes
    ----------
    sites
        Every convolution, shallow to deep.
    outputs
        Convolutions whose channels, one after the other, are the network's output.
    """

    sites: tuple[Site, ...]
    outputs: tuple[str, ...]

    @property
    def activated(self) -> tuple[Site, ...]:
        """The convolutions whose channels can be removed."""
        return tuple(site for site in self.sites if site.activation is not None)


def channel_flow(trunk: fx.GraphModule, name: str) -> ChannelFlow:
    """Find which convolutions read which channels.

    Parameters
    ----------
    trunk
        As :func:`single_output` made it.
    name
        Of the network, for the error.

    Raises
    ------
    ConfigError
        Channels are mixed or added on their way from one convolution to the next, so that none can be removed.
    """
    modules = dict(trunk.named_modules())
    carried: dict[fx.Node, tuple[str, ...]] = {}
    sites: list[Site] = []
    for node in trunk.graph.nodes:
        module = modules[str(node.target)] if node.op == "call_module" else None
        if node.op == "output":
            return ChannelFlow(tuple(sites), carried[node.args[0]])
        if node.op == "placeholder":
            carried[node] = ()
        elif _is_plain_conv(module):
            activation = _activation(node, modules)
            sites.append(Site(str(node.target), activation, carried[node.args[0]]))
            carried[node] = (str(node.target),)
        elif isinstance(module, _CHANNELWISE):
            carried[node] = carried[node.args[0]]
        elif node.op == "call_function" and node.target is torch.cat:
            carried[node] = tuple(conv for part in node.args[0] for conv in carried[part])
        else:
            raise ConfigError(_refusal(name, trunk, node, modules))
    raise AssertionError("a graph without an output")


def _is_plain_conv(module: nn.Module | None) -> bool:
    return isinstance(module, nn.Conv2d) and module.groups == 1


def _activation(node: fx.Node, modules: dict[str, nn.Module]) -> str | None:
    users = [str(user.target) for user in node.users if user.op == "call_module"]
    if len(users) == len(node.users) == 1 and isinstance(modules[users[0]], nn.ReLU):
        return users[0]
    return None


def _refusal(name: str, trunk: fx.GraphModule, node: fx.Node, modules: dict[str, nn.Module]) -> str:
    # Arithmetic on the image, as in front of InceptionV3, says less than the first layer that cannot be.
    called = ((n, modules[str(n.target)]) for n in trunk.graph.nodes if n.op == "call_module")
    others = ((n, m) for n, m in called if not (_is_plain_conv(m) or isinstance(m, _CHANNELWISE)))
    node, module = next(others, (node, None))
    what = type(module).__name__ if module is not None else str(getattr(node.target, "__name__", node.target))
    return (
        f"{name}: channels can be removed where convolutions, ReLUs, pools and concatenations follow one another, but "
        f"here comes {what} ({node.name}); use `wsi-scale prune basis`, which keeps every layer's channels"
    )


def block_modules(network: Network, ends: Sequence[str]) -> list[list[str]]:
    """Modules of a network's blocks, shallow to deep.

    Parameters
    ----------
    ends
        The tapped layer that ends each block.
    """
    traced = _traced(network)
    taps = _taps(traced)
    last = {taps[name]: place for place, name in enumerate(ends)}
    blocks: list[list[str]] = [[] for _ in ends]
    for place, node in _with_block(traced, last):
        if node.op == "call_module" and place < len(blocks):
            blocks[place].append(str(node.target))
    return blocks


def _with_block(traced: fx.GraphModule, last: dict[fx.Node, int]) -> Iterator[tuple[int, fx.Node]]:
    place = 0
    for node in traced.graph.nodes:
        yield place, node
        if node in last:
            place = last[node] + 1


def _traced(network: Network) -> fx.GraphModule:
    # A copied graph forgets that its batch norms are in evaluation mode.
    return fx.symbolic_trace(copy.deepcopy(network.trunk)).eval()


def _output(traced: fx.GraphModule) -> fx.Node:
    nodes: list[fx.Node] = list(traced.graph.nodes)
    return nodes[-1]


def _taps(traced: fx.GraphModule) -> dict[str, fx.Node]:
    """Layer → node, of a trunk that returns its tapped layers by name."""
    return dict(cast(dict[str, fx.Node], _output(traced).args[0]))


def _cleaned(traced: fx.GraphModule) -> fx.GraphModule:
    traced.graph.eliminate_dead_code()
    for node in traced.graph.nodes:
        if node.op == "placeholder" and not node.users:
            traced.graph.erase_node(node)
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced.eval()
