"""The network file: safetensors with a header that describes architecture and provenance."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, PositiveInt
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.artifacts.documents import check_document
from wsi_scale.errors import ArtifactError, WeightsError
from wsi_scale.networks.architectures import Architecture, architecture, chain_architecture
from wsi_scale.networks.chain import Step, plan_as_json, plan_from_json
from wsi_scale.results.strict import STRICT

_KEY = "wsi_scale_network"
_FORMAT = 1
_WHAT = "network file of wsi_scale"

#: Channels, or pixels of a kernel or stride; a plan with more is damaged.
_Extent = Annotated[int, Field(gt=0, le=1 << 16)]


@dataclass(frozen=True)
class _Format:
    """The key that headers of all formats have."""

    format: PositiveInt


@dataclass(frozen=True)
class _Header:
    """The keys of a header of this format."""

    __pydantic_config__ = STRICT

    format: Literal[1]
    name: str
    plan: Annotated[list[_Extent | Literal["M"] | tuple[_Extent, _Extent, _Extent]], Field(min_length=1)] | None
    search_layers: list[str]
    feature_layer: str
    provenance: dict[str, Any]
    base: str | None = None


@dataclass(frozen=True)
class NetworkFile:
    """The header of a network file.

    Attributes
    ----------
    name
        Name of the network.
    plan
        Its convolutions and max-pools (:data:`wsi_scale.networks.chain.ChainPlan`), where it is a chain; shapes are
        checked against the weights.
    search_layers, feature_layer
        Default layers of the scale search and of `extract`.
    provenance
        Where it comes from: parent, data, command, figures.
    base
        The architecture that it was cut from, if it is not a chain.
    """

    name: str
    plan: tuple[Step, ...] | None
    search_layers: tuple[str, ...]
    feature_layer: str
    provenance: dict[str, Any] = field(default_factory=dict)
    base: str | None = None

    @property
    def architecture(self) -> Architecture:
        """The architecture that the file describes; a cut network ends with its feature layer.

        Raises
        ------
        WeightsError
            It has none of the layers that the file names.
        """
        if self.plan is not None:
            chain = chain_architecture(self.name, self.plan, self.search_layers, self.feature_layer)
            self._check_layers(chain)
            return replace(chain, own_shapes=True)
        whole = architecture(self.base or self.name)
        self._check_layers(whole)
        order = list(whole.nodes)
        kept = order[: order.index(self.feature_layer) + 1]
        return replace(
            whole,
            name=self.name,
            nodes={name: whole.nodes[name] for name in kept},
            block_ends=tuple(name for name in whole.block_ends if name in kept),
            search_layers=self.search_layers,
            feature_layer=self.feature_layer,
            torchvision_weights=None,
            base=whole.name,
            own_shapes=True,
        )

    def _check_layers(self, known: Architecture) -> None:
        if missing := [name for name in (self.feature_layer, *self.search_layers) if name not in known.nodes]:
            raise WeightsError(f"the network file of {self.name} names {missing[0]}, a layer that it does not have")


def write_network_file(path: Path, header: NetworkFile, state: Mapping[str, torch.Tensor]) -> None:
    """Write a network as float16 safetensors.

    Parameters
    ----------
    state
        Under torchvision's names (``features.<index>.weight`` and ``.bias`` of a chain). A split convolution's are
        ``<name>.0.weight``, ``<name>.1.weight`` and ``<name>.1.bias``; names of no layer (a head) are carried along.
    """
    content = {
        "format": _FORMAT,
        "name": header.name,
        "plan": None if header.plan is None else plan_as_json(header.plan),
        "base": header.base,
        "search_layers": list(header.search_layers),
        "feature_layer": header.feature_layer,
        "provenance": header.provenance,
    }
    halves = {name: value.detach().cpu().half().contiguous() for name, value in sorted(state.items())}
    with replacing_file(path) as part:
        save_file(halves, part, metadata={_KEY: json.dumps(content, sort_keys=True)})


def read_network_file(path: Path) -> tuple[NetworkFile, dict[str, torch.Tensor]]:
    """Read a network file's header and weights.

    Raises
    ------
    WeightsError
        The file is missing, damaged or not a network file.
    """
    try:
        with safe_open(path, "pt") as stored:
            text = (stored.metadata() or {}).get(_KEY)
            state = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"cannot read network file {path}: {error}; download or make it again") from error
    if text is None:
        raise WeightsError(f"{path} is not a {_WHAT}; {_remedy(path)}")
    try:
        return _header(text, path), state
    except ArtifactError as error:
        raise WeightsError(str(error)) from error


def _remedy(path: Path) -> str:
    return f"for plain weights use network=NAME weights={path}"


def _header(text: str, path: Path) -> NetworkFile:
    if (found := check_document(text, _Format, str(path), _WHAT, _remedy(path)).format) != _FORMAT:
        raise WeightsError(f"{path} is of format {found}; this version reads format {_FORMAT}")
    header = check_document(text, _Header, str(path), _WHAT, _remedy(path))
    return NetworkFile(
        header.name,
        None if header.plan is None else plan_from_json(header.plan),
        tuple(header.search_layers),
        header.feature_layer,
        header.provenance,
        header.base,
    )
