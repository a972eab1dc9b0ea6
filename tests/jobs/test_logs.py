"""One log a slide is left of a workflow's jobs."""

from pathlib import Path

from tests.runs import recorded
from wsi_scale.jobs.job import SlideJob
from wsi_scale.jobs.logs import gather_logs
from wsi_scale.slides.sheet import SheetRow


def test_the_logs_of_a_slides_jobs_go_to_its_own_in_the_order_of_stages(tmp_path: Path) -> None:
    jobs = []
    for slide_id, stages in {"a": ("tile", "inspect", "extract"), "a.tile": ("inspect",), "quiet": ()}.items():
        folder = tmp_path / "slides" / slide_id
        jobs.append(SlideJob(SheetRow(slide_id, Path("a.svs"), None, None), folder))
        for stage in stages:
            (tmp_path / "logs" / "jobs" / slide_id).mkdir(parents=True, exist_ok=True)
            (tmp_path / "logs" / "jobs" / slide_id / f"{stage}.log").write_text(f"[{stage}]\nby {slide_id}\n")
            if stage != "extract":  # at work
                recorded(folder, stage)
    slides = tmp_path / "logs" / "slides"
    slides.mkdir()
    (slides / "a.log").write_text("before\n")

    gather_logs(tmp_path, jobs)

    assert sorted(path.name for path in slides.iterdir()) == ["a.log", "a.tile.log"]
    assert (slides / "a.log").read_text() == "before\n[inspect]\nby a\n[tile]\nby a\n"
    assert (slides / "a.tile.log").read_text() == "[inspect]\nby a.tile\n"
    assert [str(path.relative_to(tmp_path / "logs" / "jobs")) for path in (tmp_path / "logs").rglob("jobs/*/*")] == [
        "a/extract.log"
    ]


def test_single_runs_leave_none(tmp_path: Path) -> None:
    gather_logs(tmp_path, [SlideJob(SheetRow("a", Path("a.svs"), None, None), tmp_path / "a")])
    assert list(tmp_path.iterdir()) == []
