"""Lineage: the book of births, acceptances and deaths, and the content hash of a genome.

Its columns are those of the ALife phylogeny data standard (Lalejini et al., "Data standards for artificial life
software", 2019), in which an organism may have several ancestors; a merge has.
"""

from __future__ import annotations

import hashlib
import re
import struct
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from operator import index
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from evolora_mesa.errors import RunError

if TYPE_CHECKING:
    from evolora_mesa.host import AdapterBank

__all__ = ["ACCEPTANCES", "Census", "Fault", "Phylogeny", "Record", "census_of", "genome_hash"]

ACCEPTANCES: Final = ("accepted", "confined", "revival")  # how one that was born becomes a citizen
_STATUSES: Final = ("founder", "trial", *ACCEPTANCES)
_MOST: Final = 2**31 - 1  # the standard's limit for ids
_NEVER: Final = -1  # of a generation, inside the columns
_WORD: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ -]{0,63}")  # goes unescaped into CSV, XML and terminals
_HASH: Final = re.compile(r"[0-9a-f]{64}")


class Record(NamedTuple):
    """What is known of one organelle.

    Attributes:
        id: its number.
        parents: ids, the one whose lineage it has first; none for founders, several for merges. An id is there twice
            when an organelle was merged with an elite that it was itself. Those of elites are the organelles that
            they were copied from.
        origin, acceptance, destruction: generations; `None` for what has not happened.
        operator: that made its genome.
        genome: see `genome_hash`, at birth.
        lineage: id of its founder, on the side of the first parents.
        status: ``founder``, ``trial``, or how it was accepted, one of `ACCEPTANCES`.
        cause: of death; empty for the living.
    """

    id: int
    parents: tuple[int, ...]
    origin: int
    acceptance: int | None
    destruction: int | None
    operator: str
    genome: str
    lineage: int
    status: str
    cause: str

    @property
    def alive(self) -> bool:
        return self.destruction is None

    @property
    def merged(self) -> bool:
        return len(self.parents) > 1


class Fault(NamedTuple):
    """An invariant that a record breaks.

    Attributes:
        field: of `Record`.
        what: the invariant, in words.
    """

    field: str
    what: str
    expected: str
    got: object


class Census(NamedTuple):
    """Counts over a whole book.

    ``births`` are children of parents; ``merges`` and ``promotions`` those of them that became citizens, with several
    parents and with one, the ``confined`` among them counted once more. ``depth`` is the longest line of descent.
    ``founders_with_heirs`` are founders that live or have a descendant that lives.
    """

    founders: int
    births: int
    merges: int
    promotions: int
    confined: int
    revivals: int
    deaths: int
    depth: int
    founders_with_heirs: int


class Phylogeny:
    """Everybody who ever lived, in order of birth; flat columns, about 320 bytes each.

    What is impossible is refused at the door, and the book stays as it was: a second birth or death, a death or an
    acceptance without a birth, a child before its parents.
    """

    def __init__(self) -> None:
        self._row: dict[int, int] = {}  # id -> row
        self._id, self._lineage = array("q"), array("q")
        self._origin, self._acceptance, self._destruction = array("q"), array("q"), array("q")
        self._parents, self._ends = array("q"), array("q")  # a row's parents end where the next row's begin
        self._operator: list[str] = []
        self._genome: list[str] = []
        self._status: list[str] = []
        self._cause: list[str] = []

    def __len__(self) -> int:
        return len(self._id)

    def __iter__(self) -> Iterator[Record]:
        """Parents come before their children."""
        return map(self._record, range(len(self)))

    def __getitem__(self, id: int) -> Record:
        return self._record(self._row[id])

    # ------------------------------------------------------------------ events

    def born(
        self,
        id: int,
        parents: Sequence[int],
        generation: int,
        operator: str,
        genome: str,
        lineage: int,
        kind: str,
    ) -> None:
        """Enter a birth.

        Args:
            kind: ``founder``, a citizen at once, or ``birth``, on trial until `accepted`.

        Raises:
            RunError: an invariant is broken; see `fault`.
        """
        if kind not in ("founder", "birth"):
            raise RunError("no such kind of birth", where="phylogeny", expected="founder or birth", got=kind)
        status = "founder" if kind == "founder" else "trial"
        ancestors = tuple(map(index, parents))
        self.enter(
            Record(index(id), ancestors, index(generation), None, None, operator, genome, index(lineage), status, "")
        )

    def accepted(self, id: int, generation: int, how: str) -> None:
        """A child on trial becomes a citizen: ``how`` is one of `ACCEPTANCES`.

        Raises:
            RunError: nobody of this id is alive and on trial, or it would have been accepted before it was born.
        """
        row = self._row.get(id)
        if row is None:
            raise _broken(id, Fault("id", "every acceptance has a birth", "the id of a child on trial", id))
        if self._status[row] != "trial":
            raise _broken(id, Fault("status", "only a trial can be accepted", "trial", self._status[row]))
        if self._destruction[row] != _NEVER:
            raise _broken(id, Fault("destruction", "nobody is accepted after death", "a living child", how))
        self._amend(row, self._record(row)._replace(acceptance=index(generation), status=how))

    def died(self, id: int, generation: int, cause: str) -> None:
        """Enter a death.

        Raises:
            RunError: nobody of this id was born, it is dead already, or it would have died before it was born.
        """
        row = self._row.get(id)
        if row is None:
            raise _broken(id, Fault("id", "every death has a birth", "the id of somebody alive", id))
        if self._destruction[row] != _NEVER:
            raise _broken(id, Fault("destruction", "nobody dies twice", "somebody alive", self._cause[row]))
        self._amend(row, self._record(row)._replace(destruction=index(generation), cause=cause))

    def enter(self, record: Record) -> None:
        """Enter a whole life, as from a file; parents first.

        Raises:
            RunError: an invariant is broken; see `fault`.
        """
        fault = self.fault(record)
        if fault is not None:
            raise _broken(record.id, fault)
        self._row[record.id] = len(self)
        self._id.append(record.id)
        self._lineage.append(record.lineage)
        self._origin.append(record.origin)
        self._acceptance.append(_NEVER if record.acceptance is None else record.acceptance)
        self._destruction.append(_NEVER if record.destruction is None else record.destruction)
        self._parents.extend(record.parents)
        self._ends.append(len(self._parents))
        self._operator.append(record.operator)
        self._genome.append(record.genome)
        self._status.append(record.status)
        self._cause.append(record.cause)

    def _amend(self, row: int, record: Record) -> None:
        fault = self._own_fault(record)
        if fault is not None:
            raise _broken(record.id, fault)
        self._acceptance[row] = _NEVER if record.acceptance is None else record.acceptance
        self._destruction[row] = _NEVER if record.destruction is None else record.destruction
        self._status[row], self._cause[row] = record.status, record.cause

    def _record(self, row: int) -> Record:
        begin = self._ends[row - 1] if row else 0
        acceptance, destruction = self._acceptance[row], self._destruction[row]
        return Record(
            self._id[row],
            tuple(self._parents[begin : self._ends[row]]),
            self._origin[row],
            None if acceptance == _NEVER else acceptance,
            None if destruction == _NEVER else destruction,
            self._operator[row],
            self._genome[row],
            self._lineage[row],
            self._status[row],
            self._cause[row],
        )

    # ------------------------------------------------------------------ invariants

    def check(self) -> None:
        """Go through the whole book again, from the first birth.

        Raises:
            RunError: an invariant is broken; see `fault`.
        """
        again = Phylogeny()
        for record in self:
            again.enter(record)

    def fault(self, record: Record) -> Fault | None:
        """The first invariant that this record would break as the next of the book.

        Numbers and words are in their ranges; an id is new; parents are born before their children, which have their
        first parent's lineage; founders are those without parents; nobody is accepted or dies before its birth.
        """
        fault = self._own_fault(record)
        if fault is not None:
            return fault
        if record.id in self._row:
            return Fault("id", "nobody is born twice", "a new id", record.id)
        for parent in record.parents:
            row = self._row.get(parent)
            if row is None or self._origin[row] > record.origin:
                return Fault("parents", "parents are born before their children", "earlier ids", parent)
        lineage = self._lineage[self._row[record.parents[0]]] if record.parents else record.id
        if record.lineage != lineage:
            return Fault("lineage", "a lineage comes from the first parent", str(lineage), record.lineage)
        return None

    @staticmethod
    def _own_fault(record: Record) -> Fault | None:
        """What is wrong with a record whatever the others are."""
        for field in ("id", "origin", "lineage"):
            if not _is_number(getattr(record, field)):
                return Fault(field, "not a number of the phylogeny", f"0 to {_MOST}", getattr(record, field))
        if not all(_is_number(parent) for parent in record.parents):
            return Fault("parents", "not a number of the phylogeny", f"0 to {_MOST}", record.parents)
        if record.status not in _STATUSES:
            return Fault("status", "no such status", ", ".join(_STATUSES), record.status)
        if (record.status == "founder") == bool(record.parents):
            return Fault("parents", "founders have no parents, and all others have", record.status, record.parents)
        if (record.acceptance is not None) != (record.status in ACCEPTANCES):
            return Fault("acceptance", "those accepted have a generation of it", record.status, record.acceptance)
        if (record.destruction is None) != (record.cause == ""):
            return Fault("cause", "the dead have a cause, and they alone", "a word for the dead", record.cause)
        before = record.origin
        for field in ("acceptance", "destruction"):
            generation = getattr(record, field)
            if generation is not None and not (_is_number(generation) and generation >= before):
                return Fault(field, "birth, acceptance and death follow each other", f"at least {before}", generation)
            before = before if generation is None else generation
        for field in ("operator", "cause"):
            word = getattr(record, field)
            if not (isinstance(word, str) and _WORD.fullmatch(word)) and not (field == "cause" and word == ""):
                return Fault(field, "not a plain word", "letters, digits, _, - and spaces, up to 64", word)
        if not (isinstance(record.genome, str) and _HASH.fullmatch(record.genome)):
            return Fault("genome", "not a content hash", "64 hexadecimal digits", record.genome)
        return None

    # ------------------------------------------------------------------ questions

    def ancestors_of_living(self) -> set[int]:
        """Ids of the living and of all their ancestors, elites' and both sides of merges included."""
        found: set[int] = set()
        for row in range(len(self) - 1, -1, -1):  # children before their parents: one pass, no recursion
            if self._destruction[row] == _NEVER or self._id[row] in found:
                found.add(self._id[row])
                found.update(self._parents[self._ends[row - 1] if row else 0 : self._ends[row]])
        return found

    def census(self) -> Census:
        """The counts of the whole book."""
        return census_of(self, self.ancestors_of_living())

    # ------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Any]:
        """Columns, fit for JSON."""
        return {field: [getattr(record, field) for record in self] for field in Record._fields}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`. A state that is refused changes nothing.

        Raises:
            RunError: not such a state, or an invariant is broken in it.
        """
        if set(state) != set(Record._fields) or not all(isinstance(column, list) for column in state.values()):
            raise RunError("not the state of a phylogeny", expected=", ".join(Record._fields), got=list(state))
        columns: list[list[Any]] = [state[field] for field in Record._fields]
        lengths = [len(column) for column in columns]
        if len(set(lengths)) > 1:
            raise RunError("columns of a phylogeny differ in length", got=lengths)
        loaded = Phylogeny()
        for values in zip(*columns, strict=True):
            record = Record(*values)
            if not isinstance(record.parents, list | tuple):
                raise RunError("parents are no list", where=f"organelle {record.id}", got=record.parents)
            loaded.enter(record._replace(parents=tuple(record.parents)))
        vars(self).update(vars(loaded))


def census_of(records: Iterable[Record], reached: Collection[int]) -> Census:
    """The counts of these records, parents first.

    Args:
        reached: ids of the living and of all their ancestors.
    """
    depth: dict[int, int] = {}
    counts = dict.fromkeys(Census._fields, 0)
    for record in records:
        depth[record.id] = 1 + max((depth[parent] for parent in record.parents), default=-1)
        counts["deaths"] += not record.alive
        if record.status == "founder":
            counts["founders"] += 1
            counts["founders_with_heirs"] += record.id in reached
        elif record.status == "revival":
            counts["revivals"] += 1
        else:
            counts["births"] += 1
            citizen = record.status != "trial"
            counts["merges"] += citizen and record.merged
            counts["promotions"] += citizen and not record.merged
            counts["confined"] += record.status == "confined"
    return Census(**counts | {"depth": max(depth.values(), default=0)})


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value <= _MOST


def _broken(id: object, fault: Fault) -> RunError:
    where = f"phylogeny, organelle {id}, {fault.field}"
    return RunError(f"impossible record: {fault.what}", where=where, expected=fault.expected, got=fault.got)


def genome_hash(bank: AdapterBank, slots: Sequence[int], traits: np.ndarray) -> list[str]:
    """Content hashes of adapters with their traits: SHA-256 as 64 hexadecimal digits each.

    Hashed are, in the order of the bank's sites, the site's name, rank and widths, and the bits of A and of B without
    padding as little-endian 32-bit floats; then the trait row as little-endian 64-bit floats.

    The bits are those of the factors, not of ΔW. For children that comes to the same: they are written in the
    canonical form of a singular value decomposition (B carries the singular values, A has unit rows, signs are fixed),
    so equal changes are equal factors, to rounding. What has learned since is hashed as it is.

    Args:
        slots: n bank slots.
        traits: ``[n, traits]``.
    """
    ranks = bank.ranks[list(slots)].tolist()
    hashes = [hashlib.sha256() for _ in slots]
    for place, site in enumerate(bank.sites):
        a = bank.a[site.name][list(slots)].detach().float().cpu().numpy()  # [n, max_rank, d_in]
        b = bank.b[site.name][list(slots)].detach().float().cpu().numpy()  # [n, d_out, max_rank]
        name = site.name.encode()
        for row, content in enumerate(hashes):
            rank = ranks[row][place]
            content.update(struct.pack("<4q", len(name), rank, site.d_in, site.d_out) + name)
            content.update(a[row, :rank].astype("<f4").tobytes())
            content.update(b[row, :, :rank].astype("<f4").tobytes())
    for content, values in zip(hashes, np.asarray(traits), strict=True):
        content.update(struct.pack("<q", len(values)) + values.astype("<f8").tobytes())
    return [content.hexdigest() for content in hashes]
