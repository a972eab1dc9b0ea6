"""Results in file formats of other tools."""

from pathlib import Path

from wsi_scale.artifacts.atomic import replacing_file
from wsi_scale.execution.progress import progress
from wsi_scale.jobs.cohort import job_in
from wsi_scale.jobs.current import current_features, current_map, current_tiles


def export_anndata(folder: Path, target: Path) -> None:
    """Write a slide's features as AnnData (:meth:`wsi_scale.results.features.TileFeatures.to_anndata`).

    Raises
    ------
    ConfigError
        The extra ``anndata`` is not installed.
    ArtifactError
        A result is missing, damaged, or not from the last run.
    """
    job = job_in(folder)
    with progress("export"):
        content = current_features(job, current_tiles(job), current_map(job)).to_anndata()
        with replacing_file(target) as part:
            content.write_h5ad(part)
