"""Pictures made by hand, and what charts are asked about."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from evolora_mesa.view.chronicle import Happening
from evolora_mesa.view.course import Course
from evolora_mesa.view.picture import Niches, Organelles, Picture, TrialView

FAMILIES = ("word.count", "math", "logic")
DEPTHS = 2
LAYERS = ("price", "pool", "success", "learning_progress", "occupancy")


def organelles(*places: tuple[int, int], **columns: Any) -> Organelles:
    """One organelle per (family, depth), numbered from 1; ``columns`` over the defaults."""
    count = len(places)
    numbers = np.arange(1, count + 1)
    given = {
        "id": numbers,
        "lineage": numbers,
        "colony": np.full(count, -1),
        "skill": np.full(count, -1),
        "family": np.array([family for family, _ in places], dtype=np.int64),
        "depth": np.array([depth for _, depth in places], dtype=np.int64),
        "energy": np.linspace(1.0, 2.0, count),
        "roi": np.ones(count),
        "age": np.zeros(count, dtype=np.int64),
        "on_trial": np.zeros(count, dtype=bool),
    }
    return Organelles(**given | {name: np.asarray(column) for name, column in columns.items()})


def trial(child: int, *log_e: float, begun: int = 1, **facts: Any) -> TrialView:
    """A merge of #1 and #2 with one look per generation."""
    path = tuple((begun + place, value) for place, value in enumerate(log_e))
    given = {"prompts": 10 * len(path), "uplift": 0.2, "low": -0.1, "high": 0.5} | facts
    return TrialView(child, "merge", "svd", (1, 2), path=path, **given)


def made_picture(**parts: Any) -> Picture:
    """Three families by two depths with three organelles in the tenth generation; ``parts`` over it."""
    who = parts.get("organelles", organelles((0, 0), (0, 0), (2, 1)))
    layers = {name: np.full((3, DEPTHS), 0.25) for name in LAYERS}
    layers |= {"open": np.ones((3, DEPTHS), dtype=bool), "frozen": np.full((3, DEPTHS), np.nan)}
    picture = Picture(tick=10, families=FAMILIES, depths=DEPTHS, layers=layers, organelles=who, series=course(11))
    return replace(picture, **parts)


def course(generations: int, **figures: Any) -> Course:
    """Figures that rise with the generations; nothing was born, and nobody died."""
    number = np.arange(generations, dtype=float)
    quiet = {name: np.zeros(generations) for name in ("births", "deaths", "merges", "promotions", "trials")}
    return Course.of(
        {
            "generation": number,
            "population": number + 4,
            "success_rate": number / 100,
            "accuracy": number / 100,
            "frozen_host": np.full(generations, np.nan),
            "mean_roi": number / 10,
            "energy_organelles": number,
            "energy_cells": number,
            **quiet,
            **figures,
        }
    )


def niches(*elites: tuple[int, int, int, float, int]) -> Niches:
    """One per (family, depth, bin, success, organelle), in three cost bins."""
    family, depth, bin, success, organelle = zip(*elites, strict=True) if elites else ((),) * 5
    whole = [np.array(column, dtype=np.int64) for column in (family, depth, bin)]
    return Niches(np.array([6.0, 12.0]), *whole, np.array(success), np.array(organelle, dtype=np.int64))


def event(id: int | None = 1, text: str = "#1 did something", kind: str = "birth", generation: int = 1) -> Happening:
    return Happening(generation, kind, id, text)


def axes_of(option: dict[str, Any]) -> list[dict[str, Any]]:
    """All axes that are shown and have values or several places."""
    axes = [axis for name in ("xAxis", "yAxis") for axis in np.atleast_1d(np.array(option[name], dtype=object)).ravel()]
    return [axis for axis in axes if axis.get("show", True)]


def numbers_in(option: object) -> Iterator[float]:
    """All numbers of an option, wherever they are."""
    if isinstance(option, dict):
        for value in option.values():
            yield from numbers_in(value)
    elif isinstance(option, list | tuple):
        for value in option:
            yield from numbers_in(value)
    elif isinstance(option, float | int) and not isinstance(option, bool):
        yield option


def is_finite(option: object) -> bool:
    """Fit for JSON."""
    return all(math.isfinite(value) for value in numbers_in(option))


def series_of(option: dict[str, Any], id: str) -> dict[str, Any]:
    return next(series for series in option["series"] if series["id"] == id)
