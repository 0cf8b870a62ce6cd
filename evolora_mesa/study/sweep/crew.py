"""Runs of a batch, each in a process of its own: one that dies takes no other with it, and nobody waits for it."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Final, NamedTuple

from evolora_mesa.errors import ConfigError, one_line
from evolora_mesa.study.sweep.batch_rows import Run

__all__ = ["ATTEMPTS", "Fate", "in_own_processes", "in_this_process"]

ATTEMPTS: Final = 3  # of a run whose process gets killed

Rows = list[dict[str, Any]]
Live = Callable[[Run], Rows]


class Fate(NamedTuple):
    """How a run ended.

    Attributes:
        rows: what was collected; empty when it failed.
        error: the exception's last line, or the signal; empty when it went well.
        traceback: of the exception.
    """

    run: Run
    rows: Rows
    error: str = ""
    traceback: str = ""


class _Member(NamedTuple):
    process: BaseProcess
    run: Run
    attempt: int


def in_this_process(live: Live, runs: Sequence[Run]) -> Iterator[Fate]:
    """One run after the other."""
    for run in runs:
        yield _tried(live, run)


def in_own_processes(live: Live, runs: Sequence[Run], workers: int, preload: Sequence[str]) -> Iterator[Fate]:
    """The runs in the order in which they end.

    Args:
        live: lives one run; travels to the processes, and so must what it holds.
        workers: processes at a time.
        preload: modules that the processes find imported.

    Raises:
        ConfigError: ``live`` or a run cannot travel.
    """
    context = _context(preload)
    waiting = deque((run, 1) for run in runs)
    crew: dict[Connection, _Member] = {}
    try:
        while waiting or crew:
            while waiting and len(crew) < workers:
                run, attempt = waiting.popleft()
                line, process = _start(context, live, run)
                crew[line] = _Member(process, run, attempt)
            for line in [line for line in wait(crew) if isinstance(line, Connection)]:
                member = crew.pop(line)
                fate = _heard(line, member)
                if fate is None:
                    waiting.appendleft((member.run, member.attempt + 1))
                else:
                    yield fate
    finally:
        for line, member in crew.items():
            line.close()
            member.process.kill()
            member.process.join()


def _context(preload: Sequence[str]) -> Any:
    """Importing mesa makes ``spawn`` the default, in which every process imports everything again: 3 to 6 s a run."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", *preload])
    return context


def _start(context: Any, live: Live, run: Run) -> tuple[Connection, BaseProcess]:
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, live, run), daemon=True)
    try:
        process.start()
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        ours.close()
        raise ConfigError(
            "the model or an argument cannot travel to another process",
            where=f"run {run.number}",
            got=str(error),
            do="Define the model in a module and give plain arguments, or give number_processes=1.",
        ) from error
    finally:
        theirs.close()
    return ours, process


def _work(line: Connection, live: Live, run: Run) -> None:
    """In the process of a run."""
    threading.Thread(target=_end_with, args=(line,), daemon=True).start()
    fate = _tried(live, run)
    try:
        line.send(fate)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        line.send(Fate(run, [], one_line(f"what was collected cannot travel: {error}"), traceback.format_exc()))


def _end_with(line: Connection) -> None:
    """Nothing ever comes over the line but its end, when the process at the other side has gone."""
    try:
        line.poll(None)
    finally:
        os._exit(1)


def _tried(live: Live, run: Run) -> Fate:
    try:
        return Fate(run, live(run))
    except Exception as error:  # a model's own mistake, whatever it is, ends its run only
        return Fate(run, [], one_line(f"{type(error).__name__}: {error}"), traceback.format_exc())


def _heard(line: Connection, member: _Member) -> Fate | None:
    """What a process answered; `None` if it was killed and the run is to be begun again."""
    try:
        fate: Fate = line.recv()
    except (EOFError, OSError):
        member.process.join()
        code = member.process.exitcode or 0
        if code < 0 and member.attempt < ATTEMPTS:
            return None
        how = f"killed by {_name(-code)}, {member.attempt} times" if code < 0 else f"left with exit code {code}"
        return Fate(member.run, [], f"the process of the run was {how}" if code < 0 else f"the process {how}")
    finally:
        line.close()
    member.process.join()
    return fate


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
