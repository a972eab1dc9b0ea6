"""GPUs that are pretended: tensors that say ``cuda:0`` and compute on the CPU, with real values.

Where a GPU would refuse, so do they: tensors of two devices in one operation, and numpy of what is not on the CPU.
Streams, events and pinned memory do nothing; speed, memory and the GPU's own kernels are not pretended. In a process
of its own, as torch is changed for good::

    PRETENDED_CARDS=first,second python -m tests.pretended_gpu --output gpu.json --only search_embedded

The cards' ids say how many the process sees; by default it is one that no other process has.
"""

import os
import sys
import threading
import uuid
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import safetensors.torch
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

CPU = torch.device("cpu")
#: Ids of the cards that this process sees.
CARDS = os.environ.get("PRETENDED_CARDS", uuid.uuid4().hex).split(",")
#: Operations that may join both devices: copies, and on a GPU's tensor places that are given on the CPU.
COPIES = ("aten::_to_copy", "aten::copy_", "aten::set_")
PLACES = ("aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_")
#: Operations that would only wait or pin.
IDLE = ("aten::record_stream", "aten::pin_memory", "aten::_pin_memory")


class OnGpu(torch.Tensor):
    """A tensor on a pretended GPU of some number; its values lie in ``inner``."""

    inner: torch.Tensor
    number: int
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls: type["OnGpu"], inner: torch.Tensor, number: int) -> "OnGpu":
        made: OnGpu = torch.Tensor._make_wrapper_subclass(
            cls, inner.size(), strides=inner.stride(), storage_offset=inner.storage_offset(), dtype=inner.dtype,
            layout=inner.layout, device=inner.device, requires_grad=inner.requires_grad,
        )  # fmt: skip
        made.inner, made.number = inner, number
        return made

    device = property(lambda self: torch.device("cuda", self.number))
    is_cuda = property(lambda _: True)
    is_cpu = property(lambda _: False)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return compute(func, args, kwargs or {})

    def cpu(self, *_: Any, **__: Any) -> torch.Tensor:
        return self.detach().inner.clone()

    def numpy(self, *_: Any, **__: Any) -> Any:
        raise TypeError(f"can't convert {self.device} device type tensor to numpy")

    __array__ = numpy

    def to(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        like = next((a for a in args if isinstance(a, torch.Tensor)), None)
        given = [a for a in args if isinstance(a, str | torch.device)] + [kwargs.get("device")]
        dtypes = [a for a in args if isinstance(a, torch.dtype)] + [kwargs.get("dtype"), self.dtype]
        device, dtype = (like.device, like.dtype) if like is not None else (given[0], next(filter(None, dtypes)))
        form = {k: v for k, v in kwargs.items() if k == "memory_format"}
        moved = torch.Tensor.to(self, dtype, **form) if form or dtype != self.dtype else self
        if device is None:
            return moved
        there = torch.device(device)
        return moved.cpu() if there.type == "cpu" else OnGpu(moved.inner, there.index or 0)


class Pretended(TorchDispatchMode):
    """Within it, the devices are there."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return compute(func, args, kwargs or {})


def compute(func: Any, args: Any, kwargs: Any) -> Any:
    """Compute an operation on the CPU, and say where its result is."""
    name, device = func._schema.name, kwargs.get("device")
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    there = {id(tensor.inner): tensor for tensor in tensors if isinstance(tensor, OnGpu)}
    if name in IDLE:
        return args[0]
    may_join = name in COPIES or (name in PLACES and isinstance(args[0], OnGpu))
    numbers = {tensor.number for tensor in there.values()}
    # Single values may come from the CPU.
    mixed = len(numbers) > 1 or any(tensor.dim() and not isinstance(tensor, OnGpu) for tensor in tensors)
    if there and not may_join and mixed:
        shapes = [(str(tensor.device), tuple(tensor.shape)) for tensor in tensors]
        raise RuntimeError(f"Expected all tensors to be on the same device: {func}, {shapes}")
    inner_args, inner_kwargs = tree_map_only(OnGpu, lambda tensor: tensor.inner, (args, kwargs))
    if device is not None:
        inner_kwargs["device"] = CPU
    inner_kwargs.pop("pin_memory", None)
    result = func(*inner_args, **inner_kwargs)
    if name.endswith("_") and isinstance(args[0], torch.Tensor):
        return args[0]
    if not there and (device is None or torch.device(device).type == "cpu"):
        return result
    # A gradient's own copy asks for the CPU, where autograd sees its tensor lie.
    named = torch.device(device) if device is not None and torch.device(device).type == "cuda" else None
    number = numbers.pop() if numbers and named is None else (named and named.index) or 0
    return tree_map_only(torch.Tensor, lambda tensor: there.get(id(tensor)) or OnGpu(tensor, number), result)


def properties(device: int | str) -> SimpleNamespace:
    """Describe a card, as torch does."""
    number = device if isinstance(device, int) else torch.device(device).index
    return SimpleNamespace(
        name="pretended", uuid=CARDS[number], total_memory=8 << 30, major=7, minor=5, multi_processor_count=1
    )


def pretend() -> None:
    """Change torch in this process: the pretended GPUs are found, in every thread."""
    torch._C._ensureCUDADeviceGuardSet()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    torch.inference_mode = torch.no_grad  # type: ignore[assignment,misc]
    tensor, run, save = torch.tensor, threading.Thread.run, safetensors.torch.save_file

    def made(data: Any, *, device: Any = None, **kwargs: Any) -> torch.Tensor:
        return tensor(data, **kwargs) if device is None else tensor(data, **kwargs).to(device)

    def run_there(self: threading.Thread) -> None:
        with Pretended():
            run(self)

    def saved(tensors: dict[str, torch.Tensor], *args: Any, **kwargs: Any) -> None:
        save({name: value.to("cpu") for name, value in tensors.items()}, *args, **kwargs)

    torch.tensor, threading.Thread.run, safetensors.torch.save_file = made, run_there, saved  # type: ignore[assignment,method-assign]
    idle = SimpleNamespace(
        synchronize=lambda: None, wait_stream=lambda _: None, wait_event=lambda _: None, record=lambda *_: None,
        record_event=lambda *_: idle, wait=lambda *_: None, query=lambda: True,
    )  # fmt: skip
    for name, value in {
        "_lazy_init": None, "is_available": True, "synchronize": None,
        "set_sync_debug_mode": None, "reset_peak_memory_stats": None, "max_memory_allocated": 1 << 30,
        "mem_get_info": (6 << 30, 8 << 30), "get_device_capability": (7, 5), "device_count": len(CARDS), "Stream": idle,
        "Event": idle, "current_stream": idle, "stream": nullcontext(), "empty_cache": None,
    }.items():  # fmt: skip
        setattr(torch.cuda, name, lambda *_, value=value, **__: value)
    torch.cuda.get_device_properties = properties  # type: ignore[assignment]
    torch.backends.cudnn.version = lambda: 0  # type: ignore[method-assign]


if __name__ == "__main__":
    pretend()
    from benchmarks.gpu import __main__, material, several

    material.CARD = material.TRIAL
    several.HOLDER = f"from tests.pretended_gpu import pretend; pretend(); {several.HOLDER}"
    with Pretended():
        sys.exit(__main__.main())
