"""``evolora resume``: a run that was cut off goes on from its newest checkpoint, as if it had never stopped."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evolora_mesa.cli_run import given_path, summary_lines
from evolora_mesa.errors import HostError, RunError
from evolora_mesa.record.interrupt import exit_code
from evolora_mesa.record.layout import CHECKPOINT_FOLDER, CONFIG_FILE, STORE_FILE, SUMMARY_FILE

if TYPE_CHECKING:
    from evolora_mesa.config import WorldConfig
    from evolora_mesa.model import EcologyModel
    from evolora_mesa.record.checkpoint import Checkpoint, StorePosition

__all__ = ["resume"]

_NOTHING = -1  # the generation before the founding


def resume(
    run: Annotated[Path, typer.Argument(parser=given_path, metavar="RUN", help="The folder of a run.")],
    generations: Annotated[
        int | None, typer.Option(help="Length of the whole run.", show_default="what was asked for at first")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, only the summary.")] = False,
) -> None:
    """Go on with a run from its newest checkpoint, to the number of generations that was asked for."""
    _check_is_run(run)
    from evolora_mesa.record.live import record_run
    from evolora_mesa.record.lock import RunLock
    from evolora_mesa.record.runfolder import RunFolder

    with RunLock(run):
        config, facts = _settings(run, generations)
        checkpoint = None if _is_only_founded(run, facts) else _newest(run, config)
        reached = checkpoint.position.generation if checkpoint is not None else _NOTHING
        if reached > config.generations:
            raise RunError(
                "the run is longer than that already",
                where=run,
                expected=f"--generations of at least {reached}",
                got=config.generations,
            )
        if reached == config.generations and (run / SUMMARY_FILE).exists():
            print(f"The run is over: it has all of its {reached} generations. A larger --generations makes it longer.")
            return
        model = _world(config, checkpoint, facts)
        notes = _notes(checkpoint, model) if checkpoint is not None else ["begun anew: it had not come further"]
        for note in notes:
            print(note, file=sys.stderr)
        with RunFolder.reopen(run, config, reached) as folder:
            for note in notes:
                folder.log(note)
            summary = record_run(model, folder, sys.stdout, quiet=quiet)
    for line in summary_lines(summary, run):
        print(line)
    if summary["ended_by"] is not None:
        raise typer.Exit(exit_code(summary["ended_by"]))


def _check_is_run(run: Path) -> None:
    """Before anything is made in a folder that is none of ours."""
    try:
        missing = [name for name in (CONFIG_FILE, STORE_FILE) if not (run / name).is_file()]
    except OSError as error:
        raise RunError("the folder cannot be read", where=run, got=error.strerror or str(error)) from error
    if missing:
        raise RunError("not the folder of a run", where=run, expected=f"a file {missing[0]} in it")


def _settings(run: Path, generations: int | None) -> tuple[WorldConfig, Mapping[str, str]]:
    """The settings of the run with the length that is wanted, and the facts in its store."""
    from evolora_mesa.configfile import load_config
    from evolora_mesa.record.store import RunStore, config_hash

    with RunStore.open(run / STORE_FILE) as store:
        facts = store.meta
    config = load_config((run / CONFIG_FILE).absolute())
    if config_hash(config) != facts["config_hash"]:
        raise RunError(
            "the settings are not those that the run began with",
            where=run / CONFIG_FILE,
            do="Put the file back as it was; for other settings start another run.",
        )
    length = int(facts["asked_generations"]) if generations is None else generations
    return load_config(config, {"generations": length}), facts


def _newest(run: Path, config: WorldConfig) -> Checkpoint:
    """The newest checkpoint that is whole and that the store can go on from."""
    from evolora_mesa.record.checkpoint import load
    from evolora_mesa.record.store import RunStore

    with RunStore.open(run / STORE_FILE) as store:

        def fits(position: StorePosition) -> str | None:
            found = store.digest_of(position.generation)
            if found is None:
                return f"the store ends with generation {store.generation}"
            return None if found == position.digest else "the store holds other events"

        return load(run / CHECKPOINT_FOLDER, config, fits=fits)


def _is_only_founded(run: Path, facts: Mapping[str, str]) -> bool:
    """Whether it was cut off before its first checkpoint, and all that it had is in its settings."""
    from evolora_mesa.record.checkpoint import there_is_one
    from evolora_mesa.record.store import RunStore

    if facts.get("adapters") != "null":  # those of founders lie elsewhere, and may be others by now
        return False
    with RunStore.open(run / STORE_FILE) as store:
        return store.generation <= 0 and not there_is_one(run / CHECKPOINT_FOLDER)


def _world(config: WorldConfig, checkpoint: Checkpoint | None, facts: Mapping[str, str]) -> EcologyModel:
    """The world as it was, on the host that it began with."""
    import json

    from evolora_mesa.hosting import host_for
    from evolora_mesa.model import EcologyModel
    from evolora_mesa.record.state import restore

    host = host_for(config)
    weights = json.loads(facts["host"]).get("weights")
    if weights is not None and host.host.weight_hash() != weights:
        raise HostError("not the host that the run began with", where=config.host.path, do="Restore its weights.")
    return EcologyModel(config, host=host) if checkpoint is None else restore(config, checkpoint.tree, host)


def _notes(checkpoint: Checkpoint, model: EcologyModel) -> list[str]:
    """What the user should know: checkpoints that are of no use, and what may change the last bits."""
    from evolora_mesa.record.checkpoint import surroundings

    notes = [f"left out a checkpoint, {reason}" for reason in checkpoint.skipped]
    now, then = surroundings(model.bank.device), checkpoint.surroundings
    changes = [f"{name} {now[name]} (was {then.get(name)})" for name in now if now[name] != then.get(name)]
    return notes + ([f"no longer bit-identical: {', '.join(changes)}"] if changes else [])
