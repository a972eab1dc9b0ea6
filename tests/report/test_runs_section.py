"""How results were made, as a page shows it."""

import html
import re
from dataclasses import replace
from pathlib import Path

import yaml

from tests.artifacts.conftest import make_run
from tests.runs import configured
from wsi_scale.artifacts.runs import Made, StageRun, made_in
from wsi_scale.report.pages import page_context, provenance, render_slide_page
from wsi_scale.report.runs_section import MOST_COMMANDS, lay_cohort_runs, lay_slide_runs
from wsi_scale.report.slide_view import read_slide_view


def searched(slide_id: str, seconds: float, tiles: int, device: str = "cpu") -> Made:
    done = StageRun(
        slide_id, "search", "computed", "ok", "f", "2026-11-30T12:00:00Z", seconds, 2 * seconds, {"tiles": tiles},
        1500.0, device, "bfloat16", {},
    )  # fmt: skip
    run = replace(make_run(slide_id), command=("wsi-scale", "run", f"{slide_id} b.svs"), stages=(done,))
    return Made(done, run)


def test_a_slides_stages_have_their_times_rates_and_machine() -> None:
    found = lay_slide_runs([searched("a", 100.0, 12_000)])

    assert dict(zip(found["columns"], found["rows"][0], strict=True)) == {
        "Stage": "search", "Started (UTC)": "2026-11-30 12:00", "Time": "1 min 40 s", "CPU time": "3 min 20 s",
        "Work": "12\u202f000 tiles", "Rate": "120.0 tiles/s", "Peak memory": "1.50 GB", "Device": "cpu, bfloat16",
        "Host": "host",
    }  # fmt: skip
    assert found["commands"] == ["wsi-scale run 'a b.svs'"]
    assert found["machines"] == ["host: a processor, 2 cores, 16 GB of memory; Linux"]
    assert lay_slide_runs([]) == lay_cohort_runs([]) == {}


def test_a_cohort_sums_up_by_stage_and_names_some_commands() -> None:
    made = [searched(f"s{number}", 10.0 * (number + 1), 100) for number in range(MOST_COMMANDS + 2)]
    made[-1] = searched("gpu", 1.0, 100, "cuda")
    found = lay_cohort_runs(made)

    (row,) = found["rows"]
    told = dict(zip(found["columns"], row, strict=True))
    assert (told["Slides"], told["Work"], told["Device"]) == ("8", "800 tiles", "cpu, bfloat16; cuda, bfloat16")
    assert told["Time, median slide"] == "35 s"
    assert told["Rate"] == f"{800 / (280 + 1):.1f} tiles/s"
    assert len(found["commands"]) == MOST_COMMANDS + 1
    assert found["commands"][-1] == "… and 2 more"


def test_versions_are_those_of_the_runs_all_of_them() -> None:
    older, newer = searched("a", 1.0, 1), searched("b", 1.0, 1)
    older = Made(older.stage, replace(older.run, versions={"python": "3.11", "torch": "2.8"}))
    found = provenance({"versions": {"python": "3.13"}, "made": lay_cohort_runs([older, newer])})
    assert found["versions"] == {"python": "3.11", "torch": "2.8"}
    newer = Made(newer.stage, replace(newer.run, versions={"python": "3.12"}))
    found = provenance({"made": lay_cohort_runs([older, newer])})
    assert found["versions"] == {"python": "3.11, 3.12", "torch": "2.8"}


def test_the_page_of_a_run_shows_them_and_only_what_stages_read(finished: Path) -> None:
    page = (finished / "report.html").read_text(encoding="utf-8")

    assert re.findall(r'<tr><th scope="row">(\w+)</th><td>', page)[-5:] == [
        found.stage.stage for found in made_in(finished)
    ]
    assert "tiles/s" in page
    told = yaml.safe_load(html.unescape(re.findall(r"<code>(calibration:.*?)</code>", page, flags=re.DOTALL)[0]))
    assert told["tiling"]["mpp"] == 0.5
    assert "path" not in told["slides"]
    assert not {"results", "training", "transfer", "demo"} & told.keys()
    assert yaml.safe_load(str(page_context(configured("tiling.mpp=1.0"))["configuration"]))["tiling"]["mpp"] == 1.0


def test_what_stands_in_a_command_is_no_markup(finished: Path) -> None:
    made = [Made(found.stage, replace(found.run, command=("<b>", "&"))) for found in made_in(finished)]
    page = render_slide_page(read_slide_view(finished, "small"), {"made": lay_slide_runs(made)})
    assert "&lt;b&gt;" in page
    assert "<b>&#39;" not in page
