"""How long agents live, and of what they die."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from evolora_mesa.alife.invariants import place_of
from evolora_mesa.alife.log import EventLog
from evolora_mesa.alife.log_schema import CAUSES

__all__ = ["Lifetimes", "causes_of_death", "lifetimes"]


class Lifetimes(NamedTuple):
    """Of those who have died, in steps. The living, whose lives are cut off by the end, are not counted."""

    mean: float
    median: float
    longest: float


def lifetimes(log: EventLog) -> Lifetimes | None:
    """Mean, median and longest life; None when nobody has died."""
    births, deaths = log.stream("births"), log.stream("deaths")
    if not len(deaths):
        return None
    lived = deaths["step"] - births["step"][place_of(births["id"], deaths["id"])]
    return Lifetimes(float(lived.mean()), float(np.median(lived)), float(lived.max()))


def causes_of_death(log: EventLog) -> dict[str, int]:
    """How many died of each cause that occurred."""
    times = np.bincount(log.stream("deaths")["cause"], minlength=len(CAUSES))
    return {cause: int(number) for cause, number in zip(CAUSES, times, strict=True) if number}
