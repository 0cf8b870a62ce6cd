"""The model card of an embedded host: measured from its weights, written as the README of its folder."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from evolora_mesa.host import BARE, HostService
from evolora_mesa.petri.recipe import HostRecipe
from evolora_mesa.petri.tokenizer import vocabulary
from evolora_mesa.petri.training import TrainingRecord
from evolora_mesa.study.lanes import fine_tune_lanes
from evolora_mesa.study.panels import answer_panel, draw_panel
from evolora_mesa.study.statistics import Interval, t_interval
from evolora_mesa.tasks import SHIPPED, STYLES, Contracts, Pool, TaskSource

__all__ = ["Figures", "measure_host", "render_card"]

TASKS_PER_CELL = 40
_SEEDS = 3
_EXAMPLES = 1024  # labelled examples of one family
_ROWS = 16  # of an optimiser step
_SITES, _RANK = ("last.down_proj", "lm_head"), 4


class Figures(NamedTuple):
    """What a host can do, on the `test` pool, greedily, right and in the paid style.

    Attributes:
        families: names.
        base: ``[families, depths]`` share of the tasks that the bare host solves.
        per_cell: tasks in each cell.
        ceiling: ``[seeds, families, depths]`` the same with one supervised adapter per family.
        examples: labelled ones that each of these adapters was trained on.
    """

    families: tuple[str, ...]
    base: np.ndarray
    per_cell: int
    ceiling: np.ndarray
    examples: int

    def ceiling_interval(self) -> Interval:
        """Mean over cells, with its 95 % interval over seeds."""
        return t_interval(self.ceiling.mean((1, 2)).tolist())


def measure_host(
    service: HostService,
    *,
    depths: int,
    per_cell: int = TASKS_PER_CELL,
    examples: int = _EXAMPLES,
    seeds: int = _SEEDS,
    on_progress: Callable[[str], None] | None = None,
) -> Figures:
    """Test a host bare, and with one LoRA adapter per family that was fine-tuned on right answers.

    Args:
        depths: of the grid, 1 to this.
        per_cell: test tasks of every cell.
        examples: labelled examples per family, from the live pool.
        seeds: repetitions of the fine-tuning; the test tasks are the same in all of them.
        on_progress: gets a line of text before every stage.
    """
    say = on_progress or (lambda text: None)
    source, contracts = TaskSource(SHIPPED), Contracts()
    families = tuple(SHIPPED)
    panel = draw_panel(source, Pool.TEST, depths, per_cell, random.Random(0))
    shape = (len(families), depths, per_cell)

    say(f"testing the bare host on {len(panel)} tasks")
    bare = answer_panel(service, None, [BARE] * len(panel), panel, source, contracts)
    ceiling = []
    for seed in range(seeds):
        say(f"fine-tuning {len(families)} adapters, {seed + 1} of {seeds}")
        bank = service.new_bank(_SITES, capacity=1 + len(families))
        slots = bank.allocate(len(families), _RANK, torch.Generator().manual_seed(seed))
        lanes = [[(family, depth) for depth in range(1, depths + 1)] for family in families]
        fine_tune_lanes(service, bank, slots, lanes, source, contracts, episodes=examples, rows=_ROWS, seed=seed)
        owners = slots.repeat_interleave(depths * per_cell).tolist()
        marks = answer_panel(service, bank, owners, panel, source, contracts)
        ceiling.append(marks.success.reshape(shape).mean(2))
    return Figures(families, bare.success.reshape(shape).mean(2), per_cell, np.array(ceiling), examples)


def render_card(
    recipe: HostRecipe, record: TrainingRecord, service: HostService, weights_file: Path, figures: Figures
) -> str:
    """The card as Markdown with Hugging Face's front matter."""
    parameters = sum(tensor.numel() for tensor in service.host.tensors())
    digest = hashlib.sha256(weights_file.read_bytes()).hexdigest()
    ceiling = figures.ceiling_interval()
    return _CARD.format(
        name=recipe.name,
        parameters=f"{parameters:,}",
        vocabulary=len(vocabulary()),
        **recipe.model_dump(include={"layers", "hidden_size", "heads", "kv_heads", "head_dim", "intermediate_size"}),
        family_count=len(figures.families),
        family_names=", ".join(figures.families),
        depths=len(recipe.depth_weights),
        styles=", ".join(STYLES),
        depth_weights=" : ".join(f"{weight:g}" for weight in recipe.depth_weights),
        near_miss=f"{100 * recipe.near_miss:g}",
        hedge=f"{100 * recipe.hedge:g}",
        minutes=f"{record.cpu_seconds / 60:.1f}",
        steps=f"{record.steps:,}",
        tokens=f"{record.tokens / 1e6:.1f}",
        loss=f"{record.loss:.3f}",
        torch_version=record.torch_version,
        seed=recipe.seed,
        digest=digest,
        table=_accuracy_table(figures),
        per_cell=figures.per_cell,
        total=figures.base.size * figures.per_cell,
        base_mean=f"{100 * figures.base.mean():.1f}",
        ceiling=f"{100 * ceiling.mean:.1f}",
        ceiling_low=f"{100 * ceiling.low:.1f}",
        ceiling_high=f"{100 * ceiling.high:.1f}",
        examples=f"{figures.examples:,}",
        rank=_RANK,
        sites=" and ".join(f"`{site}`" for site in _SITES),
        seeds=len(figures.ceiling),
    )


def _accuracy_table(figures: Figures) -> str:
    depths = range(1, figures.base.shape[1] + 1)
    lines = [
        f"| family | {' | '.join(f'depth {depth}' for depth in depths)} | mean | with adapter |",
        f"|---|{'---:|' * (len(depths) + 2)}",
    ]
    with_adapter = figures.ceiling.mean((0, 2))
    for family, row, lifted in zip(figures.families, figures.base, with_adapter, strict=True):
        cells = " | ".join(f"{100 * value:.0f}" for value in (*row, row.mean(), lifted))
        lines.append(f"| {family} | {cells} |")
    columns = (*figures.base.mean(0), figures.base.mean(), with_adapter.mean())
    lines.append(f"| **mean** | {' | '.join(f'**{100 * value:.0f}**' for value in columns)} |")
    return "\n".join(lines)


_CARD = """\
---
license: mit
language: en
library_name: transformers
pipeline_tag: text-generation
tags: [artificial-life, lora, qwen3]
---

# {name}

A tiny language model that serves as the frozen host of [Evolora-Mesa](../../README.md): the physics of a
small world in which LoRA adapters live, learn and evolve. It can solve short generated text tasks and
write the answers in several styles. Which style a task pays for it does not know: that is what an adapter
can learn. It is no assistant and knows nothing of the world.

## Architecture

`Qwen3ForCausalLM`, {parameters} parameters, float32: {layers} layers, width {hidden_size},
{heads} query heads and {kv_heads} key-value head of size {head_dim}, MLP {intermediate_size},
embedding tied to the head.

Tokenizer: {vocabulary} tokens. 95 printable ASCII characters and the line break are a token each, and so are
the fixed phrases of the questions and answers, so that prompts are plain English and still short.
`<bos>` opens every text.

## Data

Generated, nothing collected: questions of {family_count} families at depths 1 to {depths} (frequency
{depth_weights}), drawn from the `live` pool only. The pools `gate`, `select` and `test`
hold other prompts, told apart by a hash, and were never trained on. The families:
{family_names}.

Answers come in five styles ({styles}). How often each is used depends on
the family and the wording of the question, never on what is paid later. {near_miss} % of the answers are near
misses: plausibly wrong, in good style. With {hedge} % per unit of depth the answer is the hedge
"Sorry, I am not sure."

## Training

{steps} steps, {tokens} M tokens, {minutes} CPU-minutes on one thread with torch {torch_version}; last running
loss {loss} nats per answer token. Muon on the matrices, AdamW on embedding and norms, seed {seed}.
Deterministic: same recipe, torch version and kind of CPU give the same bytes. SHA-256 of
`model.safetensors`: `{digest}`.

To make it again, from the root of the project:

```
python3 go.py host train models/{name}/recipe.yaml --out out/{name}
```

## What it can do

Accuracy in percent on the `test` pool, greedy, n = {per_cell} tasks per cell ({total} in all). An answer
counts when it is right *and* in the style that its family pays for.

{table}

- Bare host, mean over families and depths: **{base_mean} %**.
- Ceiling, *with adapter*: one adapter per family (rank {rank} on {sites}), supervised
  with {examples} right answers and tested on its own family: **{ceiling} %**, 95 % t interval
  {ceiling_low} to {ceiling_high} over {seeds} seeds of the fine-tuning. The column is the mean over seeds and
  depths.

## Limits

- ASCII only; any other character becomes `<unk>`. Positions up to 512; trained on far shorter texts.
- It answers in the styles above or not at all, and is often wrong where the table says so.
- Pools part prompts, not questions: a test question may have occurred in `live` in other words, and in cells
  with few questions most have. Figures hold for the project's generators and mean nothing beyond them.

## Use with plain transformers

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("models/{name}")
model = AutoModelForCausalLM.from_pretrained("models/{name}")
prompt = tokenizer("What is: 3+4\\nAnswer:", return_tensors="pt")
answer = model.generate(**prompt)[0, prompt["input_ids"].shape[1]:]
print(tokenizer.decode(answer, skip_special_tokens=True))
```

License: MIT. This card is generated: `evolora host card models/{name}` measures and writes it anew.
"""
