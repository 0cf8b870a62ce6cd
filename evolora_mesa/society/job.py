"""One composite task on its way: who does which step, what was answered, and who steps in where somebody fails."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container
from dataclasses import dataclass, field

from evolora_mesa.tasks.composite import Composite, content_of
from evolora_mesa.tasks.family import ANSWER_CUE

__all__ = ["Attempt", "Job"]


@dataclass(frozen=True)
class Attempt:
    """A step that was answered: its place in the composite, by whom, and whether it was right and made sense."""

    step: int
    member: int
    right: bool
    well_formed: bool


@dataclass(eq=False)
class Job:
    """A composite task in the hands of its bidders.

    Attributes:
        composite: the task.
        families: that each step is taken to belong to.
        wordings: of theirs, in which the steps are asked.
        bidders: ids for each step, the next one to ask first.
        whole: one bidder answers everything at once, as often as there are steps, and votes with itself.
        replacements: answers without sense that may still be given to the next bidder.
        attempts: what was answered, in its order.
        done: how many steps have an answer.
        replaced: how often the next bidder took over.
        over: nothing more is asked.
        answer: to the whole, once it is there.
        spent: energy by member, for tokens.
        tokens: read and written.
    """

    composite: Composite
    families: list[str]
    wordings: list[str]
    bidders: list[list[int]]
    whole: bool
    replacements: int
    attempts: list[Attempt] = field(default_factory=list)
    done: int = 0
    replaced: int = 0
    over: bool = False
    answer: str | None = None
    spent: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))
    tokens: int = 0

    def __post_init__(self) -> None:
        self._content = self.composite.content

    @property
    def success(self) -> bool:
        """Whether the whole was answered right."""
        return self.answer == self.composite.answer

    @property
    def workers(self) -> list[int]:
        """Whose answers were handed on, step by step; who did everything counts for every step."""
        found = [attempt.member for attempt in self.attempts if attempt.well_formed]
        return found * len(self.composite.steps) if self.whole else found

    def next_member(self, alive: Container[int]) -> int | None:
        """Who is asked now: the first of the step's bidders that lives. Without one the job is over."""
        waiting = self.bidders[self.done]
        while waiting and waiting[0] not in alive:
            waiting.pop(0)
            self.replaced += 1
        if not waiting:
            self.over = True
            return None
        return waiting[0]

    def prompts(self) -> list[str]:
        """What that member is asked, row by row."""
        if self.whole:
            return [self.composite.prompt] * len(self.composite.steps)
        question = self.composite.steps[self.done].question(self.families[self.done], self._content)
        return [f"{self.wordings[self.done]} {question}{ANSWER_CUE}"]

    def take(self, member: int, texts: list[str]) -> None:
        """Take in a member's answers to the prompts: hand on what makes sense, or pass the step to the next bidder."""
        steps, step = self.composite.steps, self.done
        last = self.whole or step == len(steps) - 1
        form = steps[-1] if last else steps[step]
        said = Counter(found for text in texts if form.well_formed(found := content_of(text)))
        content = said.most_common(1)[0][0] if said else None  # of equals the first
        right = content == (self.composite.answer if self.whole else steps[step].answer(self._content))
        self.attempts.append(Attempt(step, member, right, content is not None))
        if content is None:
            self._pass_on()
        elif last:
            self.answer, self.over = content, True
        else:
            self.done += 1
            self._content = content

    def _pass_on(self) -> None:
        self.bidders[self.done].pop(0)
        if not self.replacements or not self.bidders[self.done]:
            self.over = True
            return
        self.replacements -= 1
        self.replaced += 1
