"""Configuration models: one immutable model for each section, every key with unit and default."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    Field,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from wsi_scale.config.training import TrainingConfig, TransferConfig
from wsi_scale.config.values import File, Mpp, Section, Seed, Text, Workers


class SlidesConfig(Section):
    """Which slides."""

    path: File | None = None
    """A folder (searched recursively), a sample sheet (.tsv, .csv), or one slide."""
    mpp: Literal["metadata", "estimate"] = "metadata"
    """If a slide has no usable mpp: metadata, the slide fails; estimate, it is estimated from the pixels."""
    brightfield_only: bool = False
    """true: a slide with a dark background (fluorescence, dark field) ends as empty and is not searched."""
    reader: Literal["openslide", "tifffile"] = "openslide"
    """Decoder of SVS and TIFF files in search and extraction; tifffile gives the same pixels, 2–6 times as fast."""
    unreadable_share: float = Field(default=0.01, ge=0, le=1)
    """Largest share of a slide's tiles, or of its area, that may be impossible to decode; above it the slide fails."""


class TissueConfig(Section):
    """The tissue mask."""

    method: Literal["auto", "none"] = "auto"
    """auto: found on a thumbnail; none: everything on the slide counts as tissue."""
    mask: Text | None = None
    """The user's own mask; "{slide_id}" in it is replaced by the slide's id. Non-zero and not transparent is tissue."""
    regions: Text | None = None
    """Outlines of QuPath (GeoJSON, level-0 pixels): tissue counts only within; "{slide_id}" as in mask."""
    thumbnail_px: PositiveInt = Field(default=2048, ge=256, le=8192)
    """Longer side of the thumbnail, pixels."""


class TilingConfig(Section):
    """The grid of tiles."""

    tile_px: PositiveInt = Field(default=224, ge=64, le=2048)
    """Side of a tile, pixels."""
    mpp: Mpp = 0.5
    """µm per pixel of a tile."""
    overlap_px: int = Field(default=0, ge=0)
    """Pixels that neighbouring tiles share; from half a tile on, the search passes them together, as one image."""
    edge: Literal["drop", "pad"] = "drop"
    """Tiles that reach over the edge of the slide: drop them, or pad them with the background colour."""
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
    ladder: Literal["adaptive", "full"] = "adaptive"
    """adaptive: a tile leaves the covariant search once finer rungs can hardly change its answer; full: all rungs."""
    layers: tuple[Text, ...] | None = None
    """Layers whose responses are read; by default the network's own choice."""
    finest_mpp: Mpp = 0.25
    """µm per pixel of the ladder's finest rung."""
    coarsest_mpp: Mpp = 4.0
    """µm per pixel of the ladder's coarsest rung, at most."""
    rungs_per_octave: PositiveInt = Field(default=3, le=8)
    """Rungs for each doubling of the mpp."""

    @field_validator("layers")
    @classmethod
    def _names_a_layer(cls, layers: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if layers == ():
            raise ValueError("it is empty; name at least one layer, or leave it out for the network's own choice")
        return layers

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
    """Whether to extract features also at each tile's own optimal mpp."""

    @field_validator("mpps")
    @classmethod
    def _each_mpp_once(cls, mpps: tuple[float, ...]) -> tuple[float, ...]:
        if len({f"{mpp:g}" for mpp in mpps}) < len(mpps):  # features are named after it
            raise ValueError("it names one µm per pixel twice; give each once")
        return mpps

    @model_validator(mode="after")
    def _something_is_extracted(self) -> "FeaturesConfig":
        if not (self.mpps or self.optimal):
            raise ValueError("without mpps and without the optimal mpp there is nothing to extract; give one of them")
        return self


class MagnificationConfig(Section):
    """The regressor of µm per pixel."""

    regressor: File | None = None
    """A regressor file; by default the cohort's own if it can be fitted, else the shipped one."""
    tiles_per_slide: PositiveInt = Field(default=24, le=1000)
    """Number of positions that `predict` reads."""
    fit_tiles_per_slide: PositiveInt = Field(default=48, le=2000)
    """Tiles drawn from each slide to fit a cohort's regressor."""
    coverage: float = Field(default=0.9, gt=0.5, lt=1)
    """Share of slides whose true mpp the interval should contain."""
    seed: Seed = 0
    """Seed of positions and of drawn magnifications."""


class ExecutionConfig(Section):
    """Hardware and parallelism."""

    device: Literal["auto", "cpu", "cuda", "cuda:all"] = "auto"
    """auto uses a GPU if there is one; of several GPUs a process takes the least used, with cuda:all a run all."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """auto uses bfloat16 if the hardware supports it natively, else float16 on a GPU and float32 on a CPU."""
    workers: Workers | None = None
    """Blocks in work at a time on this machine; by default as many as cores. On a GPU most of them are being read."""
    threads: Workers = 1
    """Threads of one worker's network passes."""
    block_tiles: PositiveInt | None = Field(default=None, le=4096)
    """Most tiles in one block of neighbours, the unit of work; by default 32, or 256 on a GPU."""
    batch_mpx: PositiveFloat | None = None
    """Megapixels that go through the network at once; by default 0.12, or 4 on a GPU."""
    scratch: Text | None = None
    """A folder on the machine's own disk, e.g. $TMPDIR: search and extract copy a slide to it, and read the copy."""
    scratch_gb: PositiveFloat | None = None
    """Most that all copies there may take, GB; by default what is free, but for a twentieth of the disk."""

    @property
    def device_kind(self) -> Literal["auto", "cpu", "cuda"]:
        """What results depend on: the kind of device, not how many."""
        return "cuda" if self.device == "cuda:all" else self.device


class DemoConfig(Section):
    """The demo's own slides."""

    folder: File | None = None
    """Folder for demo slides; null if you use your own slides."""
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
    """A weights file for the named network; by default it is searched (see `wsi-scale weights`)."""
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
