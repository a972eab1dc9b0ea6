"""How well pooled responses predict scale, layer by layer (Graziani et al. 2021, with controls).

    WSI_SCALE_DATA=… python -m benchmarks.scale_in_layers photographs
    WSI_SCALE_DATA=… python -m benchmarks.scale_in_layers tissue --backbones FOLDER
    python -m benchmarks.scale_in_layers photographs --axis exp

Writes results/bench/scale_in_layers_<task>.json and .tsv and docs/images/scale-in-layers-<task>.png, and prints the
table. What networks answer is kept in results/bench/features: a run that was stopped goes on where it was.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.data import RESULTS, data_root
from benchmarks.scale_in_layers import photograph_lines, tissue_lines
from benchmarks.scale_in_layers.figure import draw_all
from benchmarks.scale_in_layers.networks import Subject, find_subject
from benchmarks.scale_in_layers.results import Results, print_results, read_results, write_results
from benchmarks.scale_in_layers.tissue import TileSet, read_tissue

NETWORKS = ("vgg19", "squeezenet1_1", "resnet50", "inception_v3", "embedded")
IMAGES = Path("docs/images")


def photographs(root: Path, *, logarithms: bool) -> Results:
    """Object scale on photographs."""
    sample = photograph_lines.read_sample(root)
    spectrum = photograph_lines.photograph_spectrum(sample)
    results = Results("photographs", {}, [])
    for subject in _subjects():
        lines, checks, agreement = photograph_lines.network_lines(subject, sample, logarithms=logarithms)
        results.titles[subject.name] = f"{subject.name}: {len(sample)} photographs"
        results.lines.extend([*lines, *photograph_lines.controls(subject.name, sample, spectrum)])
        results.checks.extend(checks)
        results.agreement[subject.name] = agreement
    return results


def tissue(root: Path, backbones: Path | None, *, logarithms: bool) -> Results:
    """µm per pixel on tissue."""
    everything = TileSet("all", read_tissue(root), tissue_lines.TILES)
    results = Results("tissue", {}, [])
    for subject in _subjects():
        embedded = subject.name == "embedded"
        trials = (
            tissue_lines.embedded_trials(root, backbones) if embedded else [tissue_lines.Trial(subject, everything)]
        )
        lines = tissue_lines.network_lines(subject.name, trials, logarithms=logarithms)
        results.titles[subject.name] = _tissue_title(subject.name, trials)
        results.lines.extend([*lines, *tissue_lines.controls(subject.name, trials)])
    return results


def _tissue_title(name: str, trials: list[tissue_lines.Trial]) -> str:
    tiles = sum(len(trial.tile_set.tiles.cases) for trial in trials)
    cases = len({case for trial in trials for case in trial.tile_set.tiles.cases})
    sets = ", ".join(trial.tile_set.name for trial in trials)
    return f"{name}: {tiles} tiles of {cases} cases" + (f" that it never saw ({sets})" if name == "embedded" else "")


def _subjects() -> list[Subject]:
    found = []
    for name in NETWORKS:
        subject = find_subject(name)
        if subject is None:
            print(f"{name}: not evaluated: no weights")
        else:
            found.append(subject)
    return found


def main() -> None:
    """Measure, or redraw; write, print and draw."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale_in_layers")
    parser.add_argument("task", choices=("photographs", "tissue"))
    parser.add_argument("--backbones", type=Path, help="folder of fold-1/embedded.safetensors … (tissue)")
    parser.add_argument("--raw", action="store_true", help="probe pooled responses, not their logarithms")
    parser.add_argument("--axis", choices=("r2", "exp"), help="only redraw the last run, with R² or exp(R²)/e")
    chosen = parser.parse_args()
    raw = "_raw" if chosen.raw else ""
    stem = RESULTS / f"scale_in_layers_{chosen.task}{raw}"
    if chosen.axis is None:
        root = data_root()
        if chosen.task == "photographs":
            results = photographs(root, logarithms=not chosen.raw)
        else:
            results = tissue(root, chosen.backbones, logarithms=not chosen.raw)
        write_results(results, stem)
        print_results(results)
    elif stem.with_suffix(".json").exists():
        results = read_results(stem)
    else:
        print(f"error: no {stem.with_suffix('.json')} to redraw; run without --axis first", file=sys.stderr)
        raise SystemExit(1)
    drawn = draw_all(results, chosen.axis or "r2", _picture(chosen.task, stem, chosen.axis, raw=chosen.raw))
    print(f"wrote {', '.join(map(str, drawn))}; all numbers are in {stem.with_suffix('.tsv')}")


def _picture(task: str, stem: Path, axis: str | None, *, raw: bool) -> Path:
    """Only the main figure belongs to the documentation."""
    if raw or axis == "exp":
        return stem.with_name(f"{stem.name}{'_exp' if axis == 'exp' else ''}.png")
    return IMAGES / f"scale-in-layers-{task}.png"


if __name__ == "__main__":
    main()
