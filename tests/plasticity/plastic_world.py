"""What the tests of learning share: tiny random hosts, filled banks, answered prompts, short lives."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from evolora_mesa.config import PlasticityConfig
from evolora_mesa.host import AdapterBank, Answers, HostService, Request, Site, TokenTrace
from evolora_mesa.petri.tokenizer import save_tokenizer
from evolora_mesa.plasticity import Experience, Gradients, Learner, Rule, Work, make_rule

RANKS = (4, 2, 8)  # of the organelles in slots 1, 2 and 3
SHAPE = {
    "vocab_size": 144,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 256,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "tie_word_embeddings": True,
    "initializer_range": 0.2,
}


def random_host_folder(kind: str, folder: Path) -> Path:
    """A tiny host of random weights, norms included, so that a norm weight left out anywhere would show."""
    import transformers

    transformers.logging.set_verbosity_error()
    config = {
        "qwen3": lambda: transformers.Qwen3Config(**SHAPE),
        "gemma3": lambda: transformers.Gemma3TextConfig(**SHAPE, sliding_window=256),
    }[kind]()
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name:
                weight.add_(torch.randn_like(weight) * 0.3)
    model.save_pretrained(folder)
    save_tokenizer(folder)
    return folder


def filled_bank(service: HostService, sites: Sequence[str], ranks: Sequence[int] = RANKS, **kwargs) -> AdapterBank:
    """A bank with one organelle per rank in slots 1, 2, ..., neither factor zero."""
    bank = service.new_bank(sites, capacity=len(ranks) + 1, **kwargs)
    generator = torch.Generator().manual_seed(1)
    for rank in ranks:
        slots = bank.allocate(1, rank, generator)
        for stack in bank.b.values():
            noise = torch.randn(1, stack.shape[1], rank, generator=generator) * 0.1
            stack[slots, :, :rank] = noise.to(stack)
    return bank


def some_requests(rows: int, slots: Sequence[int] = (1, 2, 3), seed: int = 0) -> list[Request]:
    """Sums of different length, owners mixed."""
    rng = random.Random(seed)
    return [
        Request(
            rng.choice(slots),
            f"What is: {rng.randrange(10 ** rng.randint(1, 4))}+{rng.randrange(99)}\nAnswer:",
            row * 7919,
        )
        for row in range(rows)
    ]


def experience_of(
    service: HostService,
    bank: AdapterBank,
    rule: Rule,
    requests: Sequence[Request],
    advantages: torch.Tensor,
    *,
    temperature: float = 0.8,
    max_new_tokens: int = 9,
) -> Experience:
    """The requests answered with whatever trace the rule asks for."""
    trace = TokenTrace(rule.wants_output, rule.wants_probabilities) if rule.needs_trace else None
    answers = service.answer(requests, bank, temperature=temperature, max_new_tokens=max_new_tokens, trace=trace)
    slots = torch.tensor([request.slot for request in requests])
    return Experience(slots, slots, advantages, answers, temperature)


def some_advantages(rows: int) -> torch.Tensor:
    return torch.randn(rows, generator=torch.Generator().manual_seed(2))


def cosines(found: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """``[owners]``."""
    return torch.nn.functional.cosine_similarity(found.flatten(1).double(), true.flatten(1).double(), dim=1)


def assert_same_gradients(found: Gradients, true: Gradients, sites: Sequence[str] | None = None) -> None:
    """Equal up to float32 rounding, owner by owner, in direction and in size."""
    assert torch.equal(found.slots, true.slots)
    for mine, other in ((found.a, true.a), (found.b, true.b)):
        for name in sites or other:
            assert mine[name].shape == other[name].shape
            assert float(other[name].abs().max()) > 1e-4, "nothing to compare"
            assert bool((cosines(mine[name], other[name]) >= 0.9999).all()), name
            torch.testing.assert_close(mine[name], other[name], rtol=1e-3, atol=2e-4 * float(other[name].abs().max()))


# ------------------------------------------------------------------ without a host


def toy_bank(slots: int = 3, rank: int = 2, *, max_rank: int = 4, extra: int = 0) -> AdapterBank:
    """A bank of one small layer that belongs to no host; slots 1 to ``slots`` are taken."""
    bank = AdapterBank([Site("layer", 0, "down", 0, 5, 6, 5)], capacity=1 + slots + extra, max_rank=max_rank)
    bank.allocate(slots, rank, torch.Generator().manual_seed(3))
    return bank


def no_answers(rows: int) -> Answers:
    """Answers for rules that do not read them."""
    return Answers([""] * rows, [[3]] * rows, [[2]] * rows, torch.zeros(rows))


def snapshot(bank: AdapterBank) -> dict[str, torch.Tensor]:
    return {
        f"{factor}.{name}": stack.clone()
        for factor, stacks in (("a", bank.a), ("b", bank.b))
        for name, stack in stacks.items()
    }


def same_weights(bank: AdapterBank, before: dict[str, torch.Tensor], slots: Sequence[int] | None = None) -> bool:
    """Whether ``slots`` (default: all) are bit-identical to a snapshot."""
    pick = slice(None) if slots is None else list(slots)
    return all(torch.equal(stack[pick], before[name][pick]) for name, stack in snapshot(bank).items())


# ------------------------------------------------------------------ a life

RewardOfTokens = Callable[[list[int]], float]


def new_learner(service: HostService, bank: AdapterBank, niches: int = 1, seed: int = 0, **settings) -> Learner:
    chosen = PlasticityConfig(**settings)
    generator = torch.Generator().manual_seed(seed)
    return Learner(chosen, make_rule(chosen, service, bank, generator), bank, niches)


def live(
    service: HostService,
    bank: AdapterBank,
    learner: Learner,
    slots: torch.Tensor,
    reward: RewardOfTokens,
    *,
    updates: int,
    rows: int,
    max_new_tokens: int = 3,
    first_key: int = 0,
) -> list[float]:
    """Mean reward of every update of ``slots [organelles]`` that answer ``rows`` prompts each."""
    owners = slots.repeat_interleave(rows)
    history = []
    for update in range(updates):
        answered_by, trace = learner.stand_ins(owners), learner.trace()
        requests = [
            Request(slot, f"What is: {row % 7}+{row % 3}\nAnswer:", first_key + update * len(owners) + row)
            for row, slot in enumerate(answered_by.tolist())
        ]
        answers = service.answer(requests, bank, temperature=1.0, max_new_tokens=max_new_tokens, trace=trace)
        rewards = np.array([reward(tokens) for tokens in answers.tokens])
        learner.learn(Work(owners, answered_by, np.zeros(len(owners), dtype=int), rewards, answers, 1.0))
        history.append(float(rewards.mean()))
    return history
