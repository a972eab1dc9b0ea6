"""Stage `extract`: tiles (and their optimal mpp) → features at several magnifications."""

import logging
from dataclasses import replace
from typing import Any

import numpy as np

from wsi_scale.artifacts.features import unreadable_tiles, writing_features
from wsi_scale.artifacts.names import FEATURES, SCALE_MAP, TILES
from wsi_scale.artifacts.progress import FinishedBlocks
from wsi_scale.artifacts.record import Record, check_artefact
from wsi_scale.artifacts.stages import SLIDE_STAGES
from wsi_scale.artifacts.state import FolderState
from wsi_scale.config.settings import ExtractSettings
from wsi_scale.execution.settled import parameters_of
from wsi_scale.jobs.current import current_map, current_tiles
from wsi_scale.jobs.hardware import settle
from wsi_scale.jobs.job import SlideJob
from wsi_scale.jobs.known_network import known_network
from wsi_scale.jobs.runner import Outcome, Prepared, Stage, run_stage
from wsi_scale.jobs.staging import slide_input
from wsi_scale.networks.known import check_known
from wsi_scale.steps.blocks import BlockRun
from wsi_scale.steps.extract import Extraction, extract_network, feature_attributes
from wsi_scale.steps.extract_block import BlockFeatures
from wsi_scale.steps.unreadable import unreadable_note

log = logging.getLogger(__name__)

SPEC = SLIDE_STAGES["extract"]


def extract(job: SlideJob, settings: ExtractSettings, scheduler: str | None = None) -> Record:
    """Average a layer over fields around each tile's centre, at fixed mpps and at the tile's optimal mpp."""
    optimal = settings.features.optimal

    def prepare(state: FolderState) -> Prepared:
        asked = ("extract", settings.features.layer)
        network = known_network(state, settings.network, settings.weights, asked, lambda: extract_network(settings))
        settled = replace(settings, execution=settle(job, settings.execution, state))

        def work(print_: str) -> Outcome:
            slide = slide_input(job, job.identity(state), settings, scheduler)
            loaded, scale_map = check_known(extract_network(settings), network), current_map(job) if optimal else None
            extraction = Extraction.of(slide, current_tiles(job), loaded, settled, scale_map)
            for mpp in extraction.too_fine:
                log.warning(
                    "%s: no features at %g µm/px, level 0 is %.4g", job.row.slide_id, mpp, extraction.plan.mpp_x
                )
            attributes = {"fingerprint": print_, **feature_attributes(extraction.table.grid, loaded, settled)}
            _write(job, extraction, settled, attributes, scheduler)
            return Outcome("ok", unreadable_note(unreadable_tiles(job.folder), len(extraction.table)))

        depends_on = {
            "tiles": check_artefact(job.folder, TILES).fingerprint,
            "map": check_artefact(job.folder, SCALE_MAP).fingerprint if optimal else None,
            "network": (network.digest, network.structure, network.layers[0].name),
            "execution": parameters_of(settled.execution),
        }
        return Prepared(depends_on, work)

    return run_stage(job, Stage(SPEC, settings, prepare, None if optimal else ("inspect", "tile")))


def _write(
    job: SlideJob, extraction: Extraction, settings: ExtractSettings, attributes: dict[str, Any], scheduler: str | None
) -> None:
    """Write features as blocks of them come."""
    finished = FinishedBlocks(job.folder / FEATURES, attributes["fingerprint"], BlockFeatures)
    run = BlockRun(f"extract {job.row.slide_id}", settings.execution, scheduler, finished)
    tiles, mpps = len(extraction.table), np.array(extraction.plan.mpps)
    unreadable = 0
    with writing_features(job.folder, tiles, mpps, extraction.plan.channels, attributes) as writer:
        for numbers, answer in extraction.answers(settings, run):
            writer.put(numbers, answer.features, answer.optimal, answer.padded)
            unreadable += sum(map(bool, answer.problems))
        if unreadable:
            writer.note_unreadable(unreadable)
    finished.remove()
