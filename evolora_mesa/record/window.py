"""Mesa's DataCollector with a bounded memory: the last generations only. The store of a run has all of them."""

from __future__ import annotations

from typing import Any

from mesa import DataCollector

from evolora_mesa.record.reporters import AGENT_REPORTERS, MODEL_REPORTERS, TABLES

__all__ = ["Window"]


class Window(DataCollector):
    """Figures, organelles and tables of the last generations.

    Args:
        memory: generations that are kept.
    """

    def __init__(self, memory: int) -> None:
        super().__init__(MODEL_REPORTERS, AGENT_REPORTERS, tables=TABLES)
        self.memory = memory

    def collect(self, model: Any) -> None:
        """Collect the current generation, and forget the one that falls out of the window."""
        super().collect(model)
        generations = self.model_vars["generation"]
        over = len(generations) - self.memory
        if over <= 0:
            return
        for values in self.model_vars.values():
            del values[:over]
        while len(self._agent_records) > self.memory:
            del self._agent_records[next(iter(self._agent_records))]
        for table in self.tables.values():
            column = table["generation"]
            gone = next((place for place, born in enumerate(column) if born >= generations[0]), len(column))
            if gone:
                for values in table.values():
                    del values[:gone]

    def rows_of(self, name: str, generation: int) -> list[tuple[Any, ...]]:
        """Rows of a table that were written in ``generation``, without its number."""
        table = self.tables[name]
        column = table["generation"]
        first = len(column)
        while first and column[first - 1] >= generation:
            first -= 1
        columns = [values[first:] for key, values in table.items() if key != "generation"]
        return [row for born, row in zip(column[first:], zip(*columns, strict=True), strict=True) if born == generation]
