"""Stage `calibrate`: a network and drawn scenes → which of its channels follow size."""

from pathlib import Path

from wsi_scale.config.settings import CalibrateSettings
from wsi_scale.learning.calibrations import provide_calibration


def calibrate(settings: CalibrateSettings, target: Path | None = None) -> Path:
    """Find the calibration of the configured network, or compute it if there is none yet.

    Parameters
    ----------
    target
        File to write; by default it stays where it is, or is written to the user's cache.

    Returns
    -------
    path
        Of the calibration.
    """
    return provide_calibration(settings, target)
