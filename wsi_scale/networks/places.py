"""Paths of networks and weights on this machine, without reading them or loading torch."""

import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from platformdirs import user_data_path

SUFFIXES = (".safetensors", ".pth", ".pt")


#: Networks that the package carries: the default of the scale search, and the one that the shipped regressor reads.
EMBEDDED, EMBEDDED_MPP = "embedded", "embedded-mpp"
CARRIED = (EMBEDDED, EMBEDDED_MPP)


def carried_path(network: str = EMBEDDED) -> Path:
    """Path of a network that the package carries."""
    return Path(str(files("wsi_scale.networks") / "data" / f"{network}.safetensors"))


def network_file(network: str) -> Path | None:
    """Path of a network that is a file or one of the package's own; None for one that is known by name."""
    if network in CARRIED:
        return carried_path(network)
    path = Path(network)
    # Path.is_file raises where a name is longer than a file's can be.
    return path if path.suffix == ".safetensors" or os.path.isfile(path) else None  # noqa: PTH113


def weights_folder() -> Path:
    """Folder named by WSI_SCALE_WEIGHTS, else the data folder's weights/, else the user's own."""
    if named := os.environ.get("WSI_SCALE_WEIGHTS"):
        return Path(named)
    if data := os.environ.get("WSI_SCALE_DATA"):
        return Path(data) / "weights"
    return user_data_path("wsi_scale") / "weights"


def weights_folder_origin() -> str:
    """Name the environment variable that decides on the folder of weights; "" where it is the user's own."""
    return next((name for name in ("WSI_SCALE_WEIGHTS", "WSI_SCALE_DATA") if os.environ.get(name)), "")


def weights_in(folder: Path, name: str) -> list[Path]:
    """Weights files of a network in a folder, best first."""
    stems = (name, f"{name}_", f"{name}-")
    if not folder.is_dir():
        return []
    found = [
        path
        for path in sorted(folder.iterdir())
        if path.suffix in SUFFIXES
        and (path.stem == name or path.name.startswith(stems[1:]))
        and not path.name.startswith(f"{name}_bn")  # torchvision's networks with batch norm are others
    ]
    return sorted((p for p in found if "head" not in p.stem), key=lambda p: (p.stem != name, p.name))


def files_behind(network: str, weights: Path | None) -> Iterator[Path]:
    """Files that a network may be read from, the first that counts first; none where it would be downloaded."""
    if (file := network_file(network)) is not None:
        yield file
    elif weights is not None:
        yield weights
    else:
        yield from weights_in(weights_folder(), network)
        cached = weights_in(_torch_cache(), network)
        if len(cached) == 1:  # of several, torchvision alone knows which it means
            yield from cached


def _torch_cache() -> Path:
    """Folder of the weights that torchvision has downloaded."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", str(Path(cache) / "torch"))
    return Path(home).expanduser() / "hub" / "checkpoints"
