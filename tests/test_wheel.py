"""The wheel is enough: in an environment that borrows only torch, away from the checkout."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]

#: What torch and torchvision bring along; everything else is installed from the wheel's own requirements.
BORROWED = ("torch", "torchvision", "torchgen", "functorch", "nvidia", "triton", "cuda", "cusparselt")


def borrow_torch(site: Path) -> None:
    own = Path(sysconfig.get_paths()["purelib"])
    for entry in own.iterdir():
        name = entry.name.lower().replace("-", "_")
        if any(name == known or name.startswith((f"{known}_", f"{known}-", f"{known}.")) for known in BORROWED):
            (site / entry.name).symlink_to(entry)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    built = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(REPOSITORY)]
    subprocess.run(built, check=True, capture_output=True)
    venv.create(folder / "venv", with_pip=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    borrow_torch(folder / "venv" / "lib" / version / "site-packages")
    wheel = next(folder.glob("*.whl"))
    install(folder / "venv/bin/python", str(wheel))
    return folder / "venv/bin/python"


def install(python: Path, what: str) -> None:
    options = ["--quiet", "--disable-pip-version-check", "--constraint", str(REPOSITORY / "requirements.lock")]
    subprocess.run([str(python), "-m", "pip", "install", *options, what], check=True, capture_output=True, timeout=400)


def run(python: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WSI_SCALE")}
    environment |= {"HOME": str(cwd), "XDG_CACHE_HOME": str(cwd / "cache")}
    command = [str(python), *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=400, check=False)


def test_the_wheel_carries_network_calibration_regressor_and_card(python: Path, tmp_path: Path) -> None:
    script = (
        "from wsi_scale.networks.chain import EMBEDDED_SCALE_LAYERS\n"
        "from wsi_scale.networks.load import find_network\n"
        "from wsi_scale.config.load import load_config\n"
        "from wsi_scale.stages.calibrate import calibrate\n"
        "from wsi_scale.artifacts.regressor import read_regressor, shipped_regressor\n"
        "from wsi_scale.artifacts.calibration import shipped_folder\n"
        "import wsi_scale\n"
        "network = find_network('embedded-mpp').tapped(EMBEDDED_SCALE_LAYERS)\n"
        "assert calibrate(load_config()).parent == shipped_folder()\n"
        "header = read_regressor(shipped_regressor()).header\n"
        "assert (header['source'], header['network_digest']) == ('shipped', network.digest)\n"
        "assert (shipped_folder() / 'embedded.md').read_text().startswith('---')\n"
        "from wsi_scale.viewer import site\n"
        "assert all(file.is_file() for file, _ in site._FILES.values())\n"
        "print(wsi_scale.__file__)\n"
    )

    answer = run(python, "-c", script, cwd=tmp_path)

    assert answer.returncode == 0, answer.stderr
    assert str(REPOSITORY) not in answer.stdout


def test_a_magnification_is_told_and_audited_away_from_the_checkout(python: Path, tmp_path: Path) -> None:
    draw = (
        "from PIL import Image\n"
        "from wsi_scale.synthesis.scene import Scene, render_scene\n"
        "Image.fromarray(render_scene(Scene(3.0, size_px=500, mpp=0.5))).save('field.png')\n"
    )
    assert run(python, "-c", draw, cwd=tmp_path).returncode == 0

    told = run(python, "-m", "wsi_scale", "magnification", "predict", "field.png", "--json", cwd=tmp_path)
    audited = run(python, "-m", "wsi_scale", "magnification", "audit", "field.png", "-o", "audit", cwd=tmp_path)

    (row,) = json.loads(told.stdout)
    assert (told.returncode, row["path"]) == (0, "field.png"), told.stderr
    assert row["status"] in ("ok", "abstained")
    # It claims nothing.
    assert audited.returncode == 3, audited.stderr
    assert "missing: field: " in audited.stdout
    assert (tmp_path / "audit" / "audit.html").exists()


def test_run_works_away_from_the_checkout(python: Path, tmp_path: Path) -> None:
    draw = (
        "from pathlib import Path\n"
        "from wsi_scale.synthesis.scene import Scene, render_scene\n"
        "from wsi_scale.synthesis.pyramid import write_pyramid\n"
        "write_pyramid(Path('slide.tiff'), render_scene(Scene(3.0, size_px=500, mpp=0.5)), 0.5)\n"
    )
    assert run(python, "-c", draw, cwd=tmp_path).returncode == 0

    answer = run(python, "-m", "wsi_scale", "run", "slide.tiff", "-o", "out", cwd=tmp_path)

    assert answer.returncode == 0, answer.stderr
    for name in ("scale.ome.zarr", "tiles.parquet", "features.zarr", "slide.json", "report.html"):
        assert (tmp_path / "out" / name).exists()


def test_the_workflow_of_the_wheel_runs_away_from_the_checkout(python: Path, tmp_path: Path) -> None:
    draw = (
        "from pathlib import Path\n"
        "from wsi_scale.synthesis.scene import Scene, render_scene\n"
        "from wsi_scale.synthesis.pyramid import write_pyramid\n"
        "write_pyramid(Path('slides/slide.tiff'), render_scene(Scene(3.0, size_px=300, mpp=0.5)), 0.5)\n"
    )
    (tmp_path / "slides").mkdir()
    assert run(python, "-c", draw, cwd=tmp_path).returncode == 0
    options = ("--config", "slides=slides", "results=out", "features={mpps: [1.0], optimal: false}")

    without = run(python, "-m", "wsi_scale", "workflow", "--cores", "2", *options, cwd=tmp_path)
    wheel = next(python.parents[2].glob("*.whl"))
    install(python, f"{wheel}[workflow]")
    answer = run(python, "-m", "wsi_scale", "workflow", "--cores", "2", *options, cwd=tmp_path)

    assert without.returncode == 1
    (line,) = without.stderr.splitlines()
    assert line.endswith("install it with: pip install 'wsi-scale[workflow]'")

    assert answer.returncode == 0, answer.stderr
    assert "1 slide: 1 ok" in answer.stdout + answer.stderr
    assert (tmp_path / "out" / "report.html").exists()
    refused = run(python, "-m", "wsi_scale", "workflow", "--sdm", "conda", cwd=tmp_path)
    assert refused.returncode == 1
    assert "--sdm needs a clone of the repository" in refused.stderr
