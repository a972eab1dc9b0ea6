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
    assert set(parameters_of(configured().execution)) == {"device", "dtype", "threads", "batch_mpx", "block_tiles"}
    one, other = (parameters_of(configured(f"execution.workers={workers}").execution) for workers in (1, 2))
    assert one == other
    for key, value in (("threads", 2), ("batch_mpx", 0.5), ("block_tiles", 3), ("device", "cpu"), ("dtype", "float32")):
        assert parameters_of(configured(f"execution.{key}={value}").execution) != one
