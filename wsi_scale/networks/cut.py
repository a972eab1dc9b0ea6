"""Cutting a network after one of its layers, into a new network file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsi_scale.networks.architectures import Architecture
from wsi_scale.networks.chain import chain_taps
from wsi_scale.networks.file import NetworkFile, write_network_file
from wsi_scale.networks.load import NetworkSource


def write_cut(path: Path, source: NetworkSource, layer: str, provenance: dict[str, Any]) -> NetworkFile:
    """Write the part of a network that ends with ``layer``, with default layers within that part.

    Parameters
    ----------
    source
        The network to cut.

    Raises
    ------
    ConfigError
        It has no such layer.
    """
    network = source.tapped([layer])
    parent = {"parent": source.architecture.name, "parent_digest": network.digest}
    header = header_up_to(source.architecture, layer, f"{source.architecture.name}_{layer}", parent | provenance)
    write_network_file(path, header, network.trunk.state_dict())
    return header


def header_up_to(whole: Architecture, layer: str, name: str, provenance: Mapping[str, Any]) -> NetworkFile:
    """Describe, for a network file, the part of a network that ends with ``layer``."""
    order = list(whole.nodes)
    kept = order[: order.index(layer) + 1]
    searched = tuple(name for name in whole.search_layers if name in kept) or tuple(kept[-2:])
    plan = whole.plan
    if plan is not None:
        places = [place for place, step in enumerate(plan) if step != "M"]
        last = [tap.name for tap in chain_taps(plan)].index(layer)
        plan = tuple(plan[: places[last] + 1])
    return NetworkFile(
        name=name,
        plan=plan,
        search_layers=searched,
        feature_layer=layer,
        provenance=dict(provenance),
        base=None if plan is not None else whole.base or whole.name,
    )
