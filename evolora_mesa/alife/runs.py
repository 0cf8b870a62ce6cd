"""Runs of classic models in folders: settings, a checkpoint that a kill cannot spoil, and in the end the event log.

A folder holds ``config.yaml``, with the length that was asked for last; ``checkpoint.npz``, the whole model with its
log so far; and once the run is over ``log/``, ``series.csv`` and, written last, ``summary.json``. A run that goes on
from its checkpoint comes to the same, bit for bit, as one that was never cut off.
"""

from __future__ import annotations

import csv
import inspect
import io
import json
import os
import time
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from pydantic import ValidationError

from evolora_mesa import __version__
from evolora_mesa.alife import MODELS, model_class, model_name
from evolora_mesa.configfile import file_label
from evolora_mesa.errors import ConfigError, RunError
from evolora_mesa.record.layout import CONFIG_FILE, STORE_FILE, SUMMARY_FILE
from evolora_mesa.record.report.writing import write
from evolora_mesa.record.workshop import workshop
from evolora_mesa.schema import explain, place_of
from evolora_mesa.settings import Section, Text, setting
from evolora_mesa.strictyaml import TreePath, dump_yaml, parse_yaml, read_text

if TYPE_CHECKING:
    from evolora_mesa.alife.interface import EvoModel

__all__ = [
    "CHECKPOINT_FILE",
    "LOG_FOLDER",
    "SERIES_FILE",
    "ClassicConfig",
    "Mark",
    "arguments_of",
    "check_is_world",
    "checkpointed",
    "classic_config",
    "ended_by_itself",
    "founded",
    "is_classic",
    "live",
    "mark_of",
    "reached",
    "series_table",
    "summary_of",
    "taken_up",
]

CHECKPOINT_FILE: Final = "checkpoint.npz"
LOG_FOLDER: Final = "log"
SERIES_FILE: Final = "series.csv"
_FACTS: Final = "facts"  # the name under which a checkpoint keeps what is no array, as bytes of JSON
_ARRAYS: Final = "arrays/"
_STEP: Final = "step"  # so that whoever only asks how far a run is need not read all of it
_SETTINGS: Final = "settings"  # that the state fits into
# What NumPy, the archive and JSON make of a damaged file, and a model of a state that is not its own.
_UNREADABLE: Final = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)

Mark = tuple[tuple[int, int] | None, ...]


class ClassicConfig(Section):
    """What a run of a classic model is made from."""

    model: Text = setting(..., "a classic model, as NKWorld")
    generations: int = setting(500, "length of a run", unit="steps of the model", ge=0, le=1_000_000_000)
    seed: int = setting(0, "of every random stream", ge=0, le=2**63 - 1)
    checkpoint_every: int = setting(100, "steps between two checkpoints; 0 is at the end only", ge=0, le=1_000_000_000)
    set: dict[str, Any] = setting(dict, "arguments of the model's constructor")

    @property
    def name(self) -> str:
        """Of the run's folder."""
        return self.model


def classic_config(source: str, settings: Sequence[str] = (), **given: int | None) -> ClassicConfig | None:
    """The settings of a run, or nothing when ``source`` is no classic model.

    Args:
        source: a model by its name, in any case, or a YAML file that says ``model:``.
        settings: arguments of the model as ``name=value``, on top.
        **given: other fields, on top; None leaves them as they are.

    Raises:
        ConfigError: anything wrong with the file, a name or a value.
    """
    tree: Any
    places: dict[TreePath, str] = {}
    if source.casefold() in map(str.casefold, MODELS):
        tree = {"model": source}
    elif source.endswith((".yaml", ".yml")) and Path(source).is_file():
        label = file_label(Path(source))
        tree, places = parse_yaml(read_text(Path(source), label), label)
    else:
        return None
    if not isinstance(tree, dict) or "model" not in tree:
        return None
    tree |= {name: value for name, value in given.items() if value is not None}
    if settings:
        tree["set"] = dict(tree.get("set") or {}) | dict(map(_argument, settings))
    try:
        config = ClassicConfig.model_validate(tree)
    except ValidationError as error:
        raise explain(error, ClassicConfig, partial(place_of, places)) from error
    return config.model_copy(update={"model": model_name(config.model)})


def _argument(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not (equals and name.strip()):
        raise ConfigError("not a setting", where="--set", expected="name=value", got=text)
    return name.strip(), parse_yaml(value, f"override {name.strip()}", numbered=False)[0]


def founded(config: ClassicConfig) -> EvoModel:
    """The model before its first step.

    Raises:
        ConfigError: it has no such argument, or a value is wrong.
    """
    from evolora_mesa.study.sweep.foreign import check_argument, check_complete

    kind = model_class(config.model)
    for name in config.set:
        check_argument(kind, name, config.model)
    check_complete(kind, config.set)
    return kind(rng=config.seed, **config.set)


def arguments_of(config: ClassicConfig) -> dict[str, Any]:
    """All arguments of the model's constructor by name, those that are given and the usual ones."""
    known = inspect.signature(model_class(config.model).__init__).parameters
    usual = {name: known[name].default for name in known if name not in ("self", "rng")}
    return usual | config.set


# ---------------------------------------------------------------- living


def live(model: EvoModel, config: ClassicConfig, folder: Path, is_wanted: Callable[[], bool]) -> dict[str, Any]:
    """Step to the end, with checkpoints on the way, and write what there is then.

    Args:
        folder: of the run; there already.
        is_wanted: asked before every step; a run that is not any more can be taken up later.

    Returns:
        What ``summary.json`` says.

    Raises:
        RunError: a file cannot be written.
        LogError: the model's log does not add up.
    """
    began = time.monotonic()
    # Also of a run that goes on: a kill must not make it forget to what length.
    write(folder / CONFIG_FILE, dump_yaml(config.model_dump(mode="json")), new=False)
    if not (folder / CHECKPOINT_FILE).exists():
        _save(model, config, folder)
    while model.running and model.tick < config.generations and is_wanted():
        model.step()
        if config.checkpoint_every and model.tick % config.checkpoint_every == 0:
            _save(model, config, folder)
    _save(model, config, folder)
    if model.running and model.tick < config.generations:
        outcome = "interrupted"
    else:
        outcome = "finished" if model.running else "stopped"
    if model.log.enabled:
        model.log.so_far().save(folder / LOG_FOLDER)
    write(folder / SERIES_FILE, series_table(model.series()), new=False)
    summary = {
        "model": config.model,
        "version": __version__,
        "seed": config.seed,
        "generations": model.tick,
        "outcome": outcome,
        "events": len(model.log),
        "wall_seconds": round(time.monotonic() - began, 3),
    }
    write(folder / SUMMARY_FILE, json.dumps(summary, indent=1) + "\n", new=False)
    return summary


def series_table(series: Mapping[str, Sequence[object]]) -> str:
    """A line for every tick."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(("tick", *series))
    lines.writerows((tick, *values) for tick, values in enumerate(zip(*series.values(), strict=True)))
    return text.getvalue()


# ---------------------------------------------------------------- checkpoints


def is_classic(folder: Path) -> bool:
    """Whether the folder is that of a run of a classic model, if only just founded."""
    # os.path, for which a name that no file can have is no file's.
    if os.path.exists(folder / STORE_FILE):
        return False
    if os.path.isfile(folder / CHECKPOINT_FILE):
        return True
    return os.path.isfile(folder / CONFIG_FILE) and classic_config(str(folder / CONFIG_FILE)) is not None


def check_is_world(run: Path, *, do: str) -> None:
    """Refuse a run of a classic model.

    Args:
        do: what to use instead, as an imperative sentence.

    Raises:
        RunError: it is one.
    """
    if is_classic(run):
        raise RunError("that is a run of a classic model", where=run, expected="a run of a world of ours", do=do)


def mark_of(folder: Path) -> Mark:
    """When the files were written that say how a run stands, and their sizes: by it a later state is told."""
    return tuple(_stamp(folder / name) for name in (CHECKPOINT_FILE, CONFIG_FILE, SUMMARY_FILE))


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def reached(folder: Path) -> int:
    """Steps up to the newest checkpoint; 0 before there is one.

    Raises:
        RunError: it cannot be read.
    """
    try:
        with np.load(folder / CHECKPOINT_FILE, allow_pickle=False) as saved:
            return int(saved[_STEP]) if _STEP in saved.files else int(json.loads(saved[_FACTS].tobytes())["tick"])
    except FileNotFoundError:
        return 0
    except _UNREADABLE as error:
        raise _unread(folder, error) from error


def summary_of(folder: Path) -> dict[str, Any] | None:
    """What the run said at its end; empty if that cannot be read, `None` before."""
    try:
        found = json.loads((folder / SUMMARY_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def ended_by_itself(summary: Mapping[str, Any] | None, step: int) -> bool:
    """Whether the model of a run that has come to ``step`` would not go further.

    Args:
        summary: what the run said at its end.
    """
    told = summary or {}
    return (told.get("generations"), told.get("outcome")) == (step, "stopped")


def taken_up(folder: Path, generations: int | None = None) -> tuple[EvoModel, ClassicConfig]:
    """The model as its checkpoint has it, and the settings with the length that is wanted.

    Raises:
        RunError: the checkpoint cannot be read or is of other settings, or the run is longer than that already.
    """
    model, config = checkpointed(folder, generations)
    if model.tick > config.generations:
        raise RunError(
            "the run is longer than that already",
            where=folder,
            expected=f"--generations of at least {model.tick}",
            got=config.generations,
        )
    return model, config


def checkpointed(folder: Path, generations: int | None = None) -> tuple[EvoModel, ClassicConfig]:
    """The same, however long the run is; at its founding where a kill came before the first checkpoint.

    Raises:
        RunError: the checkpoint cannot be read, or is of other settings.
    """
    config = classic_config(str(folder / CONFIG_FILE), generations=generations)
    if config is None:
        raise RunError("not the folder of a run", where=folder, expected=f"a model in its {CONFIG_FILE}")
    state = _saved(folder)
    if state is not None:
        _check_settings(state, config, folder)
    model = founded(config)
    if state is not None:
        try:
            model.load_state_dict(state)
        except _UNREADABLE as error:
            raise _unread(folder, error) from error
    return model, config


def _saved(folder: Path) -> dict[str, Any] | None:
    try:
        with np.load(folder / CHECKPOINT_FILE, allow_pickle=False) as saved:
            state: dict[str, Any] = json.loads(saved[_FACTS].tobytes())
            state["arrays"] = {
                name.removeprefix(_ARRAYS): saved[name] for name in saved.files if name.startswith(_ARRAYS)
            }
    except FileNotFoundError:
        return None
    except _UNREADABLE as error:
        raise _unread(folder, error) from error
    return state


def _check_settings(state: Mapping[str, Any], config: ClassicConfig, folder: Path) -> None:
    now = _settings(config)
    then = now | state.get(_SETTINGS, {})  # of an older version it has none
    other = [name for name in then if then[name] != now.get(name)]
    if other:
        raise RunError(
            "the checkpoint is of other settings",
            where=folder / CONFIG_FILE,
            expected=", ".join(f"{name}: {then[name]}" for name in other),
            got=", ".join(f"{name}: {now.get(name)}" for name in other),
            do="Put them back, or begin a new run.",
        )


def _settings(config: ClassicConfig) -> dict[str, Any]:
    """Model, seed and arguments as JSON gives them back."""
    told = {"model": config.model, "seed": config.seed} | arguments_of(config)
    return json.loads(json.dumps(told, default=str))


def _unread(folder: Path, error: Exception) -> RunError:
    got = str(error) or type(error).__name__
    return RunError("the checkpoint cannot be read", where=folder / CHECKPOINT_FILE, got=got)


def _save(model: EvoModel, config: ClassicConfig, folder: Path) -> None:
    """The checkpoint is whole or the one before: it is made aside, synced, and then takes the place."""
    state = model.state_dict() | {_SETTINGS: _settings(config)}
    arrays = {f"{_ARRAYS}{name}": array for name, array in state.pop("arrays").items()}
    facts = np.frombuffer(json.dumps(state).encode("utf-8"), np.uint8)
    try:
        with workshop(folder) as made:
            with (made / CHECKPOINT_FILE).open("wb") as file:
                np.savez(file, allow_pickle=False, **{_STEP: np.array(model.tick), _FACTS: facts}, **arrays)
                file.flush()
                os.fsync(file.fileno())
            os.replace(made / CHECKPOINT_FILE, folder / CHECKPOINT_FILE)
    except OSError as error:
        raise RunError("cannot write the checkpoint", where=folder, got=error.strerror or str(error)) from error
