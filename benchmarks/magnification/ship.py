"""Put the shipped backbone into the package, its interval calibrated on scanners that networks were not trained on.

WSI_SCALE_DATA=… python -m benchmarks.magnification.ship

The rule for overviews and enlargements belongs to one network's features: fit it again afterwards, by
`python -m benchmarks.magnification.beyond`.
"""

import shutil
from dataclasses import replace

import numpy as np

from benchmarks.data import data_root
from benchmarks.magnification.estimators import BACKBONES, LEFT_OUT, load_split
from benchmarks.magnification.home import MAIN_UP_TO, scanner_answers
from benchmarks.sources import TRAINED_ON, read_crops
from wsi_scale.artifacts.regressor import read_regressor, shipped_regressor, write_regressor
from wsi_scale.learning.embedded_training import NETWORK
from wsi_scale.learning.estimator import stored_form
from wsi_scale.learning.train import REGRESSOR
from wsi_scale.networks.places import EMBEDDED_MPP, carried_path


def main() -> None:
    """Copy the network, and write its regressor with the scores of the runs that leave a scanner out."""
    sources = read_crops(data_root(), TRAINED_ON)
    answers = [a for split, scanner in LEFT_OUT.items() for a in scanner_answers(sources, split, scanner)]
    scores = np.array([answer.score for answer in answers if answer.octave < MAIN_UP_TO])
    regressor = replace(load_split("shipped").regressor, scores=scores, score_folds=np.zeros(len(scores), np.int64))
    header = dict(read_regressor(BACKBONES / "shipped" / REGRESSOR).header)
    calibrated = {"slides": len(scores), "left_out": sorted(LEFT_OUT.values())}
    header |= {"source": "shipped", "network": EMBEDDED_MPP, "calibrated_on": calibrated}
    shutil.copyfile(BACKBONES / "shipped" / NETWORK, carried_path(EMBEDDED_MPP))
    write_regressor(shipped_regressor(), stored_form(regressor, header))
    print(f"{shipped_regressor()}: interval calibrated on {len(scores)} slides")


if __name__ == "__main__":
    main()
