"""How much commands say, and where."""

from pathlib import Path

import pytest
from typer.main import get_command

from tests.runs import wsi_scale
from wsi_scale.cli.main import app


def test_every_command_takes_both_options() -> None:
    def leaves(command: object, path: str = "") -> dict[str, object]:
        inner = getattr(command, "commands", None)
        if inner is None:
            return {path: command}
        return {name: leaf for key, one in inner.items() for name, leaf in leaves(one, f"{path} {key}").items()}

    commands = leaves(get_command(app))

    assert len(commands) > 20
    del commands[" workflow"]  # its options are Snakemake's
    for name, command in commands.items():
        options = {option for parameter in command.params for option in parameter.opts}  # type: ignore[attr-defined]
        assert {"--verbose", "-v", "--quiet", "-q"} <= options, name


@pytest.mark.parametrize("arguments", [("-q", "inspect"), ("inspect", "-q"), ("inspect", "--quiet")])
def test_quiet_leaves_out_warnings_and_endings(small_slide: Path, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    result = wsi_scale(*arguments, small_slide, "-o", tmp_path, "--mpp", "0.25")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_quiet_keeps_errors_and_the_results_asked_for(small_slide: Path, tmp_path: Path) -> None:
    failed = wsi_scale("inspect", "-q", tmp_path / "none.svs")
    assert failed.stderr.startswith("error: there is no slide")

    result = wsi_scale("inspect", "-q", small_slide, "--mpp", "0.25")
    assert "slide_id" in result.stdout
    assert result.stderr == ""


def test_quiet_and_verbose_at_once_are_a_wrong_call(small_slide: Path) -> None:
    result = wsi_scale("inspect", "-v", "-q", small_slide)
    assert result.exit_code == 2
    assert "exclude each other" in result.output
