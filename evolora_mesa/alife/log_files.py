"""An event log as state and as files: JSON and npz, never pickle; and the phylogeny in the ALife data standard."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from evolora_mesa.alife.log import EventLog
from evolora_mesa.alife.log_schema import CAUSES, CODED, OPS, STREAMS
from evolora_mesa.errors import LogError

__all__ = ["load", "phylogeny_rows", "restore", "save", "state_of"]

_FACTS, _ARRAYS, _PHYLOGENY = "log.json", "log.npz", "phylogeny.csv"
_VERSION: Final = 1
_BYTES: Final = "$bytes"  # key of the note that stands for bytes, of which JSON knows nothing
_COLUMNS: Final = (
    "id",
    "ancestor_list",
    "origin_time",
    "destruction_time",
    "taxon_label",
    "op",
    "cause",
    "geno",
    "pheno",
)


# ---------------------------------------------------------------- state


def state_of(log: EventLog) -> dict[str, Any]:
    """See `EventLog.state_dict`."""
    arrays = {f"{name}/{column}": log.stream(name)[column].copy() for name in STREAMS for column in log.stream(name)}
    return {
        "version": _VERSION,
        "capabilities": sorted(log.capabilities),
        "run": log.run,
        "enabled": log.enabled,
        "events": len(log),
        "archived": sorted(log.archived),
        "keys": {what: [_plain(key) for key in log.keys(what)] for what in CODED},
        "arrays": arrays,
    }


def restore(log: EventLog, state: Mapping[str, Any]) -> None:
    """See `EventLog.load_state_dict`.

    Raises:
        LogError: the state is of another form.
    """
    try:
        if state["version"] != _VERSION:
            raise LogError("log of another version", expected=str(_VERSION), got=state["version"])
        log.capabilities, log.run = frozenset(state["capabilities"]), dict(state["run"])
        log.enabled, log.archived = bool(state["enabled"]), set(state["archived"])
        log._events = int(state["events"])
        log._keys = {what: {_key(key): code for code, key in enumerate(state["keys"][what])} for what in CODED}
        for name in STREAMS:
            log.stream(name).replace(_columns(name, state["arrays"]))
    except (KeyError, TypeError, ValueError) as error:
        raise LogError("not an event log", got=repr(error)) from error


def _columns(name: str, arrays: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """The columns of a stream among ``arrays``: all that it must have, of its types and of one length."""
    found = {path.partition("/")[2]: array for path, array in arrays.items() if path.partition("/")[0] == name}
    kinds = {column: np.dtype(kind) for column, kind in STREAMS[name].items()}
    if name == "snapshots":
        extra = (column for column in found if column.startswith(("trait.", "descriptor.")))
        kinds |= dict.fromkeys(extra, np.dtype(np.float64))
    shapes = {array.shape for array in found.values()}
    if {column: array.dtype for column, array in found.items()} != kinds or len(shapes) != 1 or len(*shapes) != 1:
        raise LogError("columns of another form", where=name, expected=", ".join(kinds), got=", ".join(found))
    return found


def _plain(key: Hashable) -> Any:
    """A key as JSON can hold it; a tuple becomes a list."""
    if isinstance(key, bytes):
        return {_BYTES: key.hex()}
    if isinstance(key, tuple):
        return [_plain(part) for part in key]
    if isinstance(key, np.generic):
        return key.item()
    if key is None or isinstance(key, bool | int | float | str):
        return key
    raise LogError("a key has no place in a file", expected="text, number, bytes or a tuple of these", got=key)


def _key(plain: Any) -> Hashable:
    if isinstance(plain, dict):
        return bytes.fromhex(plain[_BYTES])
    return tuple(map(_key, plain)) if isinstance(plain, list) else plain


# ---------------------------------------------------------------- files


def save(log: EventLog, folder: Path) -> Path:
    """See `EventLog.save`."""
    state = state_of(log)
    arrays = state.pop("arrays")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _FACTS).write_text(json.dumps(state | {"closed": log.closed}, indent=1), encoding="utf-8")
        np.savez_compressed(folder / _ARRAYS, allow_pickle=False, **arrays)
        with (folder / _PHYLOGENY).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([_COLUMNS, *phylogeny_rows(log)])
    except OSError as error:
        raise LogError("cannot write the log", where=folder, got=error.strerror or str(error)) from error
    return folder


def load(folder: Path) -> EventLog:
    """See `EventLog.load`."""
    log = EventLog()
    try:
        state = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        with np.load(folder / _ARRAYS, allow_pickle=False) as arrays:
            restore(log, {**state, "arrays": dict(arrays)})
    except (OSError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise LogError("the log cannot be read", where=folder, got=str(error)) from error
    return log.close() if state.get("closed") else log


def phylogeny_rows(log: EventLog) -> list[tuple[Any, ...]]:
    """Everybody who ever lived, parents above children.

    ALife data standard (Lalejini et al., 2019): ``id`` and ``ancestor_list`` are required, times are ticks here.
    phylotrackpy reads no other words than ``[NONE]`` for no ancestor and ``inf`` for alive.
    """
    births, links, deaths = log.stream("births"), log.stream("links"), log.stream("deaths")
    parents: dict[int, list[int]] = {}
    for child, parent in zip(links["child"].tolist(), links["parent"].tolist(), strict=True):
        parents.setdefault(child, []).append(parent)
    ends = {
        id: (step, CAUSES[cause])
        for id, step, cause in zip(
            deaths["id"].tolist(), deaths["step"].tolist(), deaths["cause"].tolist(), strict=True
        )
    }
    rows: list[tuple[Any, ...]] = []
    facts = (births[name].tolist() for name in ("id", "step", "op", "geno", "pheno"))
    for id, origin, op, geno, pheno in zip(*facts, strict=True):
        ancestors = f"[{','.join(map(str, parents[id]))}]" if id in parents else "[NONE]"
        end, cause = ends.get(id, ("inf", ""))
        rows.append((id, ancestors, origin, end, f"{OPS[op]}-{id}", OPS[op], cause, geno, pheno))
    return rows
