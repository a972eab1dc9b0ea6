"""What `make clean` removes of results/: the demo's slides and what was computed from them, nothing of other slides."""

import csv
import json
import shutil
from pathlib import Path

RESULTS = Path("results")
#: What a run leaves of all slides together.
COHORT = (
    *("report.html", "status.tsv", "slides.tsv", "audit.tsv", "regressor.safetensors", "calibration.json"),
    *("planned.json", "execution.json", "runs.json", "jobs"),
)


def clean(results: Path) -> None:
    """Remove the demo from a folder of results, and the folder where nothing else is in it."""
    slides = results / "demo-slides"
    ids = _demo_ids(slides)
    if not ids:
        return
    for slide_id in ids:
        folder = results / "slides" / slide_id
        if _slide_of(folder).parent == slides:
            for made in (folder, results / "logs" / "slides" / f"{slide_id}.log"):
                _remove(made)
        _remove(slides / f"{slide_id}.tiff")
    for name in ("truth.tsv", "demo.json"):
        _remove(slides / name)
    if not _rest(results / "slides") and _all_of(results / "status.tsv", slides):
        for made in (*(results / name for name in COHORT), *_rest(results / "logs")):
            _remove(made)
    for folder in (slides, results / "slides", results / "logs" / "slides", results / "logs", results):
        if folder.is_dir() and not _rest(folder):
            folder.rmdir()


def _demo_ids(slides: Path) -> list[str]:
    """Names of the demo's slides, by the table that it leaves beside them; none where it did not make the folder."""
    if not ((slides / "demo.json").is_file() and (slides / "truth.tsv").is_file()):
        return []
    with (slides / "truth.tsv").open(encoding="utf-8", newline="") as stream:
        return sorted({row["slide_id"] for row in csv.DictReader(stream, delimiter="\t")})


def _slide_of(folder: Path) -> Path:
    """Slide that a folder holds results of, by what `inspect` left."""
    try:
        return Path(json.loads((folder / "slide.json").read_bytes())["path"])
    except (OSError, ValueError, KeyError, TypeError):
        return Path()


def _all_of(status: Path, slides: Path) -> bool:
    """Whether a status table tells of the demo's slides only; a run that did not end left none."""
    if not status.is_file():
        return True
    with status.open(encoding="utf-8", newline="") as stream:
        return all(Path(row["path"] or "").parent == slides for row in csv.DictReader(stream, delimiter="\t"))


def _rest(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    clean(RESULTS)
