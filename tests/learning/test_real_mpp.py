"""On tissue of cases that training never saw, the shipped pair tells µm per pixel, and it abstains on what is none."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.runs import configured
from wsi_scale.config.settings import PredictSettings
from wsi_scale.learning.embedded_training import photographs
from wsi_scale.learning.estimator import load_estimator
from wsi_scale.learning.fields import read_kept_out
from wsi_scale.results.prediction import Prediction
from wsi_scale.slides.open import open_slide
from wsi_scale.steps.estimate import estimate_mpp

REPOSITORY = Path(__file__).parents[2]
#: Factors by which the crops are brought down, in turn.
FACTORS = (1, 1.5, 2)
COUNT = 9


@pytest.fixture(scope="module")
def crops(data_root: Path) -> list[tuple[Path, float]]:
    """Crops of kept-out cases, one a case, with their µm per pixel."""
    kept_out = read_kept_out(REPOSITORY / "configs" / "kept_out.tsv")
    with (data_root / "tissue" / "crops.tsv").open(encoding="utf-8", newline="") as stream:
        of_case = {row["case"]: row for row in csv.DictReader(stream, delimiter="\t") if row["case"] in kept_out}
    rows = sorted(of_case.values(), key=lambda row: row["case"])
    found = [(data_root / "tissue" / row["file"], float(row["mpp"])) for row in rows]
    assert len(found) >= COUNT
    return found[:COUNT]


def looked_at(image: Image.Image, path: Path) -> Prediction:
    image.save(path)
    config = configured("magnification.tiles_per_slide=8")
    with open_slide(path) as slide:
        return estimate_mpp(slide, load_estimator(config), PredictSettings.of(config))


@pytest.mark.data
def test_most_crops_are_answered_and_most_answers_are_closer_than_half_an_octave(
    crops: list[tuple[Path, float]], tmp_path: Path
) -> None:
    away, held = [], []
    for number, (path, mpp) in enumerate(crops):
        image, factor = Image.open(path).convert("RGB"), FACTORS[number % len(FACTORS)]
        size = (round(image.width / factor), round(image.height / factor))
        told = looked_at(image.resize(size, Image.Resampling.LANCZOS), tmp_path / f"{number}.png").estimate
        if told is not None:
            true = mpp * image.width / size[0]
            away.append(abs(np.log2(told[0] / true)))
            held.append(told[1] <= true <= told[2])

    assert len(away) > COUNT / 2
    assert np.median(away) < 0.5, away
    assert np.mean(held) > 0.5


def test_photographs_get_no_estimate(tmp_path: Path) -> None:
    large = [image for image in photographs() if min(image.shape[:2]) >= 192]
    answered = [
        number
        for number, image in enumerate(large)
        if looked_at(Image.fromarray(image), tmp_path / f"{number}.png").estimate is not None
    ]
    assert len(answered) < len(large) / 2, answered
