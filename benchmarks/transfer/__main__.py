"""Tables of transfer: `python -m benchmarks.transfer small|tuning|slope [--full] [--job …]`.

`small` makes small networks from frozen VGG19, `tuning` asks how deep to tune, `slope` whether pruned networks still
follow size; `--full` is the larger run. `--job` runs one part only (TASK SEED VARIANT, or DATASET ARCHITECTURE DEPTH
SEED with a depth of top0, top1, … or, truncated, first1, …), as a cluster does. Needs WSI_SCALE_DATA; goes on where it
stopped.
"""

import argparse
import sys

from benchmarks.transfer import slope, small, tuning
from benchmarks.transfer.small import SmallStudy
from benchmarks.transfer.tuning import TuningJob, TuningStudy
from wsi_scale.errors import UserError


def main() -> None:
    """Run a table, or one job of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transfer", description=__doc__)
    parser.add_argument("table", choices=("small", "tuning", "slope"))
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--job", nargs="+", metavar="PART")
    chosen = parser.parse_args()
    try:
        if chosen.table == "slope":
            slope.main()
        elif chosen.table == "small":
            study = SmallStudy.usual(full=chosen.full)
            if chosen.job:
                task, seed, variant = chosen.job
                small.run_job(study, task, int(seed), variant)
            else:
                small.main(study)
        else:
            tuned = TuningStudy.usual(full=chosen.full)
            if chosen.job:
                dataset, architecture, depth, seed = chosen.job
                truncated = depth.startswith("first")
                blocks = int(depth.removeprefix("first" if truncated else "top"))
                tuning.run_job(tuned, TuningJob(dataset, architecture, blocks, int(seed), truncated))
            else:
                tuning.main(tuned)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
