"""The settings of the seasons: how the world changes while it is lived in."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, model_validator

from evolora_mesa.settings import Section, Texts, as_tuple, clash, repeated, setting

__all__ = ["Change", "SeasonsConfig", "Winter"]

_MOST_GENERATIONS = 1_000_000_000


class Winter(Section):
    """A time in which the sun gives less to the cells' pools and the grant fund."""

    inflow: float = setting(..., "share of its energy that the sun still gives", ge=0, le=1)
    until: int = setting(..., "generation in which the winter is over", unit="generation", ge=2, le=_MOST_GENERATIONS)


class Change(Section):
    """What is different from one generation on."""

    at: int = setting(..., "first generation with the change", unit="generation", ge=1, le=_MOST_GENERATIONS)
    shift: Literal["contracts"] | None = setting(None, "contracts: the families exchange their paid answer styles")
    winter: Winter | None = setting(None, "a winter begins: inflow and until")
    leave: Texts = setting((), "families that are not asked any more")
    come: Texts = setting((), "families that had left and are asked again")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not (self.shift or self.winter or self.leave or self.come):
            raise clash("nothing changes", "at", expected="shift, winter, leave or come", got={"at": self.at})
        if self.winter is not None and self.winter.until <= self.at:
            raise clash(
                "the winter is over before it begins",
                "winter",
                expected=f"until after generation {self.at}",
                got=self.winter.until,
            )
        if twice := repeated([*self.leave, *self.come]):
            name = "leave" if twice in self.leave else "come"
            raise clash("one family twice", name, expected="each once, in leave or in come", got=twice)
        return self


class SeasonsConfig(Section):
    """How the world changes while it is lived in."""

    shift_every: int = setting(
        0,
        "length of a season, after which the families exchange their paid answer styles; 0 is for ever",
        unit="generations",
        ge=0,
        le=_MOST_GENERATIONS,
    )
    schedule: Annotated[tuple[Change, ...], BeforeValidator(as_tuple)] = setting(
        (), "changes in the order of time: at a generation a shift, a winter, families that leave or come"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        last, winter_ends = 0, 0
        away: set[str] = set()
        for place, change in enumerate(self.schedule):
            here = f"schedule.{place}"
            if change.at <= last:
                raise clash(
                    "changes are not in the order of time",
                    f"{here}.at",
                    expected=f"after generation {last}",
                    got=change.at,
                )
            if change.winter is not None and change.at < winter_ends:
                raise clash(
                    "two winters at a time",
                    f"{here}.winter",
                    expected=f"from generation {winter_ends} on",
                    got=change.at,
                )
            for family in change.leave:
                if family in away:
                    raise clash("a family leaves twice", f"{here}.leave", expected="one that is there", got=family)
            for family in change.come:
                if family not in away:
                    raise clash(
                        "a family comes that has not left", f"{here}.come", expected="one that has left", got=family
                    )
            last = change.at
            winter_ends = change.winter.until if change.winter is not None else winter_ends
            away = (away | set(change.leave)) - set(change.come)
        return self

    def away_at(self, generation: int) -> set[str]:
        """The families that are not asked in a generation."""
        away: set[str] = set()
        for change in self.schedule:
            if change.at <= generation:
                away = (away | set(change.leave)) - set(change.come)
        return away

    def winter_at(self, generation: int) -> Winter | None:
        """The winter of a generation."""
        for change in self.schedule:
            if change.winter is not None and change.at <= generation < change.winter.until:
                return change.winter
        return None

    def shifts_until(self, generation: int) -> int:
        """Contract shifts up to and in a generation: its season, counted from 0."""
        regular = max(generation - 1, 0) // self.shift_every if self.shift_every else 0
        return regular + sum(change.shift is not None and change.at <= generation for change in self.schedule)
