"""The team router: for each cell it learns who is best there, and sends a few tasks of every generation to them.

Its arms are the organelles, the colonies in their own cells, and the bare host. It samples (W. R. Thompson, 1933) from
discounted Beta beliefs, so that it keeps up with arms that learn (V. Raj, S. Kalyani, "Taming non-stationary bandits",
2017). What it sees is every graded answer of the world; what it sends is where it looks for itself.

1. `Router.send`, after foraging: organelles get more episodes than they chose, colonies get their next joint tasks.
2. `Router.ask`: the bare host's tasks ride in the generation's one host call.
3. `Router.settle`: an organelle earns and pays for a task that it was sent as for any other, a colony too; the grant
   fund is paid for what the bare host answers, and pays its tokens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np

from evolora_mesa.config_society import RouterConfig
from evolora_mesa.host import BARE
from evolora_mesa.organelle import Organelle
from evolora_mesa.refill import refill
from evolora_mesa.society.questions import Questions, Replies
from evolora_mesa.tasks import Pool, Task
from evolora_mesa.workload import Grades, JointRows, Workload, grade

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["Arm", "Router", "most_appealing"]

_PRIOR: Final = (0.6, 1.4)  # as of a cell that nobody has tried


class Arm(NamedTuple):
    """Whom tasks can be sent to, by its own number; that of the bare host is 0."""

    kind: Literal["bare", "organelle", "colony"]
    number: int


_HOST: Final = Arm("bare", 0)


class Router:
    """One world's router.

    Args:
        settings: how it works.
        shape: ``(families, depths)`` of the grid.

    Attributes:
        arms: everybody it knows.
        wins, losses: ``[arms, cells]`` discounted evidence, without the prior.
        joint: by colony's number, the flat cells of the tasks that it was sent in this generation.
    """

    def __init__(self, settings: RouterConfig, shape: tuple[int, int]) -> None:
        self.settings, self.shape = settings, shape
        self.arms: list[Arm] = []
        self.wins: np.ndarray = np.zeros((0, shape[0] * shape[1]))
        self.losses: np.ndarray = np.zeros_like(self.wins)
        self._forget_generation()

    def _forget_generation(self) -> None:
        self.joint: dict[int, list[int]] = {}
        self._rows = np.zeros(0, dtype=np.int64)  # of the workload, that organelles were sent
        self._tasks: list[Task] = []  # of the bare host
        self._cells = np.zeros(0, dtype=np.int64)
        self._place = slice(0, 0)
        self._replies: Replies | None = None

    def success(self) -> np.ndarray:
        """``[arms, cells]`` mean of the belief, in (0, 1)."""
        wins, losses = self.wins + _PRIOR[0], self.losses + _PRIOR[1]
        return np.asarray(wins / (wins + losses))

    # ------------------------------------------------------------------ sending

    def send(self, model: EcologyModel, organelles: Sequence[Organelle], cells: np.ndarray) -> np.ndarray:
        """Send this generation's tasks out.

        Args:
            cells: ``[organelles, episodes]`` flat cell numbers that they work in anyway; -1 is none.

        Returns:
            ``[organelles, episodes and more]``: with what organelles were sent behind their own.
        """
        self._forget_generation()
        if not self.settings.enabled or not organelles:
            return cells
        self.meet(model, organelles)
        rng = model.streams.numpy("router")
        wanted = rng.choice(np.flatnonzero(model.open), size=self.settings.episodes)
        place_of = {organelle.unique_id: place for place, organelle in enumerate(organelles)}
        sent: list[list[int]] = [[] for _ in organelles]
        bare = []
        for cell, arm in self._choose(model, wanted, rng):
            match arm.kind:
                case "organelle":
                    sent[place_of[arm.number]].append(cell)
                case "colony":
                    self.joint.setdefault(arm.number, []).append(cell)
                case "bare":
                    bare.append(cell)
        self._cells = np.array(bare, dtype=np.int64)
        python = model.streams.python("tasks.router")
        self._tasks = [model.draw_task(Pool.LIVE, cell, python) for cell in bare]
        return self._widened(cells, sent)

    def _widened(self, cells: np.ndarray, sent: list[list[int]]) -> np.ndarray:
        width = cells.shape[1]
        wide = np.full((len(cells), width + max(map(len, sent))), -1, dtype=cells.dtype)
        wide[:, :width] = cells
        for place, more in enumerate(sent):
            wide[place, width : width + len(more)] = more
        self._rows = np.flatnonzero(np.nonzero(wide >= 0)[1] >= width)
        return wide

    def meet(self, model: EcologyModel, organelles: Sequence[Organelle]) -> None:
        """The dead are forgotten; of newcomers it believes what they do, of a colony what its best member does."""
        slot_of = {organelle.unique_id: organelle.slot for organelle in organelles}
        teams = {Arm("colony", colony.number): colony.members for colony in model.colonies.founded}
        alone = {Arm("organelle", organelle.unique_id): [organelle.unique_id] for organelle in organelles}
        minds = {arm: [slot_of[one] for one in members] for arm, members in (alone | teams).items()}
        arms = [*([_HOST] if self.settings.bare else []), *minds]
        known = {arm: place for place, arm in enumerate(self.arms)}
        wins, losses = np.zeros((2, len(arms), self.wins.shape[1]))
        for place, arm in enumerate(arms):
            if arm in known:
                wins[place], losses[place] = self.wins[known[arm]], self.losses[known[arm]]
            elif arm != _HOST:
                slots = np.array(minds[arm])
                best = model.beliefs.success(slots).reshape(len(slots), -1).argmax(0)  # [cells]
                for mine, theirs in ((wins, model.beliefs.wins), (losses, model.beliefs.losses)):
                    mine[place] = theirs[slots].reshape(len(slots), -1)[best, np.arange(len(best))]
        self.arms, self.wins, self.losses = arms, wins, losses

    def _choose(self, model: EcologyModel, wanted: np.ndarray, rng: np.random.Generator) -> list[tuple[int, Arm]]:
        """Flat cells and whom their tasks are sent to; a task that nobody may work at is not sent."""
        able = self._able(model)[:, wanted].T  # [tasks, arms]
        room = [model.colonies.settings.episodes if arm.kind == "colony" else len(wanted) for arm in self.arms]
        chosen = most_appealing(self.appeal(wanted, rng), able, room)
        return [(cell, self.arms[arm]) for cell, arm in zip(wanted.tolist(), chosen, strict=True) if arm is not None]

    def appeal(self, wanted: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """``[tasks, arms]`` a plausible success of everybody at tasks of the flat cells ``wanted [tasks]``."""
        if self.settings.choice == "uniform":
            return rng.random((len(wanted), len(self.arms)))
        return rng.beta(self.wins[:, wanted].T + _PRIOR[0], self.losses[:, wanted].T + _PRIOR[1])

    def _able(self, model: EcologyModel) -> np.ndarray:
        """``[arms, cells]`` who may be sent what: the confined and colonies only what is theirs."""
        able: np.ndarray = np.ones(self.wins.shape, dtype=bool)
        slot_of = {organelle.unique_id: organelle.slot for organelle in model.organelles()}
        own = {colony.number: colony.cells for colony in model.colonies.founded}
        for place, arm in enumerate(self.arms):
            if arm.kind == "organelle":
                able[place] = model.beliefs.allowed[slot_of[arm.number]].ravel()
            elif arm.kind == "colony":
                able[place] = np.isin(np.arange(able.shape[1]), own[arm.number])
        return able

    # ------------------------------------------------------------------ asking and settling

    def ask(self, questions: Questions) -> None:
        """What the bare host was sent."""
        self._place = questions.ask([BARE] * len(self._tasks), [task.prompt for task in self._tasks])

    def hear(self, replies: Replies) -> None:
        """What it answered."""
        self._replies = replies.take(self._place)

    def settle(self, model: EcologyModel, workload: Workload, grades: Grades, joint: JointRows) -> JointRows:
        """Evidence of the generation is taken in, and the bare host's answers are graded.

        Returns:
            ``joint``, with what the bare host's answers claim for the grant fund behind it.
        """
        if not self.arms or not workload.tasks:
            return joint
        arm_at = {arm: place for place, arm in enumerate(self.arms)}
        alone = np.ones(len(workload.tasks), dtype=bool)
        alone[joint.rows] = False
        names = np.array([arm_at[Arm("organelle", o.unique_id)] for o in model.organelles()])
        seen = [(names[workload.owners[alone]], workload.cells[alone], grades.success[alone])]
        told = [
            (int(workload.cells[row]), self.arms[names[workload.owners[row]]], bool(grades.success[row]))
            for row in self._rows[alone[self._rows]].tolist()
        ]
        for sitting in model.colonies.sittings[: len(model.colonies.shifts)]:
            arm = Arm("colony", sitting.colony.number)
            right = sitting.team.grades.success
            seen.append((np.full(len(right), arm_at[arm]), sitting.cells, right))
            ordered = len(self.joint.get(arm.number, ()))  # they are a colony's first tasks
            told += [
                (int(cell), arm, bool(one)) for cell, one in zip(sitting.cells[:ordered], right[:ordered], strict=True)
            ]
        rewards = np.zeros(0)
        if self._tasks and self._replies is not None:
            marks = grade(self._tasks, self._replies.texts, model.tasks, model.contracts)
            seen.append((np.full(len(self._tasks), arm_at[_HOST]), self._cells, marks.success))
            told += [(cell, _HOST, one) for cell, one in zip(self._cells.tolist(), marks.success.tolist(), strict=True)]
            rewards = marks.rewards
            self._charge_grant(model, self._replies)
        self.learn(*(np.concatenate(parts) for parts in zip(*seen, strict=True)))
        self._tell(model, told)
        return joint.with_claims(self._cells, rewards, np.full(len(self._cells), model.grant))

    def _charge_grant(self, model: EcologyModel, replies: Replies) -> None:
        tariff = model.tariff
        price = tariff.prompt_token * replies.read.sum() + tariff.generated_token * replies.written.sum()
        model.ledger.transfer(model.grant, model.soil, float(price), "routing", up_to=True)

    def learn(self, arms: np.ndarray, cells: np.ndarray, success: np.ndarray) -> None:
        """Take in outcomes, all ``[answers]``; whatever was known fades."""
        for evidence, happened in ((self.wins, success), (self.losses, ~success)):
            fresh = np.zeros((len(self.arms), *self.shape))
            np.add.at(fresh.reshape(evidence.shape), (arms, cells), happened)
            fresh += self.settings.spill * (fresh.sum(2, keepdims=True) - fresh)
            evidence *= self.settings.memory
            evidence += fresh.reshape(evidence.shape)

    def _tell(self, model: EcologyModel, told: list[tuple[int, Arm, bool]]) -> None:
        model.tally.routed, model.tally.routed_right = len(told), sum(right for _, _, right in told)
        depths = self.shape[1]
        sent = [[*divmod(cell, depths), *arm, right] for cell, arm, right in told]
        kinds = Counter(arm.kind for _, arm, _ in told)
        model.events.append(("routed", None, {"right": model.tally.routed_right, "to": dict(kinds), "tasks": sent}))

    # ------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Any]:
        """Arms as plain JSON values, and copies of the evidence."""
        return {"arms": [list(arm) for arm in self.arms], "wins": self.wins.copy(), "losses": self.losses.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`.

        Raises:
            RunError: it does not fit.
        """
        self.arms = [Arm(kind, number) for kind, number in state["arms"]]
        self.wins, self.losses = np.zeros((2, len(self.arms), self.shape[0] * self.shape[1]))
        for name in ("wins", "losses"):
            refill(getattr(self, name), state[name], f"router, {name}")
        self._forget_generation()


def most_appealing(appeal: np.ndarray, able: np.ndarray, room: Sequence[int]) -> list[int | None]:
    """For each task in turn the most appealing arm that may work there and still has room.

    Args:
        appeal, able: ``[tasks, arms]`` above 0, and bool.
        room: tasks that each arm can take.
    """
    left, chosen = np.array(room), []
    for row, may in zip(appeal, able, strict=True):
        free = may & (left > 0)
        arm = int(np.where(free, row, -1.0).argmax()) if free.any() else None
        if arm is not None:
            left[arm] -= 1
        chosen.append(arm)
    return chosen
