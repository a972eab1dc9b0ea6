"""Results that are damaged, foreign or of another run: told, or made again with the bytes of an undisturbed run."""

import errno
import importlib
import itertools
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.planted import write_planted
from tests.runs import MPP, configured, contents, draw, error_line, stamps, wsi_scale
from wsi_scale.artifacts.manifest import find_fault
from wsi_scale.artifacts.names import REGIONS
from wsi_scale.artifacts.record import read_record, record_path
from wsi_scale.artifacts.regressor import read_regressor, shipped_regressor
from wsi_scale.artifacts.runs import NAME as RUNS
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.artifacts.state import NAME as STATE
from wsi_scale.config.models import Config
from wsi_scale.errors import ArtifactError, UserError
from wsi_scale.jobs.job import SlideJob
from wsi_scale.jobs.verify import verify
from wsi_scale.pipeline import run
from wsi_scale.slides.sheet import SheetRow
from wsi_scale.synthesis import write_pyramid


class Killed(BaseException):
    """Stands for the end of the process: nobody catches it."""


def full() -> OSError:
    """What a disk without room answers."""
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@dataclass(frozen=True)
class Quick:
    """A slide, settings with which every stage takes a moment, and the results of a run that nobody disturbed."""

    slide: Path
    other: Path
    config: Config
    done: Path
    otherwise: Path

    def copy(self, folder: Path, of: Path | None = None) -> Path:
        """Copy the results to a folder of one's own."""
        shutil.copytree(of or self.done, folder)
        return folder

    def run(self, folder: Path, slide: Path | None = None, *assignments: str, overwrite: bool = False) -> str:
        """Take the slide through all stages; its status."""
        path = slide or self.slide
        job = SlideJob(SheetRow("quick", path, None, None), folder, overwrite)
        return run(job, self.settings(*assignments)).status

    def settings(self, *assignments: str) -> Config:
        """The settings, changed."""
        return configured(*QUICK, f"network={self.slide.parent}/planted.safetensors", *assignments).model_copy(
            update={"magnification": self.config.magnification}
        )


QUICK = ("tiling.tile_px=128", "search.method=published", "features.mpps=[0.5,1.0]", "tissue.thumbnail_px=256")


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Quick:
    """The results of one slide, and of another of the same size."""
    folder = tmp_path_factory.mktemp("quick")
    regressor = write_planted(folder, 0.5)
    for name, radius in (("quick", 3.0), ("other", 4.0)):
        write_pyramid(folder / f"{name}.tiff", draw(radius, 520, 520), MPP)
    config = configured(f"magnification.regressor={regressor}")
    this = Quick(folder / "quick.tiff", folder / "other.tiff", config, folder / "done", folder / "otherwise")
    assert this.run(this.done) == "ok"
    assert this.run(this.otherwise, this.other) == "ok"
    return this


def flip(path: Path, bit: int) -> None:
    """Flip one bit of a file."""
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def flips(folder: Path, count: int) -> Iterator[tuple[str, int]]:
    """Files and bits: every file as often as any other, so that small ones, metadata mostly, are not left out."""
    rng = np.random.default_rng(22)
    names = [name for name in sorted(contents(folder)) if (folder / name).stat().st_size]
    for name in itertools.islice(itertools.cycle([*names, "report.html"]), count):
        yield name, int(rng.integers(8 * (folder / name).stat().st_size))


@pytest.mark.parametrize("count", [120, pytest.param(600, marks=pytest.mark.long)])
def test_every_flipped_bit_is_told(
    quick: Quick, tmp_path: Path, count: int, record_property: Callable[[str, object], None]
) -> None:
    folder = quick.copy(tmp_path / "out")
    for name, bit in flips(folder, count):
        whole = {place: (folder / place).read_bytes() for place in (name, *_notes(folder))}
        flip(folder / name, bit)
        _, found = verify(folder)
        assert len(found) == 1, (name, bit, found)
        assert "\n" not in found[0].fault
        for place, content in whole.items():
            (folder / place).write_bytes(content)
    assert verify(folder) == (1, [])
    record_property("cases", count)


def _notes(folder: Path) -> list[str]:
    return [STATE, *(record_path(Path(), stage).name for stage in SLIDE_STAGES if record_path(folder, stage).exists())]


@pytest.mark.parametrize("stage", SLIDE_STAGES)
@pytest.mark.parametrize("record", [True, False], ids=["record", "files"])
def test_what_is_flipped_is_made_anew_with_the_same_bytes(
    quick: Quick, tmp_path: Path, stage: str, record: bool
) -> None:
    folder = quick.copy(tmp_path / "out")
    files = [name for name in contents(folder) if name.partition("/")[0] in SLIDE_STAGES[stage].artefacts]
    for number, name in enumerate([SLIDE_STAGES[stage].record] if record else files):
        flip(folder / name, 8 * ((folder / name).stat().st_size // 2) + number % 8)

    assert quick.run(folder) == "ok"

    assert contents(folder) == contents(quick.done)
    assert verify(folder) == (1, [])


def test_a_flipped_note_costs_nothing(quick: Quick, tmp_path: Path) -> None:
    folder = quick.copy(tmp_path / "out")
    for bit in np.random.default_rng(1).integers(8 * (folder / STATE).stat().st_size, size=10):
        flip(folder / STATE, int(bit))
        assert quick.run(folder) == "ok"
        assert contents(folder) == contents(quick.done)


def test_every_deleted_file_is_told_and_made_anew(
    quick: Quick, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    folder = quick.copy(tmp_path / "out")
    names = [name for name in contents(folder) if name not in {spec.record for spec in SLIDE_STAGES.values()}]
    for name in names:
        whole = {place: (folder / place).read_bytes() for place in (name, *_notes(folder))}
        (folder / name).unlink()
        assert [damage.fault for damage in verify(folder)[1]] == [f"{name} is missing"]
        for place, content in whole.items():
            (folder / place).write_bytes(content)
    for name in names[::4]:
        (folder / name).unlink()
    assert quick.run(folder) == "ok"
    assert contents(folder) == contents(quick.done)
    for spec in SLIDE_STAGES.values():
        whole = (folder / spec.record).read_bytes()
        (folder / spec.record).unlink()
        assert [damage.fault for damage in verify(folder)[1]] == [f"{spec.record} is missing"]
        (folder / spec.record).write_bytes(whole)
    for gone in ([spec.record for spec in SLIDE_STAGES.values()], [STATE], ["search.json", STATE]):
        for name in gone:
            (folder / name).unlink()
        assert quick.run(folder) == "ok"
        assert contents(folder) == contents(quick.done)
    record_property("cases", len(names) + len(SLIDE_STAGES))


def test_a_file_that_somebody_adds_to_a_store_is_told(quick: Quick, tmp_path: Path) -> None:
    folder = quick.copy(tmp_path / "out")
    (folder / "scale.ome.zarr" / "0" / "more").touch()
    assert [damage.fault for damage in verify(folder)[1]] == ["scale.ome.zarr/0/more was not written by this stage"]
    assert quick.run(folder) == "ok"
    assert contents(folder) == contents(quick.done)


@pytest.mark.parametrize("notes", [True, False], ids=["with notes", "without notes"])
@pytest.mark.parametrize("stage", SLIDE_STAGES)
def test_what_another_slide_left_is_never_taken_for_this_ones(
    quick: Quick, tmp_path: Path, stage: str, notes: bool
) -> None:
    """Artefacts and record of a stage, whole and sound, of another slide of the same size and settings."""
    folder = quick.copy(tmp_path / "out")
    if not notes:
        (folder / STATE).unlink()
    made = [name for name in SLIDE_STAGES[stage].artefacts if name != REGIONS]  # nobody outlined any
    for name in (*made, SLIDE_STAGES[stage].record):
        shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()
        source = quick.otherwise / name
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, folder / name)
    if stage == "inspect" and not notes:  # nothing else says whose folder it is
        with pytest.raises(ArtifactError, match="holds results of another slide"):
            quick.run(folder)
        return

    assert quick.run(folder) == "ok"

    assert contents(folder) == contents(quick.done)
    assert verify(folder) == (1, [])


def test_a_record_of_an_earlier_version_is_refused_in_one_line_and_made_anew(quick: Quick, tmp_path: Path) -> None:
    folder = quick.copy(tmp_path / "out")
    for stage in SLIDE_STAGES:
        path = record_path(folder, stage)
        told = json.loads(path.read_text())
        path.write_text(json.dumps({key: told[key] for key in ("stage", "status", "reason", "fingerprint")}))
    (folder / STATE).write_bytes(b"")

    with pytest.raises(ArtifactError, match=r"tile\.json .*it was written by an earlier version\); run again"):
        read_record(folder, "tile")
    assert quick.run(folder) == "ok"
    assert contents(folder) == contents(quick.done)


@pytest.mark.parametrize(("old", "new"), [('"ok"', '"empty"'), ('"reason": ""', '"reason": "fine"')])
def test_a_record_that_was_edited_is_not_believed(quick: Quick, tmp_path: Path, old: str, new: str) -> None:
    folder = quick.copy(tmp_path / "out")
    path = record_path(folder, "tile")
    path.write_text(path.read_text().replace(old, new))

    with pytest.raises(ArtifactError, match=r"its digest does not match its content\); run again") as error:
        read_record(folder, "tile")

    assert "\n" not in str(error.value)
    assert quick.run(folder) == "ok"
    assert contents(folder) == contents(quick.done)


@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_whatever_is_killed_between_two_writes_is_made_anew(
    quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, after: bool,
    record_property: Callable[[str, object], None],
) -> None:  # fmt: skip
    """Killed at each write of a run with other settings; then the old settings, and the new ones, again."""
    changed = ("tiling.min_tissue=0.9", "features.mpps=[1.0]", "map.ome_zarr_version=0.4")
    new = quick.copy(tmp_path / "new")
    writes = _dying(monkeypatch, None, lambda: quick.run(new, None, *changed))
    cases = range(1, writes + 1, step)
    for case in cases:
        for again, expected in ((changed, new), ((), quick.done)):
            folder = quick.copy(tmp_path / f"{case}-{len(again)}")
            with pytest.raises(Killed):
                _dying(monkeypatch, case, lambda folder=folder: quick.run(folder, None, *changed), after=after)
            assert quick.run(folder, None, *again) == "ok"
            assert contents(folder) == contents(expected), (case, again)
            shutil.rmtree(folder)
    record_property("cases", 2 * len(cases))


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.long)])
def test_a_disk_that_is_full_at_any_write_ends_in_one_line_and_loses_nothing(
    quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int,
    record_property: Callable[[str, object], None],
) -> None:  # fmt: skip
    changed = ("tiling.min_tissue=0.9", "features.mpps=[1.0]")
    new = quick.copy(tmp_path / "new")
    cases = range(1, _dying(monkeypatch, None, lambda: quick.run(new, None, *changed)) + 1, step)
    for case in cases:
        folder = quick.copy(tmp_path / f"{case}")

        said = []

        def run(folder: Path = folder, said: list[str] = said) -> None:
            try:
                said.append(quick.run(folder, None, *changed))
            except ArtifactError as error:
                said.append(str(error))

        _dying(monkeypatch, case, run, error=full())
        if said == ["ok"]:  # how long it took could not be noted, which is no result
            assert contents(folder) == contents(new), case
        else:
            assert said == ["failed"] or ("No space left on device" in said[0] and "\n" not in said[0])
        # Finished blocks stay for the run that follows.
        assert [path.name for path in folder.rglob("*-part") if ".progress." not in path.name] == []
        assert quick.run(folder, None, *changed) == "ok"
        assert contents(folder) == contents(new), case
        shutil.rmtree(folder)
    record_property("cases", len(cases))


def _dying(
    monkeypatch: pytest.MonkeyPatch, at: int | None, work: Callable[[], object], *,
    after: bool = False, error: BaseException | None = None,
) -> int:  # fmt: skip
    """Do something, and end it at a write, before or after it, or count the writes."""
    end = error or Killed()
    count = 0
    with monkeypatch.context() as patch:
        for name in ("replace", "rename"):
            original = getattr(Path, name)

            def dying(self: Path, target: Path, original: Callable[..., Path] = original) -> Path:
                nonlocal count
                if threading.current_thread() is not threading.main_thread():  # Zarr's own, within a store
                    return original(self, target)
                count += 1
                if count == at and not after:
                    raise end
                moved = original(self, target)
                if count == at:
                    raise end
                return moved

            patch.setattr(Path, name, dying)
        work()
    return count


@pytest.mark.parametrize("kept", [True, False], ids=["the same time", "its own time"])
def test_a_replaced_slide_is_made_anew(quick: Quick, tmp_path: Path, kept: bool) -> None:
    slide = Path(shutil.copy2(quick.slide, tmp_path / "quick.tiff"))
    folder = tmp_path / "out"
    quick.run(folder, slide)
    times = slide.stat()
    (shutil.copyfile if kept else shutil.copy2)(quick.other, slide)
    if kept:
        os.utime(slide, ns=(times.st_atime_ns, times.st_mtime_ns))

    assert quick.run(folder, slide) == "ok"

    assert _but_path(folder) == _but_path(quick.otherwise)


def test_a_slide_replaced_between_two_stages_is_told(quick: Quick, tmp_path: Path) -> None:
    slide = Path(shutil.copy2(quick.slide, tmp_path / "quick.tiff"))
    folder = tmp_path / "out"
    quick.run(folder, slide)
    shutil.copyfile(quick.other, slide)
    for stage in list(SLIDE_STAGES)[1:]:
        line = error_line(wsi_scale(stage, slide, "-o", folder))
        assert "this is not the slide that was inspected; run `wsi-scale inspect` again" in line


@pytest.mark.parametrize("way", ["moved", "touched", "of the future"])
def test_the_same_slide_elsewhere_or_at_another_time_computes_nothing(
    quick: Quick, tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    slide = Path(shutil.copy2(quick.slide, tmp_path / "quick.tiff"))
    folder = tmp_path / "out"
    quick.run(folder, slide)
    before = contents(folder)
    if way == "moved":
        slide = slide.rename(tmp_path / "elsewhere.tiff")
    else:
        os.utime(slide, (4e9, 4e9) if way == "of the future" else None)

    def compute(*_: object) -> None:
        pytest.fail("computed again")

    for module in ("predict.estimate_mpp", "tile.write_tiles", "search.search_tiles", "extract._write"):
        monkeypatch.setattr(f"wsi_scale.stages.{module}", compute)
    assert quick.run(folder, slide) == "ok"
    assert {name for name, content in contents(folder).items() if content != before[name]} <= {
        "slide.json", "inspect.json",
    }  # fmt: skip


def test_an_interrupted_copy_that_was_mended_at_the_same_size_is_made_anew(quick: Quick, tmp_path: Path) -> None:
    slide = Path(shutil.copy2(quick.slide, tmp_path / "quick.tiff"))
    whole = slide.read_bytes()
    middle = len(whole) // 2
    slide.write_bytes(whole[:middle] + bytes(4096) + whole[middle + 4096 :])
    folder = tmp_path / "out"
    quick.run(folder, slide)
    slide.write_bytes(whole)

    assert quick.run(folder, slide) == "ok"

    assert _but_path(folder) == _but_path(quick.done)


def _but_path(folder: Path) -> dict[str, bytes]:
    """All but what says where the slide lies."""
    return {name: content for name, content in contents(folder).items() if name not in ("slide.json", "inspect.json")}


@pytest.mark.parametrize("notes", [True, False], ids=["with notes", "without notes"])
def test_a_second_slide_is_refused_and_overwrite_replaces_the_first(quick: Quick, tmp_path: Path, notes: bool) -> None:
    folder = quick.copy(tmp_path / "out")
    if not notes:
        (folder / STATE).unlink()
    before = contents(folder)

    for slide in (quick.other, shutil.copy(quick.other, tmp_path / "quick.tiff")):
        line = error_line(wsi_scale("run", slide, "-o", folder))
        assert f"{folder} holds results of" in line
        assert "choose another folder, or replace them with `wsi-scale run --overwrite`" in line
    assert contents(folder) == before

    assert quick.run(folder, quick.other, overwrite=True) == "ok"
    assert contents(folder) == contents(quick.otherwise)


def test_a_second_slide_that_cannot_be_read_takes_nobodys_place(quick: Quick, tmp_path: Path) -> None:
    folder = quick.copy(tmp_path / "out")
    (tmp_path / "elsewhere").mkdir()
    other = tmp_path / "elsewhere" / "quick.tiff"
    assert quick.run(folder, other) == "failed"  # not there yet
    shutil.copy(quick.other, other)
    with pytest.raises(ArtifactError, match="holds results of another slide"):
        quick.run(folder, other)
    assert quick.run(folder) == "ok"
    assert contents(folder) == contents(quick.done)


def test_a_later_stage_hands_no_folder_to_another_slide(quick: Quick, tmp_path: Path) -> None:
    folder = quick.copy(tmp_path / "out")
    for stage in list(SLIDE_STAGES)[1:]:
        line = error_line(wsi_scale(stage, quick.other, "-o", folder, "--slide-id", "quick", "--overwrite"))
        assert "holds results of another slide" in line
    assert quick.run(folder) == "ok"
    assert contents(folder) == contents(quick.done)


def test_what_has_become_empty_leaves_nothing_of_before(quick: Quick, tmp_path: Path) -> None:
    folder = quick.copy(tmp_path / "out")
    (folder / "notes.txt").write_text("mine")

    assert quick.run(folder, None, "tiling.tile_px=2048") == "empty"

    written = stamps(folder)
    assert quick.run(folder, None, "tiling.tile_px=2048") == "empty"
    assert {name for name, stamp in stamps(folder).items() if stamp != written[name]} <= {STATE, RUNS}
    left = {name.partition("/")[0] for name in contents(folder)}
    assert left.isdisjoint({"scale.ome.zarr", "tiles.geojson", "features.zarr"})
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_failure_in_between_loses_nothing(quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slide = Path(shutil.copy2(quick.slide, tmp_path / "quick.tiff"))
    folder = tmp_path / "out"
    quick.run(folder, slide)
    before = contents(folder)
    slide.rename(tmp_path / "away")
    assert quick.run(folder, slide) == "failed"
    (tmp_path / "away").rename(slide)

    monkeypatch.setattr("wsi_scale.stages.search.search_tiles", lambda *_: pytest.fail("computed again"))
    assert quick.run(folder, slide) == "ok"
    assert contents(folder) == before


def test_a_stage_that_is_newer_than_what_follows_is_told(quick: Quick, tmp_path: Path) -> None:
    folder = quick.copy(tmp_path / "out")
    assert wsi_scale("tile", quick.slide, "-o", folder, "--set", "tiling.tile_px=64").exit_code == 0

    assert "is older than tile.json; run `wsi-scale search` again" in error_line(
        wsi_scale("export", folder, "--anndata", tmp_path / "a.h5ad")
    )
    wsi_scale("report", folder.parent)
    assert "search is older than tile; run again" in (folder.parent / "status.tsv").read_text()


@pytest.mark.parametrize("name", ["regressor.safetensors", "calibration.json"])
def test_a_flipped_regressor_or_calibration_is_told(
    quick: Quick, tmp_path: Path, name: str, record_property: Callable[[str, object], None]
) -> None:
    results = tmp_path / "results"
    quick.copy(results / "slides" / "quick")
    source = shipped_regressor() if name.startswith("reg") else next(
        shipped_regressor().parent.glob("embedded*.calibration.json")
    )  # fmt: skip
    bits = np.random.default_rng(3).integers(8 * source.stat().st_size, size=40)
    for bit in bits:
        shutil.copyfile(source, results / name)
        flip(results / name, int(bit))
        _, found = verify(results)
        assert len(found) == 1, bit
        assert "\n" not in found[0].fault
        assert not (results / name).exists()
    record_property("cases", len(bits))


@pytest.mark.parametrize("name", ["status.tsv", "audit.tsv", "report.html"])
def test_a_flipped_table_or_page_of_a_cohort_is_told_and_made_anew(quick: Quick, tmp_path: Path, name: str) -> None:
    quick.copy(tmp_path / "slides" / "quick")
    assert wsi_scale("report", tmp_path).exit_code == 0
    assert verify(tmp_path) == (1, [])
    whole = (tmp_path / name).read_bytes()
    for bit in np.random.default_rng(4).integers(8 * len(whole), size=3):
        flip(tmp_path / name, int(bit))
        assert [damage.fault for damage in verify(tmp_path)[1]] == [f"{name} is damaged"]
        assert not (tmp_path / name).exists()
        assert verify(tmp_path) == (1, [])
        assert wsi_scale("report", tmp_path).exit_code == 0
        assert (tmp_path / name).read_bytes() == whole


def test_a_flipped_regressor_is_not_used(quick: Quick, tmp_path: Path) -> None:
    path = Path(shutil.copy(shipped_regressor(), tmp_path / "r.safetensors"))
    flip(path, 8 * (path.stat().st_size - 1000))
    with pytest.raises(UserError, match="is damaged"):
        read_regressor(path)


def test_a_record_lists_every_file_that_its_stage_left(quick: Quick) -> None:
    listed = set()
    for stage in SLIDE_STAGES:
        record = read_record(quick.done, stage)
        assert record is not None
        assert find_fault(quick.done, record.files) == ""
        listed |= set(record.files)
    others = {spec.record for spec in SLIDE_STAGES.values()}
    assert set(contents(quick.done)) == listed | others


def test_a_folder_that_was_merged_with_another_keeps_nothing_of_it_once_it_is_empty(
    quick: Quick, tmp_path: Path
) -> None:
    """A copy with `cp -r done/* out/` brings records of which the notes, a hidden file, know nothing."""
    alone, folder = tmp_path / "alone", tmp_path / "out"
    assert quick.run(alone, None, "tiling.tile_px=2048") == "empty"
    quick.copy(folder, alone)
    for path in quick.done.glob("[!.]*"):
        (shutil.copyfile if path.is_file() else shutil.copytree)(path, folder / path.name)

    assert quick.run(folder, None, "tiling.tile_px=2048") == "empty"

    assert contents(folder) == contents(alone)


@pytest.mark.parametrize("notes", [True, False], ids=["with notes", "without notes"])
def test_a_slide_is_known_by_its_place_however_that_is_named(
    quick: Quick, tmp_path: Path, notes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, slide in (("a", quick.slide), ("b", quick.other)):
        (tmp_path / place).mkdir()
        shutil.copyfile(slide, tmp_path / place / "quick.tiff")
    folder = tmp_path / "out"
    monkeypatch.chdir(tmp_path / "a")
    assert quick.run(folder, Path("quick.tiff")) == "ok"
    if not notes:
        (folder / STATE).unlink()

    monkeypatch.chdir(tmp_path / "b")
    with pytest.raises(ArtifactError, match="holds results of another slide"):
        quick.run(folder, Path("quick.tiff"))
    assert quick.run(folder, Path("../a/quick.tiff")) == "ok"
    shutil.copyfile(quick.other, tmp_path / "a" / "quick.tiff")
    assert quick.run(folder, Path("../a/../a/quick.tiff")) == "ok"

    assert _but_path(folder) == _but_path(quick.otherwise)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_slides_folder_is_the_cohorts_wherever_it_is_named_from(
    quick: Quick, tmp_path: Path, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsi_scale.execution.settled.has_bfloat16", lambda _: True)
    folder = tmp_path / "slides" / "quick"
    assert quick.run(folder, None, f"execution.dtype={dtype}") == "ok"
    before = contents(folder)
    monkeypatch.setattr("wsi_scale.stages.search.search_tiles", lambda *_: pytest.fail("computed again"))

    for place, name in ((folder.parent, "quick"), (folder, ".")):
        monkeypatch.chdir(place)
        assert quick.run(Path(name)) == "ok"
    assert contents(folder) == before


@pytest.mark.parametrize("stage", ["predict", "tile"])
def test_a_file_that_is_replaced_while_a_stage_works_and_put_back_leaves_no_result(
    quick: Quick, tmp_path: Path, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask, regressor = tmp_path / "mask.png", tmp_path / "r.safetensors"
    (tmp_path / "other").mkdir()
    another = write_planted(tmp_path / "other", 0.9)
    settings = (f"tissue.mask={mask}",)

    def put(*, first: bool) -> None:
        Image.fromarray(np.tile(np.arange(64) < (32 if first else 48), (64, 1))).save(mask)
        shutil.copyfile(quick.config.magnification.regressor if first else another, regressor)

    def taken(folder: Path) -> str:
        job = SlideJob(SheetRow("quick", quick.slide, None, None), folder)
        return run(job, quick.settings(*settings), regressor).status

    put(first=True)
    assert taken(tmp_path / "done") == "ok"
    reader = {"predict": "read_estimator", "tile": "open_slide"}[stage]
    original = getattr(importlib.import_module(f"wsi_scale.stages.{stage}"), reader)

    def late(*given: object) -> object:
        put(first=False)
        return original(*given)

    with monkeypatch.context() as patch:
        patch.setattr(f"wsi_scale.stages.{stage}.{reader}", late)
        assert taken(tmp_path / "out") == "failed"
    record = read_record(tmp_path / "out", stage)
    assert record is not None
    assert record.reason == f"a file that `{stage}` reads was replaced during the run; run again"

    put(first=True)
    assert taken(tmp_path / "out") == "ok"
    assert contents(tmp_path / "out") == contents(tmp_path / "done")


def test_a_folder_that_has_only_a_cohorts_lock_may_hold_files_of_the_users(quick: Quick, tmp_path: Path) -> None:
    assert quick.run(tmp_path / "slides" / "quick") == "ok"
    assert (tmp_path / STATE).exists()
    (tmp_path / "tiles.geojson").write_text("mine")
    with pytest.raises(ArtifactError, match=r"holds tiles\.geojson not made by this program"):
        quick.run(tmp_path)
    assert (tmp_path / "tiles.geojson").read_text() == "mine"


def test_a_page_that_is_a_folder_is_told_in_one_line_and_stays(quick: Quick, tmp_path: Path) -> None:
    folder = quick.copy(tmp_path / "out")
    (folder / "report.html").unlink()
    (folder / "report.html").mkdir()
    (folder / "report.html" / "mine").touch()

    assert [damage.fault for damage in verify(folder)[1]] == ["report.html is damaged or missing"]
    with pytest.raises(ArtifactError, match=r"cannot write .*report\.html: Is a directory"):
        quick.run(folder)
    assert (folder / "report.html" / "mine").exists()


def test_a_calibration_that_is_a_folder_is_told_in_one_line_and_stays(quick: Quick, tmp_path: Path) -> None:
    quick.copy(tmp_path / "slides" / "quick")
    (tmp_path / "calibration.json").mkdir()
    with pytest.raises(ArtifactError, match=r"cannot remove .*calibration\.json, which is damaged: .*; move it away"):
        verify(tmp_path)


def test_a_folder_that_cannot_be_verified_keeps_no_other_from_it(quick: Quick, tmp_path: Path) -> None:
    for name in "abc":
        quick.copy(tmp_path / "slides" / name)
    for name in "ac":
        (tmp_path / "slides" / name / "tiles.parquet").unlink()
    for name in (STATE, *(spec.record for spec in SLIDE_STAGES.values())):
        (tmp_path / "slides" / "b" / name).unlink()

    count, found = verify(tmp_path)

    assert count == 3
    assert [damage.stage for damage in found] == ["tile", "verify", "tile"]
    assert "not made by this program" in found[1].fault


def test_the_page_that_a_report_of_many_slides_made_is_as_it_was_written(
    quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsi_scale.stages.report.MOST_EMBEDDED", 0)
    quick.copy(tmp_path / "slides" / "quick")
    before = (tmp_path / "slides" / "quick" / "report.html").read_bytes()
    assert wsi_scale("report", tmp_path, "--set", "tiling.mpp=1.0").exit_code == 0
    assert (tmp_path / "slides" / "quick" / "report.html").read_bytes() != before
    assert verify(tmp_path) == (1, [])
