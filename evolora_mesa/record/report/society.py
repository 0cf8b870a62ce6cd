"""The sections about society: each is there only when something of its kind happened."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from typing import Final

import numpy as np

from evolora_mesa.record.report.bars import Bar, bars
from evolora_mesa.record.report.charts import Line, lines
from evolora_mesa.record.report.document import Block, Figures, Picture, Section, Table, number, percent, points
from evolora_mesa.record.report.outcome import counted, finite
from evolora_mesa.record.report.pieces import changes_of, figure_line
from evolora_mesa.record.report.reading import RunFacts
from evolora_mesa.record.report.seasons import seasons
from evolora_mesa.record.report.social_facts import ColonyLife, Routed

__all__ = ["society"]

_MOST_COLONIES: Final = 24  # in the table; all are in the store
_DOUBT: Final = 2.0  # failures that every success is held against, as where elites are chosen
_RUNGS: Final = ("ensemble", "fused", "distilled")


def society(facts: RunFacts) -> tuple[Section, ...]:
    """The sections that there is something to tell in."""
    makers = (_colonies, _hints, _policies, _skills, _router, _orchestrator, seasons, _judge)
    return tuple(section for make in makers if (section := make(facts)) is not None)


def _section(name: str, title: str, about: str, pictures: list[Picture | None], *blocks: Block | None) -> Section:
    drawn = tuple(picture for picture in pictures if picture is not None)
    first = (Figures(drawn),) if drawn else ()
    return Section(name, title, about, (*first, *(block for block in blocks if block is not None)))


# ---------------------------------------------------------------- colonies


def _colonies(facts: RunFacts) -> Section | None:
    lives = list(facts.social.colonies.values())
    if not lives:
        return None
    founded = [life for life in lives if life.founded is not None]
    refused = Counter(life.reason for life in lives if life.founded is None and life.ended is not None)
    lifetimes = [_lived(facts, life) for life in founded]
    about = (
        f"Teams that answer together, once they have beaten their best member at as many tokens. "
        f"{counted(len(lives), 'pair')} tried, {len(founded)} passed, {sum(life.ended is None for life in founded)} "
        "live on" + (f"; a colony lived {number(float(np.mean(lifetimes)), 1)} generations." if lifetimes else ".")
    )
    pictures = [
        lines("Colonies", [figure_line(facts, "colonies", "colonies", "s0")], unit="colonies", from_zero=True),
        bars(
            "Why pairs did not pass",
            [Bar(reason.replace("_", " "), count, "s3") for reason, count in refused.most_common()],
            unit="pairs",
        ),
    ]
    return _section("colonies", "Colonies", about, pictures, _work(facts), _lives(facts, founded))


def _lived(facts: RunFacts, life: ColonyLife) -> int:
    assert life.founded is not None
    return (facts.last if life.ended is None else life.ended) - life.founded


def _work(facts: RunFacts) -> Table | None:
    """Joint answers beside those of the best member with as many tokens, on every rung."""
    done = facts.social.work
    rows = tuple(
        (
            rung,
            number(work.tasks),
            percent(work.right / work.tasks),
            percent(work.rival_right / work.tasks),
            points((work.right - work.rival_right) / work.tasks),
            number(1000 * work.right / work.tokens) if work.tokens else "n/a",
            number(1000 * work.rival_right / work.rival_tokens) if work.rival_tokens else "n/a",
        )
        for rung in (*_RUNGS, *sorted(set(done) - set(_RUNGS)))
        if (work := done.get(rung)) is not None and work.tasks
    )
    columns = ("rung", "joint tasks", "right", "best member", "difference", "right per 1000 tokens", "best member's")
    caption = (
        "At paid work. The best member has as many tokens as the colony for its own answers, and the best is taken."
    )
    return Table(columns, rows, frozenset(range(1, 7)), caption) if rows else None


def _lives(facts: RunFacts, founded: list[ColonyLife]) -> Table | None:
    shown = founded[-_MOST_COLONIES:]
    rows = tuple(
        (
            str(life.number),
            " + ".join(map(str, life.members)),
            life.mode,
            life.rung,
            str(life.founded),
            "lives" if life.ended is None else f"{life.ended} ({life.reason.replace('_', ' ')})",
            str(_lived(facts, life)),
        )
        for life in shown
    )
    columns = ("colony", "members", "decides by", "rung", "founded", "ended", "generations")
    caption = f"The latest {len(shown)} of {len(founded)}." if len(founded) > len(shown) else ""
    return Table(columns, rows, frozenset({0, 4, 6}), caption) if rows else None


# ---------------------------------------------------------------- hints and policies


def _hints(facts: RunFacts) -> Section | None:
    social = facts.social
    if not (social.posted or social.kept or social.reads):
        return None
    read = sum(rows for rows, _ in social.reads.values())
    right = sum(good for _, good in social.reads.values())
    answers = facts.total("episodes")
    alone = answers - read, float(np.nansum(facts.figures["success_rate"] * facts.figures["episodes"])) - right
    about = (
        f"{counted(social.posted, 'hint')} on the message board, {counted(social.kept, 'paid answer')} in the "
        f"knowledge cache; {percent(read / answers) if answers else 'n/a'} of the tasks were answered with one of them."
    )
    base = alone[1] / alone[0] if alone[0] > 0 else np.nan
    ways = {**social.reads, "no hint": (int(alone[0]), round(alone[1]))}
    table = Table(
        ("read", "answers", "paid in full", "against no hint"),
        tuple(
            (
                way,
                number(rows),
                percent(good / rows) if rows else "n/a",
                points(good / rows - base) if rows and way != "no hint" else "",
            )
            for way, (rows, good) in ways.items()
        ),
        frozenset({1, 2, 3}),
        "No controlled comparison: readers read where they expect it to pay. The shuffled arm is one.",
    )
    pictures = [
        lines(
            "Hints",
            [figure_line(facts, "hints_read", "tasks with a hint", "s0"), figure_line(facts, "posts", "posts", "s1")],
            unit="per generation",
            from_zero=True,
        )
    ]
    return _section("hints", "Board and knowledge", about, pictures, table)


def _policies(facts: RunFacts) -> Section | None:
    counts = facts.social.policies
    asked = counts.total()
    if not asked:
        return None
    about = (
        f"Every organelle writes now and then what it wants: {counted(asked, 'policy', 'policies')} asked for. Genuine "
        f"ones were read from what the host wrote freely: {percent(counts['genuine'] / asked)}."
    )
    styles = {"genuine": "s2", "constrained": "s0", "failed": "s3"}
    kinds = [*styles, *sorted(set(counts) - set(styles))]
    picture = bars(
        "How policies could be read",
        [Bar(kind, counts[kind], styles.get(kind, "s6")) for kind in kinds if counts[kind]],
        unit="policies",
        caption="Constrained: the host could write nothing else. Failed: charged, and nothing changed.",
    )
    return _section("policies", "Policies", about, [picture])


def _skills(facts: RunFacts) -> Section | None:
    adapted = facts.social.adapted
    if not adapted:
        return None
    strength = np.full(facts.last, np.nan)
    for generation, _, found in adapted:
        strength[generation - 1] = found
    about = (
        f"Organelles stretch or shrink what their adapters can do already, {counted(len(adapted), 'time')}, on average "
        f"{number(float(np.mean([taking for _, taking, _ in adapted])), 1)} of them at once."
    )
    picture = lines(
        "Skill factors",
        [Line("largest log factor", strength, "s0", first=1)],
        unit="mean of the largest log factors",
        from_zero=True,
        caption="0: the adapters as they are.",
    )
    return _section("skills", "Skill factors", about, [picture])


# ---------------------------------------------------------------- routing and composite tasks


def _router(facts: RunFacts) -> Section | None:
    sent = facts.social.routed
    if not sent:
        return None
    regret = _regret(sent, [change.generation for change in facts.social.changes if change.kind == "season"])
    half = len(sent) // 2
    kinds = Counter(task.kind for task in sent)
    first, second = (points(_mean(part)) for part in (regret[:half], regret[half:]))
    about = (
        f"{counted(len(sent), 'task')} were sent to whoever was believed best in their cell: "
        f"{percent(sum(task.right for task in sent) / len(sent))} were paid in full. Regret against the best of the "
        f"cell in hindsight: {first} points per task in the first half of them, {second} in the second."
    )
    pictures = [
        lines(
            "Sent and own tasks",
            [
                figure_line(facts, "routed_success", "sent", "s0"),
                figure_line(facts, "success_rate", "all", "s6 thin"),
            ],
            unit="share paid in full",
            as_percent=True,
            marks=changes_of(facts),
        ),
        bars("Who was sent to", [Bar(kind, count, "s0") for kind, count in kinds.most_common()], unit="tasks"),
    ]
    return _section("router", "Router", about, pictures)


def _mean(values: np.ndarray) -> float:
    known = finite(values)
    return float(known.mean()) if known.size else np.nan


def _regret(sent: list[Routed], shifts: list[int]) -> np.ndarray:
    """``[tasks]`` success of the best taker of a task's cell minus that of the one who got it, both over all the time
    in which the contracts were the same.

    Args:
        shifts: generations in which contracts shifted, ascending.
    """
    record: dict[tuple[int, tuple[int, int], str, int], list[int]] = {}
    keys = [(bisect_right(shifts, task.generation), task.cell, task.kind, task.number) for task in sent]
    for key, task in zip(keys, sent, strict=True):
        held = record.setdefault(key, [0, 0])
        held[0] += task.right
        held[1] += 1
    rates = {key: wins / (tries + _DOUBT) for key, (wins, tries) in record.items()}
    best: dict[tuple[int, tuple[int, int]], float] = {}
    for (season, cell, *_), rate in rates.items():
        best[season, cell] = max(best.get((season, cell), 0.0), rate)
    return np.array([best[key[:2]] - rates[key] for key in keys])


def _orchestrator(facts: RunFacts) -> Section | None:
    done = facts.social.composites
    if not done:
        return None
    half = len(done) // 2
    rows = []
    for name, some in (("first half", done[:half]), ("second half", done[half:])):
        steps = max(sum(one.steps for one in some), 1)
        rows.append(
            (
                name,
                number(len(some)),
                percent(sum(one.right for one in some) / len(some)) if some else "n/a",
                percent(sum(one.recognised for one in some) / steps),
                percent(sum(one.steps_right for one in some) / steps),
                number(sum(one.replaced for one in some)),
                number(sum(one.tokens for one in some) / len(some)) if some else "n/a",
            )
        )
    table = Table(
        ("tasks", "number", "right in the end", "steps recognised", "steps right", "replaced", "tokens each"),
        tuple(rows),
        frozenset(range(1, 7)),
        "A step is recognised when it was taken for the family that it belongs to.",
    )
    about = "Tasks of several steps: taken apart by the words that describe the steps, auctioned, and put together."
    picture = lines(
        "Composite tasks",
        [figure_line(facts, "composite_success", "right in the end", "s0")],
        unit="share",
        as_percent=True,
    )
    return _section("orchestrator", "Composite tasks", about, [picture], table)


# ---------------------------------------------------------------- the judge


def _judge(facts: RunFacts) -> Section | None:
    sittings = facts.social.sittings
    if not sittings:
        return None
    last = sittings[-1]
    about = (
        f"A judge compared {counted(sum(one.answers for one in sittings), 'answer')} in "
        f"{counted(len(sittings), 'generation')}, in the end by {counted(last.ratings, 'rating')}, and gave "
        f"{number(sum(one.bonus for one in sittings), 1)} energy out of the grant fund."
    )
    names = sorted({name for one in sittings for name in one.styles})
    pictures = [
        lines(
            "Styles of the judged answers",
            [Line(name, _share_of(facts, name), f"s{place}", first=1) for place, name in enumerate(names)],
            unit="share of the judged answers",
            as_percent=True,
        )
    ]
    liked = tuple(
        (name, f"{strength:+.2f}".replace("-", "−")) for name, strength in sorted(last.likes.items(), key=_most)
    )
    table = Table(("liked", "log-odds to win"), liked, frozenset({1}), "By its last sitting.") if liked else None
    return _section("judge", "Judge", about, pictures, table)


def _most(liked: tuple[str, float]) -> float:
    return -liked[1]


def _share_of(facts: RunFacts, style: str) -> np.ndarray:
    """By generation from the first, nan where the judge did not sit."""
    shares = np.full(facts.last, np.nan)
    for one in facts.social.sittings:
        shares[one.generation - 1] = one.styles.get(style, 0) / max(one.answers, 1)
    return shares
