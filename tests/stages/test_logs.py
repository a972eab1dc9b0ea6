"""One log a slide is left of a workflow's jobs."""

from pathlib import Path

from wsi_scale.stages.logs import gather_logs


def test_the_logs_of_a_slides_jobs_go_to_its_own_in_the_order_of_stages(tmp_path: Path) -> None:
    folder = tmp_path / "logs" / "slides"
    folder.mkdir(parents=True)
    for name in ("a.tile.log", "a.inspect.log", "a.b.search.log", "notes.txt"):
        (folder / name).write_text(f"said by {name}\n")
    (folder / "a.log").write_text("before\n")

    gather_logs(tmp_path, ["a", "a.b", "c"])

    assert sorted(path.name for path in folder.iterdir()) == ["a.b.log", "a.log", "notes.txt"]
    assert (folder / "a.log").read_text() == "before\n[inspect]\nsaid by a.inspect.log\n[tile]\nsaid by a.tile.log\n"
    assert (folder / "a.b.log").read_text() == "[search]\nsaid by a.b.search.log\n"


def test_single_runs_leave_none(tmp_path: Path) -> None:
    gather_logs(tmp_path, ["a"])
    assert list(tmp_path.iterdir()) == []
