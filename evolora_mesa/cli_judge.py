"""``evolora judge``: a person says which of two answers is the better one, without knowing whose they are."""

from __future__ import annotations

import random
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from evolora_mesa.cli_run import given_path
from evolora_mesa.errors import ConfigError

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel
    from evolora_mesa.society.judge import Duel, Judge, Verdict
    from evolora_mesa.society.ratings import RatingBook

__all__ = ["Person", "judge"]

_KEYS: Final[dict[str, Verdict]] = {"a": "a", "b": "b", "t": "tie", "s": "skip", "q": "quit"}
_QUESTION: Final = "a, b, t (a tie), s (skip), q (quit): "
_WIDEST: Final = 100  # columns


def judge(
    run: Annotated[Path, typer.Argument(parser=given_path, metavar="RUN", help="The folder of a run.")],
    pairs: Annotated[int, typer.Option(min=1, max=10_000, help="Pairs of answers.")] = 12,
    cell: Annotated[
        str | None,
        typer.Option(metavar="FAMILY:DEPTH", help="Only tasks of this cell.", show_default="where organelles live"),
    ] = None,
    script: Annotated[
        Path | None,
        typer.Option(parser=given_path, metavar="FILE", help="Verdicts instead of a person's: a, b, tie, skip, quit."),
    ] = None,
) -> None:
    """Rate answers of a run, in pairs and blindly; every rating is kept at once."""
    from evolora_mesa.alife.runs import check_is_world
    from evolora_mesa.record.continuing import check_is_run, is_only_founded, newest, settings_of, world_at
    from evolora_mesa.record.layout import RATINGS_FILE
    from evolora_mesa.record.lock import RunLock
    from evolora_mesa.society.duels import draw_duels
    from evolora_mesa.society.judge import read_script
    from evolora_mesa.society.ratings import RatingBook

    check_is_world(run, do="Nobody in it answers in words that could be rated; evolora report tells what happened.")
    check_is_run(run)
    someone: Judge = Person() if script is None else read_script(script)
    with RunLock(run):  # a run that went on meanwhile would have heard what it cannot hear when it is lived again
        config, facts = settings_of(run)
        book = RatingBook(run / RATINGS_FILE)
        model = world_at(None if is_only_founded(run, facts) else newest(run, config), config, facts)
        rng = random.Random(f"{facts['config_hash']} {config.seed} {model.tick} {book.head}")
        duels = draw_duels(model, pairs, rng, None if cell is None else _cell_number(model, cell))
        if not duels:
            print("All answers are the same, so there is nothing to choose between.")
            return
        told = _sit(someone, duels, book, model.tick)
    print(told)
    _tell_use(run, model)


def _sit(someone: Judge, duels: list[Duel], book: RatingBook, generation: int) -> str:
    """Put duels to a judge, and keep what it says; what came of it in a line."""
    rated = skipped = 0
    for duel in duels:
        verdict = someone.judge(duel)
        if verdict == "quit":
            break
        if verdict == "skip":
            skipped += 1
            continue
        book.add(duel, verdict, generation)
        rated += 1
    return f"{rated} rated, {skipped} skipped; {len(book.ratings)} ratings in {book.path}, digest {book.head}"


def _cell_number(model: EcologyModel, cell: str) -> int:
    family, _, depth = cell.rpartition(":")
    families, depths = model.grid.families, model.grid.depths
    if family not in families or depth not in {str(number) for number in range(1, depths + 1)}:
        raise ConfigError(
            "no such cell",
            where="--cell",
            expected=f"FAMILY:DEPTH with {' | '.join(families)} and 1 to {depths}",
            got=cell,
        )
    return families.index(family) * depths + int(depth) - 1


def _tell_use(run: Path, model: EcologyModel) -> None:
    if model.jury.hears_the_run:
        print(f"They count when the run goes on: evolora resume {shlex.quote(str(run))} --generations NUMBER")
    else:
        print(
            "This world has no ear for them; another one has: --set society.judge.enabled=true, and as source the file."
        )


class Person:
    """A judge at the terminal."""

    def __init__(self) -> None:
        self._asked = 0

    def judge(self, duel: Duel) -> Verdict:
        """Show the duel and wait for a key; the end of the input is the end of the sitting."""
        self._asked += 1
        self._show(duel)
        while True:
            print(_QUESTION, end="", flush=True)
            line = sys.stdin.readline()
            if not line:
                print()
                return "quit"
            word = line.strip().lower()
            for key, verdict in _KEYS.items():
                if word in (key, verdict):
                    return verdict

    def _show(self, duel: Duel) -> None:
        from rich.console import Console
        from rich.padding import Padding
        from rich.text import Text

        console = Console(highlight=False, markup=False, emoji=False)
        console.width = min(console.width, _WIDEST)
        console.print(Text(f"\n{self._asked}. {_visible(duel.family)}, depth {duel.depth}", style="bold"))
        console.print(Padding(Text(_visible(duel.prompt)), (0, 0, 0, 3), expand=False))
        for letter, contender in (("a", duel.a), ("b", duel.b)):
            answer = Text(f" {letter}  ", style="bold")
            answer.append(_visible(contender.text.strip()) or "(nothing)", style="not bold")
            console.print(answer)


def _visible(text: str) -> str:
    """Line breaks stay; what would steer the terminal, or has no glyph, is shown as an escape."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )
