"""Foragers on a landscape of sugar (Epstein & Axtell 1996, Growing Artificial Societies, chapters II and III)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

import mesa
import numpy as np
from numpy.typing import NDArray

from evolora_mesa.alife.interface import Target, flag, one_of, whole
from evolora_mesa.alife.log import CAUSES
from evolora_mesa.alife.mirror import MirrorModel, Reflection
from evolora_mesa.alife.sugarscape.agents import Forager
from evolora_mesa.alife.sugarscape.courtship import Child, Courtship
from evolora_mesa.alife.sugarscape.landscape import PEAKS, SIDE, adjacent, capacity, peaks, sight_of
from evolora_mesa.alife.sugarscape.people import (
    BORN,
    ENDOWMENT,
    GENERATION,
    ID,
    LIFESPAN,
    METABOLISM,
    SITE,
    SUGAR,
    VISION,
    Makeup,
    People,
    blank,
    fertile,
)
from evolora_mesa.alife.sugarscape.reporters import REPORTERS, mean
from evolora_mesa.alife.sugarscape.turns import Turns

__all__ = ["Sugarscape"]

_ENDOWMENT: Final = {"M": (5, 25), "R": (5, 25), "S": (50, 100)}  # the book's, by rule


class Sugarscape(MirrorModel):
    """The sugarscape with growback of one unit a tick and one of three sets of rules.

    Args:
        rng: seed.
        record: keep the event log.
        agents: founders.
        rules: "M", foragers move and starve, and live for ever otherwise; "R", they also die at an age of 60 to 100
            and whoever dies is replaced by a random newcomer; "S", they die of age and reproduce sexually.
        vision_max: founders see 1 to so many sites each way.
        metabolism_max: founders need 1 to so much sugar a tick.
        endowment_min, endowment_max: sugar that founders and newcomers bring; not given, 5 to 25, and 50 to 100 under
            rules S, as in the book.
        growback: sugar that grows on each site per tick, up to its capacity.
        sight: "cross", four directions and the own site, or "diamond", all other sites within ``vision_max`` steps.
        torus: the edges meet.
        snapshot_every: ticks between two snapshots of everybody in the log.

    Attributes:
        people: ``(12, n)``, see `people`.
        ground: sugar ``(2500,)`` on each site; site = y · 50 + x.

    Raises:
        ConfigError: an argument is of the wrong type or out of range.
    """

    capabilities: ClassVar[frozenset[str]] = frozenset(
        {"energy", "birth", "heredity", "death", "niches", "space", "multi_parent"}
    )

    def __init__(
        self,
        *,
        rng: int = 0,
        record: bool = True,
        agents: int = 400,
        rules: str = "S",
        vision_max: int = 6,
        metabolism_max: int = 4,
        endowment_min: int | None = None,
        endowment_max: int | None = None,
        growback: int = 1,
        sight: str = "cross",
        torus: bool = True,
        snapshot_every: int = 10,
    ) -> None:
        super().__init__(rng=rng, record=record)
        self.rules = one_of("rules", rules, tuple(_ENDOWMENT))
        self.growback, self.torus = whole("growback", growback, low=0), flag("torus", torus)
        self.snapshot_every = whole("snapshot_every", snapshot_every, low=1)
        least, most = _ENDOWMENT[self.rules]
        least = least if endowment_min is None else whole("endowment_min", endowment_min, low=1)
        most = max(least, most) if endowment_max is None else whole("endowment_max", endowment_max, low=least)
        self.makeup = Makeup(
            (1, whole("vision_max", vision_max, low=1, high=SIDE // 2 - 1)),
            (1, whole("metabolism_max", metabolism_max, low=1)),
            (least, most),
        )
        self._sight = sight_of(one_of("sight", sight, ("cross", "diamond")), self.torus)
        if self.rules != "S":  # a log that claims heredity would be read as evolution
            self.log.capabilities -= {"heredity", "multi_parent"}
        if self.rules == "M":
            self.log.capabilities -= {"birth"}
        self._found(whole("agents", agents, low=0, high=SIDE * SIDE))
        self.datacollector = mesa.DataCollector(model_reporters=REPORTERS)
        self.datacollector.collect(self)

    def _found(self, n: int) -> None:
        rng = self.streams.numpy("founders")
        self.ground = capacity().copy()
        self.people: People = self.makeup.draw(rng.permutation(SIDE * SIDE)[:n], 0, 0, rng)
        self.next_id = self.founders = n
        self._peaks = self._peak_codes(self.people)
        self._announce(self.people, "init")
        self.snapshot()

    # ---------------------------------------------------------------- one tick

    def step(self) -> None:
        """Everybody acts, children are born, who starved or is too old dies, newcomers come, sugar grows."""
        self.tick += 1
        turns = self._act()
        children = self._children(turns.children)
        dead = self._bury(np.array(turns.starved, bool))
        self._settle(children)
        if self.rules == "R":
            self._settle(self._newcomers(dead))
        self.ground = np.minimum(self.ground + self.growback, capacity())
        self.running = self.people.shape[1] > 0
        if self.tick % self.snapshot_every == 0:
            self.snapshot()
        self.datacollector.collect(self)

    def _act(self) -> Turns:
        """Foragers move, gather, pay and court, one after another."""
        people, courtship = self.people, None
        turns = Turns(people, self.ground, self._sight, self.streams.numpy("turns"))
        if self.rules == "S":
            luck = self.streams.python("courtship")
            courtship = Courtship(turns, people, fertile(people, self.tick), adjacent(self.torus), luck)
        turns.act(courtship)
        people[SITE], people[SUGAR], self.ground = turns.sites, turns.sugar, np.array(turns.ground)
        if self.log.enabled:
            self._record(turns)
        return turns

    def _children(self, born: list[Child]) -> People:
        """The newborns of this tick, ``(12, n)``, announced while their parents are still there."""
        children = blank(len(born), self.tick, self.next_id, self.streams.numpy("newborn"))
        if not born:
            return children
        rows = np.array([child.parents for child in born])  # (n, 2)
        children[SITE] = [child.site for child in born]
        children[SUGAR] = children[ENDOWMENT] = [child.sugar for child in born]
        children[VISION] = [child.vision for child in born]
        children[METABOLISM] = [child.metabolism for child in born]
        children[GENERATION] = 1 + self.people[GENERATION][rows].max(axis=1)
        self._announce(children, "merge", self.people[ID][rows])
        return children

    def _bury(self, starved: NDArray[np.bool_]) -> int:
        """Who starved or has lived its time dies; how many."""
        people = self.people
        dying = starved.copy()
        if self.rules != "M":
            dying |= self.tick - people[BORN] >= people[LIFESPAN]
        dead = np.flatnonzero(dying)
        if len(dead):
            cause = np.where(starved[dead], CAUSES.index("starved"), CAUSES.index("age"))
            self.log.deaths(self.tick, self.time_gen, people[ID, dead], cause)
            self.log.energy(self.tick, -1, "residual_at_death", -people[SUGAR, dead].sum())
            self.people, self._peaks = people[:, ~dying], self._peaks[~dying]
        return len(dead)

    def _newcomers(self, n: int) -> People:
        """Strangers on free sites, as many as have died."""
        rng, free = self.streams.numpy("newborn"), np.ones(SIDE * SIDE, bool)
        free[self.people[SITE].astype(int)] = False
        sites = rng.choice(np.flatnonzero(free), n, replace=False)
        people = self.makeup.draw(sites, self.tick, self.next_id, rng)
        if n:
            self._announce(people, "inject")
            self.log.energy(self.tick, -1, "endowment", people[SUGAR].sum())
        return people

    def _settle(self, people: People) -> None:
        """They belong to the living from now on."""
        if people.shape[1]:
            self.next_id += people.shape[1]
            self.people = np.concatenate([self.people, people], axis=1)
            self._peaks = np.concatenate([self._peaks, self._peak_codes(people)])

    # ---------------------------------------------------------------- recording

    def _announce(self, people: People, op: str, parents: NDArray[np.float64] | None = None) -> None:
        """Births, to the log."""
        if not self.log.enabled:
            return
        geno = self._genotypes(people)
        self.log.births(
            self.tick,
            self.time_gen,
            people[ID],
            parents,
            op=op,
            geno=geno,
            pheno=geno,
            niche=self._peak_codes(people),
            energy=people[SUGAR],
        )

    def _record(self, turns: Turns) -> None:
        """What everybody gathered and paid, and who is near another peak now."""
        ids, harvest, cost = self.people[ID], np.array(turns.harvest), self.people[METABOLISM]
        now = self._peak_codes(self.people)
        moved = now != self._peaks
        if moved.any():
            self.log.changed(self.tick, ids[moved], "niche", now[moved])
        self._peaks = now
        tasks = self.log.codes("task", PEAKS)[peaks(self.torus)[self.people[SITE].astype(int)]]
        self.log.evals(self.tick, ids, tasks, harvest, cost, harvest > 0)
        self.log.energy(self.tick, -1, "harvest", harvest.sum())
        self.log.energy(self.tick, -1, "metabolism", -cost.sum())

    def snapshot(self) -> None:
        """All foragers, and the sugar on the ground, to the log."""
        if not self.log.enabled:
            return
        people, geno = self.people, self._genotypes(self.people)
        traits = {"vision": people[VISION], "metabolism": people[METABOLISM]}
        self.log.snapshot(
            self.tick,
            self.time_gen,
            people[ID],
            people[SUGAR],
            self.tick - people[BORN],
            people[GENERATION],
            geno,
            geno,
            self._peaks,
            traits=traits,
        )
        self.log.resources(self.tick, ["sugar"], [self.ground.sum()])

    def _genotypes(self, people: People) -> NDArray[np.int64]:
        """Codes of (vision, metabolism); phenotypes have the same ones."""
        pairs = list(map(tuple, people[[VISION, METABOLISM]].astype(int).T.tolist()))
        self.log.codes("pheno", pairs)
        return self.log.codes("geno", pairs)

    def _peak_codes(self, people: People) -> NDArray[np.int64]:
        """Codes of the peaks that foragers are nearest to."""
        return self.log.codes("niche", PEAKS)[peaks(self.torus)[people[SITE].astype(int)]]

    # ---------------------------------------------------------------- looking

    @property
    def time_gen(self) -> float:
        """Mean generation of the living under rules S; otherwise births per living forager."""
        if self.rules == "S":
            return mean(self.people[GENERATION])
        return (self.next_id - self.founders) / max(self.people.shape[1], 1)

    def peak_of(self, site: int) -> int:
        """Place in `PEAKS` of the nearest one."""
        return int(peaks(self.torus)[site])

    def living(self) -> Iterator[tuple[type[Reflection], list[int], list[int]]]:
        """All foragers."""
        yield Forager, self.people[ID].astype(int).tolist(), list(range(self.people.shape[1]))

    def picture(self) -> dict[str, Any]:
        """Sugar by site; foragers are coloured by their metabolism."""
        y, x = np.divmod(self.people[SITE].astype(int), SIDE)
        layers = {"sugar": self.ground, "capacity": capacity()}
        return {
            "shape": (SIDE, SIDE),
            "layers": {name: layer.reshape(SIDE, SIDE).T.astype(float) for name, layer in layers.items()},
            "agents": {"x": x, "y": y, "energy": self.people[SUGAR], "colour": self.people[METABOLISM]},
            "series": self.series(),
        }

    # ---------------------------------------------------------------- keeping

    def state_dict(self) -> dict[str, Any]:
        """The base's, with foragers and sugar."""
        state = super().state_dict() | {"next_id": self.next_id}
        state["arrays"] |= {"people": self.people.copy(), "ground": self.ground.copy()}
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        super().load_state_dict(state)
        self.next_id = state["next_id"]
        self.people, self.ground = state["arrays"]["people"].copy(), state["arrays"]["ground"].copy()
        self._peaks = self._peak_codes(self.people)

    @classmethod
    def reference(cls, *, quick: bool) -> list[Target]:
        """Carrying capacity, inequality, selection of vision and metabolism; see `targets`."""
        from evolora_mesa.alife.sugarscape.targets import targets

        return targets(quick=quick)
