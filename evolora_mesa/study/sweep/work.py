"""What a worker does: live one run, measure it, and answer; whatever goes wrong in it is part of the answer."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Final

from evolora_mesa.errors import EvoloraError, one_line
from evolora_mesa.study.sweep.code_version import code_version
from evolora_mesa.study.sweep.job import OURS, Failure, Job, Result
from evolora_mesa.study.sweep.life import Life, tidy
from evolora_mesa.study.sweep.metrics import curves_of, measure
from evolora_mesa.study.sweep.query import store_query
from evolora_mesa.study.sweep.runlog import RunLog
from evolora_mesa.study.sweep.spec import MetricSpec
from evolora_mesa.tasks.guest import STRANGER_ERRORS, in_words

try:
    import resource
except ImportError:  # on Windows
    resource = None  # type: ignore[assignment]

__all__ = ["one_thread", "prepare", "run_job"]

_THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_LONGEST_ERROR: Final = 300  # characters
_LONGEST_TRACEBACK: Final = 20_000  # characters, its end
# How torch and oneDNN tell that there was no memory; Python and numpy raise MemoryError.
_OUT_OF_MEMORY: Final = (
    "can't allocate memory",
    "not enough memory",
    "could not create a",
    "bad_alloc",
    "out of memory",
)


def one_thread() -> None:
    """Have the libraries of this process compute on one thread, so that sums are the same on every machine.

    Called before they are imported; a world's own `host.threads` still holds for its host.
    """
    os.environ.update(dict.fromkeys(_THREADS, "1"))


def prepare(job: Job) -> None:
    """Import what a run needs and load its host, for the processes that will be forked off this one.

    Raises:
        EvoloraError: there is no such model or host.
    """
    code_version(job.model)
    if job.model != OURS:
        from evolora_mesa.study.sweep.foreign import load_model

        load_model(job.model)
        return
    import torch

    from evolora_mesa.study.sweep.living_world import config_of, host_of

    config = config_of(job)
    torch.set_num_threads(1)
    if config.host.device == "cpu" or (config.host.device == "auto" and not torch.cuda.is_available()):
        host_of(config)  # what an accelerator holds does not pass to a forked process


def run_job(
    job: Job, folder: Path, caught: type[BaseException] | tuple[type[BaseException], ...] = STRANGER_ERRORS
) -> Result:
    """Live ``job`` into ``folder``, where it goes on if it was begun there before; what it prints goes into its log.

    Args:
        caught: what may be raised as a failure of the run. In a process of its own that is everything; elsewhere
            Ctrl-C is the user's.

    Returns:
        Its result. A failure of the run is in it and not raised.
    """
    began, began_cpu = time.monotonic(), time.process_time()
    with RunLog(folder) as log:
        try:
            found = _answered(job, folder, log)
        except caught as error:  # a model's own mistakes, whatever they are, end its run only
            traceback.clear_frames(error.__traceback__)  # what has eaten all memory lies there, and telling takes some
            trace = _writable("".join(traceback.format_exception(error)))[-_LONGEST_TRACEBACK:]
            with contextlib.suppress(OSError, ValueError):  # it may have closed what it prints to
                print(trace, end="", file=sys.stderr)
            found = Result(failure=_failure(error), error=_told(error), traceback=trace, code=code_version(job.model))
    return replace(
        found,
        wall_seconds=time.monotonic() - began,
        cpu_seconds=time.process_time() - began_cpu,
        peak_mib=_peak_mib(),
    )


def _answered(job: Job, folder: Path, log: RunLog) -> Result:
    specs = {name: MetricSpec.model_validate(metric) for name, metric in job.metrics.items()}
    life, heavy = _lived(job, folder, log)
    result = Result(
        outcome=life.outcome,
        generations=life.generations,
        digest=life.digest,
        metrics=measure(specs, life.figures, store_query(life.store), life.worth),
        curves=curves_of(specs.values(), life.figures),
        code=life.code,
    )
    tidy(folder, job.keep, *heavy)
    return result


def _lived(job: Job, folder: Path, log: RunLog) -> tuple[Life, tuple[str, ...]]:
    """The run at its end, and what of its folder is more than records."""
    if job.model == OURS:
        from evolora_mesa.study.sweep.living_world import HEAVY, live_world

        return live_world(job, folder, log), HEAVY
    from evolora_mesa.study.sweep.living_model import live_model

    return live_model(job, folder, log), ()


def _failure(error: BaseException) -> Failure:
    text = in_words(error)
    lacking = isinstance(error, RuntimeError) and any(words in text for words in _OUT_OF_MEMORY)
    return "memory" if lacking or isinstance(error, MemoryError) else "raised"


def _told(error: BaseException) -> str:
    """The last line of a traceback."""
    if isinstance(error, EvoloraError):
        return str(error)
    return one_line(in_words(error)[:_LONGEST_ERROR])[:_LONGEST_ERROR]


def _writable(text: str) -> str:
    """The text without what no file and no database takes: halves of surrogate pairs, as broken names contain them."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _peak_mib() -> float:
    if resource is None:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
