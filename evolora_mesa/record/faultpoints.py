"""Named moments while a run is written, at which a test bench lets the process be hit by a signal.

    EVOLORA_FAULT=checkpoint.written:2 evolora run smoke                               killed at the second checkpoint
    EVOLORA_FAULT=store.begun:3:SIGINT,store.committed:3:SIGINT evolora run smoke      Ctrl-C twice

Real signals in real processes: what is left on the disk is then what a crash leaves, with nothing unwound. Without the
variable a point costs one look into the environment, about a microsecond a dozen times a generation.
"""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from typing import Final

from evolora_mesa.errors import ConfigError

__all__ = ["POINTS", "VARIABLE", "reached"]

VARIABLE: Final = "EVOLORA_FAULT"
POINTS: Final = (
    "folder.made",  # a run folder is complete, under a name that nobody looks for
    "folder.named",  # it has its name
    "store.begun",  # a generation's transaction is open
    "store.filled",  # all its rows are in
    "store.committed",
    "store.cut",  # inside the transaction in which a run that goes on forgets what came after its checkpoint
    "checkpoint.begun",  # nothing of it is on the disk
    "checkpoint.file",  # one of its files is
    "checkpoint.written",  # all are, and synced; the folder still has a name that does not count
    "checkpoint.renamed",  # it counts; older ones are still there
    "checkpoint.kept",  # they are gone
    "finish.phylogeny",  # in its place
    "finish.adapters",  # in their place, all but the summary
)

_ORDER: Final = re.compile(rf"({'|'.join(map(re.escape, POINTS))}):([1-9]\d*)(?::(SIG[A-Z0-9]+))?")
_passed: Counter[str] = Counter()


def reached(point: str) -> None:
    """The process is at ``point``. Nothing happens unless the environment wants it.

    Raises:
        ConfigError: the environment says something else than points, with how often they are passed, and signals.
    """
    orders = os.environ.get(VARIABLE)
    if not orders:
        return
    _passed[point] += 1
    for order in orders.split(","):
        found = _ORDER.fullmatch(order)
        number = getattr(signal, found[3] or "SIGKILL", None) if found else None
        if found is None or number is None:
            raise ConfigError("no fault point", where=VARIABLE, expected="POINT:TIMES or POINT:TIMES:SIGNAL", got=order)
        if found[1] == point and int(found[2]) == _passed[point]:
            os.kill(os.getpid(), number)
