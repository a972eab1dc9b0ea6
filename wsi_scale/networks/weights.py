"""Finding pretrained weights; a network is never run with random weights."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from urllib.error import URLError
from urllib.parse import urlparse

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.artifacts.manifest import file_digest
from wsi_scale.errors import WeightsError
from wsi_scale.networks.architectures import ARCHITECTURES, Architecture
from wsi_scale.networks.places import weights_folder, weights_in


@dataclass(frozen=True)
class WeightsFile:
    """An available weights file.

    Attributes
    ----------
    architecture
        Name of the network that it belongs to, by the file's name.
    path
        Where it is.
    sha256
        Digest of the file.
    """

    architecture: str
    path: Path
    sha256: str


def find_weights(architecture: Architecture, file: Path | None = None) -> tuple[dict[str, torch.Tensor], str]:
    """Find and read a network's weights.

    They are looked for in this order: ``file``; the folder named by ``WSI_SCALE_WEIGHTS``; torchvision's
    cache; torchvision's download.

    Returns
    -------
    state, source
        Tensors under torchvision's names, and where they come from.

    Raises
    ------
    WeightsError
        None can be found, or the given file is not readable.
    """
    if file is not None:
        return read_weights(file), str(file)
    for path in candidates(architecture):
        return read_weights(path), str(path)
    return _download(architecture), f"torchvision's {architecture.torchvision_weights}"


def candidates(architecture: Architecture) -> Iterator[Path]:
    """Available weights files of an architecture, best first."""
    yield from weights_in(weights_folder(), architecture.name)
    if cached := _cached(architecture):
        yield cached


def at_hand() -> list[WeightsFile]:
    """All available weights files, with their digests."""
    return [
        WeightsFile(name, path, file_digest(path))
        for name, architecture in ARCHITECTURES.items()
        for path in candidates(architecture)
    ]


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read a safetensors file or a torch state dict (tensors only, no code is run).

    Raises
    ------
    WeightsError
        Missing, truncated, or not weights.
    """
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, OSError, RuntimeError, EOFError, ValueError, KeyError, UnpicklingError) as error:
        first = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise WeightsError(f"cannot read weights {path}: {first}; download the file again") from error
    if not isinstance(state, Mapping) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise WeightsError(f"{path} is not a state dict of tensors; save model.state_dict()")
    return dict(state)


def import_weights(name: str, file: Path) -> Path:
    """Copy a weights file, as float16 safetensors, to the weights folder under the network's name."""
    state = read_weights(file)
    target = weights_folder() / f"{name}.safetensors"
    halves = {key: value.half().contiguous() for key, value in state.items() if value.is_floating_point()}
    with replacing_file(target) as part:
        save_file(halves, part, metadata={"source": file.name, "sha256": file_digest(file)})
    return target


def _cached(architecture: Architecture) -> Path | None:
    if architecture.torchvision_weights is None:
        return None
    from torchvision.models import get_weight

    url = get_weight(architecture.torchvision_weights).url
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name
    return path if path.exists() else None


def _download(architecture: Architecture) -> dict[str, torch.Tensor]:
    from torchvision.models import get_weight

    try:
        if architecture.torchvision_weights is None:
            raise URLError("torchvision offers none")
        weights = get_weight(architecture.torchvision_weights)
        return dict(weights.get_state_dict(progress=False, check_hash=True))
    except (URLError, OSError, RuntimeError) as error:
        raise WeightsError(
            f"no weights for {architecture.name}: none in {weights_folder()}, none in torchvision's cache, and the "
            f"download failed ({error}); keep a file of them with `wsi-scale weights import {architecture.name} FILE`, "
            "or name it with --set weights=FILE (workflow: --config weights=FILE; Python: weights='FILE'), or use the "
            "network `embedded`, which needs none"
        ) from error
