"""The audit as a table."""

import csv
from pathlib import Path
from typing import Any

from wsi_scale.artifacts import audit


def test_an_audit_leaves_what_is_not_known_empty(tmp_path: Path, kinds: dict[str, Any]) -> None:
    kinds["audit"].write(tmp_path, 0)
    with (tmp_path / audit.NAME).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert [row["flag"] for row in rows] == ["agrees", "missing"]
    assert (float(rows[0]["claimed_mpp"]), float(rows[0]["header_mpp"])) == (0.25, 0.5)
    assert rows[1]["claimed_mpp"] == rows[1]["header_mpp"] == rows[1]["mpp_high"] == ""
