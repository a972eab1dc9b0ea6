"""Device, dtype, threads and batches of a network pass."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wsi_scale.config.models import ExecutionConfig
from wsi_scale.errors import ConfigError
from wsi_scale.execution.gpus import own_gpu
from wsi_scale.execution.machine import usable_cores

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Compute:
    """Hardware of a network pass; every field but the last may change the last bits of a result.

    Attributes
    ----------
    device
        ``cpu`` or ``cuda``; in a turn on one of several GPUs that one, such as ``cuda:1``.
    dtype
        ``float32``, ``bfloat16`` or ``float16``.
    threads
        Threads of one pass.
    batch_mpx
        Megapixels that go through the network at once.
    every_gpu
        Whether blocks take turns on all GPUs of the machine, not on one.
    """

    device: str
    dtype: str
    threads: int
    batch_mpx: float
    every_gpu: bool = False

    @property
    def torch_device(self) -> str:
        """The device of torch: of GPUs, where none has been chosen yet, the one of this process."""
        return own_gpu() if self.device == "cuda" else self.device

    @property
    def torch_dtype(self) -> "torch.dtype":
        """The dtype of torch."""
        import torch

        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[self.dtype]

    def precision(self) -> "torch.autocast":
        """Context of a training, in which convolutions run in bfloat16 if that is chosen; weights stay float32.

        float16 is for inference: its gradients would vanish, so a training stays in float32.
        """
        import torch

        return torch.autocast(self.device, torch.bfloat16, enabled=self.dtype == "bfloat16")

    def on_cpu(self) -> "Compute":
        """Return the same settings on the CPU in float32."""
        return replace(self, device="cpu", dtype="float32")

    def use_threads(self) -> None:
        """Set the number of torch's threads in this process."""
        import torch

        torch.set_num_threads(self.threads)

    def batch_size(self, side_px: int) -> int:
        """Return the number of images of ``side_px`` squared in one batch; at least one."""
        return max(1, int(self.batch_mpx * 1e6 / side_px**2))


@dataclass(frozen=True)
class WorkSizes:
    """Sizes of the units of work.

    Attributes
    ----------
    block_tiles
        Tiles of a block.
    batch_mpx
        Megapixels of a batch.
    """

    block_tiles: int
    batch_mpx: float


#: On a CPU more than one image of 224 to 448 px at once is no faster, smaller ones are, and the last batch of a block
#: is filled up; a GPU needs megapixels to be busy, and 4 of them leave room on a card of 8 GB with VGG19.
_SIZES = {"cpu": WorkSizes(32, 0.12), "cuda": WorkSizes(256, 4.0)}


def work_sizes(config: ExecutionConfig, device: str) -> WorkSizes:
    """Sizes of blocks and batches on a device: as configured, else by its kind."""
    usual = _SIZES[device]
    return WorkSizes(config.block_tiles or usual.block_tiles, config.batch_mpx or usual.batch_mpx)


def resolve(config: ExecutionConfig) -> Compute:
    """Choose device and dtype by hardware features, never by measured time.

    Raises
    ------
    ConfigError
        A GPU is requested and there is none.
    """
    import torch

    has_gpu = torch.cuda.is_available()
    if config.device_kind == "cuda" and not has_gpu:
        raise ConfigError(f"execution.device={config.device}, but torch finds no GPU here; use cpu or auto")
    device = "cuda" if has_gpu and config.device != "cpu" else "cpu"
    best = "bfloat16" if has_bfloat16(device) else {"cpu": "float32", "cuda": "float16"}[device]
    dtype = best if config.dtype == "auto" else config.dtype
    batch_mpx = work_sizes(config, device).batch_mpx
    return Compute(device, dtype, config.threads, batch_mpx, config.device == "cuda:all")


def default_workers(config: ExecutionConfig, compute: Compute) -> int:
    """Blocks computed at a time on this machine."""
    if config.workers:
        return config.workers
    cores = usable_cores()
    # On a GPU few blocks are computed at a time; the other workers read the next ones meanwhile.
    return cores if compute.device == "cuda" else max(1, cores // compute.threads)


def has_bfloat16(device: str) -> bool:
    """Whether a device of this machine supports bfloat16 natively."""
    import torch

    if device == "cuda":
        # As torch looks at one card, on all: a process may get any of them.
        cards = range(torch.cuda.device_count())
        return all(torch.cuda.get_device_capability(card) >= (8, 0) for card in cards)
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))
