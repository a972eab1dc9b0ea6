"""What was settled is kept to, or told in one line where this machine cannot."""

import pytest

from tests.runs import configured
from wsi_scale.errors import ConfigError
from wsi_scale.execution.settled import compute_of, parameters_of


def test_what_is_named_is_what_is_computed_with() -> None:
    settled = configured("execution.device=cpu", "execution.dtype=float32", "execution.threads=2").execution
    compute = compute_of(settled)
    assert (compute.device, compute.dtype, compute.threads) == ("cpu", "float32", 2)


@pytest.mark.parametrize("dtype", ["bfloat16", "auto"])
def test_a_dtype_that_this_machine_lacks_is_told_only_where_it_is_named(
    dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsi_scale.execution.compute.has_bfloat16", lambda _: False)
    monkeypatch.setattr("wsi_scale.execution.settled.has_bfloat16", lambda _: False)
    settled = configured("execution.device=cpu", f"execution.dtype={dtype}").execution
    if dtype == "auto":
        assert compute_of(settled).dtype == "float32"
        return
    with pytest.raises(ConfigError, match=r"set execution\.dtype=float32") as told:
        compute_of(settled)
    assert "\n" not in str(told.value)


def test_results_depend_on_all_but_the_number_of_workers() -> None:
    def parameters(key: str, value: object) -> dict[str, object]:
        return parameters_of(configured("execution.device=cpu", f"execution.{key}={value}").execution)

    one, other = (parameters("workers", workers) for workers in (1, 2))
    assert one == other
    assert set(one) == {"device", "dtype", "threads", "batch_mpx", "block_tiles"}
    for key, value in (
        ("threads", 2),
        ("batch_mpx", 0.5),
        ("block_tiles", 3),
        ("device", "cuda"),
        ("dtype", "float32"),
    ):
        assert parameters(key, value) != one


def test_sizes_that_are_not_configured_follow_the_device() -> None:
    cpu, cuda = (parameters_of(configured(f"execution.device={device}").execution) for device in ("cpu", "cuda"))
    assert cpu["batch_mpx"] < cuda["batch_mpx"]
    assert cpu["block_tiles"] < cuda["block_tiles"]


def test_float16_on_a_cpu_is_told_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"set execution\.dtype=float32") as told:
        compute_of(configured("execution.device=cpu", "execution.dtype=float16").execution)
    assert "\n" not in str(told.value)
