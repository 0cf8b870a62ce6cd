"""What a host does with a text that stands by its prompt: bare, with an adapter, and with one that was taught so.

``python -m evolora_mesa.study.society_hint_forms --out docs/results/society``
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import torch

from evolora_mesa.config import PlasticityConfig
from evolora_mesa.host import BARE, AdapterBank, HostService, Request
from evolora_mesa.petri.corpus import style_preferences
from evolora_mesa.plasticity import Learner, Work, make_rule
from evolora_mesa.study.arms import carry_out, study_parser
from evolora_mesa.study.baseline_table import markdown_table, shown
from evolora_mesa.study.panels import draw_panel
from evolora_mesa.study.statistics import t_interval
from evolora_mesa.tasks import (
    ANSWER_CUE,
    SENTENCE_OPENING,
    SHIPPED,
    STYLES,
    Contracts,
    Pool,
    Task,
    TaskSource,
    write_answer,
)

__all__ = ["FORMS", "Asked", "forms_page", "main"]

_DEPTHS, _ROWS, _GENERATIONS, _PER_CELL = 2, 8, 20, 40
_SITES: Final = ("last.down_proj", "lm_head")
_OPENINGS: Final = {"sentence": SENTENCE_OPENING, "quoted": '"', "ticks": "`"}
_FAMILIES: Final = list(SHIPPED)
_SOURCE, _CONTRACTS = TaskSource(SHIPPED), Contracts()


class Asked(NamedTuple):
    """A prompt, and what of the answer it has said already."""

    prompt: str
    opening: str = ""


def _paid(task: Task) -> str:
    return _CONTRACTS.style(task.family, task.depth)


def _other(task: Task) -> str:
    return STYLES[(STYLES.index(_paid(task)) + 2) % len(STYLES)]


def _answer(style: str, example: Task) -> str:
    return write_answer(style, example.target, example.scratch)


def _reworded(task: Task, example: Task) -> Asked:
    """The question in the words behind which the host likes the paid style most."""
    templates, style = SHIPPED[task.family].templates, STYLES.index(_paid(task))
    likings = [row[style] for row in style_preferences()[task.family]]
    question = task.prompt.removeprefix(templates[task.template])
    return Asked(templates[int(np.argmax(likings))] + question)


def _opened(task: Task, example: Task) -> Asked:
    opening = _OPENINGS.get(_paid(task), "")
    return Asked(task.prompt + opening, opening)


# Each makes of a task, with another task of its cell as the example, what is asked.
FORMS: Final[Mapping[str, Callable[[Task, Task], Asked]]] = {
    "no hint": lambda task, _: Asked(task.prompt),
    "worked example in the paid style": lambda task, e: Asked(f"{e.prompt}{_answer(_paid(task), e)}\n{task.prompt}"),
    "worked example in another style": lambda task, e: Asked(f"{e.prompt}{_answer(_other(task), e)}\n{task.prompt}"),
    "an answer alone, before the prompt": lambda task, e: Asked(f"{_answer(_paid(task), e)}\n{task.prompt}"),
    "an answer alone, in the question": lambda task, e: Asked(
        f"{task.prompt.removesuffix(ANSWER_CUE)} {_answer(_paid(task), e)}{ANSWER_CUE}"
    ),
    "the question in its best words": _reworded,
    "the beginning of the answer": _opened,
}


class _Lanes(NamedTuple):
    """Adapters, one for every family; none is the bare host."""

    bank: AdapterBank | None
    slots: list[int]


def _taught(service: HostService, form: str, seed: int) -> _Lanes:
    """A founder for every family after twenty generations of learning in it, with hints of a form in all prompts."""
    bank = service.new_bank(_SITES, capacity=1 + len(_FAMILIES))
    generator = torch.Generator().manual_seed(seed)
    slots = bank.allocate(len(_FAMILIES), 4, generator, norm=0.0)
    settings = PlasticityConfig()
    learner = Learner(settings, make_rule(settings, service, bank, generator), bank, len(_FAMILIES))
    learner.reset(slots)
    rng, lanes = random.Random(seed), _Lanes(bank, slots.tolist())
    for generation in range(_GENERATIONS):
        cells = [(family, rng.randint(1, _DEPTHS)) for family in _FAMILIES for _ in range(_ROWS)]
        tasks, examples = ([_SOURCE.draw(Pool.LIVE, *cell, rng) for cell in cells] for _ in range(2))
        trace, first_key = learner.trace(), (seed * _GENERATIONS + generation) * len(cells)
        asked = [FORMS[form](*pair) for pair in zip(tasks, examples, strict=True)]
        requests = _requests(lanes, tasks, asked, first_key)
        answers = service.answer(requests, bank, temperature=1.0, trace=trace)
        rewards = _rewards(tasks, asked, answers.texts)[:, 0]
        owners = slots.repeat_interleave(_ROWS)
        niches = np.repeat(np.arange(len(_FAMILIES)), _ROWS)
        learner.learn(Work(owners, owners, niches, rewards, answers, 1.0))
    return lanes


def _requests(lanes: _Lanes, tasks: Sequence[Task], asked: Sequence[Asked], first_key: int) -> list[Request]:
    return [
        Request(lanes.slots[_FAMILIES.index(task.family)], question.prompt, first_key + row)
        for row, (task, question) in enumerate(zip(tasks, asked, strict=True))
    ]


def _rewards(tasks: Sequence[Task], asked: Sequence[Asked], texts: Sequence[str]) -> np.ndarray:
    """``[tasks, 3]`` reward, whether it was paid in full, and whether it was right in any style."""
    rows = []
    for task, question, text in zip(tasks, asked, texts, strict=True):
        grade = _SOURCE.grade(task, question.opening + text)
        rows.append((*_CONTRACTS.reward(task, grade), grade.correct))
    return np.array(rows, dtype=float)


def _success(service: HostService, lanes: _Lanes, form: str, seed: int) -> tuple[float, float]:
    """Share paid in full, and right in any style, of fresh tasks of all cells, sampled as in life."""
    rng = random.Random(f"panel {seed}")
    tasks = draw_panel(_SOURCE, Pool.SELECT, _DEPTHS, _PER_CELL, rng)
    examples = [_SOURCE.draw(Pool.LIVE, task.family, task.depth, rng) for task in tasks]
    asked = [FORMS[form](*pair) for pair in zip(tasks, examples, strict=True)]
    texts = service.answer(_requests(lanes, tasks, asked, seed << 32), lanes.bank, temperature=1.0).texts
    _, paid, right = _rewards(tasks, asked, texts).mean(0)
    return float(paid), float(right)


def forms_page(service: HostService, seeds: int, command: str, say: Callable[[str], None]) -> str:
    """Every form, for the bare host, for adapters taught without hints, and for adapters taught with that form."""
    bare = _Lanes(None, [BARE] * len(_FAMILIES))
    columns: dict[str, list[list[float]]] = {form: [[] for _ in range(6)] for form in FORMS}
    for seed in range(seeds):
        plain = _taught(service, "no hint", seed)
        for form, found in columns.items():
            say(f"seed {seed}: {form}")
            own = plain if form == "no hint" else _taught(service, form, seed)
            shares = [*_success(service, bare, form, seed), *_success(service, plain, form, seed)]
            shares += [_success(service, own, asked, seed)[0] for asked in (form, "no hint")]
            for values, share in zip(found, shares, strict=True):
                values.append(share)
    table = [[form, *(shown(t_interval(values), 100, 1) for values in found)] for form, found in columns.items()]
    headings = ["bare, paid %", "bare, right in any style %", "adapters, paid %", "adapters, right in any style %"]
    headings += ["taught with it, paid %", "taught with it, asked without, paid %"]
    return "\n".join(
        [
            "# What `petri` does with a hint",
            "",
            f"Made by `{command}`.",
            "",
            f"Mean [95 % t interval over {seeds} seeds] over the nine families at depths 1 and 2, {_PER_CELL} fresh"
            " prompts of the pool `select` each, sampled at temperature 1 as in life. Adapters: a founder for every"
            f" family after {_GENERATIONS} generations of {_ROWS} episodes in it, taught without hints; taught with"
            " it: the same with such a hint in every prompt.",
            "",
            *markdown_table(["hint", *headings], table),
            "",
        ]
    )


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    """The command; returns the exit code."""

    def study(given: argparse.Namespace, command: str) -> dict[str, str]:
        host = HostService.load("petri")
        page = forms_page(host, given.seeds, command, lambda line: print(line, file=sys.stderr))
        return {"hint_forms.md": page}

    return carry_out(study_parser("society_hint_forms"), study, arguments, say)


if __name__ == "__main__":
    raise SystemExit(main())
