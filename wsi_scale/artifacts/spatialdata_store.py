"""A slide's results as a SpatialData store (Zarr), written by its own library."""

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from wsi_scale.artifacts.atomic import replacing_folder

if TYPE_CHECKING:
    import spatialdata


def write_spatialdata(path: Path, content: "spatialdata.SpatialData") -> None:
    """Write a store; one that this program wrote before is replaced.

    Raises
    ------
    ArtifactError
        It cannot be written, or something else has its name.
    """
    with replacing_folder(path, _is_own) as part:
        # The library makes its folder itself.
        whole = part / "store"
        with warnings.catch_warnings():
            # Of anndata about its next release, once for each array.
            warnings.filterwarnings("ignore", message="zarr v3 autosharding")
            content.write(whole, update_sdata_path=False)
        for entry in list(whole.iterdir()):
            entry.rename(part / entry.name)
        whole.rmdir()


def _is_own(path: Path) -> bool:
    try:
        attributes = json.loads((path / "zarr.json").read_bytes()).get("attributes") or {}
    except (OSError, ValueError, AttributeError):
        return False
    return "wsi_scale" in json.dumps(attributes) and "spatialdata_attrs" in attributes
