"""The GPU of a process: of those that it sees, the one that the fewest other processes compute on.

A process that computes on a GPU holds a name of the kernel, made of the card's own id: an abstract Unix socket, which
ends with its process, however that ends. Unlike a file it needs no folder that all users of a machine may write, is not
hidden by a job's own ``/tmp``, and leaves nothing behind. Ids are those of the cards, because the jobs of a cluster see
the cards that they were given numbered from 0.
"""

import errno
import logging
import socket
import threading
from collections.abc import Sequence
from functools import cache

log = logging.getLogger(__name__)

#: Processes of a GPU that are counted; more share it uncounted.
MOST = 64

_lock = threading.Lock()
#: Cards whose names this process holds.
_held: set[str] = set()


def own_gpu() -> str:
    """Name this process's GPU as torch does (``cuda:1``); it is chosen at the first call, and kept."""
    with _lock:
        return _chosen()


def every_gpu() -> tuple[str, ...]:
    """Name all GPUs that this process sees; other processes see them as taken from now on."""
    with _lock:
        cards = _cards()
        for card in cards:
            if card not in _held:
                take([card])
        return tuple(f"cuda:{number}" for number in range(len(cards)))


def take(cards: Sequence[str]) -> int:
    """Take the card that the fewest processes hold, the first of equals; it is free again when this process ends.

    Where all are taken, processes share them evenly: waiting would leave idle what reads and decodes for a GPU, which
    is most of the work.

    Parameters
    ----------
    cards
        Their ids; at least one.

    Returns
    -------
    number
        Of the card taken.
    """
    while True:
        used = [{number for number in range(MOST) if _is_held(card, number)} for card in cards]
        chosen = min(range(len(cards)), key=lambda number: len(used[number]))
        free = next((number for number in range(MOST) if number not in used[chosen]), None)
        if free is None or _hold(cards[chosen], free):
            return chosen
        # Another process has just taken the same name: count anew.


@cache
def _chosen() -> str:
    cards = _cards()
    chosen = take(cards)
    log.info("computing on GPU %d of %d (%s)", chosen, len(cards), cards[chosen])
    return f"cuda:{chosen}"


def _cards() -> list[str]:
    """Ids of the cards that this process sees, in torch's order."""
    import torch

    return [str(torch.cuda.get_device_properties(number).uuid) for number in range(torch.cuda.device_count())]


def _is_held(card: str, number: int) -> bool:
    """Whether a process holds a name; asking does not take it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asking:
        return asking.connect_ex(_name(card, number)) != errno.ECONNREFUSED


def _hold(card: str, number: int) -> bool:
    """Hold a name until this process ends; False where another was faster."""
    name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        name.bind(_name(card, number))
    except OSError as error:
        name.close()
        return error.errno != errno.EADDRINUSE  # where names cannot be held at all, no card is counted
    _held.add(card)
    name.detach()  # nothing closes it now but the end of the process
    return True


def _name(card: str, number: int) -> str:
    return f"\0wsi-scale-gpu-{card}-{number}"
