"""Tables of transfer: `python -m benchmarks.transfer small|tuning|slope [--full] [--job …]`.

`small` makes small networks from frozen VGG19, `tuning` asks how deep to tune, `slope` whether pruned networks still
tell size; `--full` is the larger run. `--job` runs one part only (TASK SEED VARIANT, or DATASET ARCHITECTURE DEPTH
SEED with a depth of top0, top1, … or, truncated, first1, …), as a cluster does. Needs WSI_SCALE_DATA; goes on where it
stopped.
"""

import argparse
import sys

from benchmarks.transfer import slope, small, tuning
from wsi_scale.errors import UserError


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transfer", description=__doc__)
    parser.add_argument("table", choices=("small", "tuning", "slope"))
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--job", nargs="+", metavar="PART")
    asked = parser.parse_args()
    try:
        if asked.table == "slope":
            slope.main()
        elif not asked.job:
            {"small": small.main, "tuning": tuning.main}[asked.table](full=asked.full)
        elif asked.table == "small":
            task, seed, variant = asked.job
            small.run_job(task, int(seed), variant, full=asked.full)
        else:
            dataset, architecture, depth, seed = asked.job
            truncated = depth.startswith("first")
            blocks = int(depth.removeprefix("first" if truncated else "top"))
            tuning.run_job(dataset, architecture, blocks, int(seed), full=asked.full, truncated=truncated)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
