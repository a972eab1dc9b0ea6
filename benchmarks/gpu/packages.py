"""Packages that the checks need beside PyTorch: which are missing, and wheels that bring them."""

import importlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

#: Module → package: what `--list-wheels` lists, small packages that a machine for PyTorch may lack.
CARRIED = {
    "annotated_types": "annotated-types",
    "cloudpickle": "cloudpickle",
    "dask": "dask",
    "fsspec": "fsspec",
    "importlib_metadata": "importlib_metadata",
    "lazy_importer": "lazy-importer",
    "locket": "locket",
    "partd": "partd",
    "platformdirs": "platformdirs",
    "pydantic": "pydantic",
    "pydantic_core": "pydantic_core",
    "safetensors": "safetensors",
    "toolz": "toolz",
    "typing_extensions": "typing_extensions",
    "typing_inspection": "typing-inspection",
    "zipp": "zipp",
}
#: The same for the check of the whole command `search`, which is left out where one is missing.
CARRIED_FOR_SLIDES = {
    "donfig": "donfig",
    "google_crc32c": "google-crc32c",
    "imagecodecs": "imagecodecs",
    "numcodecs": "numcodecs",
    "openslide": "openslide-python",
    "openslide_bin": "openslide-bin",
    "tifffile": "tifffile",
    "zarr": "zarr",
}
#: Larger ones, which a machine for PyTorch has.
EXPECTED = {
    "PIL": "pillow",
    "numpy": "numpy",
    "rich": "rich",
    "scipy": "scipy",
    "skimage": "scikit-image",
    "torch": "torch",
    "torchvision": "torchvision",
    "yaml": "pyyaml",
}
#: Weights of VGG19 in a folder of wheels, up to the layers that its search reads.
WEIGHTS = "vgg19.safetensors"
LOCK = Path("requirements.lock")


def missing(modules: dict[str, str]) -> list[str]:
    """List the packages whose modules cannot be imported."""
    return [package for module, package in modules.items() if importlib.util.find_spec(module) is None]


def wheels_wanted(lock: Path = LOCK) -> list[str]:
    """List the packages that are carried, each with its locked version (``name==version``)."""
    pinned = (line.strip() for line in lock.read_text(encoding="utf-8").splitlines() if "==" in line)
    versions = {line.split("==")[0]: line for line in pinned if not line.startswith("#")}
    return [versions[package] for package in sorted({**CARRIED, **CARRIED_FOR_SLIDES}.values())]


def use_wheels(folder: Path, target: Path) -> None:
    """Install from a folder of wheels what is missing here, for this run alone; use its weights of VGG19.

    Parameters
    ----------
    target
        An empty folder, which is added to where modules are looked for.
    """
    names = [name for name in missing({**CARRIED, **CARRIED_FOR_SLIDES}) if _wheel_of(name, folder)]
    if names:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile"]
        source = [
            "--disable-pip-version-check",
            "--root-user-action=ignore",
            "--find-links",
            str(folder),
            "--target",
            str(target),
        ]
        subprocess.run([*command, *source, *names], check=True)
    sys.path.append(str(target))
    importlib.invalidate_caches()
    if (folder / WEIGHTS).is_file():
        os.environ["WSI_SCALE_WEIGHTS"] = str(folder.absolute())


def _wheel_of(package: str, folder: Path) -> bool:
    stem = package.replace("-", "_").lower()
    return any(path.name.lower().startswith(f"{stem}-") for path in folder.glob("*.whl"))


def cut_weights(folder: Path) -> Path:
    """Write the weights of VGG19, up to the layers that its search reads, into a folder of wheels."""
    from safetensors.torch import save_file

    from wsi_scale.networks.load import find_network, search_layers

    source = find_network("vgg19")
    needed = source.tapped(search_layers(source, "covariant", None)).trunk.state_dict()
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: source.state[name].half().contiguous() for name in needed}, folder / WEIGHTS)
    return folder / WEIGHTS
