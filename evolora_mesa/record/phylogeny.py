"""The phylogeny as files for other programs, and as a tree for people.

``phylogeny.csv`` follows the ALife phylogeny data standard (Lalejini et al., 2019): ``id`` and ``ancestor_list`` are
required, the two times are conventional, the rest are extra columns. Parents stand above their children.
"""

from __future__ import annotations

import contextlib
import csv
import io
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from evolora_mesa.errors import RunError
from evolora_mesa.evolution.lineage import Fault, Phylogeny, Record
from evolora_mesa.record.layout import PHYLOGENY_FILE

if TYPE_CHECKING:
    import networkx
    from rich.tree import Tree

__all__ = [
    "COLUMNS",
    "PHYLOGENY_FILE",
    "check_new",
    "read_phylogeny",
    "save",
    "survivor_tree",
    "to_csv",
    "to_graphml",
    "to_networkx",
]

# By column, the field of a record.
_FIELDS: Final = {
    "id": "id",
    "ancestor_list": "parents",
    "origin_time": "origin",
    "destruction_time": "destruction",
    "taxon_label": "operator",
    "operator": "operator",
    "genome": "genome",
    "lineage": "lineage",
    "acceptance_time": "acceptance",
    "status": "status",
    "cause": "cause",
}
COLUMNS: Final = tuple(_FIELDS)
_COLUMN_OF: Final = {field: column for column, field in _FIELDS.items()}

_NOBODY, _EXTANT = "[NONE]", "inf"  # phylotrackpy reads no other words for "no ancestor" and "alive"
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,9}")
_ANCESTORS: Final = re.compile(r"\[[0-9]{1,10}(,[0-9]{1,10})*\]")
_MOST_BYTES: Final = 2**28  # more than a million lives


# ---------------------------------------------------------------- CSV


def to_csv(phylogeny: Phylogeny) -> str:
    """The text of ``phylogeny.csv``."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(map(_cells, phylogeny))
    return text.getvalue()


def _cells(record: Record) -> list[object]:
    return [
        record.id,
        f"[{','.join(map(str, record.parents))}]" if record.parents else _NOBODY,
        record.origin,
        _EXTANT if record.destruction is None else record.destruction,
        _label(record),
        record.operator,
        record.genome,
        record.lineage,
        "" if record.acceptance is None else record.acceptance,
        record.status,
        record.cause,
    ]


def _label(record: Record) -> str:
    return f"{record.operator}-{record.id}"


def read_phylogeny(path: Path) -> Phylogeny:
    """Read what `to_csv` wrote; anything else is refused.

    Raises:
        RunError: the file cannot be read, or a line of it is wrong: with line and column.
    """
    book, seen = Phylogeny(), False
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        for cells in reader:
            if not seen:
                if tuple(cells) != COLUMNS:
                    raise RunError("not a phylogeny", where=f"{path}, line 1", expected=",".join(COLUMNS), got=cells)
                seen = True
                continue
            where = f"{path}, line {reader.line_num}"
            if len(cells) != len(COLUMNS):
                raise RunError("line of another length", where=where, expected=f"{len(COLUMNS)} cells", got=len(cells))
            row = dict(zip(COLUMNS, cells, strict=True))
            record = _record(row, where)
            fault = book.fault(record)
            if fault is not None:
                raise _wrong(where, _COLUMN_OF[fault.field], fault)
            book.enter(record)
    except csv.Error as error:
        raise RunError("not a CSV line", where=f"{path}, line {reader.line_num}", got=str(error)) from error
    if not seen:
        raise RunError("the phylogeny is empty", where=path, expected="a line of column names")
    return book


def _text(path: Path) -> str:
    try:
        if not path.is_file():  # also a pipe or a device, which may never end
            raise RunError(
                "no phylogeny here", where=path, expected="a file", do="Give the folder of a run that has ended."
            )
        if path.stat().st_size > _MOST_BYTES:
            raise RunError("the phylogeny is too large", where=path, expected=f"at most {_MOST_BYTES} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise RunError("cannot read the phylogeny", where=path, got=error.strerror or str(error)) from error
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = 1 + data.count(b"\n", 0, error.start)
        got = data[error.start : error.start + 1]
        raise RunError("not text in UTF-8", where=f"{path}, line {line}", got=got) from error


def _record(row: Mapping[str, str], where: str) -> Record:
    """A line as a record; what each cell may say beyond its form is left to the book."""
    parents: tuple[int, ...] = ()
    if row["ancestor_list"] != _NOBODY:
        if not _ANCESTORS.fullmatch(row["ancestor_list"]):
            expected = f"{_NOBODY}, or ids as [1] or [1,2]"
            raise _wrong(where, "ancestor_list", Fault("parents", "not a list of ids", expected, row["ancestor_list"]))
        parents = tuple(map(int, row["ancestor_list"][1:-1].split(",")))
    record = Record(
        id=_number(row, "id", where),
        parents=parents,
        origin=_number(row, "origin_time", where),
        acceptance=None if row["acceptance_time"] == "" else _number(row, "acceptance_time", where),
        destruction=None if row["destruction_time"] == _EXTANT else _number(row, "destruction_time", where),
        operator=row["operator"],
        genome=row["genome"],
        lineage=_number(row, "lineage", where),
        status=row["status"],
        cause=row["cause"],
    )
    if row["taxon_label"] != _label(record):
        fault = Fault("operator", "a label is operator and id", _label(record), row["taxon_label"])
        raise _wrong(where, "taxon_label", fault)
    return record


def _number(row: Mapping[str, str], column: str, where: str) -> int:
    if not _NUMBER.fullmatch(row[column]):
        expected = "a whole number" + (f" or {_EXTANT}" if column == "destruction_time" else "")
        raise _wrong(where, column, Fault(_FIELDS[column], "not a number", expected, row[column]))
    return int(row[column])


def _wrong(where: str, column: str, fault: Fault) -> RunError:
    return RunError(
        f"impossible record: {fault.what}", where=f"{where}, column {column}", expected=fault.expected, got=fault.got
    )


# ---------------------------------------------------------------- graphs, and files that are new


def to_networkx(phylogeny: Phylogeny) -> networkx.DiGraph:
    """A graph with an edge from every parent to its child, and the fields of `Record` at its nodes.

    What has not happened is no attribute: GraphML has no word for nothing.
    """
    import networkx

    graph = networkx.DiGraph()
    for record in phylogeny:
        fields = {name: value for name, value in record._asdict().items() if value is not None}
        del fields["id"], fields["parents"]
        graph.add_node(record.id, label=_label(record), alive=record.alive, **fields)
        graph.add_edges_from((parent, record.id) for parent in record.parents)
    return graph


def to_graphml(phylogeny: Phylogeny) -> str:
    """The graph of `to_networkx` as GraphML, in UTF-8."""
    import networkx

    data = io.BytesIO()
    networkx.write_graphml(to_networkx(phylogeny), data)
    return data.getvalue().decode("utf-8")


def check_new(path: Path) -> None:
    """Refuse a name under which no new file can be written; nothing is made here.

    Raises:
        RunError: something is there already, its folder is missing, or the right to write.
    """
    try:
        if not str(path).isprintable():
            raise RunError("the file's name cannot be printed", got=str(path), do="Choose another name.")
        if path.is_symlink() or path.exists():
            raise RunError("the file is there already", where=path, do="Choose another name; nothing was overwritten.")
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise _unwritten(path, error) from error


def save(texts: Mapping[Path, str]) -> None:
    """Write new files: all are written aside first, so that none appears half, and none when one cannot be written.

    Raises:
        RunError: a file is there already, or cannot be written.
    """
    with contextlib.ExitStack() as stack:
        ready: dict[Path, Path] = {}
        for path, text in texts.items():
            check_new(path)
            try:
                aside = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".lineage-", dir=path.parent)))
                ready[path] = aside / "made"
                ready[path].write_text(text, encoding="utf-8", newline="")
            except OSError as error:
                raise _unwritten(path, error) from error
        for path, made in ready.items():
            check_new(path)
            try:
                made.rename(path)
            except OSError as error:
                raise _unwritten(path, error) from error


def _unwritten(path: Path, error: OSError) -> RunError:
    return RunError(
        "cannot write the file", where=path, got=error.strerror or str(error), do="Choose a folder that exists."
    )


# ---------------------------------------------------------------- a tree for people

_DEEPEST: Final = 10  # levels before a branch goes on as a tree of its own: more do not fit beside the text
_SHORTEST_GAP: Final = 2  # generations; one is shown as it is, for that takes no more room


class _Place(NamedTuple):
    """An organelle that is to be drawn, below what, and how many levels down."""

    id: int
    above: Tree
    level: int


class _Kin(NamedTuple):
    """Who hangs below an organelle in the drawing.

    Attributes:
        children: those whose first parent it is.
        guests: merges that are drawn below another parent.
    """

    children: list[int]
    guests: list[int]


def survivor_tree(phylogeny: Phylogeny, *, everybody: bool = False) -> Tree:
    """The ancestors of the living as a forest, one tree per founder.

    A merge hangs below its first parent and names the others; below those a mark says where it is. Lines of dead
    organelles with one child each are folded into a count of generations. A branch of more than ten levels goes on
    further down, as a tree of its own.

    Args:
        everybody: also those who left nobody behind.
    """
    from rich.text import Text
    from rich.tree import Tree

    forest = Tree("", hide_root=True)
    wanted = None if everybody else phylogeny.ancestors_of_living()
    records = {record.id: record for record in phylogeny if wanted is None or record.id in wanted}
    kin = _kin(records.values())
    waiting = [_Place(id, forest, 0) for id in reversed(records) if not records[id].parents]
    postponed: list[_Place] = []
    while waiting:  # a stack of our own, for lines of descent are longer than Python's
        first, above, level = waiting.pop()
        id, gap = _after_gap(first, records, kin) if level else (first, 0)
        line = (f"… {gap} generations … " if gap else "") + _told(records[id])
        if level == 0 and records[id].parents:
            line += " (continued)"
        if level >= _DEEPEST and kin[id] != ([], []):
            above.add(Text(f"{line} (continues below)"))
            postponed.append(_Place(id, forest, 0))
        else:
            here = above.add(Text(line))
            for guest in kin[id].guests:
                here.add(Text(f"⤷ {guest}, a merge, drawn below {records[guest].parents[0]}"))
            waiting += [_Place(child, here, level + 1) for child in reversed(kin[id].children)]
        if not waiting:
            waiting, postponed = postponed[::-1], []
    return forest


def _kin(records: Iterable[Record]) -> dict[int, _Kin]:
    """By id, who hangs below; children come after their parents."""
    kin: dict[int, _Kin] = {}
    for record in records:
        kin[record.id] = _Kin([], [])
        for place, parent in enumerate(dict.fromkeys(record.parents)):
            (kin[parent].guests if place else kin[parent].children).append(record.id)
    return kin


def _after_gap(first: int, records: Mapping[int, Record], kin: Mapping[int, _Kin]) -> tuple[int, int]:
    """The next organelle of a line that must be shown, and how many before it need not be.

    These are dead, have one child, and no part in a merge.
    """
    id, gap = first, 0
    while not (records[id].alive or records[id].merged or kin[id].guests) and len(kin[id].children) == 1:
        id, gap = kin[id].children[0], gap + 1
    return (id, gap) if gap >= _SHORTEST_GAP else (first, 0)


def _told(record: Record) -> str:
    """One organelle in a line."""
    others = "".join(f" + {parent}" for parent in record.parents[1:])
    words = [f"{record.id}{others}  {record.operator}", f"born {record.origin}"]
    if record.status in ("confined", "revival"):
        words.append({"confined": "confined", "revival": "from the archive"}[record.status])
    if record.status == "trial":
        words.append("on trial" if record.alive else "never accepted")
    words.append("alive" if record.alive else f"died {record.destruction} ({record.cause})")
    return ", ".join(words)
