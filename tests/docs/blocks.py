"""The commands that README and docs show: where they stand, what they print, and why some are not run."""

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])

_BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[^>]*?) -->\n+)?^(?P<indent> *)```(?:console|bash)\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
#: Line of a comment above a block that says why its commands are not run.
_NOT_RUN = "not run: "
#: … or with which status they end.
_STATUS = re.compile(r"ends with (\d)")

#: What this project's tests do not have, by what a command's line shows of it.
NEEDED = {
    r"^wsi-scale view\b": "it serves until it is stopped (tests/viewer)",
    r"^wsi-scale workflow\b": "a whole workflow (tests/workflow)",
    r"^wsi-scale train\b": "real tissue, and most of an hour",
    r"^wsi-scale demo\b": "the demo's slides in full size (tests/synthesis)",
    r"\bvgg19": "the weights of VGG19",
    r"--scheduler tcp:": "a Dask cluster (tests/execution)",
    r"cuda": "a GPU",
    r"\$TMPDIR": "a cluster's local disk",
    r"--install-completion": "it writes into the user's shell",
    r"\| jq\b": "jq",
}
#: Programs of others, and of this repository, and why no test of the pages runs them.
PROGRAMS = {
    "make": "the gate, or hours of it; that the target exists is tested",
    "snakemake": "a whole workflow (tests/workflow); the keys of --config are tested",
    "python": "hours, with real data",
    **dict.fromkeys(("git", "pre-commit", "twine"), "a clone's history"),
    **dict.fromkeys(("pip", "pipx", "uv", "conda", "mamba"), "a package index"),
    **dict.fromkeys(("docker", "podman", "apptainer", "buildah"), "a container"),
    **dict.fromkeys(("dask", "sbatch", "bash"), "a cluster"),
    **dict.fromkeys(("napari", "ssh"), "a screen, or another machine"),
    **dict.fromkeys(("source", "cd", "mkdir", "cp", "ls", "for", "done", "wait"), "the shell's own"),
}


@dataclass(frozen=True)
class Command:
    """One command of a block.

    Attributes
    ----------
    line
        As it is typed, without its comment.
    printed
        What the block shows below it.
    """

    line: str
    printed: tuple[str, ...] = ()

    @property
    def words(self) -> list[str]:
        """The command's words, without variables that are set for it."""
        words = shlex.split(self.line.partition(" | ")[0].removesuffix("&"))
        while words and re.match(r"[A-Z_]+=", words[0]):
            words = words[1:]
        return words


@dataclass(frozen=True)
class Block:
    """A block of commands on a page.

    Attributes
    ----------
    page, number
        Where it stands: the page below the repository's root, and the line.
    not_run
        Why its commands are not run; empty where they are.
    status
        With which status they end.
    commands
        Its commands.
    """

    page: str
    number: int
    not_run: str
    status: int
    commands: tuple[Command, ...] = field(repr=False)

    def __str__(self) -> str:
        return f"{self.page}:{self.number}"


def blocks(page: Path) -> list[Block]:
    """Find the blocks of commands on a page."""
    text = page.read_text(encoding="utf-8")
    return [_block(page.relative_to(ROOT).as_posix(), text, found) for found in _BLOCK.finditer(text)]


def _block(page: str, text: str, found: re.Match[str]) -> Block:
    mark = found["mark"] or ""
    status = _STATUS.search(mark)
    return Block(
        page=page,
        number=text.count("\n", 0, found.start("text")) + 1,
        not_run=mark.removeprefix(_NOT_RUN) if mark.startswith(_NOT_RUN) else "",
        status=int(status[1]) if status else 0,
        commands=tuple(_commands(found["text"])),
    )


def _commands(text: str) -> list[Command]:
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    if not any(line.strip().startswith("$ ") for line in lines):
        typed = (re.sub(r"(^|\s+)#.*", "", line).strip() for line in lines)
        return [Command(part) for line in typed if line for part in line.split(" && ")]
    found: list[Command] = []
    for line in lines:
        if line.strip().startswith("$ "):
            found.append(Command(re.sub(r"\s+# .*", "", line.strip()[2:])))
        else:
            found[-1] = Command(found[-1].line, (*found[-1].printed, line))
    return found


def why_not_run(block: Block, command: Command) -> str:
    """Say what a command needs that the tests of the pages do not have; empty where it is run."""
    program = command.words[0] if command.words else ""
    lacking = [reason for shown, reason in NEEDED.items() if re.search(shown, command.line)]
    return block.not_run or PROGRAMS.get(program, "") or ", ".join(lacking)


def alike(text: str) -> list[str]:
    """Return the lines of an output without what differs from run to run and machine to machine: figures and widths."""
    figures = re.sub(r"\b(?=\S*\d)[0-9a-f]{12,}\b|\d[\d,.:+T-]*\d|\d", "0", text)
    lines = (" ".join(re.sub(r"[─━│┃┏┓┗┛┡┩└┘├┤┬┴┼╇┳┻╭╮╰╯-]+", " ", line).split()) for line in figures.splitlines())
    return [line for line in lines if line]
