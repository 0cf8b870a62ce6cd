"""A whole world as one tree of plain values and arrays, and back: what goes on from there is the same, bit for bit.

Not in the tree is what the settings give again (tasks, contracts, tariff, selection, the host), what lives for one
generation only (the tally, decisions, events, the work done), and what looks on (observers, a recorder). Nor are the
DataCollector's rows of organelles, the one thing that is large and that nothing depends on: the store has them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from evolora_mesa.config import WorldConfig
from evolora_mesa.errors import EvoloraError, RunError
from evolora_mesa.ground import contracts_at, open_cells
from evolora_mesa.organelle import Organelle
from evolora_mesa.refill import refill
from evolora_mesa.snapshot import take_snapshot

if TYPE_CHECKING:
    from evolora_mesa.host import HostService
    from evolora_mesa.model import EcologyModel

__all__ = ["restore", "state_of"]

_PARTS: Final = (  # of a world that keep their own state
    "streams",
    "ledger",
    "grid",
    "bank",
    "learner",
    "beliefs",
    "history",
    "traits",
    "policies",
    "skills",
    "hints",
    "gatehouse",
    "colonies",
    "router",
    "orchestrator",
    "jury",
    "tuner",
    "relief",
    "phylogeny",
)
_ARCHIVE: Final = ("elites", "weights")
_CELLS: Final = {"payout": True, "fast": False, "slow": False, "episode_cost": True}  # whether always finite


def state_of(model: EcologyModel) -> dict[str, Any]:
    """The state of a world between two generations; nothing in it is shared with the model.

    Returns:
        A tree for `evolora_mesa.record.tree.split`.
    """
    collector = model.datacollector
    return {
        **{part: getattr(model, part).state_dict() for part in _PARTS},
        "archive": None if model.archive is None else dict(zip(_ARCHIVE, model.archive.state_dict(), strict=True)),
        "cells": {name: getattr(model, name).copy() for name in _CELLS},
        "clock": {
            "tick": model.tick,
            "steps": model.steps,
            "running": model.running,
            "accuracy": model.accuracy,
        },
        "generators": {
            "weights": model.weights_generator.get_state(),
            "python": _plain(model.random.getstate()),
            "numpy": model.rng.bit_generator.state,
        },
        "organelles": {
            "upcoming_id": Organelle.upcoming_id(model),
            "alive": [organelle.state_dict() for organelle in model.agents],
        },
        "totals": dict(model.totals),
        "figures": {
            "generations": {name: list(values) for name, values in collector.model_vars.items()},
            "tables": {
                name: {column: list(values) for column, values in table.items()}
                for name, table in collector.tables.items()
            },
        },
    }


def restore(config: WorldConfig, tree: Mapping[str, Any], host: HostService) -> EcologyModel:
    """The world of ``config`` as it was when `state_of` was asked.

    Args:
        config: equal to that of the saved world, but for its length.
        tree: from `state_of`.
        host: with the same weights.

    Raises:
        RunError: the tree does not fit the world of ``config``.
    """
    from evolora_mesa.model import EcologyModel

    lacking = [part for part in _PARTS if part not in tree]
    if lacking:
        raise RunError(
            "the saved state is of a version of the program without these parts",
            got=", ".join(lacking),
            do="Continue the run with the version that began it.",
        )
    model = EcologyModel(config, host=host)
    try:
        _refill_model(model, tree)
    except EvoloraError as error:
        raise RunError(f"the saved state is refused: {error}") from error
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RuntimeError) as error:
        # Files are held against their hashes before, so this is a tree of another version; its parts may be anything.
        raise RunError("the saved state does not fit this world", got=f"{type(error).__name__}: {error}") from error
    return model


def _refill_model(model: EcologyModel, tree: Mapping[str, Any]) -> None:
    model.remove_all_agents()
    for part in _PARTS:
        getattr(model, part).load_state_dict(tree[part])
    if (model.archive is None) != (tree["archive"] is None):
        raise RunError("the state of a world with another setting", where="archive.enabled")
    if model.archive is not None:
        model.archive.load_state_dict(*(tree["archive"][part] for part in _ARCHIVE))
    for name, finite in _CELLS.items():
        refill(getattr(model, name), tree["cells"][name], f"cells, {name}", finite=finite)
    generators, clock = tree["generators"], tree["clock"]
    model.weights_generator.set_state(generators["weights"])
    version, internal, gauss = generators["python"]
    model.random.setstate((version, tuple(internal), gauss))
    model.rng.bit_generator.state = generators["numpy"]
    for organelle in tree["organelles"]["alive"]:
        Organelle.from_state(model, organelle)
    Organelle.set_upcoming_id(model, tree["organelles"]["upcoming_id"])
    model.tick, model.steps, model.running = clock["tick"], clock["steps"], clock["running"]
    model.accuracy = clock["accuracy"]
    model.contracts = contracts_at(model.config, model.grid.families, model.tick)
    model.open = open_cells(model.config, model.grid.families, model.tick)
    model.totals = Counter(tree["totals"])
    model.events = []
    _refill_figures(model, tree["figures"])
    _check(model)


def _refill_figures(model: EcologyModel, figures: Mapping[str, Any]) -> None:
    """The collected figures; the snapshot shows their last row."""
    collector = model.datacollector
    collector._agent_records.clear()  # of the founding, which was not now
    for held, saved in ((collector.model_vars, figures["generations"]), *_tables(collector.tables, figures["tables"])):
        if set(held) != set(saved) or len({len(values) for values in saved.values()}) > 1:
            raise RunError("the saved figures are others", expected=", ".join(held), got=list(saved))
        for name, values in saved.items():
            held[name] = list(values)
    row = {name: values[-1] for name, values in collector.model_vars.items()}
    model.snapshot = take_snapshot(model, row)


def _tables(held: Mapping[str, Any], saved: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    return [(held[name], saved[name]) for name in held]


def _check(model: EcologyModel) -> None:
    """The parts fit one another: accounts and slots of the living are open and their own."""
    organelles = model.organelles()
    slots, used = [organelle.slot for organelle in organelles], set(model.bank.used_slots())
    if len(set(slots)) < len(slots) or not set(slots) <= used:
        raise RunError("the saved organelles have no slots of their own", got=slots)
    model.ledger.balance(np.array([organelle.account for organelle in organelles], dtype=np.int64))
    model.ledger.balance(model.cell_accounts)
    alive = {record.id for record in model.phylogeny if record.alive}
    if alive != {organelle.unique_id for organelle in organelles}:
        raise RunError("the saved organelles are not those alive in the book of births", got=sorted(alive))


def _plain(state: tuple[Any, ...]) -> list[Any]:
    """Python's generator state with lists in place of tuples."""
    version, internal, gauss = state
    return [version, list(internal), gauss]
