"""The settings of a world: one typed tree that feeds YAML files, the command line, the docs and the app.

Every field says what it means, its unit and its range. Numbers are strict: ``true`` is not 1, ``"3"`` is not
a number, infinity is refused. So are unknown names and settings that contradict each other. The defaults are
the world `ecology`. Energy has no physical unit: 1 is what one task pays at the best price of that world.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from evolora_mesa.config_evolution import ArchiveConfig, DiversityConfig, GateConfig, ReproductionConfig
from evolora_mesa.config_seasons import SeasonsConfig
from evolora_mesa.config_society import SocietyConfig
from evolora_mesa.settings import MOST_ENERGY, Section, Text, Texts, as_tuple, clash, repeated, setting

__all__ = [
    "FAMILIES",
    "STYLES",
    "AdapterConfig",
    "EconomyConfig",
    "ForageConfig",
    "HostConfig",
    "PlasticityConfig",
    "PopulationConfig",
    "RecordConfig",
    "ReproductionConfig",
    "SeasonsConfig",
    "TasksConfig",
    "WorldConfig",
]

Style = Literal["terse", "sentence", "quoted", "ticks", "work"]
FamilyName = Literal[
    "word.count",
    "math",
    "math.multi_step",
    "logic",
    "string.sort",
    "sequence",
    "json.repair",
    "code.format",
    "string.ops",
]
STYLES: tuple[str, ...] = get_args(Style)
FAMILIES: tuple[str, ...] = get_args(FamilyName)

MOST_DEPTH = 6
MOST_MEMORY = 2_000_000_000  # generations: more than the longest run has


FamilyNames = Annotated[tuple[FamilyName, ...], BeforeValidator(as_tuple)]


class HostConfig(Section):
    """The frozen language model that all organelles share, and how it is run."""

    path: Text = setting("petri", "a shipped host, a Hugging Face folder, or a hub id")
    device: str = setting(
        "auto",
        "cpu, cuda, cuda:0, mps; auto takes CUDA if present",
        pattern=r"^(auto|cpu|mps|cuda(:\d{1,3})?)$",
    )
    dtype: Literal["float32", "bfloat16", "auto"] = setting("float32", "number format of the host's weights")
    threads: int = setting(1, "CPU threads of torch", unit="threads", ge=1, le=256)
    tune_cpu: bool = setting(True, "let process-wide CPU settings be tuned; dropped where they cost accuracy")
    max_new_tokens: int = setting(28, "longest answer", unit="tokens", ge=1, le=4096)
    temperature: float = setting(1.0, "sampling temperature of answers that are learned from", ge=0.001, le=10)
    memory_mb: int = setting(
        512, "memory of the key-value cache; bounds the rows decoded at once", unit="MiB", ge=1, le=1_048_576
    )
    max_rows: int = setting(512, "most prompts decoded at once", unit="rows", ge=1, le=65_536)
    stop_at_newline: bool = setting(True, "an answer ends at the first line break")
    random_weights: bool = setting(False, "negative control: same architecture, weights drawn at random")


class AdapterConfig(Section):
    """The LoRA adapter of an organelle: change of a weight = scaling * B @ A."""

    sites: Texts = setting(("last.down_proj", "lm_head"), "linear layers that carry an adapter")
    rank: int = setting(4, "rank of a founder's adapter", ge=1, le=8)
    max_rank: int = setting(8, "largest rank that mutation may reach; slots are padded to it", ge=1, le=8)
    scaling: float = setting(1.0, "factor on B @ A", gt=0, le=100)
    initial_norm: float = setting(
        0.0, "Frobenius norm of the founders' random change of a weight; 0 starts all as the bare host", ge=0, le=1000
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.rank > self.max_rank:
            raise clash(
                "founders' rank is too large",
                "rank",
                "max_rank",
                expected=f"at most adapter.max_rank = {self.max_rank}",
                got=self.rank,
            )
        if not self.sites:
            raise clash("no adapter site", "sites", expected="at least one linear layer", got=[])
        if twice := repeated(self.sites):
            raise clash("one adapter site twice", "sites", expected="every site once", got=twice)
        return self


class TasksConfig(Section):
    """What is asked, and which style of answer each cell (family x depth) pays for."""

    families: FamilyNames = setting(FAMILIES, "built-in task families")
    depths: int = setting(4, "each family is asked at depths 1 to this", unit="steps", ge=1, le=MOST_DEPTH)
    styles: dict[str, Style] = setting(dict, f"paid answer style by family, over the built-in one: {', '.join(STYLES)}")
    cell_styles: dict[str, Style] = setting(
        dict, "paid answer style of single cells by 'family:depth'; wins over styles"
    )
    user_families: Texts = setting(
        (), "own families as 'package.module:Class', asked besides `families`; naming one runs its code"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not (self.families or self.user_families):
            raise clash("no task family", "families", expected="at least one family", got=[])
        for name, values in (("families", self.families), ("user_families", self.user_families)):
            if twice := repeated(values):
                raise clash("one task family twice", name, expected="every family once", got=twice)
        for path in self.user_families:
            module, _, found = path.partition(":")
            if not (all(part.isidentifier() for part in module.split(".")) and found.isidentifier()):
                raise clash("not a family path", "user_families", expected="'package.module:Class'", got=path)
        for family in self.styles:
            self._require_family(family, "styles")
        for cell in self.cell_styles:
            family, _, depth = cell.rpartition(":")
            if depth not in {str(number) for number in range(1, self.depths + 1)}:
                raise clash(
                    "not a cell of the grid",
                    "cell_styles",
                    "depths",
                    expected=f"'family:depth' with depth 1 to {self.depths}",
                    got=cell,
                )
            self._require_family(family, "cell_styles")
        return self

    def may_ask(self, family: str) -> bool:
        """Names of user families are known only after their import, so any new name passes beside them."""
        return family in self.families or bool(self.user_families and family not in FAMILIES)

    def _require_family(self, family: str, name: str) -> None:
        if self.may_ask(family):
            return
        raise clash(
            "a style for a family that is not asked",
            name,
            "families",
            expected=f"one of {', '.join(self.families)}",
            got=family,
        )


class PopulationConfig(Section):
    """How many organelles live, and how much each works."""

    initial: int = setting(16, "founders", unit="organelles", ge=1, le=65_536)
    minimum: int = setting(8, "below this the archive's elites come back", unit="organelles", ge=0, le=65_536)
    maximum: int = setting(32, "most organelles alive at once, trials included", unit="organelles", ge=1, le=65_536)
    episodes: int = setting(8, "tasks of each organelle in a generation", unit="episodes", ge=1, le=256)
    roster: Literal["open", "fixed"] = setting(
        "open",
        "open: birth and death; fixed: always the same number, without deaths of debt, copies and returning elites; "
        "an accepted merge takes its poorer parent's place",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.initial > self.maximum:
            raise clash(
                "more founders than the world holds",
                "initial",
                "maximum",
                expected=f"at most population.maximum = {self.maximum}",
                got=self.initial,
            )
        if self.minimum > self.maximum:
            raise clash(
                "fewest organelles are more than the world holds",
                "minimum",
                "maximum",
                expected=f"at most population.maximum = {self.maximum}",
                got=self.minimum,
            )
        return self


class EconomyConfig(Section):
    """Where energy comes from and what costs energy."""

    inflow: float = setting(1.2, "new energy in each cell's pool", unit="energy per generation", ge=0, le=MOST_ENERGY)
    pool_limit: float = setting(4.0, "most that a cell's pool holds", unit="energy", ge=0, le=MOST_ENERGY)
    price_low: float = setting(
        0.1, "price of a success where all answers succeed, or none", unit="energy", ge=0, le=MOST_ENERGY
    )
    price_high: float = setting(
        1.0, "price of a success where half the answers succeed", unit="energy", ge=0, le=MOST_ENERGY
    )
    success_memory: float = setting(
        0.1, "rate of the moving average of a cell's success", unit="per generation", gt=0, le=1
    )
    ticket: float = setting(1.0, "cost of being alive", unit="energy per generation", ge=0, le=MOST_ENERGY)
    prompt_token: float = setting(0.0005, "cost of a token read", unit="energy", ge=0, le=MOST_ENERGY)
    generated_token: float = setting(0.002, "cost of a token written", unit="energy", ge=0, le=MOST_ENERGY)
    adapter_kiloparameter: float = setting(
        0.005, "cost of 1000 adapter parameters", unit="energy per generation", ge=0, le=MOST_ENERGY
    )
    endowment: float = setting(2.0, "energy that a founder starts with", unit="energy", ge=0, le=MOST_ENERGY)
    grace: int = setting(3, "unpaid tickets before an organelle is bankrupt", unit="tickets", ge=0, le=1_000_000)
    deaths: Literal["bankrupt", "random"] = setting(
        "bankrupt", "who dies when somebody is bankrupt; random takes as many at random and is a control"
    )
    protected_age: int = setting(8, "age below which no organelle dies of debt", unit="generations", ge=0, le=1_000_000)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.price_low > self.price_high:
            raise clash(
                "lowest price is above the highest",
                "price_low",
                "price_high",
                expected=f"at most economy.price_high = {self.price_high}",
                got=self.price_low,
            )
        return self


class ForageConfig(Section):
    """How an organelle chooses the cell it works in: Thompson sampling on expected profit, and curiosity."""

    routing: Literal["learned", "uniform"] = setting(
        "learned", "how cells are chosen; uniform deals all cells out with equal chances to everybody and is a control"
    )
    temperature: float = setting(
        0.06, "softness of the choice among sampled profits", unit="energy", gt=0, le=MOST_ENERGY
    )
    exploration: float = setting(0.04, "share of choices made uniformly at random", unit="probability", ge=0, le=1)
    learning_progress: float = setting(0.2, "weight of learning progress beside profit", ge=0, le=1000)
    memory: float = setting(0.9, "share of a belief's evidence kept", unit="per generation", ge=0, le=1)
    spill: float = setting(0.5, "share of evidence that also counts for the family's other depths", ge=0, le=1)
    initial_bias: float = setting(
        0.15, "spread of a founder's inborn preferences among cells", unit="energy", ge=0, le=MOST_ENERGY
    )


class PlasticityConfig(Section):
    """How an organelle learns within its life. Step n has the rate learning_rate / (1 + n / half_life),
    but at least a tenth of learning_rate; a child goes on from its parent's n."""

    rule: Literal["three_factor", "reinforce", "hebbian", "evolution_strategy", "none"] = setting(
        "three_factor", "learning rule; hebbian and none are controls"
    )
    optimizer: Literal["adam", "sgd"] = setting("adam", "what turns an update direction into a step")
    learning_rate: float = setting(0.01, "first step size", gt=0, le=10)
    half_life: float = setting(
        60.0, "updates after which the rate has halved", unit="updates", ge=0.001, le=1_000_000_000
    )
    beta1: float = setting(0.9, "adam: memory of its mean", ge=0, le=0.999)
    beta2: float = setting(0.98, "adam: memory of its variance", ge=0, le=0.99999)
    clip: float = setting(1.0, "sgd: largest norm of an update direction", gt=0, le=1_000_000)
    baseline_memory: float = setting(
        0.9, "memory of the expected reward that a reward is held against", unit="per 8 episodes", ge=0, lt=1
    )
    decay: float = setting(0.0, "share of the weights lost", unit="per update", ge=0, lt=1)
    norm_bound: float = setting(30.0, "largest Frobenius norm of scaling * B @ A at a site", gt=0, le=1_000_000)
    rollback_window: int = setting(
        8, "updates of the rolling score that guards against collapse", unit="updates", ge=1, le=10_000
    )
    rollback_drop: float = setting(
        0.25, "fall of the rolling score that restores the best weights", unit="reward", gt=0, le=1
    )
    perturbation: float = setting(0.05, "evolution_strategy: standard deviation of a perturbation", ge=0.0001, le=10)
    pairs: int = setting(4, "evolution_strategy: antithetic pairs in an update", unit="pairs", ge=1, le=128)


class RecordConfig(Section):
    """What a run writes down. Nothing here changes what happens in the world."""

    episodes: Literal["all", "sample", "none"] = setting("all", "which answers are kept, with prompt and answer")
    sample_every: int = setting(
        16, "sample: of so many rows one is kept, another one in every generation", unit="rows", ge=1, le=1_000_000
    )
    transfers: bool = setting(True, "keep every movement of energy")
    checkpoint_every: int = setting(
        20,
        "distance of checkpoints; 0 makes one at the founding, at the end and on signals only",
        unit="generations",
        ge=0,
        le=1_000_000,
    )
    keep: int = setting(2, "checkpoints that are kept", unit="checkpoints", ge=1, le=1000)
    memory: int = setting(
        512, "what the DataCollector holds; the store has all", unit="generations", ge=8, le=MOST_MEMORY
    )


class WorldConfig(Section):
    """A whole world."""

    name: Annotated[Text, Field(max_length=100)] = setting("ecology", "name of the world, shown in tables and records")
    generations: int = setting(64, "length of a run", unit="generations", ge=0, le=1_000_000_000)
    seed: int = setting(0, "seed of every random stream", ge=0, le=2**63 - 1)
    host: HostConfig = setting(HostConfig, "the frozen host")
    adapter: AdapterConfig = setting(AdapterConfig, "the organelles' adapters")
    tasks: TasksConfig = setting(TasksConfig, "what is asked and paid")
    seasons: SeasonsConfig = setting(SeasonsConfig, "what changes")
    population: PopulationConfig = setting(PopulationConfig, "how many live")
    economy: EconomyConfig = setting(EconomyConfig, "energy")
    forage: ForageConfig = setting(ForageConfig, "the choice of a cell")
    plasticity: PlasticityConfig = setting(PlasticityConfig, "learning within a life")
    reproduction: ReproductionConfig = setting(ReproductionConfig, "births and merges")
    gate: GateConfig = setting(GateConfig, "the test of children")
    archive: ArchiveConfig = setting(ArchiveConfig, "the best of every niche")
    diversity: DiversityConfig = setting(DiversityConfig, "guards, tuners and relief")
    society: SocietyConfig = setting(SocietyConfig, "what organelles do with one another")
    record: RecordConfig = setting(RecordConfig, "what a run writes down")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.plasticity.rule == "evolution_strategy" and 2 * self.plasticity.pairs > self.population.episodes:
            raise clash(
                "too few episodes for the perturbations",
                "plasticity.pairs",
                "population.episodes",
                expected=f"at most population.episodes / 2 = {self.population.episodes // 2} pairs",
                got=self.plasticity.pairs,
            )
        if self.plasticity.rule == "none" and self.society.skills.enabled:
            raise clash(
                "skill factors follow the gradients of learning, and there are none",
                "society.skills.enabled",
                "plasticity.rule",
                expected="another learning rule, or no skill factors",
                got=self.plasticity.rule,
            )
        self._check_calendar()
        if self.plasticity.rule == "evolution_strategy" and self.society.colonies.enabled:
            raise clash(
                "members of colonies answer as they are, and this rule sends perturbed stand-ins",
                "society.colonies.enabled",
                "plasticity.rule",
                expected="another learning rule, or no colonies",
                got=self.plasticity.rule,
            )
        return self

    def _check_calendar(self) -> None:
        """Families leave and come that are asked at all, and one of them is always there."""
        tasks = self.tasks
        asked = len(tasks.families) + len(tasks.user_families)
        for place, change in enumerate(self.seasons.schedule):
            for name in ("leave", "come"):
                for family in getattr(change, name):
                    if not tasks.may_ask(family):
                        raise clash(
                            "no such family in this world",
                            f"seasons.schedule.{place}.{name}",
                            expected=f"one of {', '.join(tasks.families)}",
                            got=family,
                        )
            if len(self.seasons.away_at(change.at)) >= asked:
                raise clash(
                    "the last family leaves",
                    f"seasons.schedule.{place}.leave",
                    expected="a family that stays",
                    got=", ".join(change.leave),
                )
