"""Commands that prune or fine-tune networks."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from wsi_scale.cli.options import Assignments, ConfigFile, Device, Json, load, number, one_line_errors
from wsi_scale.cli.talk import TalkingTyper, conclude, print_json

if TYPE_CHECKING:
    from wsi_scale.transfer.judge import TaskScores

#: Share of the parameters that were to be kept, over which the budget counts as missed.
MISSED = 1.02

#: Default of transfer.keep_fraction, as the help shows it without loading the configuration.
KEEP_FRACTION = "0.05"

prune = TalkingTyper("prune", help="Make a pretrained network smaller; the result is a network file.")

Network = Annotated[str, typer.Argument(help="A network by name, or a network file.")]
Written = Annotated[Path, typer.Option("--output", "-o", help="The network file to write.", show_default=False)]
Weights = Annotated[Path | None, typer.Option(help="Weights of a named network.")]
Data = Annotated[
    Path | None,
    typer.Option(
        help="Labelled images: a folder with one folder for each class, or a table (.tsv, .csv) with the columns file "
        "and label, or file, case, stain and mpp; by default transfer.data."
    ),
]

KeepFraction = Annotated[
    float | None,
    typer.Option(
        help="Share of the convolutions' parameters to keep (transfer.keep_fraction).",
        show_default=KEEP_FRACTION,
        parser=number,
    ),
]


@prune.command()
def layers(
    network: Network,
    output: Written,
    as_json: Json = False,
    weights: Weights = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    device: Device = None,
) -> None:
    """Cut a network after the layer that predicts µm per pixel best on held-out cases.

    Needs fields of known mpp: --set 'training.fields=[TABLE.tsv]' (columns file, case, stain, mpp). Use
    the new file as network=FILE in search and extract. A regressor for `magnification predict` is written beside it.
    """
    with one_line_errors():
        from wsi_scale.learning.layers import prune_layers

        found = prune_layers(load(config, assignments, device), network, weights, output)
    if as_json:
        return print_json(found)
    for name, r2 in found.r2.items():
        conclude(f"{name:12} R² {r2:6.3f}{'  ← cut here' if name == found.layer else ''}")
    _show_change("parameters", found.parameters)
    _show_change("multiply-adds for a 224-px tile", found.multiply_adds)
    _show_change("tiles per second", found.tiles_per_second, ",.2f")
    conclude(f"network: {found.network}\nregressor: {found.regressor}")
    return None


@prune.command()
def channels(
    network: Network,
    output: Written,
    data: Data = None,
    keep_fraction: KeepFraction = None,
    weights: Weights = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    device: Device = None,
) -> None:
    """Remove the channels that matter least for a task; other weights stay (channel scaling, Wong et al. 2021).

    For VGG16, VGG19, SqueezeNet, the embedded network, and pruned versions of them. Use the new file as network=FILE
    in search and extract, or prune it further. Calibrate it before a covariant search.
    """
    _compress("channels", network, output, data, keep_fraction, weights, config, assignments, device)


@prune.command()
def basis(
    network: Network,
    output: Written,
    data: Data = None,
    keep_fraction: KeepFraction = None,
    weights: Weights = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    device: Device = None,
) -> None:
    """Split convolutions into basis filters and keep those that matter (basis scaling, Wong et al. 2024).

    For any network; layers keep their channels. It can be combined with `prune channels`, before or after it.
    """
    _compress("basis", network, output, data, keep_fraction, weights, config, assignments, device)


def finetune(
    network: Network,
    output: Written,
    depth: Annotated[
        int, typer.Option(min=0, help="Number of blocks to tune, counted from the top; 0 trains only a new head.")
    ],
    data: Data = None,
    truncate: Annotated[
        bool, typer.Option("--truncate", help="Keep and tune the lowest blocks instead, and remove the others.")
    ] = False,
    weights: Weights = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    device: Device = None,
) -> None:
    """Fine-tune the top blocks of a network and a head on labelled images; lower blocks stay unchanged.

    Images pass the frozen part only once, so there is no augmentation. An interrupted run continues.
    """
    with one_line_errors():
        from wsi_scale.learning.finetune import finetune_network

        settings = load(config, assignments, device, {"transfer.data": data})
        found = finetune_network(settings, network, weights, output, depth=depth, truncate=truncate)
    conclude(f"tuned {found.depth} of {found.blocks} blocks; kept epoch {found.epochs[1]} of {found.epochs[0]}")
    _show_scores("test", found.scores, found.classes)
    conclude(f"network: {found.network}")


def _compress(
    method: Literal["channels", "basis"],
    network: str,
    output: Path,
    data: Path | None,
    keep_fraction: float | None,
    weights: Path | None,
    config: Path | None,
    assignments: list[str] | None,
    device: str | None,
) -> None:
    with one_line_errors():
        from wsi_scale.learning.compress import compress
        from wsi_scale.transfer.budget import LEAST

        settings = load(config, assignments, device, {"transfer.data": data, "transfer.keep_fraction": keep_fraction})
        found = compress(settings, method, network, weights, output)
    _show_change("convolution parameters", (found.before.parameters, found.after.parameters), digits=3)
    _show_change(
        "parameters including the head", (found.before.parameters_total, found.after.parameters_total), digits=3
    )
    _show_change("multiply-adds for an image", (found.before.multiply_adds, found.after.multiply_adds), digits=3)
    _show_change("images per second", found.tiles_per_second, ",.1f")
    share = found.after.parameters / found.before.parameters
    if share > settings.transfer.keep_fraction * MISSED:
        asked = f"transfer.keep_fraction is {settings.transfer.keep_fraction:g}"
        conclude(f"{asked}: every layer keeps at least {LEAST} channels or vectors")
    for name, measured in (("whole", found.before), ("pruned", found.after)):
        _show_scores(name, measured.scores, found.classes)
    conclude(f"network: {found.network}")


def _show_change(name: str, values: tuple[float, float], form: str = ",.0f", digits: int = 2) -> None:
    before, after = values
    conclude(f"{name}: {before:{form}} → {after:{form}} ({after / before:.{digits}f}×)")


def _show_scores(name: str, scores: "TaskScores", classes: tuple[str, ...]) -> None:
    if not classes:
        conclude(f"{name}: median error {scores.metric:.3f} octaves")
        return
    conclude(
        f"{name}: AUC {scores.metric:.3f}, balanced accuracy {scores.balanced_accuracy:.3f}, "
        f"calibration error {scores.calibration_error:.3f}"
    )
