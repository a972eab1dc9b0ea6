"""`workflow`: the Snakemake workflow that the package carries, without a clone of the repository."""

from pathlib import Path

import typer

from wsi_scale.cli.exit_codes import ExitCode
from wsi_scale.cli.options import one_line_errors

#: Options by which a user says where the jobs run.
_PLACES = ("-c", "--cores", "-j", "--jobs", "-e", "--executor", "--profile")
#: Options that make environments from files of the repository, which are not in the package.
_ENVIRONMENTS = ("--sdm", "--software-deployment-method", "--use-conda", "--use-apptainer", "--use-singularity")


def workflow(context: typer.Context) -> None:
    """Run the workflow on a folder of slides: all arguments go to Snakemake.

    For example: wsi-scale workflow --cores 8 --config slides=/data/study results=results

    The keys of --config are those of the configuration; --configfile FILE.yaml, --dry-run, --profile FOLDER and all
    other options of Snakemake work as usual. Without --cores it uses all cores of this machine.
    """
    with one_line_errors():
        import importlib.util

        from wsi_scale.errors import ConfigError

        if importlib.util.find_spec("snakemake") is None:
            raise ConfigError("the workflow needs Snakemake; install it with: pip install 'wsi-scale[workflow]'")
        arguments = context.args
        given = {argument.partition("=")[0] for argument in arguments}
        if refused := given & set(_ENVIRONMENTS):
            raise ConfigError(
                f"{min(refused)} needs a clone of the repository; here the jobs run in the environment of this command"
            )
        folder = _folder()
    raise typer.Exit(_snakemake(folder, arguments, is_placed=any(_is_place(argument) for argument in arguments)))


def _is_place(argument: str) -> bool:
    return argument.partition("=")[0] in _PLACES or (argument[:2] in ("-c", "-j", "-e") and argument[:2] != "--")


def _folder() -> Path:
    """Folder of the Snakefile: in the package as it is installed, else that of the clone."""
    from wsi_scale.errors import ConfigError

    package = Path(__file__).parents[1]
    for folder in (package / "workflow", package.parent):
        if (folder / "Snakefile").is_file():
            return folder
    raise ConfigError(f"{package} carries no workflow; install the package again")


def _snakemake(folder: Path, arguments: list[str], *, is_placed: bool) -> int:
    import os
    import shlex
    import subprocess
    import sys

    from wsi_scale.jobs.stop import COMMAND

    command = [sys.executable, "-m", "snakemake", "--snakefile", str(folder / "Snakefile")]
    command += ["--workflow-profile", str(folder / "profiles" / "default")]
    command += [] if is_placed else ["--cores", "all"]
    typed, interrupted = shlex.join(["wsi-scale", "workflow", *arguments]), False
    command, environment = [*command, *arguments], {**os.environ, COMMAND: typed}
    with subprocess.Popen(command, env=environment) as running:  # noqa: S603  # what the user asked for
        while True:
            try:
                code = running.wait()
                break
            except KeyboardInterrupt:
                # Snakemake got it too, and cancels its jobs.
                interrupted = True
    if code == ExitCode.INTERRUPTED or (interrupted and code):
        typer.echo(f"stopped; give the same command again to go on: {typed}", err=True)
        return ExitCode.INTERRUPTED
    return code
