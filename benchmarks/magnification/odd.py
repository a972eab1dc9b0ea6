"""Images on which an estimator of µm per pixel should abstain."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import read_rows
from wsi_scale.config.models import Config
from wsi_scale.learning.estimator import load_estimator
from wsi_scale.steps.sources import predict_sources

#: How the table writes the µm per pixel that an image was scanned at.
_MPP = re.compile(r"(?:scan mpp |, )(\d+\.\d+)")
#: Words by which a description names tissue after all.
_TISSUE = ("tissue", "thumbnail", "plant", "nuclei")


def measure(root: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Share of odd images that are answered rightly: not at all, or with an interval that holds the truth."""
    table = read_rows(root / "tissue_odd" / "odd.tsv")
    paths = [root / "tissue_odd" / row["file"] for row in table]
    answers = list(predict_sources(paths, Config(), load_estimator(Config())))
    right = [_is_right(answer, row["kind"]) for answer, row in zip(answers, table, strict=True)]
    shows_tissue = [any(word in row["kind"] for word in _TISSUE) and "no tissue" not in row["kind"] for row in table]
    keys = {"abstained_odd": round(float(np.mean(right)), 4)}
    return keys, {
        "images": [
            (row["file"], row["kind"], answer["status"], answer["mpp"], answer["reason"], ok)
            for row, answer, ok in zip(table, answers, right, strict=True)
        ],
        "with_tissue": round(float(np.mean([ok for ok, shows in zip(right, shows_tissue, strict=True) if shows])), 4),
    }


def _is_right(answer: dict[str, Any], kind: str) -> bool:
    if answer["status"] != "ok":
        return True
    found = _MPP.search(kind)
    return found is not None and answer["mpp_low"] <= float(found[1]) <= answer["mpp_high"]
