"""``wsi-scale``: one command for each stage, and `run` for all stages of a slide."""

from typing import Annotated, Any

import typer

from wsi_scale.cli import cohort, slide, tools
from wsi_scale.cli.array import batch
from wsi_scale.cli.config import config
from wsi_scale.cli.exit_codes import ExitCode
from wsi_scale.cli.export import export
from wsi_scale.cli.magnification import magnification
from wsi_scale.cli.plan import plan
from wsi_scale.cli.plot import plot
from wsi_scale.cli.prune import finetune, prune
from wsi_scale.cli.status import status
from wsi_scale.cli.talk import Quiet, TalkingTyper, Verbose, level_given
from wsi_scale.cli.terminal import prepare_terminal
from wsi_scale.cli.view import view
from wsi_scale.cli.work import work
from wsi_scale.cli.workflow import workflow
from wsi_scale.errors import OutputError
from wsi_scale.version import __version__


class _App(TalkingTyper):
    """The command line."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command and end the process."""
        prepare_terminal()
        try:
            return super().__call__(*args, **kwargs)
        except OutputError as error:
            typer.echo(f"error: {error}", err=True)
            raise SystemExit(ExitCode.FAILED) from error


app = _App(
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Find the scale at which a network responds most to a tissue, and estimate µm per pixel.",
)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"wsi-scale {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    context: typer.Context,
    verbose: Verbose = False,
    quiet: Quiet = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    level_given(context, verbose=verbose, quiet=quiet)


app.command(rich_help_panel="One slide")(slide.run)
app.command(rich_help_panel="One slide")(slide.inspect)
app.command(rich_help_panel="Stages of one slide")(slide.predict)
app.command(rich_help_panel="Stages of one slide")(slide.tile)
app.command(rich_help_panel="Stages of one slide")(slide.search)
app.command(rich_help_panel="Stages of one slide")(slide.extract)
app.command(rich_help_panel="One slide")(plot)
app.command(rich_help_panel="One slide")(export)
app.command(rich_help_panel="Many slides")(cohort.sheet)
app.command(rich_help_panel="Many slides")(cohort.fit)
app.add_typer(magnification, name="magnification", rich_help_panel="Many slides")
app.command(rich_help_panel="Many slides")(cohort.report)
app.command(rich_help_panel="Many slides", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(
    workflow
)
app.command(rich_help_panel="Many slides")(plan)
app.command(rich_help_panel="Many slides")(batch)
app.command(rich_help_panel="Many slides")(status)
app.command(rich_help_panel="Many slides")(view)
app.command(rich_help_panel="Many slides")(cohort.verify)
app.command(rich_help_panel="One slide")(cohort.unlock)
app.command(hidden=True)(cohort.complete)
app.command(hidden=True)(work)
app.command(rich_help_panel="Networks")(tools.calibrate)
app.command(rich_help_panel="Networks")(tools.train)
app.add_typer(prune, name="prune", rich_help_panel="Networks")
app.command(rich_help_panel="Networks")(finetune)
app.add_typer(tools.weights, name="weights", rich_help_panel="Networks")
app.command(rich_help_panel="Setting up")(config)
app.command(rich_help_panel="Setting up")(tools.demo)
app.command(rich_help_panel="Setting up")(tools.doctor)
