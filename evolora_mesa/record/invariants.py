"""What must be true of every run, checked in its store: each broken invariant is found by its name."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeAlias

from evolora_mesa.economy.ledger import QUANTA_PER_ENERGY
from evolora_mesa.errors import ConfigError, RunError
from evolora_mesa.evolution.lineage import Phylogeny, Record
from evolora_mesa.record.schema import FIRST_DIGEST, PHYLOGENY, TABLES, Row, chained
from evolora_mesa.record.store import RunStore, settings_hash
from evolora_mesa.strictyaml import parse_yaml

__all__ = ["INVARIANTS", "Finding", "check"]

# What a figure counts, as kinds of events.
_FIGURE_OF_EVENTS: Final = {
    "births": ("birth",),
    "revivals": ("revived",),
    "deaths": ("death",),
    "refusals": ("refused",),
    "rolled_back": ("rolled_back",),
    "quarantined": ("quarantined",),
}
# Who holds what a figure tells, as kinds of accounts.
_FIGURE_OF_KINDS: Final = {
    "energy_organelles": ("organelle",),
    "energy_cells": ("cell",),
    "energy_soil": ("soil",),
    "energy_sun": ("sun",),
    "energy_trials": ("trial", "grant"),
    "energy_colonies": ("colony",),
}
_MOST_FINDINGS: Final = 5  # of one invariant: who breaks one breaks it often
_SINCE_SUN: Final = 2**-48  # share of the largest energy by which a sum of rounded floats may be off


class Finding(NamedTuple):
    """A broken invariant: its name, the generation (-1: the run as a whole), and what was found."""

    invariant: str
    generation: int
    detail: str


def check(store: RunStore) -> list[Finding]:
    """All invariants that the run breaks, a few findings of each; none in a run that is sound."""
    found: list[Finding] = []
    with store.snapshot():
        for invariant, find in INVARIANTS.items():
            try:
                broken = list(islice(find(store), _MOST_FINDINGS))
            except (RunError, TypeError, ValueError) as error:  # SQLite keeps any kind of value in any column
                broken = [(-1, f"cannot be read: {error}")]
            found += [Finding(invariant, *one) for one in broken]
            if found and invariant == "the file is whole":
                break  # what else a damaged file says is worth nothing
    return found


Found: TypeAlias = Iterator[tuple[int, str]]


def _whole_file(store: RunStore) -> Found:
    for (answer,) in store.rows("PRAGMA quick_check(1)"):
        if answer != "ok":
            yield -1, str(answer)


def _settings(store: RunStore) -> Found:
    meta = store.meta
    try:
        tree = parse_yaml(meta.get("config", ""), "meta.config")[0]
    except ConfigError as error:
        yield -1, str(error)
        return
    computed = settings_hash(tree) if isinstance(tree, dict) else "of nothing"
    if computed != meta.get("config_hash"):
        yield -1, f"the settings have the hash {computed}, on record is {meta.get('config_hash')}"


def _no_gap(store: RunStore) -> Found:
    expected = 0
    for (generation,) in store.rows("SELECT generation FROM generations ORDER BY generation"):
        if generation != expected:
            yield generation, f"expected generation {expected}"
        expected = generation + 1
    for name in TABLES:
        query = f'SELECT DISTINCT generation FROM "{name}" WHERE generation NOT IN (SELECT generation FROM generations)'
        for (generation,) in store.rows(query):
            yield generation, f"rows in {name} of a generation that has no figures"


def _digests(store: RunStore) -> Found:
    names = [name for name in store.columns("generations") if name != "digest"]
    streams = {name: _by_generation(store.table(name)) for name in TABLES}
    waiting = {name: next(stream, None) for name, stream in streams.items()}
    digest = FIRST_DIGEST
    for row in store.table("generations"):
        *figures, on_record = row
        generation = figures[0]
        tables: dict[str, list[Row]] = {}
        for name, stream in streams.items():
            ahead = waiting[name]
            if ahead is not None and ahead[0] == generation:
                tables[name], waiting[name] = ahead[1], next(stream, None)
            else:
                tables[name] = []
        computed = chained(digest, dict(zip(names, figures, strict=True)), tables)
        if computed.hex() != on_record:
            yield generation, f"its rows give {computed.hex()}, on record is {on_record}"
            return  # all later ones would be wrong too
        digest = computed


def _by_generation(rows: Iterator[Row]) -> Iterator[tuple[int, list[Row]]]:
    for generation, group in groupby(rows, key=itemgetter(0)):
        yield generation, [row[1:] for row in group]


# ---------------------------------------------------------------- lives


def _births_first(store: RunStore) -> Found:
    """Every death, acceptance and deed needs a birth before it."""
    born: set[int] = set()
    for generation, kind, who in store.rows(
        "SELECT generation, kind, organelle FROM events WHERE kind IN ('founded', 'birth', 'revived', 'death') "
        "ORDER BY generation, sequence"
    ):
        if kind != "death":
            born.add(who)
        elif who not in born:
            yield generation, f"organelle {who} died and was never born"


def _once(kinds: tuple[str, ...], word: str) -> Callable[[RunStore], Found]:
    def find(store: RunStore) -> Found:
        places = ",".join("?" * len(kinds))
        query = (
            f"SELECT max(generation), organelle, count(*) FROM events WHERE kind IN ({places}) "
            "GROUP BY organelle HAVING count(*) > 1 ORDER BY organelle"
        )
        for generation, who, times in store.rows(query, kinds):
            yield generation, f"organelle {who} {word} {times} times"

    return find


def _parents_first(store: RunStore) -> Found:
    born: set[int] = set()
    for generation, kind, who, data in store.rows(
        "SELECT generation, kind, organelle, data FROM events WHERE kind IN ('founded', 'birth', 'revived') "
        "ORDER BY generation, sequence"
    ):
        if kind != "founded":
            for parent in _facts(data).get("parents", ()):
                if parent not in born:
                    yield generation, f"organelle {who} has the parent {parent}, who was not born before"
        born.add(who)


def _population(store: RunStore) -> Found:
    """The population changes by births and deaths alone."""
    alive = 0
    counts = _event_counts(store)
    for generation, population in store.rows("SELECT generation, population FROM generations ORDER BY generation"):
        happened = counts.get(generation, Counter())
        alive += happened["founded"] + happened["birth"] + happened["revived"] - happened["death"]
        if population != alive:
            yield generation, f"{population:g} alive, births less deaths make {alive}"
            alive = int(population)


def _figures(store: RunStore) -> Found:
    """What the figures count is what the events tell."""
    counts = _event_counts(store)
    names = ", ".join(f'"{name}"' for name in _FIGURE_OF_EVENTS)
    for generation, *figures in store.rows(f"SELECT generation, {names} FROM generations ORDER BY generation"):
        happened = counts.get(generation, Counter())
        for (name, kinds), figure in zip(_FIGURE_OF_EVENTS.items(), figures, strict=True):
            told = sum(happened[kind] for kind in kinds)
            if figure != told:
                yield generation, f"{name} is {figure:g}, the events tell of {told}"


def _event_counts(store: RunStore) -> dict[int, Counter[str]]:
    counts: dict[int, Counter[str]] = {}
    for generation, kind, number in store.rows("SELECT generation, kind, count(*) FROM events GROUP BY 1, 2"):
        counts.setdefault(generation, Counter())[kind] = number
    return counts


def _phylogeny(store: RunStore) -> Found:
    """The book of lives is what the events make of it."""
    lives: dict[int, dict[str, Any]] = {}
    for generation, kind, who, data in store.rows(
        "SELECT generation, kind, organelle, data FROM events WHERE kind IN "
        "('founded', 'birth', 'revived', 'accepted', 'confined', 'death') ORDER BY generation, sequence"
    ):
        facts = _facts(data)
        if kind in ("founded", "birth", "revived"):
            lives[who] = {
                "parents": tuple(facts.get("parents", ())),
                "origin": generation,
                "acceptance": generation if kind == "revived" else None,
                "destruction": None,
                "operator": facts.get("operator", "founder"),
                "genome": facts.get("genome"),
                "lineage": facts.get("lineage", who),
                "status": {"founded": "founder", "birth": "trial", "revived": "revival"}[kind],
                "cause": "",
            }
        elif who in lives:
            if kind == "death":
                lives[who] |= {"destruction": generation, "cause": facts.get("cause")}
            else:
                lives[who] |= {"acceptance": generation, "status": kind}
    book = Phylogeny()
    for row in store.table("phylogeny"):
        fields = dict(zip(PHYLOGENY, row, strict=True))
        fields["parents"] = tuple(map(int, str(fields["parents"]).split()))
        record = Record(**fields)
        fault = book.fault(record)
        if fault is not None:
            yield record.origin, f"organelle {record.id}: {fault.what}"
            return
        book.enter(record)
        told = lives.pop(record.id, None)
        if told is None or record != Record(id=record.id, **told):
            yield record.origin, f"organelle {record.id} is not as the events tell"
    for who, told in lives.items():
        yield told["origin"], f"organelle {who} is missing"


# ---------------------------------------------------------------- colonies


def _colonies(store: RunStore) -> Found:
    """What dissolves was founded, what is founded was proposed, nothing twice; members of colonies are alive."""
    proposed: set[Any] = set()
    founded: set[Any] = set()
    alive: set[int] = set()
    for generation, kind, who, data in store.rows(
        "SELECT generation, kind, organelle, data FROM events WHERE kind LIKE 'colony%' OR kind IN "
        "('founded', 'birth', 'revived', 'death') ORDER BY generation, sequence"
    ):
        if not kind.startswith("colony"):
            (alive.discard if kind == "death" else alive.add)(who)
            continue
        facts = _facts(data)
        number, members = facts.get("colony"), facts.get("members", ())
        if kind == "colony_proposed":
            known = number not in proposed | founded
            proposed.add(number)
        elif kind == "colony_founded":
            known = number in proposed
            proposed.discard(number)
            founded.add(number)
        else:
            known = number in (proposed if kind == "colony_refused" else founded)
        if not known:
            yield generation, f"{kind} of colony {number}, which is not one that it could happen to"
        if kind in ("colony_proposed", "colony_founded", "colony_worked") and not alive.issuperset(members):
            yield generation, f"colony {number} has members that are not alive: {sorted(set(members) - alive)}"
        if kind == "colony_dissolved":
            founded.discard(number)


# ---------------------------------------------------------------- energy


def _energy(store: RunStore) -> Found:
    """All energies add up to zero, up to the rounding of floats."""
    names = ", ".join(_FIGURE_OF_KINDS)
    for generation, *energies in store.rows(f"SELECT generation, {names} FROM generations ORDER BY generation"):
        known = [energy or 0.0 for energy in energies]
        allowed = 0.5 / QUANTA_PER_ENERGY + _SINCE_SUN * max(map(abs, known))
        if abs(math.fsum(known)) > allowed:
            yield generation, f"the energies add up to {math.fsum(known):g}"


def _transfers(store: RunStore) -> Found:
    """Whatever a kind of account gained or lost is in the ledger."""
    if not next(store.rows("SELECT count(*) FROM ledger"))[0]:
        return  # transfers were not recorded
    held: Counter[str] = Counter()
    moves: dict[int, Counter[str]] = {}
    for column, sign in (("source_kind", -1), ("target_kind", 1)):
        query = f"SELECT generation, {column}, sum(quanta) FROM ledger GROUP BY 1, 2"
        for generation, kind, quanta in store.rows(query):
            moves.setdefault(generation, Counter())[kind] += sign * quanta
    names = ", ".join(_FIGURE_OF_KINDS)
    for generation, *energies in store.rows(f"SELECT generation, {names} FROM generations ORDER BY generation"):
        held.update(moves.get(generation, Counter()))
        for (name, kinds), energy in zip(_FIGURE_OF_KINDS.items(), energies, strict=True):
            booked = sum(held[kind] for kind in kinds) / QUANTA_PER_ENERGY
            if abs(booked - (energy or 0.0)) > 0.5 / QUANTA_PER_ENERGY + _SINCE_SUN * abs(booked):
                yield generation, f"{name} is {energy}, the transfers make {booked}"
                return  # all later ones would be off by the same


def _facts(data: str) -> dict[str, Any]:
    """An event's data; nothing if it is no JSON object, which the digest reports."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


INVARIANTS: Final[dict[str, Callable[[RunStore], Found]]] = {
    "the file is whole": _whole_file,
    "settings match their hash": _settings,
    "generations follow each other": _no_gap,
    "the digest chain is intact": _digests,
    "every death has a birth": _births_first,
    "nobody is born twice": _once(("founded", "birth", "revived"), "was born"),
    "nobody dies twice": _once(("death",), "died"),
    "parents are born before their children": _parents_first,
    "the population changes by births and deaths": _population,
    "figures agree with events": _figures,
    "the phylogeny agrees with events": _phylogeny,
    "colonies live as the events tell": _colonies,
    "energy sums to zero": _energy,
    "transfers explain all energies": _transfers,
}
