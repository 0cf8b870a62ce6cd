"""A policy: what an organelle wants, as a line of JSON that a tiny host can write.

``{"c":"math:2","b":0.5,"k":1.0,"r":true,"p":false,"m":"far"}``

| key | policy | values |
|---|---|---|
| ``c`` | cell that it would rather work in | ``any``, a family, or ``family:depth`` |
| ``b`` | share of its energy beyond the reserve that a generation's episodes may cost | 0 to 1 |
| ``k`` | energy that it keeps: the reserve | from 0 |
| ``r``, ``p`` | it reads, it posts messages | ``true``, ``false`` |
| ``m`` | partner that it would rather have | ``any``, ``near``: of its main family, ``far``: of another |

Keys are single letters because a host with single characters as tokens pays for each of them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from evolora_mesa.tasks import ANSWER_CUE

__all__ = ["NEUTRAL", "Bounds", "Partner", "Policy", "named_cells", "parse_policy", "policy_chain", "policy_prompt"]

Partner = Literal["any", "near", "far"]

_LONGEST: Final = 128  # characters: twice the longest that the constrained host can write
_TENTHS: Final = 10  # steps of the constrained host's numbers in a whole


class Policy(BaseModel):
    """What an organelle wants. It is read under the short keys, all of which must be there, and no other."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    cell: Annotated[str, Field(alias="c")]
    budget: Annotated[float, Field(alias="b")]
    reserve: Annotated[float, Field(alias="k")]
    reads: Annotated[bool, Field(alias="r")]
    posts: Annotated[bool, Field(alias="p")]
    partner: Annotated[Partner, Field(alias="m")]


# Of those who have written none that can be read: it changes nothing.
NEUTRAL: Final = Policy.model_validate({"c": "any", "b": 1.0, "k": 0.0, "r": True, "p": True, "m": "any"})


class Bounds(NamedTuple):
    """What policies may say: names that ``c`` may have beside ``any``, the smallest ``b``, and the largest ``k``."""

    cells: Sequence[str]
    least_budget: float = 0.0
    most_reserve: float = 2.0


def parse_policy(text: str, bounds: Bounds) -> Policy | None:
    """The policy that ``text`` is, or `None` if it is anything else: fenced, embedded, repeated, misspelt.

    Numbers are soft: a finite one outside its range is taken for the end of the range.
    """
    text = text.strip(" ")
    if len(text) > _LONGEST:
        return None
    try:
        policy = Policy.model_validate(json.loads(text, object_pairs_hook=_without_repetition))
    except ValueError:  # those of JSON and of pydantic are ValueErrors too
        return None
    if policy.cell not in ("any", *bounds.cells):
        return None
    budget, reserve = _clamp(policy.budget, bounds.least_budget, 1.0), _clamp(policy.reserve, 0.0, bounds.most_reserve)
    return policy.model_copy(update={"budget": budget, "reserve": reserve})


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key occurs twice")
    return dict(pairs)


def _clamp(value: float, least: float, most: float) -> float:
    return min(max(value, least), most) + 0.0  # minus zero is zero


# ---------------------------------------------------------------------------------------- what the host writes


def policy_chain(bounds: Bounds) -> list[list[str]]:
    """The language of policies, for `HostService.guide`: a constrained host chooses between these texts."""
    choices = {
        "c": [json.dumps(cell, ensure_ascii=False) for cell in ("any", *bounds.cells)],
        "b": _tenths(bounds.least_budget, 1.0),
        "k": _tenths(0.0, bounds.most_reserve),
        "r": ["true", "false"],
        "p": ["true", "false"],
        "m": [json.dumps(partner) for partner in get_args(Partner)],
    }
    links = [[[f'{"," if place else "{"}"{key}":'], texts] for place, (key, texts) in enumerate(choices.items())]
    return [*(part for link in links for part in link), ["}"]]


def _tenths(least: float, most: float) -> list[str]:
    """Tenths within the bounds; of bounds that have none between them, the one just above ``least``."""
    first = math.ceil(least * _TENTHS - 1e-9)
    last = max(first, math.floor(most * _TENTHS + 1e-9))
    return [f"{tenth / _TENTHS:.1f}" for tenth in range(first, last + 1)]


def policy_prompt(energy: float, best: Sequence[tuple[str, float]], *, example: bool) -> str:
    """What an organelle sees when it is asked for a policy.

    Args:
        energy: what it owns.
        best: the cells that it expects most of, with the success it expects there.
        example: show a policy, the neutral one.
    """
    shown = f" as {json.dumps(NEUTRAL.model_dump(by_alias=True), separators=(',', ':'))}" if example else ""
    cells = "".join(f", {cell} {success:.2f}" for cell, success in best)
    return f"Policy{shown}: energy {energy:.1f}{cells}{ANSWER_CUE}"


def named_cells(families: Sequence[str], depths: int) -> dict[str, np.ndarray]:
    """``[families, depths]`` bool by every name that a policy's cell can have: the cells that it stands for."""
    found = {}
    for place, family in enumerate(families):
        single = {f"{family}:{depth + 1}": [depth] for depth in range(depths)}
        for name, named in {family: list(range(depths)), **single}.items():
            found[name] = np.zeros((len(families), depths), dtype=bool)
            found[name][place, named] = True
    return found
