"""Turns on GPUs; on a CPU nobody waits."""

import threading
import time

from wsi_scale.execution.compute import Compute
from wsi_scale.execution.turns import Place, Turns, turn

FOUR = [Place(f"cuda:{gpu}", number) for number in (0, 1) for gpu in (0, 1)]


def test_no_more_are_on_the_devices_than_there_are_places() -> None:
    turns = Turns(FOUR)
    together: dict[str, int] = {"cuda:0": 0, "cuda:1": 0}
    most: dict[str, int] = dict(together)
    lock = threading.Lock()

    def work() -> None:
        with turns.next() as place:
            device = place.device
            with lock:
                together[device] += 1
                most[device] = max(most[device], together[device])
            time.sleep(0.01)
            with lock:
                together[device] -= 1

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == {"cuda:0": 2, "cuda:1": 2}


def test_every_device_has_a_block_before_one_has_two() -> None:
    turns = Turns(FOUR)
    with turns.next() as first, turns.next() as second:
        assert (first.device, second.device) == ("cuda:0", "cuda:1")


def test_a_place_is_free_again_after_an_error() -> None:
    turns = Turns(FOUR[:1])
    for _ in range(3):
        try:
            with turns.next():
                raise RuntimeError
        except RuntimeError:
            pass
    with turns.next() as place:
        assert place.device == "cuda:0"


def test_on_a_cpu_every_worker_has_its_turn_at_once() -> None:
    compute = Compute("cpu", "float32", 1, 0.25)
    with turn(compute) as first, turn(compute) as second:
        assert first[0] is second[0] is compute
