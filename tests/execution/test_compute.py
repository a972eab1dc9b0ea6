"""Device, dtype and batches."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsi_scale.config.models import ExecutionConfig
from wsi_scale.errors import ConfigError
from wsi_scale.execution.compute import Compute, default_workers, resolve
from wsi_scale.execution.machine import usable_cores

CPU = Compute("cpu", "float32", 1, 1.0)


@given(st.integers(1, 4096), st.floats(0.01, 100))
@settings(deadline=None)
def test_a_batch_holds_at_most_the_configured_megapixels_but_never_nothing(side_px: int, batch_mpx: float) -> None:
    size = Compute("cpu", "float32", 1, batch_mpx).batch_size(side_px)
    assert size >= 1
    assert size == 1 or size * side_px**2 <= batch_mpx * 1e6
    assert (size + 1) * side_px**2 > batch_mpx * 1e6


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_dtype_that_is_named_is_taken(dtype: str) -> None:
    compute = resolve(ExecutionConfig.model_validate({"device": "cpu", "dtype": dtype}))
    assert compute.dtype == dtype
    assert compute.torch_dtype is getattr(torch, dtype)


def test_the_cpu_is_taken_where_it_is_named() -> None:
    assert resolve(ExecutionConfig(device="cpu")).device == "cpu"


def test_auto_takes_a_gpu_where_there_is_one() -> None:
    assert resolve(ExecutionConfig()).device == ("cuda" if torch.cuda.is_available() else "cpu")


def test_auto_takes_bfloat16_on_a_cpu_only_where_it_is_in_silicon() -> None:
    capabilities = torch.cpu.get_capabilities()
    silicon = capabilities.get("amx_bf16") or capabilities.get("avx512_bf16")
    assert resolve(ExecutionConfig(device="cpu")).dtype == ("bfloat16" if silicon else "float32")


def test_the_choice_is_the_same_each_time() -> None:
    assert resolve(ExecutionConfig()) == resolve(ExecutionConfig())


def test_threads_and_batches_are_the_configured_ones() -> None:
    compute = resolve(ExecutionConfig(device="cpu", threads=3, batch_mpx=0.5))
    assert (compute.threads, compute.batch_mpx) == (3, 0.5)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_said_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"execution\.device=cuda") as error:
        resolve(ExecutionConfig(device="cuda"))
    assert "\n" not in str(error.value)


def test_workers_are_the_configured_ones_or_fill_the_cores() -> None:
    cores = usable_cores()
    assert default_workers(ExecutionConfig(workers=7), CPU) == 7
    assert default_workers(ExecutionConfig(), CPU) == cores
    assert default_workers(ExecutionConfig(threads=cores), Compute("cpu", "float32", cores, 1.0)) == 1
    assert default_workers(ExecutionConfig(), Compute("cpu", "float32", 10 * cores, 1.0)) == 1
