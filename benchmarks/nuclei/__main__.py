"""Read mean nucleus areas with whole and cut networks: `python -m benchmarks.nuclei frozen`, `finetuned`, `all`.

`frozen` fits heads on frozen features, `finetuned` trains networks end to end, `report` joins both into
results/bench/nuclei.json and the figure, and `all` does the three. Needs WSI_SCALE_DATA; goes on where it stopped.
"""

import argparse
import sys

from benchmarks.data import data_root
from benchmarks.nuclei.compare import summarise
from benchmarks.nuclei.finetuned import finetuned_answers
from benchmarks.nuclei.frozen import frozen_answers
from benchmarks.nuclei.report import write_part, write_report
from wsi_scale.errors import UserError

PARTS = {"frozen": frozen_answers, "finetuned": finetuned_answers}


def main() -> None:
    """Run one part, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nuclei", description=__doc__)
    parser.add_argument("part", choices=(*PARTS, "report", "all"))
    chosen = parser.parse_args().part
    try:
        for part, answers in PARTS.items():
            if chosen in (part, "all"):
                root = data_root()
                write_part(part, summarise(root, answers(root)))
        if chosen in ("report", "all"):
            write_report()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
