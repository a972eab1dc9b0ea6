"""What the stages write, compared with a kept example: who changes an output raises its stage's version.

Renewed by ``python -m tests.stages.test_golden``, once the version is raised.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.runs import MPP, configured, draw
from wsi_scale.artifacts.features import read_features
from wsi_scale.artifacts.pictures import read_tissue
from wsi_scale.artifacts.prediction import read_prediction
from wsi_scale.artifacts.scale_map import read_scale_map
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.artifacts.tiles import read_tiles
from wsi_scale.jobs.job import SlideJob
from wsi_scale.pipeline import run
from wsi_scale.slides.sheet import SheetRow
from wsi_scale.synthesis import write_pyramid

GOLDEN = Path(__file__).with_name("golden.json")
#: What float32 may differ by from one machine to another: relative, and absolute.
TOLERANCE = {"rtol": 2e-3, "atol": 2e-4}
#: Four tiles, so that it takes a moment.
SETTINGS = ("tiling.tile_px=192", "execution.dtype=float32", "execution.device=cpu", "features.mpps=[1.0]")
#: Every so many channels are kept.
EVERY = 64

Values = dict[str, dict[str, list[float]]]


def outputs(folder: Path) -> Values:
    """Run a drawn slide through all stages; stage → name → values."""
    slide = folder / "golden.tiff"
    write_pyramid(slide, draw(3.0, 400, 400), MPP)
    status = run(SlideJob(SheetRow("golden", slide, None, None), folder / "out"), configured(*SETTINGS))
    assert status.status == "ok", status.reason
    place = folder / "out"
    info = json.loads((place / "slide.json").read_text())
    tiles, scale_map, features = read_tiles(place)[0], read_scale_map(place)[0], read_features(place)
    prediction = read_prediction(place)
    assert prediction is not None
    found = {
        "inspect": {key: [info[key]] for key in ("width", "height", "level_count", "mpp")},
        "predict": {
            "estimate": list(prediction.estimate or ()),
            "by_downsample": list(prediction.by_downsample.values()),
            "views": [prediction.views],
        },
        "tile": {
            **{name: getattr(tiles, name) for name in ("row", "col", "x", "y", "tissue_fraction")},
            "tissue_pixels": [int(read_tissue(place).mask.sum())],
        },
        "search": {
            "image": scale_map.image.ravel(),
            "reason": scale_map.reason.ravel(),
            **{f"curve {name}": curve[0, 0] for name, curve in scale_map.curves.items()},
        },
        "extract": {
            "features": features.features[:, 0, ::EVERY].ravel(),
            "features_optimal": features.features_optimal[:, ::EVERY].ravel(),
            "padded_share": features.padded_share.ravel(),
        },
    }
    return {stage: {name: _listed(values) for name, values in named.items()} for stage, named in found.items()}


def _listed(values: object) -> list[float]:
    array = np.asarray(values)
    return array.tolist() if array.dtype.kind in "iu" else np.round(array.astype(float), 6).tolist()


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Values:
    return outputs(tmp_path_factory.mktemp("golden"))


@pytest.mark.parametrize("stage", SLIDE_STAGES)
def test_a_stage_of_this_version_writes_what_it_always_wrote(found: Values, stage: str) -> None:
    kept = json.loads(GOLDEN.read_text())[stage]
    advice = f"`{stage}` writes something else: raise its version in the table of stages, then renew it"
    assert kept["version"] == SLIDE_STAGES[stage].version, advice
    assert set(kept["values"]) == set(found[stage]), advice
    for name, values in found[stage].items():
        expected = kept["values"][name]
        if all(isinstance(value, int) for value in expected):
            assert values == expected, f"{name}: {advice}"
        else:
            np.testing.assert_allclose(values, expected, **TOLERANCE, err_msg=f"{name}: {advice}")


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        values = outputs(Path(folder))
    told = {stage: {"version": SLIDE_STAGES[stage].version, "values": values[stage]} for stage in SLIDE_STAGES}
    GOLDEN.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
