"""What the DataCollector records: module-level functions, so that they pickle and can be named in a document."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from evolora_mesa.economy import gini

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel
    from evolora_mesa.organelle import Organelle

__all__ = ["AGENT_REPORTERS", "COUNTED", "MODEL_REPORTERS", "TABLES"]


def generation(model: EcologyModel) -> int:
    """Number of the generation; 0 is the founding."""
    return model.tick


def population(model: EcologyModel) -> int:
    """Organelles alive."""
    return len(model.agents)


def mean_roi(model: EcologyModel) -> float:
    """Mean over organelles of energy earned / energy spent in this generation; nan when nobody lives."""
    return float(np.mean([organelle.roi for organelle in model.organelles()])) if len(model.agents) else float("nan")


def accuracy(model: EcologyModel) -> float:
    """Running mean of the share of episodes that were right and in the paid style, in [0, 1]; nan before the first."""
    return model.accuracy


def success_rate(model: EcologyModel) -> float:
    """Share of this generation's episodes that were right and in the paid style; nan without episodes."""
    return model.tally.succeeded / model.tally.episodes if model.tally.episodes else float("nan")


def mean_reward(model: EcologyModel) -> float:
    """Mean reward of this generation's episodes, in [0, 1]; nan without episodes."""
    return model.tally.reward / model.tally.episodes if model.tally.episodes else float("nan")


def energy_organelles(model: EcologyModel) -> float:
    """Energy that organelles own."""
    return model.ledger.by_kind()["organelle"]


def energy_cells(model: EcologyModel) -> float:
    """Energy in the cells' pools."""
    return model.ledger.by_kind()["cell"]


def energy_soil(model: EcologyModel) -> float:
    """Energy that was spent, all together."""
    return model.ledger.by_kind()["soil"]


def energy_sun(model: EcologyModel) -> float:
    """What the sun has given, as a negative number; all energies add up to zero."""
    return model.ledger.by_kind()["sun"]


def energy_gini(model: EcologyModel) -> float:
    """Gini coefficient of the organelles' energy, 0 (equal) to 1; nan when nobody lives."""
    return gini([organelle.energy for organelle in model.organelles()])


def births(model: EcologyModel) -> int:
    """Children conceived in this generation, each the beginning of a trial."""
    return model.tally.births


def deaths(model: EcologyModel) -> int:
    """Deaths in this generation."""
    return model.tally.deaths


def merges(model: EcologyModel) -> int:
    """Children of two parents that passed the gate in this generation."""
    return model.tally.merges


def promotions(model: EcologyModel) -> int:
    """Mutated copies that passed the gate in this generation."""
    return model.tally.promotions


def confined(model: EcologyModel) -> int:
    """Of `merges` and `promotions`, those that must stay in their parents' cells."""
    return model.tally.confined


def revivals(model: EcologyModel) -> int:
    """Elites of the archive that came back in this generation."""
    return model.tally.revivals


def refusals(model: EcologyModel) -> int:
    """Parents that were chosen in this generation and bear no child; the table `gates` says why."""
    return sum(model.tally.refused.values())


def trials(model: EcologyModel) -> int:
    """Children that are being tested."""
    return len(model.gatehouse.trials)


def gate_answers(model: EcologyModel) -> int:
    """Answers to gate prompts in this generation, children's and parents'; never paid, never learned from."""
    return model.tally.gate_rows


def gate_tokens(model: EcologyModel) -> int:
    """Tokens read and written for them."""
    return model.tally.gate_tokens


def floor(model: EcologyModel) -> float:
    """Energy that an organelle needs to reproduce, as it has tuned itself."""
    return model.tuner.floor


def window(model: EcologyModel) -> int:
    """Gate prompts per trial and generation, as it has tuned itself."""
    return model.tuner.window


def stalled(model: EcologyModel) -> int:
    """1 while the world stands still and is given relief, else 0."""
    return int(model.relief.stalled)


def coverage(model: EcologyModel) -> float:
    """Share of the archive's niches that have an elite, in [0, 1]; nan without an archive."""
    return model.archive.coverage if model.archive is not None else float("nan")


def qd_score(model: EcologyModel) -> float:
    """Sum of the elites' success over the archive's niches; nan without an archive."""
    return model.archive.qd_score if model.archive is not None else float("nan")


def lineages(model: EcologyModel) -> int:
    """Founders with living descendants, themselves included."""
    return len({organelle.lineage for organelle in model.agents})


def energy_trials(model: EcologyModel) -> float:
    """Energy set apart for gate prompts, by trials and in the grant fund."""
    owned = model.ledger.by_kind()
    return owned["trial"] + owned["grant"]


def colonies(model: EcologyModel) -> int:
    """Colonies that have passed their trial."""
    return len(model.colonies.founded)


def energy_colonies(model: EcologyModel) -> float:
    """Energy in the pots of colonies, those on trial included."""
    return model.ledger.by_kind()["colony"]


def posts(model: EcologyModel) -> int:
    """Hints on the message board."""
    return len(model.hints.board)


def hints_read(model: EcologyModel) -> int:
    """Tasks of this generation that were answered with a hint from the board or the knowledge cache."""
    return model.tally.hints_read


def routed_success(model: EcologyModel) -> float:
    """Share of the tasks that the router sent in this generation that were right and in the paid style; nan without."""
    return model.tally.routed_right / model.tally.routed if model.tally.routed else float("nan")


def composite_success(model: EcologyModel) -> float:
    """Share of this generation's composite tasks whose content was right in the end; nan without."""
    return model.tally.composites_right / model.tally.composites if model.tally.composites else float("nan")


def judged(model: EcologyModel) -> int:
    """Answers of this generation that a judge compared with one another."""
    return model.tally.judged


def episodes(model: EcologyModel) -> int:
    """Tasks answered in this generation."""
    return model.tally.episodes


def prompt_tokens(model: EcologyModel) -> int:
    """Tokens read in this generation."""
    return model.tally.prompt_tokens


def generated_tokens(model: EcologyModel) -> int:
    """Tokens written in this generation."""
    return model.tally.generated_tokens


def cells_occupied(model: EcologyModel) -> int:
    """Cells in which at least one organelle lives."""
    return int((model.grid.layer("occupancy") > 0).sum())


def learning_progress(model: EcologyModel) -> float:
    """Mean over cells of the gap between the recent and the longer average of success, in [0, 1]."""
    return float(model.grid.layer("learning_progress").mean())


def mean_price(model: EcologyModel) -> float:
    """Mean price of a success over cells, in energy."""
    return float(model.grid.layer("price").mean())


def rolled_back(model: EcologyModel) -> int:
    """Adapters put back to an earlier state in this generation because their score collapsed."""
    return model.tally.rolled_back


def quarantined(model: EcologyModel) -> int:
    """Adapters in this generation whose weights were no longer finite."""
    return model.tally.quarantined


def host_seconds(model: EcologyModel) -> float:
    """CPU seconds in the host's answers in this generation."""
    return model.tally.host_seconds


def step_seconds(model: EcologyModel) -> float:
    """CPU seconds of the whole generation."""
    return model.tally.step_seconds


def energy_of(organelle: Organelle) -> float:
    """Energy it owns."""
    return organelle.energy


def roi_of(organelle: Organelle) -> float:
    """Energy earned / spent in this generation."""
    return organelle.roi


def lineage_of(organelle: Organelle) -> int:
    """Founder it descends from."""
    return organelle.lineage


def age_of(organelle: Organelle) -> int:
    """Generations since its birth."""
    return organelle.age


def cell_of(organelle: Organelle) -> str:
    """Family and depth of its cell."""
    family, depth = organelle.cell.coordinate
    return f"{organelle.model.grid.families[family]}:{depth + 1}"


MODEL_REPORTERS: dict[str, Callable[[EcologyModel], float]] = {
    function.__name__: function
    for function in (
        generation,
        population,
        mean_roi,
        accuracy,
        success_rate,
        mean_reward,
        energy_organelles,
        energy_cells,
        energy_soil,
        energy_sun,
        energy_gini,
        energy_trials,
        births,
        deaths,
        merges,
        promotions,
        confined,
        revivals,
        refusals,
        trials,
        gate_answers,
        gate_tokens,
        floor,
        window,
        stalled,
        coverage,
        qd_score,
        lineages,
        colonies,
        energy_colonies,
        posts,
        hints_read,
        judged,
        routed_success,
        composite_success,
        episodes,
        prompt_tokens,
        generated_tokens,
        cells_occupied,
        learning_progress,
        mean_price,
        rolled_back,
        quarantined,
        host_seconds,
        step_seconds,
    )
}

# Those whose sum over the generations means something.
COUNTED: tuple[str, ...] = (
    "episodes",
    "births",
    "deaths",
    "merges",
    "promotions",
    "confined",
    "revivals",
    "gate_answers",
    "gate_tokens",
    "hints_read",
    "judged",
    "prompt_tokens",
    "generated_tokens",
    "rolled_back",
    "quarantined",
)

AGENT_REPORTERS: dict[str, Callable[[Organelle], object]] = {
    "energy": energy_of,
    "roi": roi_of,
    "lineage": lineage_of,
    "age": age_of,
    "cell": cell_of,
}

TABLES: dict[str, list[str]] = {
    "births": ["generation", "unique_id", "parents", "lineage", "operator", "energy", "genome"],
    "deaths": ["generation", "unique_id", "lineage", "age", "cause"],
    "gates": [
        "generation",
        "child",
        "kind",
        "operator",
        "parents",
        "prompts",
        "uplift",
        "low",
        "high",
        "log_e",
        "power",
        "energy",
        "verdict",
        "reason",
    ],
}
