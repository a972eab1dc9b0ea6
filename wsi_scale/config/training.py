"""Sections of trainings: the embedded network, and networks made smaller or tuned for a task."""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from wsi_scale.config.values import File, Section, Seed, Text


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
    positivity: float = Field(default=0.2, ge=0, le=1)
    """Share of H&E tiles into which immunohistochemistry is drawn (positive nuclei, cytoplasm, membranes, patches)."""
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
    """Table of cases (column case) whose fields are not used."""
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
