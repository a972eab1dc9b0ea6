"""A slide with nothing to do costs next to nothing, and neither does planning many."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.runs import contents, processor_s
from wsi_scale.config.load import parse_config
from wsi_scale.jobs.study import Study

#: What takes long to load, and is needed only where something is computed.
HEAVY = {"torch", "scipy", "skimage.measure", "sklearn", "pandas", "matplotlib", "dask.array"}
#: Runs a command and says on its last line of standard error which of the heavy modules were loaded.
WATCHED = f"""
import sys
from wsi_scale.cli.main import app
try:
    app(sys.argv[1:])
finally:
    print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)
"""
#: Processor time of a run on an unchanged slide (times that of `import zarr`), and of planning 300 slides (seconds).
MOST_RUN, MOST_PLAN_S = 4.0, 5.0


def test_a_run_on_an_unchanged_slide_is_quick_and_loads_only_what_it_needs(
    small_slide: Path, finished_copy: Path
) -> None:
    before = contents(finished_copy)

    measure, _ = processor_s("-c", "import zarr")
    spent, said = processor_s("-c", WATCHED, "run", small_slide, "-o", finished_copy)

    assert said.splitlines()[-1] == "[]"
    assert contents(finished_copy) == before
    assert spent < MOST_RUN * measure


def test_planning_three_hundred_unchanged_slides_is_quick(small_slide: Path, finished: Path, tmp_path: Path) -> None:
    slides, results = tmp_path / "study", tmp_path / "results"
    slides.mkdir()
    for number in range(300):
        shutil.copy(small_slide, slides / f"{number}.tiff")
        shutil.copytree(finished, results / "slides" / f"{number}")
    study = Study(parse_config({"slides": {"path": str(slides)}, "results": str(results)}))
    study.find_slides(make_demo=False)
    study.start()  # takes the copies' identities

    start = time.process_time()
    study.find_slides(make_demo=False)
    study.start()
    spent = time.process_time() - start

    assert all((results / "slides" / f"{number}" / "search.json").exists() for number in range(300))
    assert spent < MOST_PLAN_S


def test_a_chain_of_convolutions_loads_no_torchvision() -> None:
    asked = """
import sys
from wsi_scale.networks.load import find_network
find_network("embedded").tapped(["C3_2"])
print("torch" in sys.modules, "torchvision" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["True", "False"]
