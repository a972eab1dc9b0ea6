"""The command: packages first, then every step, each guarded."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmarks.gpu.packages import (
    CARRIED,
    CARRIED_FOR_SLIDES,
    EXPECTED,
    cut_weights,
    missing,
    use_wheels,
    wheels_wanted,
)
from benchmarks.gpu.record import Outcome, Record

if TYPE_CHECKING:
    from benchmarks.gpu.material import Bench

OUTPUT = Path("results/bench/gpu.json")
#: Minutes after which no further step begins.
MINUTES = 8.0

#: A step gives outcomes of checks, or figures (name, value).
Step = Callable[["Bench"], Iterator[Any]]


def main() -> int:
    """Run all steps; 1 where a check failed, or nothing can be checked."""
    arguments = _arguments()
    if arguments.list_wheels:
        print("\n".join(wheels_wanted()))
        return 0
    if arguments.cut_weights:
        print(cut_weights(arguments.cut_weights))
        return 0
    with TemporaryDirectory(prefix="gpu-check-") as folder:
        site, work = Path(folder) / "site", Path(folder) / "work"
        site.mkdir()
        work.mkdir()
        if arguments.wheels:
            use_wheels(arguments.wheels, site)
        if reason := _hindrance(arguments.device):
            print(f"error: {reason}", file=sys.stderr)
            return 1
        return _run(arguments, work)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="cpu tries the steps themselves")
    parser.add_argument("--wheels", type=Path, help="folder of wheels for packages that are missing here")
    parser.add_argument("--list-wheels", action="store_true", help="print the wheels that `make gpu-wheels` fetches")
    parser.add_argument("--cut-weights", type=Path, help="write the weights of VGG19 into a folder of wheels")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="file of results")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="after which no further step begins")
    parser.add_argument("--only", nargs="*", help="names of steps; by default all")
    parser.add_argument("--resume", action="store_true", help="go on where an earlier run stopped")
    return parser.parse_args()


def _hindrance(device: str) -> str:
    """Why nothing can be checked here, in one line; "" where it can."""
    if lacking := missing({**EXPECTED, **CARRIED}):
        return f"missing here: {', '.join(lacking)}; run `make gpu-wheels` where there is a network, then --wheels DIR"
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        return f"torch {torch.__version__} finds no GPU here; nothing was checked"
    return ""


def _steps() -> dict[str, Step]:
    from benchmarks.gpu import checks, figures, several, trainings

    steps: list[Step] = [
        checks.resampling, checks.resampling_without_waiting, checks.search_embedded, checks.search_published,
        checks.extraction, checks.prediction, several.every_gpu, several.processes, figures.matrix_products,
        figures.convolutions, figures.computing_embedded, figures.resampling_rate, figures.reading_rate,
        figures.searching_embedded, checks.search_vgg19, figures.computing_vgg19, figures.searching_vgg19,
        checks.slide_file,
        trainings.training, trainings.pruning_channels, trainings.pruning_basis, trainings.finetuning,
    ]  # fmt: skip
    return {step.__name__: step for step in steps}


def _run(arguments: argparse.Namespace, folder: Path) -> int:
    from benchmarks.gpu.material import CARD, TRIAL, Bench

    record = Record.resumed(arguments.output) if arguments.resume else Record(arguments.output)
    record.describe(_device(arguments.device))
    bench = Bench(arguments.device, CARD if arguments.device == "cuda" else TRIAL, folder)
    steps = _steps()
    for name in arguments.only or steps:
        if name in record.content["steps"]:
            continue
        spent = sum(record.content["steps"].values())
        print(f"{name} ({spent:.0f} s)", flush=True)
        if spent > arguments.minutes * 60:
            record.fail(name, f"not run: {arguments.minutes:g} minutes were over")
            continue
        if reason := _left_out(name):
            record.leave_out(name, reason)
            continue
        begin = time.monotonic()
        broken = _guarded(name, steps[name], bench, record)
        record.finish(name, time.monotonic() - begin)
        if broken:
            _begin_anew(arguments)
    print(f"{len(record.failed)} of {len(record.content['checks'])} checks failed; {record.path}", flush=True)
    return 1 if record.failed else 0


def _guarded(name: str, step: Step, bench: "Bench", record: Record) -> bool:
    """Run a step and note what it gives, or why it gave nothing; True where the device is of no more use."""
    try:
        for given in step(bench):
            if isinstance(given, Outcome):
                record.add(given)
            else:
                record.measure(*given)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other steps have their turn
        first = str(error).strip().splitlines()
        record.fail(name, f"{type(error).__name__}: {first[0][:300] if first else ''}")
        return "CUDA error" in str(error)
    return False


def _begin_anew(arguments: argparse.Namespace) -> None:
    """Go on in a new process: after an error of CUDA every later call in this one would fail."""
    given = [argument for argument in sys.argv[1:] if argument != "--resume"]
    os.execv(sys.executable, [sys.executable, "-m", "benchmarks.gpu", *given, "--resume"])  # noqa: S606


def _left_out(name: str) -> str:
    """Why a step cannot be made with what is here; "" where it can."""
    from wsi_scale.networks.places import weights_folder, weights_in

    if "vgg19" in name and not weights_in(weights_folder(), "vgg19"):
        return "no weights of VGG19 in the folder of wheels or in WSI_SCALE_WEIGHTS"
    if name == "slide_file" and (lacking := missing(CARRIED_FOR_SLIDES)):
        return f"missing here: {', '.join(lacking)}"
    return ""


def _device(device: str) -> dict[str, Any]:
    import torch

    from wsi_scale.execution.machine import usable_cores

    cores = {"cores": usable_cores(), "torch": str(torch.__version__)}
    if device != "cuda":
        return {"name": "cpu", **cores}
    from wsi_scale.execution.gpus import own_gpu

    card = torch.cuda.get_device_properties(own_gpu())
    return {
        "name": card.name,
        "gpus": torch.cuda.device_count(),
        "memory_gib": round(card.total_memory / 2**30, 1),
        "capability": f"{card.major}.{card.minor}",
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        **cores,
    }


if __name__ == "__main__":
    sys.exit(main())
