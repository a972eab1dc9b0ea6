"""The check of a GPU, tried on the CPU against itself; where there is no GPU it says so in one line."""

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from benchmarks.gpu.packages import CARRIED, CARRIED_FOR_SLIDES, EXPECTED, missing, use_wheels, wheels_wanted
from benchmarks.gpu.record import Outcome, Record
from wsi_scale.execution.gpus import take

#: Every path that computes on a GPU, without those that only measure.
PATHS = (
    *("resampling", "resampling_without_waiting", "search_embedded", "extraction", "prediction", "slide_file"),
    *("training", "pruning_channels", "pruning_basis", "finetuning", "searching_embedded", "every_gpu", "processes"),
)


def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True, timeout=570)


def test_on_the_cpu_paths_agree_with_themselves_and_the_file_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WSI_SCALE_WEIGHTS", str(tmp_path))
    output = tmp_path / "gpu.json"
    steps = ("resampling", "search_embedded", "matrix_products", "resampling_rate", "reading_rate", "search_vgg19")
    done = run("benchmarks.gpu", "--device", "cpu", "--output", str(output), "--only", *steps)
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads(output.read_text())
    assert content["device"]["name"] == "cpu"
    assert {check["passed"] for check in content["checks"]} == {True}
    assert all(check["value"] <= check["tolerance"] for check in content["checks"])
    assert {"matmul_tflops", "resampling", "reading_memory"} == set(content["figures"])
    assert all(value > 0 for value in content["figures"].values())
    assert set(content["left_out"]) == {"search_vgg19"}
    assert set(content["steps"]) == set(steps) - {"search_vgg19"}


def test_without_a_gpu_one_line_says_so() -> None:
    done = run("benchmarks.gpu")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: torch ")
    assert done.stderr.endswith("finds no GPU here; nothing was checked\n")
    assert done.stderr.count("\n") == 1


def test_a_step_that_breaks_is_a_failed_check_and_the_next_has_its_turn(tmp_path: Path) -> None:
    """A folder that is not there breaks a training, and nothing else."""
    from benchmarks.gpu.__main__ import _guarded
    from benchmarks.gpu.figures import matrix_products
    from benchmarks.gpu.material import TRIAL, Bench
    from benchmarks.gpu.trainings import finetuning

    record = Record(tmp_path / "gpu.json")
    bench = Bench("cpu", TRIAL, tmp_path / "missing")
    assert not _guarded("finetuning", finetuning, bench, record)
    assert not _guarded("matrix_products", matrix_products, bench, record)
    content = json.loads((tmp_path / "gpu.json").read_text())
    (check,) = content["checks"]
    assert (check["name"], check["passed"]) == ("finetuning", False)
    assert "missing" in check["message"]
    assert list(content["figures"]) == ["matmul_tflops"]
    assert record.failed == ["finetuning"]


def test_an_error_of_cuda_calls_for_a_new_process(tmp_path: Path) -> None:
    from benchmarks.gpu.__main__ import _guarded
    from benchmarks.gpu.material import TRIAL, Bench

    def breaks(_: Bench) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered\nsecond line")

    record = Record(tmp_path / "gpu.json")
    assert _guarded("breaks", breaks, Bench("cpu", TRIAL, tmp_path), record)  # type: ignore[arg-type]
    assert record.content["checks"][0]["message"].endswith("was encountered")


def test_what_is_not_a_number_has_not_passed(tmp_path: Path) -> None:
    record = Record(tmp_path / "gpu.json")
    for value in (float("nan"), 0.2, 0.1):
        record.add(Outcome(f"{value}", value, 0.1))
    assert record.failed == ["nan", "0.2"]
    resumed = Record.resumed(tmp_path / "gpu.json")
    assert resumed.content == record.content
    assert resumed.content["checks"][0]["value"] is None


def test_the_wheels_are_locked_versions_of_what_is_imported() -> None:
    wanted = wheels_wanted()
    assert len(wanted) == len({*CARRIED.values(), *CARRIED_FOR_SLIDES.values()})
    assert all(wheel.count("==") == 1 for wheel in wanted)
    assert missing({**CARRIED, **CARRIED_FOR_SLIDES, **EXPECTED}) == []
    assert missing({"no_such_module": "no-such-package"}) == ["no-such-package"]


def test_weights_in_a_folder_of_wheels_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSI_SCALE_WEIGHTS", "elsewhere")
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "vgg19.safetensors").touch()
    use_wheels(tmp_path, tmp_path / "site")
    assert os.environ["WSI_SCALE_WEIGHTS"] == str(tmp_path)


def test_no_path_mixes_the_devices_on_the_second_of_two_pretended_gpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What computed on the first, or on no device by name, would meet tensors of another."""
    cards = [uuid.uuid4().hex for _ in range(2)]
    assert take(cards) == 0  # by this process
    monkeypatch.setenv("PRETENDED_CARDS", ",".join(cards))
    done = run("tests.pretended_gpu", "--output", str(tmp_path / "gpu.json"), "--only", *PATHS)
    assert done.returncode == 0, done.stdout + done.stderr
    content = json.loads((tmp_path / "gpu.json").read_text())
    assert (content["device"]["name"], content["device"]["gpus"]) == ("pretended", 2)
    assert list(content["steps"]) == list(PATHS)
    # Batches of another size round otherwise.
    assert max(abs(check["value"]) for check in content["checks"]) < 1e-3


def test_the_pretended_gpu_refuses_what_a_gpu_refuses() -> None:
    code = """
import torch
from tests.pretended_gpu import Pretended, pretend
pretend()
with Pretended():
    there, here = torch.ones(3, device="cuda"), torch.ones(3)
    assert (there.to("cpu") + here).tolist() == [2, 2, 2]
    assert (there + torch.ones(())).device.type == "cuda"
    layer = torch.nn.Linear(3, 1).to("cuda")
    layer(there).sum().backward()
    assert layer.weight.grad.device.type == "cuda"
    for mixed in (lambda: there + here, lambda: layer(here), lambda: torch.cat([there, here]), lambda: there.numpy()):
        try:
            mixed()
        except (RuntimeError, TypeError) as error:
            print(type(error).__name__)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=570)
    assert done.stdout.split() == ["RuntimeError", "RuntimeError", "RuntimeError", "TypeError"], done.stderr
