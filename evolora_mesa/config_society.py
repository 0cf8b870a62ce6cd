"""The settings of society: what organelles do with one another beside merging. Every mechanism is off by default."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from evolora_mesa.settings import MOST_ENERGY, Section, as_tuple, clash, repeated, setting

__all__ = [
    "AnswerMode",
    "BoardConfig",
    "ColoniesConfig",
    "JudgeConfig",
    "KnowledgeConfig",
    "Liked",
    "OrchestratorConfig",
    "PolicyConfig",
    "RouterConfig",
    "SkillsConfig",
    "SocietyConfig",
]

AnswerMode = Literal["vote", "confidence", "skill", "handoff"]
Liked = Literal["terse", "sentence", "quoted", "ticks", "work", "right"]
AnswerModes = Annotated[tuple[AnswerMode, ...], BeforeValidator(as_tuple)]


class ColoniesConfig(Section):
    """Teams of two to four organelles that answer together, share a pot, and must beat their best member at equal
    tokens. Their tests take level, margin, least effect, futility and price from `gate`."""

    enabled: bool = setting(False, "organelles may found colonies")
    modes: AnswerModes = setting(
        ("vote", "confidence", "skill"), "how a colony may decide, drawn evenly: vote, confidence, skill, handoff"
    )
    rival: Literal["member", "cell"] = setting(
        "member",
        "whom a colony must beat: member, the one that is best over all its cells; cell, in each the best one there",
    )
    most: int = setting(3, "colonies at a time, those on trial included", unit="colonies", ge=1, le=1024)
    size: int = setting(4, "most members", unit="organelles", ge=2, le=4)
    episodes: int = setting(1, "joint tasks, in place of as many of each member's own", unit="episodes", ge=1, le=256)
    window: int = setting(4, "prompts of a trial", unit="prompts per generation", ge=1, le=4096)
    most_pairs: int = setting(256, "prompts before a trial ends", unit="prompts", ge=1, le=65_536)
    probation: int = setting(32, "longest trial", unit="generations", ge=1, le=1_000_000)
    most_trials: int = setting(1, "trials at a time", unit="trials", ge=1, le=1024)
    rest: int = setting(
        8,
        "distance between a colony's trials, and until a refused pair may try again",
        unit="generations",
        ge=0,
        le=10_000,
    )
    probe_every: int = setting(8, "distance of co-routing probes; 0 is never", unit="generations", ge=0, le=1_000_000)
    probe_tasks: int = setting(4, "prompts of a probe, each answered by four", unit="prompts", ge=1, le=256)
    entry: float = setting(0.2, "share of its energy that a member pays into the pot at first", ge=0, le=1)
    share: float = setting(0.5, "share of the joint income that stays in the pot", ge=0, le=1)
    reserve: float = setting(
        1.0,
        "energy that the pot keeps back from trials and children; what is above twice as much is paid out, but for"
        " savings for distilling",
        unit="energy",
        ge=0,
        le=MOST_ENERGY,
    )
    message_token: float = setting(0.001, "cost of a token handed on", unit="energy", ge=0, le=MOST_ENERGY)
    bandwidth: int = setting(
        64, "most that a colony hands on at work", unit="tokens per generation", ge=0, le=1_000_000
    )
    doubt: float = setting(
        0.01, "false alarms that a colony is worse than its best member", unit="per evidence span", gt=0, lt=1
    )
    ladder: bool = setting(True, "colonies may become one adapter, first fused, then distilled")
    lessons: int = setting(
        32, "joint answers kept for distilling, and as many to retain", unit="answers", ge=8, le=4096
    )
    epochs: int = setting(4, "passes over the lessons", unit="passes", ge=1, le=1000)
    learning_rate: float = setting(0.01, "of distilling", gt=0, le=10)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.modes:
            raise clash("no way to decide", "modes", expected="at least one mode", got=[])
        if twice := repeated(self.modes):
            raise clash("one mode twice", "modes", expected="every mode once", got=twice)
        return self

    def slots(self, trials: int) -> int:
        """Bank slots beside the population's: for every colony its one adapter and another that it tries, and for
        every trial of a child the parents beyond two."""
        return 2 * self.most + (self.size - 2) * trials if self.enabled else 0


class PolicyConfig(Section):
    """What an organelle writes about itself now and then: where to work, how much to spend, whom to mate with."""

    enabled: bool = setting(False, "organelles write policies, and policies take effect")
    every: int = setting(32, "distance of the policies", unit="generations", ge=1, le=1_000_000)
    constrained: bool = setting(
        True, "the host can write nothing but policies; off, which is a control, it writes what it likes"
    )
    sampled: bool = setting(False, "policies are sampled as answers are; off, they are greedy: the adapter's alone")
    example: bool = setting(False, "the prompt shows a policy, which costs tokens")
    max_new_tokens: int = setting(64, "longest policy where it is not constrained", unit="tokens", ge=1, le=4096)
    pull: float = setting(0.1, "what a preferred cell is worth beyond its profit", unit="energy", ge=0, le=MOST_ENERGY)
    least_budget: float = setting(0.0, "smallest share of its energy that a policy lets one spend", ge=0, le=1)
    most_reserve: float = setting(2.0, "most energy that a policy can hold back", unit="energy", ge=0, le=10)
    taste: float = setting(0.25, "how much better a partner of the wanted kind looks", ge=0, le=1)


class BoardConfig(Section):
    """A message board: hints that organelles post about cells, and read before they answer."""

    enabled: bool = setting(False, "organelles post hints, and read them where they expect it to pay")
    form: Literal["opening", "example"] = setting(
        "opening",
        "what a post is: opening, how the poster's paid answers begin, put behind the prompt; example, the surest of"
        " them with its question, put before it",
    )
    shuffled: bool = setting(False, "readers get posts about another family, which is a control")
    evidence: int = setting(3, "fully paid answers that an opening is taken from", unit="answers", ge=2, le=256)
    longest: int = setting(96, "longest post; an opening is cut to it", unit="characters", ge=1, le=4096)
    lifetime: int = setting(8, "how long a post can be read", unit="generations", ge=1, le=1_000_000)
    most: int = setting(4, "posts about a cell", unit="posts", ge=1, le=1024)
    read_price: float = setting(
        0.002, "of a read, beside its tokens as part of the prompt", unit="energy", ge=0, le=MOST_ENERGY
    )
    royalty: float = setting(0.05, "share of what its reader was paid that the poster gets", ge=0, le=1)


class KnowledgeConfig(Section):
    """A knowledge cache: answers that were paid in full, for everybody to read."""

    enabled: bool = setting(False, "fully paid answers are kept, and read where that is expected to pay")
    form: Literal["opening", "example"] = setting(
        "example",
        "what is read: example, a question and its answer, put before the prompt; opening, how all answers kept of a"
        " cell begin, put behind it",
    )
    shuffled: bool = setting(False, "readers get what is kept of another family, which is a control")
    evidence: int = setting(3, "answers that an opening is taken from", unit="answers", ge=2, le=256)
    longest: int = setting(160, "longest example; longer ones are not kept", unit="characters", ge=1, le=4096)
    lifetime: int = setting(16, "how long an answer is kept", unit="generations", ge=1, le=1_000_000)
    most: int = setting(16, "answers kept of a cell", unit="answers", ge=1, le=1024)
    fresh: int = setting(4, "answers of a cell that are added", unit="answers per generation", ge=1, le=1024)
    read_price: float = setting(
        0.002, "of a read, beside its tokens as part of the prompt", unit="energy", ge=0, le=MOST_ENERGY
    )


class RouterConfig(Section):
    """A team router: for each cell it learns who is best there, of organelles, colonies and the bare host."""

    enabled: bool = setting(False, "tasks are sent to those who are believed best, beside everybody's own")
    episodes: int = setting(
        12, "tasks that are sent, from cells drawn evenly", unit="episodes per generation", ge=1, le=4096
    )
    choice: Literal["thompson", "uniform"] = setting(
        "thompson", "how it chooses; uniform sends every task to anybody and is a control"
    )
    memory: float = setting(0.9, "share of the evidence kept", unit="per generation", ge=0, le=1)
    spill: float = setting(0.25, "share of evidence that also counts for the family's other depths", ge=0, le=1)
    bare: bool = setting(True, "the bare host may be chosen; the grant fund is paid for it and pays")


class OrchestratorConfig(Section):
    """Composite tasks: steps are recognised by the words that describe them, auctioned, and put together."""

    enabled: bool = setting(False, "composite tasks are asked")
    every: int = setting(16, "distance of composite tasks", unit="generations", ge=1, le=1_000_000)
    composites: int = setting(12, "that are asked then", unit="tasks", ge=1, le=4096)
    decomposition: Literal["learned", "given", "monolithic"] = setting(
        "learned",
        "who knows which cell a step belongs to: learned, from outcomes; given, the true one; monolithic, one organelle"
        " answers the whole as often as there are steps and votes with itself; the latter two are controls",
    )
    credit: Literal["step", "end"] = setting(
        "step", "what words are learned from: step, whether the step was right; end, whether the whole was"
    )
    memory: float = setting(
        0.95, "share of the evidence about words kept", unit="per generation with composite tasks", ge=0, le=1
    )
    congestion: float = setting(
        0.01, "price of a step that a bidder has already won", unit="energy", ge=0, le=MOST_ENERGY
    )
    replacements: int = setting(
        1, "next bidders that are asked where an answer has no sense", unit="per task", ge=0, le=64
    )


class JudgeConfig(Section):
    """A judge, whose liking enters what is paid and what is learned from: a person's ratings, or tastes given here."""

    enabled: bool = setting(False, "answers are judged in pairs")
    source: str = setting(
        "",
        "a file of ratings, as `evolora judge` leaves it; empty, those of the run itself count once it goes on",
        max_length=4096,
        pattern=r"^[^\x00-\x1f\x7f]*$",
    )
    likes: dict[Liked, Annotated[float, Field(ge=-20, le=20)]] = setting(
        dict,
        "what the judge is taken to like before any rating, in log-odds that an answer wins: "
        f"{', '.join(get_args(Liked))}",
    )
    every: int = setting(4, "distance of the sittings", unit="generations", ge=1, le=1_000_000)
    share: float = setting(0.25, "share of the answers that are judged then", gt=0, le=1)
    weight: float = setting(0.5, "share of the judge in the reward that a judged answer is learned from", ge=0, le=1)
    bonus: float = setting(
        0.1, "most that a judged answer of the best earns out of the grant fund", unit="energy", ge=0, le=MOST_ENERGY
    )


class SkillsConfig(Section):
    """Skill factors: organelles scale the singular values of their adapters to what they are just working on."""

    enabled: bool = setting(False, "organelles have skill factors")
    rate: float = setting(0.5, "longest step of the log factors of an organelle", unit="per generation", ge=0, le=10)
    memory: float = setting(
        0.9, "share of the log factors that is left without a pull", unit="per generation", ge=0, le=1
    )
    spread: float = setting(0.7, "largest log factor: 0.7 halves or doubles a singular value", ge=0, le=5)
    price: float = setting(0.001, "of an example that factors adapt to", unit="energy", ge=0, le=MOST_ENERGY)


class SocietyConfig(Section):
    """The mechanisms of society."""

    colonies: ColoniesConfig = setting(ColoniesConfig, "teams that answer together")
    board: BoardConfig = setting(BoardConfig, "hints that organelles post")
    knowledge: KnowledgeConfig = setting(KnowledgeConfig, "paid answers that are kept as hints")
    policy: PolicyConfig = setting(PolicyConfig, "policies that organelles write")
    router: RouterConfig = setting(RouterConfig, "tasks that are sent to those believed best")
    orchestrator: OrchestratorConfig = setting(OrchestratorConfig, "composite tasks that several work on")
    judge: JudgeConfig = setting(JudgeConfig, "somebody who likes some answers better")
    skills: SkillsConfig = setting(SkillsConfig, "singular values that adapt to the work at hand")
