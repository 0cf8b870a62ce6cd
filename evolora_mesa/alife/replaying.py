"""Living a classic's run again from its settings and its seed, to see whether it comes out the same."""

from __future__ import annotations

from pathlib import Path

from evolora_mesa import __version__
from evolora_mesa.alife.runs import checkpointed, founded, summary_of
from evolora_mesa.alife.verification import digest_of
from evolora_mesa.record.replay import Replay

__all__ = ["replay_classic"]


def replay_classic(run: Path) -> Replay:
    """Live a run again, as far as its newest checkpoint; nothing in its folder is changed.

    Raises:
        RunError: the checkpoint cannot be read.
    """
    before, config = checkpointed(run)
    model = founded(config)
    while model.tick < before.tick:
        model.step()
    then = (summary_of(run) or {}).get("version", __version__)
    notes = [] if then == __version__ else [f"package {__version__} (was {then})"]
    return Replay(model.tick, digest_of(model), digest_of(before), notes)
