"""Versions of the libraries that results depend on."""

import platform
from importlib.metadata import PackageNotFoundError, version

from wsi_scale.version import __version__

PACKAGES = (
    *("torch", "torchvision", "openslide-python", "openslide-bin", "tifffile", "imagecodecs", "zarr", "dask"),
    *(
        "xarray",
        "numpy",
        "scipy",
        "scikit-image",
        "scikit-learn",
        "pyarrow",
        "pydantic",
        "pillow",
    ),
)
EXTRAS = ("snakemake", "distributed", "anndata", "snakemake-executor-plugin-slurm")


def versions() -> dict[str, str]:
    """Versions of the package, of Python and of the libraries that results depend on."""
    found = {"wsi_scale": __version__, "python": platform.python_version()}
    for name in (*PACKAGES, *EXTRAS):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            if name in PACKAGES:
                found[name] = "missing"
    return found
