"""Commands for networks and the installation."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from wsi_scale.cli.options import Assignments, ConfigFile, Json, load, one_line_errors
from wsi_scale.cli.talk import TalkingTyper, conclude, print_json

weights = TalkingTyper("weights", help="Pretrained weights: list, import and verify them.")


def calibrate(
    network: Annotated[str, typer.Argument(help="A network by name, or a network file.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; by default in the user's cache.")
    ] = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """Calibrate a network: find the channels whose optimum follows the size of drawn nuclei."""
    with one_line_errors():
        from wsi_scale.artifacts.names import CALIBRATION
        from wsi_scale.config.settings import CalibrateSettings
        from wsi_scale.jobs.timing import recording
        from wsi_scale.stages.calibrate import calibrate as calibrate_stage

        settings = load(config, assignments, given={"network": network})
        # Only beside the calibration of a cohort's results does a record of the run belong.
        of_results = output is not None and output.name == CALIBRATION
        with recording(settings) if of_results else nullcontext():
            path = calibrate_stage(CalibrateSettings.of(settings), output)
    conclude(f"calibration: {path}")


def train(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for checkpoints and the trained network.", show_default=False)
    ],
    config: ConfigFile = None,
    assignments: Assignments = None,
) -> None:
    """Train the embedded network on fields of known mpp (configs/embedded.yaml); an interrupted training continues."""
    with one_line_errors():
        from wsi_scale.learning.train import train_and_export

        path = train_and_export(load(config, assignments), output)
    conclude(f"network: {path}")


@weights.command("list")
def list_weights(as_json: Json = False) -> None:
    """List the available weights files with their digests, in the order of use."""
    with one_line_errors():
        from wsi_scale.networks.places import weights_folder, weights_folder_origin
        from wsi_scale.networks.weights import at_hand

        listed = at_hand()
        if as_json:
            return print_json({"folder": weights_folder(), "weights": listed})
        origin = weights_folder_origin()
        typer.echo(f"weights folder: {weights_folder()}{f' ({origin})' if origin else ''}")
        for found in listed:
            typer.echo(f"{found.architecture:14} sha256 {found.sha256}  {found.path}")
    return None


@weights.command("import")
def import_file(
    network: Annotated[str, typer.Argument(help="Name of the network.")],
    file: Annotated[Path, typer.Argument(help="torchvision state dict (.pth) or safetensors.")],
) -> None:
    """Copy a weights file into the weights folder, after checking that it fits the network."""
    with one_line_errors():
        from wsi_scale.networks.architectures import architecture
        from wsi_scale.networks.network import assemble
        from wsi_scale.networks.weights import import_weights, read_weights

        known = architecture(network)
        assemble(known, read_weights(file), list(known.nodes), str(file))
        path = import_weights(network, file)
    conclude(f"imported {path}")


@weights.command("verify")
def verify(network: Annotated[str, typer.Argument(help="Name of the network, or a network file.")]) -> None:
    """Load a network with available weights, whole and as far as the scale search reads it; print both digests.

    The digest of the part that is used stands in the results' records.
    """
    with one_line_errors():
        from wsi_scale.networks.load import find_network

        source = find_network(network)
        known = source.architecture
        for part, layers in (("all layers", tuple(known.nodes)), ("what the scale search reads", known.search_layers)):
            held = source.holds(layers)
            state = f"digest {source.tapped(layers).digest}" if held else "not complete"
            typer.echo(f"{network}, {part}, up to {layers[-1]}: {state} ({source.source})")


def demo(
    folder: Annotated[Path, typer.Argument(help="Folder for the demo slides.")],
    seed: Annotated[int, typer.Option(min=0, help="Seed of the slides.")] = 7,
) -> None:
    """Make small synthetic slides with known µm per pixel and nuclear size, to try all commands."""
    with one_line_errors():
        from wsi_scale.config.models import DemoConfig
        from wsi_scale.jobs.demo import demo as demo_stage

        demo_stage(DemoConfig(folder=folder, seed=seed))
    conclude(f"demo slides: {folder}")


def doctor(as_json: Json = False) -> None:
    """Show the installation: versions, device, weights, calibrations and writable folders."""
    with one_line_errors():
        from wsi_scale.cli.doctor import examine, lines_of

        found = examine()
    if as_json:
        return print_json(found)
    for line in lines_of(found):
        typer.echo(line)
    return None
