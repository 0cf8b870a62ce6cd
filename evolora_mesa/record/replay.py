"""Living a run again from its settings and its seed, to see whether it comes out the same."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from evolora_mesa import __version__
from evolora_mesa.errors import RunError
from evolora_mesa.record.continuing import check_is_run, settings_of, world_at
from evolora_mesa.record.founders import found_with
from evolora_mesa.record.given import given_settings
from evolora_mesa.record.layout import RATINGS_FILE, STORE_FILE
from evolora_mesa.record.runfolder import RunFolder
from evolora_mesa.record.store import RunStore
from evolora_mesa.society.ratings import RatingBook

__all__ = ["Replay", "replay"]


class Replay(NamedTuple):
    """What came of it.

    Attributes:
        generation: the last one that was lived again.
        digest: of it, now.
        recorded: of it, in the run.
        notes: what is not as it was when the run was lived.
    """

    generation: int
    digest: str
    recorded: str
    notes: list[str]

    @property
    def same(self) -> bool:
        return self.digest == self.recorded


def replay(run: Path) -> Replay:
    """Live a run again, as far as it had come, or until its first generation that comes out differently.

    Args:
        run: its folder, in which nothing is changed.

    Raises:
        RunError: it is not the folder of a run, or its founders had adapters that are not there any more.
        HostError: the host is another one.
    """
    check_is_run(run)
    config, facts = settings_of(run)
    adapters = json.loads(facts["adapters"])
    if adapters is not None and not Path(adapters).exists():
        raise RunError("the founders' adapters are not there any more", where=adapters)
    model = world_at(None, config, facts)
    if adapters is not None:
        found_with(model, Path(adapters))
    if model.jury.hears_the_run:
        model.jury.hear(RatingBook(run / RATINGS_FILE).ratings)
    with RunStore.open(run / STORE_FILE) as store, tempfile.TemporaryDirectory(prefix="evolora-replay-") as aside:
        if store.generation < 0:
            raise RunError("the run has no generation yet", where=run)
        with RunFolder(Path(aside) / "run", config, model.host.fingerprint()) as folder:
            folder.attach(model)
            while folder.store.digest == store.digest_of(model.tick) and model.tick < store.generation:
                model.step()
            notes = [*filter(None, [given_settings(run, facts).older]), *_changes(facts)]
            return Replay(model.tick, folder.store.digest, str(store.digest_of(model.tick)), notes)


def _changes(facts: Mapping[str, str]) -> list[str]:
    """Versions that are not those of the run."""
    now = {"package": __version__, **{name: version(name) for name in ("torch", "numpy", "mesa")}}
    return [f"{name} {found} (was {facts.get(name)})" for name, found in now.items() if facts.get(name) != found]
