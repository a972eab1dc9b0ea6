"""Commands that estimate µm per pixel from pixels."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from wsi_scale.cli.exit_codes import ExitCode
from wsi_scale.cli.options import Assignments, ConfigFile, Device, Json, load, one_line_errors
from wsi_scale.cli.talk import TalkingTyper, conclude, print_json, tell

magnification = TalkingTyper("magnification", help="Estimate µm per pixel from pixels, or check headers with it.")

Regressor = Annotated[Path | None, typer.Option(help="A regressor file; by default the one that the package carries.")]
Network = Annotated[
    str | None,
    typer.Option(help="A network file or name, if the network that the regressor file names is not found."),
]


@magnification.command()
def predict(
    sources: Annotated[list[Path], typer.Argument(help="Slides, images, or folders of them.", show_default=False)],
    as_json: Json = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Table (.tsv) to write, row by row.", show_default=False)
    ] = None,
    regressor: Regressor = None,
    network: Network = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    device: Device = None,
) -> None:
    """Estimate µm per pixel of slides and images from their pixels; headers are not used.

    It abstains, with a reason, if an image is not brightfield tissue or lies outside 0.2–4 µm/px.
    Rows are printed and written as they are done; with --json, at the end, as a list of objects with path, mpp,
    mpp_low, mpp_high, status and reason. Exit 1 if something could not be read; the others are estimated.
    """
    rows: list[dict[str, Any]] = []
    with one_line_errors():
        from wsi_scale.artifacts.prediction import check_estimates, write_estimates
        from wsi_scale.learning.estimator import load_estimator
        from wsi_scale.steps.sources import predict_sources

        if output is not None:
            check_estimates(output)
        # Where they are in a file, they need not be on the screen.
        show = typer.echo if output is None else conclude
        loaded = load(config, assignments, device)
        for row in predict_sources(sources, loaded, load_estimator(loaded, regressor, network)):
            rows.append(row)
            if output is not None:
                write_estimates(output, rows)
            if not as_json:
                if len(rows) == 1:
                    show(f"{'mpp':>7}  {'interval':>13}  {'status':9}  path")
                show(_line(row))
    if as_json:
        print_json(rows)
    counts = Counter(row["status"] for row in rows)
    if len(rows) > 1:
        tell(f"{len(rows)} slides: {', '.join(f'{number} {status}' for status, number in sorted(counts.items()))}")
    if output is not None:
        conclude(f"estimates: {output}")
    if counts["failed"]:
        raise typer.Exit(ExitCode.FAILED)


def _line(row: Mapping[str, Any]) -> str:
    mpp = f"{row['mpp']:.3f}" if row["mpp"] else "–"
    interval = f"{row['mpp_low']:.3f}–{row['mpp_high']:.3f}" if row["mpp"] else ""
    because = f": {row['reason']}" if row["reason"] else ""
    return f"{mpp:>7}  {interval:>13}  {row['status']:9}  {row['path']}{because}"


@magnification.command()
def audit(
    source: Annotated[Path, typer.Argument(help="A folder of slides, a sample sheet (.tsv, .csv), or a slide.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for audit.tsv and audit.html.")] = Path(
        "audit"
    ),
    as_json: Json = False,
    regressor: Regressor = None,
    network: Network = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    device: Device = None,
) -> None:
    """Compare the µm per pixel that slides claim with the estimate from their pixels; exit 3 if anything is flagged.

    Exit 1 if a slide cannot be read; the others are checked.

    Flags: missing, implausible (outside 0.05–50), off_2x, off_10x, off_together (several claims are wrong alike),
    mixed (parts of one slide disagree by a factor of 2). Not flagged: agrees, no_estimate, unreadable. Five and more
    slides of one scanner are judged together. The page shows tiles of each slide with scale bars, so that you can
    check by eye.
    """
    with one_line_errors():
        from wsi_scale.artifacts.atomic import check_writable
        from wsi_scale.artifacts.audit import write_audit
        from wsi_scale.learning.estimator import load_estimator
        from wsi_scale.magnification.cohort_verdict import cohort_findings
        from wsi_scale.report.audit_page import write_audit_page
        from wsi_scale.report.words import audit_text, finding_text
        from wsi_scale.results.audit import count_flags
        from wsi_scale.steps.sources import audit_sources

        loaded = load(config, assignments, device)
        estimator = load_estimator(loaded, regressor, network)
        check_writable(output)
        exclude = None if output.resolve() == source.resolve() else output
        slides = audit_sources(source, loaded, estimator, exclude)
        write_audit(output, [slide.row for slide in slides])
        page = write_audit_page(output, slides, loaded)
    rows = [slide.row for slide in slides]
    counts, findings = count_flags(rows), cohort_findings(rows)
    if as_json:
        print_json({"slides": rows, "counts": counts, "scanners": findings, "page": page})
    else:
        for row in rows:
            typer.echo(f"{row.flag}: {row.slide_id}: {row.reason}", err=row.flag == "unreadable")
        for found in findings:
            typer.echo(finding_text(found))
        typer.echo(f"{audit_text(rows)}; see {page}")
    if counts.get("unreadable"):
        raise typer.Exit(ExitCode.FAILED)
    if any(row.flagged for row in rows):
        raise typer.Exit(ExitCode.FLAGGED)


@magnification.command()
def breakhis(
    folder: Annotated[Path, typer.Argument(help="A folder with images of BreakHis, in its own layout or flat.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for breakhis.tsv and breakhis.json.", show_default=False),
    ] = None,
    folds: Annotated[int, typer.Option(help="Folds of patients; fewer where there are fewer patients.")] = 5,
    seed: Annotated[int, typer.Option(help="Seed of the folds.")] = 0,
    as_json: Json = False,
    regressor: Regressor = None,
    network: Network = None,
    config: ConfigFile = None,
    assignments: Assignments = None,
    device: Device = None,
) -> None:
    """Estimate the four magnifications of BreakHis, with all images of a patient in one fold.

    Relative scale only: the data set's pixel sizes in µm are not known. One column is the estimator as it is, minus
    one offset; the other is a head fitted on the patients of the other folds. Intervals (95 %) resample patients.
    """
    with one_line_errors():
        from wsi_scale.learning.breakhis import PatientSplit, evaluate_breakhis

        result = evaluate_breakhis(
            folder, load(config, assignments, device), split=PatientSplit(folds, seed), output=output,
            regressor=regressor, network=network,
        )  # fmt: skip
    if as_json:
        return print_json(result)
    typer.echo(f"{len(result.rows)} images of {result.patients} patients in {result.folds} folds")
    for note in result.notes:
        typer.echo(f"note: {note}")
    typer.echo(f"{'':22}{'no training':>18}  {'head fitted':>18}")
    typer.echo(f"{'chance':22}{result.untrained.chance:>18.2f}  {result.fitted.chance:>18.2f}")
    for name, untrained in result.untrained.figures.items():
        said = [f"{f.value:.2f} ({f.low:.2f}–{f.high:.2f})" for f in (untrained, result.fitted.figures[name])]
        typer.echo(f"{name.replace('_', ' '):22}{said[0]:>18}  {said[1]:>18}")
    return None
