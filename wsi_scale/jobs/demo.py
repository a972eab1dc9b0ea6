"""Stage `demo`: a seed → demo slides of known µm per pixel and nuclear size."""

import logging
from pathlib import Path

from wsi_scale.artifacts.documents import read_json, write_json
from wsi_scale.artifacts.fingerprint import fingerprint
from wsi_scale.config.models import DemoConfig
from wsi_scale.errors import ArtifactError, ConfigError
from wsi_scale.execution.progress import progress
from wsi_scale.version import __version__

log = logging.getLogger(__name__)

#: Written last, so that a folder with it is complete.
MARKER = "demo.json"


def demo(config: DemoConfig) -> Path:
    """Make the demo slides if they are missing, and return their folder.

    Raises
    ------
    ConfigError
        demo.folder is not set.
    ArtifactError
        It cannot be written.
    """
    from wsi_scale.synthesis.demo import make_demo
    from wsi_scale.synthesis.recipes import RECIPES

    if config.folder is None:
        raise ConfigError("demo.folder is not set; use configs/demo.yaml or --set demo.folder=FOLDER")
    # The recipes too: between two versions a slide that is drawn otherwise must not stay as it was.
    made_of = {"seed": config.seed, "wsi_scale": __version__, "recipes": fingerprint("demo", recipes=repr(RECIPES))}
    marker = config.folder / MARKER
    if not (marker.exists() and read_json(marker) == made_of):
        log.warning("making demo slides in %s", config.folder)
        try:
            with progress("demo"):
                make_demo(config.folder, config.seed)
        except OSError as error:
            reason = error.strerror or str(error)
            raise ArtifactError(
                f"cannot write {config.folder}: {reason}; free some space or choose another folder"
            ) from error
        write_json(marker, made_of)
    return config.folder
