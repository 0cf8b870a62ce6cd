"""Going on with a run: its settings, the newest checkpoint that is of use, and the world as it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from evolora_mesa.config import WorldConfig
from evolora_mesa.configfile import load_config
from evolora_mesa.errors import HostError, RunError
from evolora_mesa.host import HostService
from evolora_mesa.hosting import host_for
from evolora_mesa.model import EcologyModel
from evolora_mesa.record.checkpoint import Checkpoint, StorePosition, load, surroundings, there_is_one
from evolora_mesa.record.given import given_settings
from evolora_mesa.record.layout import CHECKPOINT_FOLDER, CONFIG_FILE, STORE_FILE
from evolora_mesa.record.state import restore
from evolora_mesa.record.store import RunStore, config_hash

__all__ = ["NOTHING", "check_is_run", "is_only_founded", "newest", "notes_on", "settings_of", "world_at"]

NOTHING: Final = -1  # the generation before the founding


def check_is_run(run: Path) -> None:
    """Before anything is made in a folder that is none of ours.

    Raises:
        RunError: it is not the folder of a run, or cannot be read.
    """
    try:
        missing = [name for name in (CONFIG_FILE, STORE_FILE) if not (run / name).is_file()]
    except OSError as error:
        raise RunError("the folder cannot be read", where=run, got=error.strerror or str(error)) from error
    if missing:
        raise RunError("not the folder of a run", where=run, expected=f"a file {missing[0]} in it")


def settings_of(run: Path, generations: int | None = None) -> tuple[WorldConfig, Mapping[str, str]]:
    """The settings of the run with the length that is wanted, by default what was asked for, and its store's facts.

    Raises:
        RunError: they are not those that the run began with.
    """
    with RunStore.open(run / STORE_FILE) as store:
        facts = store.meta
    config = given_settings(run, facts).config
    length = int(facts["asked_generations"]) if generations is None else generations
    return load_config(config, {"generations": length}), facts


def newest(run: Path, config: WorldConfig) -> Checkpoint:
    """The newest checkpoint that is whole and that the store can go on from.

    Raises:
        RunError: there is none.
    """
    with RunStore.open(run / STORE_FILE) as store:
        facts, older = store.meta, ""
        if facts.get("config_hash") != config_hash(config) == config_hash(given_settings(run, facts).config):
            older = facts["config_hash"]

        def fits(position: StorePosition) -> str | None:
            found = store.digest_of(position.generation)
            if found is None:
                return f"the store ends with generation {store.generation}"
            return None if found == position.digest else "the store holds other events"

        return load(run / CHECKPOINT_FOLDER, config, fits=fits, older=older)


def is_only_founded(run: Path, facts: Mapping[str, str]) -> bool:
    """Whether it was cut off before its first checkpoint, and all that it had is in its settings."""
    if facts.get("adapters") != "null":  # those of founders lie elsewhere, and may be others by now
        return False
    with RunStore.open(run / STORE_FILE) as store:
        return store.generation <= 0 and not there_is_one(run / CHECKPOINT_FOLDER)


def world_at(
    checkpoint: Checkpoint | None, config: WorldConfig, facts: Mapping[str, str], host: HostService | None = None
) -> EcologyModel:
    """The world as it was, or at its founding, on the host that it began with.

    Args:
        host: loaded already; by default that of the settings is.

    Raises:
        HostError: it is another host.
    """
    host = host_for(config) if host is None else host
    weights = json.loads(facts["host"]).get("weights")
    if weights is not None and host.host.weight_hash() != weights:
        raise HostError("not the host that the run began with", where=config.host.path, do="Restore its weights.")
    return EcologyModel(config, host=host) if checkpoint is None else restore(config, checkpoint.tree, host)


def notes_on(checkpoint: Checkpoint | None, model: EcologyModel, older: str = "") -> list[str]:
    """What the user should know: checkpoints that are of no use, and what may change the last bits.

    Args:
        older: see `Given`.
    """
    told = [f"{older}; what follows is no longer sure to be bit-identical"] if older else []
    if checkpoint is None:
        return [*told, "begun anew: it had not come further"]
    notes = told + [f"left out a checkpoint, {reason}" for reason in checkpoint.skipped]
    now, then = surroundings(model.bank.device), checkpoint.surroundings
    changes = [f"{name} {now[name]} (was {then.get(name)})" for name in now if now[name] != then.get(name)]
    return notes + ([f"no longer bit-identical: {', '.join(changes)}"] if changes else [])
