"""What a user can configure: one frozen model per stage, every key with its unit and its default."""

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

#: Bytes of a file's name, and of its path, that systems allow.
_LONGEST_NAME, _LONGEST_PATH = 255, 4096


def _as_written(value: Any) -> Any:
    """Give a text back that YAML (Snakemake's, whose values come parsed) took for an integer or a date."""
    if isinstance(value, bool | float):
        raise ValueError("YAML took this for no text; write it in quotes, or a path with ./ before it")
    if type(value) in (int, date):
        return str(value)
    if isinstance(value, str) and not _can_name(value):
        raise ValueError(
            "Input should be a text of one character at least, with no null byte, as long as a name can be"
        )
    return value


def _can_name(text: str) -> bool:
    """Whether a text can be the path of a file, as far as its characters go."""
    longest = max(len(os.fsencode(part)) for part in text.split("/"))
    return 0 < len(text) <= _LONGEST_PATH and longest <= _LONGEST_NAME and "\0" not in text


Text = Annotated[str, BeforeValidator(_as_written)]
File = Annotated[Path, BeforeValidator(_as_written)]
#: µm per pixel that a tile or a rung can have.
Mpp = Annotated[float, Field(ge=0.05, le=50)]
#: What every generator of random numbers takes.
Seed = Annotated[int, Field(ge=0, lt=2**32)]
#: Processes or threads on one machine.
Workers = Annotated[int, Field(ge=1, le=4096)]


class Section(BaseModel):
    """Base of all sections: frozen, unknown keys are errors, and so are NaN and infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class SlidesConfig(Section):
    """Which slides."""

    path: File | None = None
    """A folder (searched recursively), a sample sheet (.tsv, .csv), or one slide."""
    mpp: Literal["metadata", "estimate"] = "metadata"
    """Where a slide says no usable mpp: metadata lets it fail; estimate goes on with what its pixels look like."""
    brightfield_only: bool = False
    """true: a slide with a dark background (fluorescence, dark field) ends as empty and is not searched."""
    unreadable_share: float = Field(default=0.01, ge=0, le=1)
    """Share of a slide's tiles, or of its area, that may be impossible to decode; beyond it the slide fails."""


class TissueConfig(Section):
    """Where the tissue is."""

    method: Literal["auto", "none"] = "auto"
    """auto: found on a thumbnail; none: everything that the slide holds counts as tissue."""
    mask: Text | None = None
    """The user's own mask; "{slide_id}" in it is replaced by the slide's id. Non-zero and not transparent is tissue."""
    thumbnail_px: PositiveInt = Field(default=2048, ge=256, le=8192)
    """Longer side of the thumbnail, pixels."""


class TilingConfig(Section):
    """The grid of tiles."""

    tile_px: PositiveInt = Field(default=224, ge=64, le=2048)
    """Side of a tile, pixels."""
    mpp: Mpp = 0.5
    """µm per pixel of a tile."""
    overlap_px: int = Field(default=0, ge=0)
    """Pixels that neighbouring tiles share."""
    edge: Literal["drop", "pad"] = "drop"
    """What happens to tiles that leave the slide: dropped, or padded with the background colour."""
    min_tissue: float = Field(default=0.3, ge=0, le=1)
    """Least share of a tile that must be tissue."""

    @model_validator(mode="after")
    def _overlap_is_less_than_a_tile(self) -> "TilingConfig":
        if self.overlap_px >= self.tile_px:
            raise ValueError(f"overlap_px ({self.overlap_px}) must be smaller than tile_px ({self.tile_px})")
        return self

    @property
    def field_um(self) -> float:
        """Side of a tile, µm."""
        return self.tile_px * self.mpp


class SearchConfig(Section):
    """The scale search."""

    method: Literal["covariant", "published"] = "covariant"
    """covariant: calibrated channels on a geometric ladder; published: Penkin et al. 2022 as their demo runs it."""
    layers: tuple[Text, ...] | None = None
    """Layers whose responses are read; by default the network's own choice."""
    finest_mpp: Mpp = 0.25
    """µm per pixel of the ladder's finest rung."""
    coarsest_mpp: Mpp = 4.0
    """µm per pixel that the ladder reaches at most."""
    rungs_per_octave: PositiveInt = Field(default=3, le=8)
    """Rungs for each doubling of the mpp."""

    @model_validator(mode="after")
    def _ladder_spans_an_octave(self) -> "SearchConfig":
        if self.coarsest_mpp < 2 * self.finest_mpp:
            raise ValueError("coarsest_mpp must be at least twice finest_mpp")
        return self


class CalibrationConfig(Section):
    """The calibration of a network's channels on scenes with nuclei of known radius."""

    scenes: int = Field(default=64, ge=16, le=1024)
    """How many scenes are drawn."""
    seed: Seed = 1
    """Seed of the scenes."""


class MapConfig(Section):
    """The scale map on disk."""

    ome_zarr_version: Literal["0.5", "0.4"] = "0.5"
    """0.5 (Zarr 3), or 0.4 (Zarr 2) for QuPath."""

    @field_validator("ome_zarr_version", mode="before")
    @classmethod
    def _a_number_stands_for_its_text(cls, value: Any) -> Any:
        # In YAML, and so on the command line, 0.4 is a number.
        return str(value) if isinstance(value, float) else value


class FeaturesConfig(Section):
    """Features at several magnifications."""

    layer: Text | None = None
    """Layer that is averaged over space; by default the network's own choice."""
    mpps: tuple[Mpp, ...] = (0.5, 1.0, 2.0)
    """µm per pixel of the fields around each tile's centre."""
    optimal: bool = True
    """Whether each tile is also seen at its own optimal mpp."""


class MagnificationConfig(Section):
    """The regressor of µm per pixel."""

    regressor: File | None = None
    """A regressor file; by default the cohort's own where it can be fitted, else the one shipped."""
    tiles_per_slide: PositiveInt = Field(default=24, le=1000)
    """Positions that `predict` looks at."""
    fit_tiles_per_slide: PositiveInt = Field(default=48, le=2000)
    """Tiles drawn from each slide to fit a cohort's regressor."""
    coverage: float = Field(default=0.9, gt=0.5, lt=1)
    """Share of slides whose true mpp the interval should hold."""
    seed: Seed = 0
    """Seed of positions and of drawn magnifications."""


class ExecutionConfig(Section):
    """Where and how the numbers are computed."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto takes a GPU where there is one."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """auto takes bfloat16 where the hardware supports it natively."""
    workers: Workers | None = None
    """Blocks computed at a time on this machine; by default the cores, or 4 on a GPU: reading overlaps computing."""
    threads: Workers = 1
    """Threads of one worker's network passes."""
    block_tiles: PositiveInt = Field(default=8, le=4096)
    """Tiles in one block, the unit of work."""
    batch_mpx: PositiveFloat = 1.0
    """Megapixels that go through the network at once."""


class TrainingConfig(Section):
    """How the embedded network is trained."""

    fields: tuple[File, ...] = ()
    """Tables (.tsv) of images with columns file, case, stain, mpp; files beside them."""
    kept_out: File | None = None
    """Table of cases that are never trained on (column case)."""
    stain: Text | None = None
    """Only fields of this stain; null for all."""
    teacher: Text | None = None
    """A pretrained network whose pooled responses are learnt beside the mpp (distillation); null for none."""
    teacher_layers: tuple[Text, ...] = ("C2_2", "C3_4", "C4_2")
    """Its layers."""
    teacher_tiles: PositiveInt = 6000
    """Tiles that are passed through the teacher, once."""
    teacher_responses: File | None = None
    """File (.npz) of those tiles and the teacher's responses, made where it is not there, by default beside the
    checkpoint; its name gets a digest of what they depend on."""
    mpp_range: tuple[PositiveFloat, PositiveFloat] = (0.18, 4.5)
    """µm per pixel that training tiles are drawn from, log-uniformly."""
    wider_mpp_range: tuple[PositiveFloat, PositiveFloat] = (0.125, 10.0)
    """µm per pixel that some tiles are drawn from, so that what lies outside is known for it."""
    wider_share: float = Field(default=0.2, ge=0, le=1)
    """Share of those tiles."""
    tile_px: tuple[PositiveInt, ...] = (96, 112, 128, 128, 160, 224)
    """Tile sides, one drawn for each batch; one that stands twice is drawn twice as often."""
    batch: PositiveInt = 12
    """Tiles of 128 px in a batch; of other sizes as many as have about as many pixels. With a teacher, a batch holds
    as many of its tiles in addition."""
    epochs: PositiveInt = 20
    """Epochs, each followed by a validation."""
    steps: PositiveInt = 240
    """Batches in an epoch."""
    learning_rate: PositiveFloat = 2e-3
    """Of AdamW, at its top."""
    weight_decay: float = Field(default=2e-2, ge=0)
    """Of AdamW."""
    averaging: float = Field(default=0.998, ge=0, lt=1)
    """Share that the running average of the weights keeps at each step; the average is validated and exported."""
    patience: PositiveInt = 20
    """Epochs without a better validation before training stops."""
    validation_share: float = Field(default=0.08, gt=0, lt=0.5)
    """Share of the training cases that early stopping looks at."""
    seed: Seed = 0
    """Seed of everything random."""


class TransferConfig(Section):
    """Making a network smaller for a task, and tuning it: `prune channels`, `prune basis`, `finetune`."""

    data: File | None = None
    """Folder with a folder of images for each class, or a table (.tsv, .csv) of file and label, or of fields of known
    mpp (file, case, stain, mpp)."""
    kept_out: File | None = None
    """Table of cases (column case) whose fields play no part."""
    stain: Text | None = "H&E"
    """Only fields of this stain; null for all."""
    tiles: PositiveInt = Field(default=600, ge=30)
    """Tiles drawn from fields to train on; as many to test, a third to validate."""
    mpp_range: tuple[PositiveFloat, PositiveFloat] = (0.25, 2.0)
    """µm per pixel of those tiles, log-uniformly."""
    side_px: PositiveInt = Field(default=96, ge=32, le=1024)
    """Side of the images as the network sees them, pixels; labelled images are squared to it."""
    keep_fraction: float = Field(default=0.05, gt=0, lt=1)
    """Share of the convolutions' parameters that pruning keeps."""
    rounds: PositiveInt = 12
    """Rounds of pruning; each removes the same share of what is left. Many small rounds do better than a few large."""
    epochs: PositiveInt = 1
    """Epochs of a round."""
    batch: PositiveInt = 8
    """Images in a batch; smaller for a few hundred images."""
    learning_rate: PositiveFloat = 5e-3
    """Of the scales that pruning trains."""
    penalty: float = Field(default=0.5, ge=0)
    """Weight of the mean scale in the loss of `prune channels`."""
    penalty_by: Literal["channels", "operations"] = "channels"
    """Whether the penalty counts channels alike, or by the multiply-adds that they cause."""
    tuning_epochs: PositiveInt = 20
    """Epochs of `finetune`, at most."""
    tuning_rate: PositiveFloat = 1e-4
    """Learning rate of the topmost block that `finetune` trains; the head's is ten times that, thirty times alone."""
    block_decay: float = Field(default=0.5, gt=0, le=1)
    """Learning rate of each block as a share of the one above."""
    batch_norm: Literal["frozen", "tuned"] = "frozen"
    """Statistics of batch norms in tuned blocks: kept, or learnt from the batches; in frozen blocks always kept."""
    patience: PositiveInt = 5
    """Epochs without a better validation before `finetune` stops."""
    seed: Seed = 0
    """Seed of training; splits and drawn tiles stay the same, so that no image that trained tests the next."""


class DemoConfig(Section):
    """The demo's own slides."""

    folder: File | None = None
    """Where demo slides are made; null where the slides are the user's."""
    seed: Seed = 7
    """Seed of the demo slides."""


class Config(Section):
    """Everything that a user can configure."""

    slides: SlidesConfig = SlidesConfig()
    results: File = Path("results")
    """Folder of the results."""
    network: Text = "embedded"
    """A network by name (embedded, vgg19, vgg16, squeezenet1_1, resnet50, inception_v3) or a network file."""
    weights: File | None = None
    """A weights file for the named network; by default it is looked for (see `wsi-scale weights`)."""
    tissue: TissueConfig = TissueConfig()
    tiling: TilingConfig = TilingConfig()
    calibration: CalibrationConfig = CalibrationConfig()
    search: SearchConfig = SearchConfig()
    map: MapConfig = MapConfig()
    features: FeaturesConfig = FeaturesConfig()
    magnification: MagnificationConfig = MagnificationConfig()
    execution: ExecutionConfig = ExecutionConfig()
    training: TrainingConfig = TrainingConfig()
    transfer: TransferConfig = TransferConfig()
    demo: DemoConfig = DemoConfig()

    @field_validator("slides", mode="before")
    @classmethod
    def _a_path_stands_for_the_section(cls, value: Any) -> Any:
        return value if isinstance(value, Mapping | SlidesConfig) else {"path": value}

    @model_validator(mode="before")
    @classmethod
    def _a_section_without_keys_is_the_default(cls, values: Any) -> Any:
        # Of a section whose keys are all commented out, the name is left.
        sections = [name for name, field in cls.model_fields.items() if isinstance(field.default, Section)]
        empty = [name for name in sections if isinstance(values, dict) and name in values and values[name] is None]
        return {key: values[key] for key in values if key not in empty} if empty else values
