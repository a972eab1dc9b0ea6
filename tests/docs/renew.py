"""Write what the examples of docs/commands print into the pages: ``python -m tests.docs.renew``."""

import tempfile
from pathlib import Path

from tests.docs.blocks import ROOT, Block, blocks, why_not_run
from tests.docs.place import make_place, run


def renewed(text: str, block: Block, place: Path) -> str:
    """Return a page's text with what a block's commands print now, where it shows that."""
    shown = [line for command in block.commands for line in ("$ " + command.line, *command.printed)]
    now = []
    for command in block.commands:
        if "…" in command.printed:
            return text
        now += ["$ " + command.line, *run(command, place)[1].rstrip().splitlines()]
    old, new = "\n".join(shown), "\n".join(line.rstrip() for line in now)
    assert old in text, f"{block}: a comment or an indented block is left to be renewed by hand"
    return text.replace(old, new)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        place = make_place(Path(folder))
        for page in sorted((ROOT / "docs/commands").glob("*.md")):
            text = page.read_text(encoding="utf-8")
            for block in blocks(page):
                if not why_not_run(block, block.commands[0]) and f"$ {block.commands[0].line}" in text:
                    text = renewed(text, block, place)
            page.write_text(text, encoding="utf-8")
