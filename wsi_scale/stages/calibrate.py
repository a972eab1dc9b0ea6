"""Stage `calibrate`: a network and drawn scenes → which of its channels follow size."""

from pathlib import Path

from wsi_scale.artifacts.manifest import file_digest
from wsi_scale.artifacts.stages import COHORT_STAGES
from wsi_scale.config.settings import CalibrateSettings
from wsi_scale.jobs.timing import timed_cohort
from wsi_scale.learning.calibrations import provide_calibration

SPEC = COHORT_STAGES["calibrate"]


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
    if target is None:
        return provide_calibration(settings)
    before = file_digest(target) if target.is_file() else ""
    with timed_cohort(SPEC.name, target.parent) as clock:
        path = provide_calibration(settings, target)
        after = file_digest(path)
        clock.how = "up to date" if after == before else "computed"
        clock.ended = ("ok", after)
    return path
