"""Letting go of a Mesa model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import mesa

__all__ = ["forget"]


def forget(model: mesa.Model) -> None:
    """Drop the references by which Mesa 3.3 keeps every model alive: a table of counters, and the cells' caches.

    The model must not be lived on: its next agent would be number 1 again.
    """
    from mesa import Agent
    from mesa.discrete_space import Cell

    getattr(Agent, "_ids", {}).pop(model, None)
    for method in (Cell.get_neighborhood, getattr(Cell, "_neighborhood", None)):
        clear = getattr(method, "cache_clear", None)
        if clear is not None:
            clear()
