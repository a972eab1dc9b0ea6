"""Write `configs/splits/`: the cases that each of the five evaluation backbones never sees.

    WSI_SCALE_DATA=… python -m benchmarks.splits

Three folds of cases, balanced over the scanners, and each scanner left out. Cases scanned on both scanners are in
neither of the two trainings that leave a scanner out. Cases that came later (``tissue_more``) are dealt out by
themselves, so that no case ever changes sides.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from benchmarks.data import data_root
from benchmarks.sources import ATLAS, TRAINED_ON, UNKNOWN, read_crops

FOLDER = Path("configs/splits")
FOLDS = 3
SCANNERS = {"without-at2": "Aperio AT2", "without-gt450": "Leica GT450 DX"}


def main(folder: Path = FOLDER) -> None:
    """Write one table a split into a folder."""
    scanners = scanners_of_cases(data_root(), TRAINED_ON)
    first = scanners_of_cases(data_root(), ATLAS)
    later = {case: found for case, found in scanners.items() if case not in first}
    dealt = [_order(first), _order(later)]
    folder.mkdir(exist_ok=True)
    for fold in range(FOLDS):
        mine = [case for wave in dealt for case in wave[fold::FOLDS]]
        write(folder / f"fold-{fold + 1}.tsv", [(case, f"fold {fold + 1} of {FOLDS}") for case in mine])
    for name, scanner in SCANNERS.items():
        seen = sorted(case for case, found in scanners.items() if scanner in found)
        write(
            folder / f"{name}.tsv",
            [(case, scanner if len(scanners[case]) == 1 else "on both scanners") for case in seen],
        )


def _order(scanners: dict[str, set[str]]) -> list[str]:
    """Order cases by their scanners, and among these by a digest of their names."""
    strata: dict[str, list[str]] = defaultdict(list)
    for case in sorted(scanners, key=lambda name: hashlib.sha256(name.encode()).hexdigest()):
        strata["+".join(sorted(scanners[case]))].append(case)
    return [case for name in sorted(strata) for case in strata[name]]


def scanners_of_cases(root: Path, folders: Sequence[str]) -> dict[str, set[str]]:
    """Case → its scanners, over some folders of the atlas, whatever the stain."""
    found: dict[str, set[str]] = defaultdict(set)
    for source in read_crops(root, folders, stain=None):
        found[source.case] |= {source.scanner} - {UNKNOWN}
    return found


def write(table: Path, rows: list[tuple[str, str]]) -> None:
    """Write a table of cases."""
    lines = ["case\twhy", *sorted("\t".join(row) for row in rows)]
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
