"""What blocks read is known by its content: a worker that served another run answers right, or says why not."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.runs import MPP, configured, draw, job
from wsi_scale.artifacts.calibration import read_calibration, write_calibration
from wsi_scale.artifacts.features import read_features
from wsi_scale.artifacts.scale_map import read_scale_map
from wsi_scale.config.models import Config
from wsi_scale.config.settings import CalibrateSettings, ExtractSettings, SearchSettings, TileSettings
from wsi_scale.errors import SlideError, UserError, WeightsError
from wsi_scale.execution.worker import clear
from wsi_scale.networks.file import read_network_file, write_network_file
from wsi_scale.networks.load import find_network
from wsi_scale.networks.network import Network
from wsi_scale.networks.places import carried_path
from wsi_scale.stages.calibrate import calibrate
from wsi_scale.stages.extract import extract
from wsi_scale.stages.inspect import inspect
from wsi_scale.stages.search import search
from wsi_scale.stages.tile import tile
from wsi_scale.steps.inputs import NetworkInput, SlideInput
from wsi_scale.synthesis import write_pyramid

#: Side of the slides, pixels: two tiles by two.
SIDE = 230
QUICK = ("tiling.tile_px=112", "tissue.method=none", "features.mpps=[1.0]", "execution.device=cpu")


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    """Start and end with empty hands."""
    clear()
    yield
    clear()


@pytest.fixture
def one_worker() -> Iterator[str]:
    """Address of a scheduler with one worker, a process of its own."""
    from distributed import LocalCluster

    with LocalCluster(processes=True, n_workers=1, threads_per_worker=2, dashboard_address=":0") as cluster:
        yield cluster.scheduler_address


def network_in(folder: Path) -> Network:
    """The network of a folder, cut as a search cuts it."""
    source = find_network(str(folder / "n.safetensors"))
    return source.tapped(source.architecture.search_layers)


def lay(folder: Path, radius_um: float, brightness: float) -> Config:
    """Write a slide, a network and its calibration, over those that lie there."""
    write_pyramid(folder / "slide.tiff", draw(radius_um, SIDE, SIDE), MPP)
    header, state = read_network_file(carried_path())
    write_network_file(folder / "n.safetensors", header, {name: value * brightness for name, value in state.items()})
    config = configured(f"network={folder / 'n.safetensors'}", *QUICK)
    shipped = read_calibration(calibrate(CalibrateSettings.of(configured())))
    moved = {
        name: {**values, "offset": [v + radius_um / 50 for v in values["offset"]]}
        for name, values in shipped.layers.items()
    }
    calibration = replace(shipped, digest=network_in(folder).digest, layers=moved)
    write_calibration(folder / "n.calibration.json", calibration)
    return config


def answers(folder: Path, config: Config, results: str, scheduler: str | None = None) -> list[np.ndarray]:
    """Take the slide through the stages that work in blocks."""
    this = job(folder / "slide.tiff", folder / results)
    for stage in (
        lambda: inspect(this),
        lambda: tile(this, TileSettings.of(config)),
        lambda: search(this, SearchSettings.of(config), folder / "n.calibration.json", scheduler),
        lambda: extract(this, ExtractSettings.of(config), scheduler),
    ):
        record = stage()
        assert record.status == "ok", record.reason
    found, features = read_scale_map(this.folder)[0], read_features(this.folder)
    return [found.image, *found.curves.values(), features.features, features.features_optimal]


def test_a_worker_that_served_another_run_answers_as_a_fresh_process_does(tmp_path: Path, one_worker: str) -> None:
    first = answers(tmp_path, lay(tmp_path, 2.5, 1.0), "first", one_worker)
    config = lay(tmp_path, 5.0, 0.9)

    second = answers(tmp_path, config, "second", one_worker)

    fresh = answers(tmp_path, config, "fresh")
    for one, two, three in zip(first, second, fresh, strict=True):
        np.testing.assert_array_equal(two, three)
        assert not np.array_equal(one, two, equal_nan=True)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two folders whose files have the same names and other content."""
    folders = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other")
    for folder, radius_um, brightness in zip(folders, (2.5, 5.0), (1.0, 0.9), strict=True):
        lay(folder, radius_um, brightness)
    return folders


def slide_of(folder: Path) -> SlideInput:
    return SlideInput.of(folder / "slide.tiff")


def network_of(folder: Path) -> NetworkInput:
    config = configured(f"network={folder / 'n.safetensors'}", *QUICK)
    return NetworkInput.of(network_in(folder), SearchSettings.of(config))


def use(one: SlideInput | NetworkInput) -> object:
    """Ask for what a block reads."""
    with one.opened() if isinstance(one, SlideInput) else one.placed(one.compute) as thing:
        return thing


@pytest.mark.parametrize(
    ("of", "error", "file"),
    [
        (slide_of, SlideError, "slide.tiff"),
        (network_of, WeightsError, "n.safetensors"),
    ],
)
def test_a_file_that_is_another_than_the_runs_is_one_line_that_names_it(
    two: tuple[Path, Path], of: Callable[[Path], SlideInput], error: type[UserError], file: str, tmp_path: Path
) -> None:
    for path in two[0].iterdir():
        shutil.copy(path, tmp_path)
    asked = of(tmp_path)
    shutil.copy(two[1] / file, tmp_path)

    with pytest.raises(error, match="than the run started with") as caught:
        use(asked)
    assert str(tmp_path / file) in str(caught.value)
    assert "\n" not in str(caught.value)

    shutil.copy(two[0] / file, tmp_path)
    assert use(asked) is use(asked)


def test_a_slide_that_is_opened_stays_the_one_of_its_run(two: tuple[Path, Path], tmp_path: Path) -> None:
    for folder in two:
        shutil.copy(folder / "slide.tiff", tmp_path / f"{folder.name}.tiff")
    path, other = (tmp_path / f"{folder.name}.tiff" for folder in two)
    asked = SlideInput.of(path)
    with asked.opened() as slide:
        before = slide.read(0, 0, 0, SIDE, SIDE)
        other.rename(path)
        with asked.opened() as same, SlideInput.of(path).opened() as new:
            assert same is slide
            np.testing.assert_array_equal(same.read(0, 0, 0, SIDE, SIDE), before)
            assert not np.array_equal(new.read(0, 0, 0, SIDE, SIDE), before)
