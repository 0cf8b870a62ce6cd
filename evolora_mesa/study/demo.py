"""A first look: one run of an ecology, held against its own frozen host, and told in five lines."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO, cast

from evolora_mesa.config import MOST_MEMORY, WorldConfig
from evolora_mesa.configfile import load_config
from evolora_mesa.host import BARE
from evolora_mesa.model import EcologyModel
from evolora_mesa.record.ends import ends_of
from evolora_mesa.record.interrupt import told
from evolora_mesa.record.live import Outcome, record_run
from evolora_mesa.record.runfolder import RunFolder, check_vacant
from evolora_mesa.study.baseline_table import as_json, save_texts
from evolora_mesa.study.deployment import Deployment, Ground, Panels, deploy, draw_panels
from evolora_mesa.study.statistics import Interval, paired_difference

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["DemoResult", "run_demo"]

_LONGEST_QUOTE: Final = 120  # characters


@dataclass(frozen=True)
class DemoResult:
    """How the demo went.

    Attributes:
        outcome: of the run; the comparison follows when it was lived to its end.
        folder: where the files are.
        frozen, ecology: accuracy on the test pool, in [0, 1]; `None` without a comparison.
        gain: ecology minus frozen, paired by task: an interval over the tasks of this one run.
        lines: what happened.
        ended_by: name of the signal that ended an interrupted run.
    """

    outcome: Outcome
    folder: Path
    frozen: float | None = None
    ecology: float | None = None
    gain: Interval | None = None
    lines: tuple[str, ...] = ()
    ended_by: str | None = None


def run_demo(
    *,
    console: Console,
    out: str | Path,
    seed: int = 0,
    config: str | WorldConfig = "ecology",
    settings: Mapping[str, object] | None = None,
    generations: int = 37,
    per_cell_select: int = 8,
    per_cell_test: int = 20,
) -> DemoResult:
    """Run a world into a folder, compare it with its bare host on the locked test pool, and tell it.

    After a run that a signal ended its files are complete, and the comparison is left out.

    Args:
        console: where everything is printed.
        out: a new or empty folder.
        config, settings: the world, and single settings over it.
        generations: 37 of the standard world are about 8192 episodes.
        per_cell_select, per_cell_test: tasks per cell to choose on and to report on.

    Raises:
        ConfigError: anything wrong with the settings.
        HostError: the host cannot be loaded, or its weights changed.
        RunError: the folder has content or cannot be written.
    """
    length = {"generations": generations, "record.memory": MOST_MEMORY}  # what is told at the end is of the whole run
    world = load_config(load_config(config, settings or {}), {"seed": seed, **length})
    check_vacant(Path(out))
    _say(console, f"A world of {world.population.initial} organelles on one frozen host, {world.host.path}.")
    model = EcologyModel(world)
    with RunFolder(out, world, model.host.fingerprint()) as folder:
        summary = record_run(model, folder, cast(TextIO, console.file))
    outcome: Outcome = summary["outcome"]
    if outcome == "interrupted":
        ended_by: str = summary["ended_by"]
        _say(console, f"Ended early by {told(ended_by)}, before the comparison. Files: {folder.path}")
        return DemoResult(outcome, folder.path, ended_by=ended_by)
    if outcome == "output closed":
        return DemoResult(outcome, folder.path)
    _say(console, "Comparing with the frozen host on tasks that nobody has been paid for ...")
    ground = Ground.of(world, model.tick)  # by the contracts that it ended under
    panels = draw_panels(ground, seed, per_cell_select=per_cell_select, per_cell_test=per_cell_test)
    candidates = [BARE, *(organelle.slot for organelle in model.organelles())]
    living = deploy(model.host, model.bank, candidates, ground, panels)
    frozen = deploy(model.host, None, [BARE], ground, panels)
    gain = paired_difference(living.success.tolist(), frozen.success.tolist())
    lines = (
        _learning_line(frozen, living, gain, len(panels.test)),
        _life_line(model, outcome),
        _economy_line(model),
        _market_line(model),
        _example_line(model, ground, panels, frozen, living),
    )
    comparison = {
        "test_tasks": len(panels.test),
        "select_tasks": len(panels.select),
        "frozen": frozen.accuracy,
        "ecology": living.accuracy,
        "best_single": living.best_single,
        "gain_over_tasks": as_json(gain),
        "frozen_by_family": frozen.by_family,
        "ecology_by_family": living.by_family,
        "told": lines,
    }
    save_texts(folder.path, {"comparison.json": json.dumps(comparison, indent=1, allow_nan=False) + "\n"})
    program = "python3 go.py" if Path("go.py").is_file() else "evolora"
    _say(console, "", "What happened", *(f"{number}. {line}" for number, line in enumerate(lines, 1)))
    _say(
        console,
        "",
        f"Files: {folder.path} (run.sqlite, checkpoint/, adapters/, comparison.json)",
        "Next:",
        f"  {program} baselines --seeds 3     the same with intervals, beside one adapter and labels",
        f"  {program} report {shlex.quote(str(folder.path))}    the whole run as one page",
        f"  {program} run random_host         the negative control: nothing here may look like success",
    )
    return DemoResult(outcome, folder.path, frozen.accuracy, living.accuracy, gain, lines)


def _say(console: Console, *lines: str) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=not console.is_terminal)


def _learning_line(frozen: Deployment, living: Deployment, gain: Interval, tasks: int) -> str:
    """Claims learning only where the interval of the gain excludes zero."""
    figures = (
        f"of {tasks} locked test tasks the frozen host answered {100 * frozen.accuracy:.1f} % right and in"
        f" the paid style, the ecology {100 * living.accuracy:.1f} %: {100 * gain.mean:+.1f} points"
        f" [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}] (95 % over the tasks of this one run)."
    )
    if gain.above_zero:
        return f"It learned: {figures}"
    return f"No learning shown: {figures}"


def _life_line(model: EcologyModel, outcome: Outcome) -> str:
    series = model.datacollector.model_vars
    alive = len(model.agents)
    end = "everybody died: the world is extinct" if outcome == "extinct" else f"{alive} are alive"
    return (
        f"{series['population'][0]} founders; {sum(series['births'])} children were tested,"
        f" {sum(series['merges'])} merges and {sum(series['promotions'])} copies passed; {end} after {model.tick}"
        f" generations and {sum(series['episodes'])} episodes, in {series['cells_occupied'][-1]} of"
        f" {model.grid.layer('price').size} cells."
    )


def _economy_line(model: EcologyModel) -> str:
    early, late, width = ends_of(model.datacollector.model_vars["mean_roi"][1:])
    told = (
        f"{early:.2f} in the first {width} generations, {late:.2f} in the last {width}; above 1 is a living"
        if width
        else "n/a, for nobody has worked"
    )
    return f"Energy earned per energy spent (ROI): {told}. All accounts add up to {model.ledger.total()}."


def _market_line(model: EcologyModel) -> str:
    """The cells with the highest and the lowest price of a success."""
    price, success = model.grid.layer("price"), model.grid.layer("success")

    def told(number: int) -> str:
        family, depth = divmod(number, model.grid.depths)
        return (
            f"{model.grid.families[family]} depth {depth + 1} ({price[family, depth]:.2f} energy, where"
            f" {100 * success[family, depth]:.0f} % succeed)"
        )

    return (
        f"A success pays most in {told(int(price.argmax()))} and least in {told(int(price.argmin()))}:"
        " what half of them can do is worth most."
    )


def _example_line(model: EcologyModel, ground: Ground, panels: Panels, frozen: Deployment, living: Deployment) -> str:
    """A task that the ecology solves and the bare host does not, if there is one."""
    won = living.success & ~frozen.success
    place = int(won.argmax())
    task = panels.test[place]
    owners = {organelle.slot: f"organelle {organelle.unique_id}" for organelle in model.organelles()}
    who = owners.get(living.routes[task.family], "the bare host")
    kind = "One it solved and the host did not" if won[place] else "It solved none that the host did not, as"
    style = ground.contracts.style(task.family, task.depth)
    return (
        f"{kind}: {_quoted(task.prompt)}, paid in style '{style}'. The frozen host says"
        f" {_quoted(frozen.answers[place])}, {who} says {_quoted(living.answers[place])}."
    )


def _quoted(text: str) -> str:
    """On one line, and not longer than a reader's patience."""
    return repr(text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…")
