"""What every engine does: take jobs, answer with results, in any order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol

from evolora_mesa.study.sweep.job import Job, Result

__all__ = ["Ended", "Engine", "Limits"]


class Limits(NamedTuple):
    """What one run may use.

    Attributes:
        seconds: wall time of a run; `None` is no limit.
        mebibytes: address space a worker may take beyond what it starts with; `None` is no limit.
        attempts: how often a run is begun whose worker gets killed.
    """

    seconds: float | None = None
    mebibytes: int | None = None
    attempts: int = 3


class Ended(NamedTuple):
    """A run is over."""

    job: Job
    result: Result


class Engine(Protocol):
    """Runs jobs in other processes. A context manager: leaving it ends whatever still runs, at once."""

    @property
    def free(self) -> int:
        """Workers without a job."""

    def begin(self, job: Job, folder: Path) -> None:
        """Have ``job`` run into ``folder``, which exists if the run was begun before."""

    def wait(self, seconds: float) -> Sequence[Ended]:
        """Runs that have ended since the last call; waits for one for so long at most."""

    def __enter__(self) -> Engine: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
