"""One artefact of every kind, small, seeded, with its writer and its reader."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from wsi_scale.artifacts import (
    audit,
    calibration,
    checkpoint,
    features,
    geojson,
    pictures,
    prediction,
    record,
    regions,
    regressor,
    runs,
    scale_map,
    slide_info,
    status,
    tiles,
)
from wsi_scale.results.regions import Region


@dataclass
class TrainingState:
    """What a checkpoint holds: numbers, lists and nested dictionaries of tensors."""

    epoch: int = 0
    score: float = float("inf")
    model: dict[str, torch.Tensor] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    history: list[list[float]] = field(default_factory=list)


@dataclass(frozen=True)
class Kind:
    """A kind of artefact: its name in a folder, its writer from a seed, and its reader where it has one."""

    name: str
    write: Callable[[Path, int], None]
    read: Callable[[Path], object] | None = None

    def path(self, folder: Path) -> Path:
        return folder / self.name


def make_grid(rows: int = 4, cols: int = 5) -> tiles.TileGrid:
    return tiles.TileGrid(rows, cols, 224, 0.5, 84.0, 4000, 3000, 0.25, 0.251, "metadata")


def make_tiles(seed: int = 0) -> tiles.TileTable:
    rng = np.random.default_rng(seed)
    grid = make_grid()
    row, col = np.nonzero(rng.random((grid.rows, grid.cols)) < 0.7)
    x, y = np.round(col * grid.step_um / grid.mpp_x), np.round(row * grid.step_um / grid.mpp_y)
    fraction = rng.random(len(row)).astype(np.float32)
    return tiles.TileTable(
        grid, row.astype(np.int32), col.astype(np.int32), x.astype(np.int64), y.astype(np.int64), fraction
    )


def make_map(seed: int = 0) -> scale_map.ScaleMap:
    rng = np.random.default_rng(seed)
    grid = make_grid()
    image = rng.random((3, grid.rows, grid.cols)).astype(np.float32)
    image[:2, 0, 0] = np.nan
    finest = np.where(np.isnan(image[:1]), np.nan, np.float32(0.5))
    radius = 4 * image[:1]
    curves = {name: rng.random((grid.rows, grid.cols, 6)).astype(np.float32) for name in ("C2_2", "C3_4")}
    curves["C2_2"][1, 1] = np.nan
    # A dead layer answers exactly 0, which is an answer.
    curves["C3_4"][0, 1] = 0
    rung_mpp = np.geomspace(0.125, 4, 6)
    described = {"method": "covariant", "network": "vgg19", "layers": ["C2_2", "C3_4"], "execution": {"threads": 1}}
    reason = rng.integers(0, 6, (grid.rows, grid.cols)).astype(np.uint8)
    return scale_map.ScaleMap(
        grid, np.concatenate([image, finest, radius]), reason, curves, rung_mpp, rung_mpp < 0.25, described
    )


#: Shapes of the arrays of a small regressor of three models.
REGRESSOR_SHAPES = {
    "mean": (7,), "scale": (7,), "hidden_weights": (4, 7), "hidden_bias": (4,), "weights": (6, 4), "bias": (6,),
    "centres": (5,), "bends": (3, 7), "offsets": (3,), "scores": (9,),
}  # fmt: skip


def make_regressor(seed: int = 0) -> regressor.RegressorFile:
    rng = np.random.default_rng(seed)
    arrays = {name: rng.normal(size=shape) for name, shape in REGRESSOR_SHAPES.items()}
    arrays["scale"] = np.exp(arrays["scale"])
    arrays["score_folds"] = np.arange(9) % 3
    header = {
        "fingerprint": f"print {seed}", "fold_of": {"case 1": 1, "Fall Ä": 2}, "network": "embedded",
        "network_digest": "d", "layers": ["C1_2"],
    }  # fmt: skip
    return regressor.RegressorFile(arrays, header)


def make_calibration(seed: int = 0) -> calibration.CalibrationFile:
    layer = {"channels": [1, 5], "offset": [-0.5, 0.25], "slope": [1.0, 0.9], "residual": [0.05, 0.1]}
    return calibration.CalibrationFile("vgg19", "0123abcd", 112.0, 0.25, 4.0, 3, 64, seed, {"C3_4": layer})


def make_prediction(seed: int = 0) -> prediction.Prediction:
    return prediction.Prediction(0.25, 0.2, 0.31, "ok", "", 24 + seed, {"1": 0.26, "2": 0.24}, "its left half differs")


def make_state(seed: int = 0) -> TrainingState:
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(4, 3, 3, 3, generator=generator).to(memory_format=torch.channels_last)
    optimizer = {
        "state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.randn(4, generator=generator)}},
        "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.999), "params": [0], "foreach": None, "maximize": False}],
    }
    return TrainingState(3, 0.25, {"features.0.weight": weights}, optimizer, [[0.5, 0.4], [0.3, 0.25]])


def make_status(seed: int = 0) -> list[status.StatusRow]:
    return [
        status.StatusRow("a", "slides/a.svs", "ok", ""),
        status.StatusRow(f"b__{seed}", 'slides/b/"q" $x.svs', "failed", "b: no mpp\tin the header; give --mpp"),
        status.StatusRow("ü", "slides/ü.tif", "empty", "no tissue"),
    ]


def make_audit(seed: int = 0) -> list[audit.AuditRow]:
    return [
        audit.AuditRow(
            "a", "slides/a.svs", 0.25, "override", 0.5, "metadata", 0.26, 0.2, 0.3, "agrees", "you gave 0.25 µm/px"
        ),
        audit.AuditRow(
            f"b{seed}", "slides/b.svs", None, "missing", None, "missing", None, None, None, "missing", "no mpp"
        ),
    ]


def make_run(name: str = "a", *, how: runs.How = "computed", status: record.Status = "ok") -> runs.RunRecord:
    done = runs.StageRun(
        "ä", "tile", how, status, f"print {name}", "2026-11-30T12:00:00Z", 1.5, 2.25, {"pixels": 9}, 512.5, "", "",
        {"slide": "0123", "mpp": [0.5, 0.5, "tiff"], "mask": None},
    )  # fmt: skip
    machine = runs.Machine("host", "Linux", "a processor", 2, 16_000, ())
    return runs.RunRecord(
        name, ("wsi-scale", "tile", "ä.svs"), "2026-11-30T12:00:00Z", "2026-11-30T12:00:02Z", machine,
        {"python": "3.11"}, {"tiling": {"mpp": 0.5}}, (done,),
    )  # fmt: skip


def write_features(folder: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = [rng.random(shape).astype(np.float32) for shape in ((5, 2, 3), (5, 3), (5, 2))]
    attributes = {"fingerprint": f"print {seed}", "layer": "C5_4"}
    with features.writing_features(folder, 5, np.array([0.5, 1.0]), 3, attributes) as writer:
        writer.put(np.arange(3), *(value[:3] for value in values))
        writer.put(np.arange(3, 5), *(value[3:] for value in values))


def write_pictures(folder: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (40, 60, 3), np.uint8)
    pictures.write_pictures(folder, image, rng.random((20, 30)) < 0.5, image[::-1].copy())


def make_region(s: int) -> Region:
    """Make a region of two parts, one with a hole."""
    corners = np.array([[0.0, 0.0], [9.5 + s, 0.0], [9.0, 9.0]])
    return Region("core ä", "Tumor", ((corners, corners / 3), (corners + 20,)))


KINDS = {
    "tiles": Kind("tiles.parquet", lambda f, s: tiles.write_tiles(f, make_tiles(s), f"print {s}"), tiles.read_tiles),
    "scale map 0.5": Kind(
        "scale.ome.zarr",
        lambda f, s: scale_map.write_scale_map(f, make_map(s), f"print {s}", "0.5"),
        scale_map.read_scale_map,
    ),
    "scale map 0.4": Kind(
        "scale.ome.zarr",
        lambda f, s: scale_map.write_scale_map(f, make_map(s), f"print {s}", "0.4"),
        scale_map.read_scale_map,
    ),
    "features": Kind("features.zarr", write_features, features.read_features),
    "geojson": Kind("tiles.geojson", lambda f, s: geojson.write_geojson(f, make_tiles(s), make_map(s))),
    "checkpoint": Kind(
        "checkpoint.safetensors",
        lambda f, s: checkpoint.write_checkpoint(f / "checkpoint.safetensors", make_state(s)),
        lambda f: checkpoint.read_checkpoint(f / "checkpoint.safetensors", TrainingState),
    ),
    "regressor": Kind(
        "cohort.regressor.safetensors",
        lambda f, s: regressor.write_regressor(f / "cohort.regressor.safetensors", make_regressor(s)),
        lambda f: regressor.read_regressor(f / "cohort.regressor.safetensors"),
    ),
    "calibration": Kind(
        "vgg19.calibration.json",
        lambda f, s: calibration.write_calibration(f / "vgg19.calibration.json", make_calibration(s)),
        lambda f: calibration.read_calibration(f / "vgg19.calibration.json"),
    ),
    "prediction": Kind(
        "prediction.json",
        lambda f, s: prediction.write_prediction(f, make_prediction(s)),
        prediction.read_prediction,
    ),
    "status": Kind(
        "status.tsv",
        lambda f, s: status.write_status(f, make_status(s)),
        lambda f: status.read_status(f / "status.tsv"),
    ),
    "audit": Kind("audit.tsv", lambda f, s: audit.write_audit(f, make_audit(s))),
    "pictures": Kind("tissue.png", write_pictures, pictures.read_tissue),
    "regions": Kind(
        "tile-regions.geojson", lambda f, s: regions.write_regions(f, [make_region(s)]), regions.read_regions
    ),
    "record": Kind(
        "tile.json",
        lambda f, s: record.write_record(f, record.Record("tile", "failed", f"reason {s}", "print")),
        lambda f: record.read_record(f, "tile"),
    ),
    "slide info": Kind(
        "slide.json",
        lambda f, s: slide_info.write_slide_info(f, {"slide_id": "ä", "width": s, "mpp": None}),
        slide_info.read_slide_info,
    ),
    "runs": Kind("runs.json", lambda f, s: runs.write_runs(f, [make_run(f"run {s}")]), runs.read_runs),
}

#: Readers of these answer None where nothing was written yet.
OPTIONAL = ("prediction", "record", "runs")


def snippet(section: str) -> str:
    """Give the Python of a section of docs/artifacts.md."""
    text = (Path(__file__).parents[2] / "docs" / "artifacts.md").read_text(encoding="utf-8")
    return text.split(f"\n## {section}\n")[1].split("\n## ")[0].split("```python\n")[1].split("```")[0]


def digest_of(folder: Path) -> str:
    """Digest of the names and contents of everything in a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        digest.update(str(path.relative_to(folder)).encode())
        digest.update(path.read_bytes() if path.is_file() else b"folder")
    return digest.hexdigest()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each kind of artefact in turn."""
    return KINDS[request.param]


@pytest.fixture(params=[name for name, each in KINDS.items() if each.read])
def readable(request: pytest.FixtureRequest) -> Kind:
    """Each kind of artefact that the package reads back."""
    return KINDS[request.param]


@pytest.fixture(params=[name for name, each in KINDS.items() if each.read and ".zarr" not in each.name])
def readable_file(request: pytest.FixtureRequest) -> Kind:
    """Each kind of artefact that is one file, and that the package reads back."""
    return KINDS[request.param]


@pytest.fixture(params=[n for n, each in KINDS.items() if each.read and n not in OPTIONAL])
def required(request: pytest.FixtureRequest) -> Kind:
    """Each kind of artefact without which a later stage cannot go on."""
    return KINDS[request.param]


@pytest.fixture
def digest() -> Callable[[Path], str]:
    """Give the digest of a folder's names and contents."""
    return digest_of


@pytest.fixture
def kinds() -> dict[str, Kind]:
    """All kinds of artefacts by name."""
    return KINDS


@pytest.fixture
def tile_table() -> tiles.TileTable:
    """Some tiles of a slide."""
    return make_tiles()


@pytest.fixture
def answered() -> scale_map.ScaleMap:
    """A scale map with and without answers."""
    return make_map()


@pytest.fixture
def state() -> TrainingState:
    """The state of a training."""
    return make_state()
