"""Training an embedded host learns something, the same every time, and leaves the process as it was."""

from __future__ import annotations

import itertools
import json
import math

import pytest
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from transformers import Qwen3Config, Qwen3ForCausalLM

from evolora_mesa.errors import HostError
from evolora_mesa.host.architecture import Architecture
from evolora_mesa.host.lean import LeanHost
from evolora_mesa.host.weights import host_from_tensors, tensors_from_host
from evolora_mesa.petri.corpus import batches
from evolora_mesa.petri.recipe import HostRecipe
from evolora_mesa.petri.training import Progress, TrainingRecord, hf_config, train_host


@pytest.fixture(scope="module")
def trained(tiny_recipe: HostRecipe) -> tuple[LeanHost, TrainingRecord]:
    return train_host(tiny_recipe)


def weights_of(host: LeanHost) -> dict[str, torch.Tensor]:
    return tensors_from_host(host)


def rebuilt(recipe: HostRecipe, tensors: dict[str, torch.Tensor]) -> LeanHost:
    arch = Architecture.from_config(hf_config(recipe))
    return host_from_tensors(arch, tensors, dtype=torch.float32, device=torch.device("cpu"))


def answer_loss(host: LeanHost, recipe: HostRecipe, tokenizer: Tokenizer) -> float:
    """Mean cross-entropy of answer tokens, in nats, over batches of another seed."""
    other = recipe.model_copy(update={"seed": 99})
    total = counted = 0.0
    for batch in itertools.islice(batches(other, tokenizer), 8):
        with torch.no_grad():
            logits = host.forward(batch.ids[:, :-1])
        losses = F.cross_entropy(logits.flatten(0, 1), batch.ids[:, 1:].flatten(), reduction="none")
        answer = (batch.weights == 1.0).flatten()
        total, counted = total + float(losses[answer].sum()), counted + int(answer.sum())
    return total / counted


def test_two_trainings_give_identical_weights(
    tiny_recipe: HostRecipe, trained: tuple[LeanHost, TrainingRecord]
) -> None:
    torch.manual_seed(1234)  # what the process drew before must not matter
    first, second = weights_of(trained[0]), weights_of(train_host(tiny_recipe)[0])
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_another_seed_gives_other_weights_everywhere(
    tiny_recipe: HostRecipe, trained: tuple[LeanHost, TrainingRecord]
) -> None:
    other = weights_of(train_host(tiny_recipe.model_copy(update={"seed": 1}))[0])
    matrices = {name: tensor for name, tensor in weights_of(trained[0]).items() if tensor.dim() == 2}
    assert not [name for name, tensor in matrices.items() if torch.equal(tensor, other[name])]


def test_training_moves_every_weight_and_keeps_it_finite(
    tiny_recipe: HostRecipe, trained: tuple[LeanHost, TrainingRecord]
) -> None:
    longer = weights_of(train_host(tiny_recipe.model_copy(update={"steps": 6}))[0])
    for name, tensor in weights_of(trained[0]).items():
        assert torch.isfinite(tensor).all(), name
        assert not torch.equal(tensor, longer[name]), name


def test_a_hundred_steps_take_two_fifths_off_the_loss_on_unseen_batches(
    tiny_recipe: HostRecipe, trained: tuple[LeanHost, TrainingRecord], tokenizer: Tokenizer
) -> None:
    recipe = tiny_recipe.model_copy(update={"steps": 100})
    seen: list[Progress] = []
    host, record = train_host(recipe, seen.append)
    before, after = answer_loss(trained[0], recipe, tokenizer), answer_loss(host, recipe, tokenizer)
    assert after < 0.6 * before
    assert [(progress.step, progress.steps) for progress in seen] == [(100, 100)]
    assert seen[0].loss == record.loss
    assert 0 < seen[0].cpu_seconds <= record.cpu_seconds


def recipe_vocabulary(recipe: HostRecipe) -> int:
    return int(str(hf_config(recipe)["vocab_size"]))


def test_the_record_says_what_was_done(tiny_recipe: HostRecipe, trained: tuple[LeanHost, TrainingRecord]) -> None:
    record = trained[1]
    assert record.steps == tiny_recipe.steps
    assert record.tokens > tiny_recipe.steps * tiny_recipe.batch_size * 10
    assert 0 < record.loss < 2 * math.log(recipe_vocabulary(tiny_recipe))
    assert record.torch_version == torch.__version__


def test_a_trained_host_is_frozen(trained: tuple[LeanHost, TrainingRecord]) -> None:
    assert not [tensor for tensor in trained[0].tensors() if tensor.requires_grad or tensor.grad is not None]


def test_training_leaves_threads_precision_and_the_global_generator_alone(tiny_recipe: HostRecipe) -> None:
    torch.manual_seed(5)
    before = (torch.get_num_threads(), torch.get_float32_matmul_precision(), torch.get_rng_state().tolist())
    train_host(tiny_recipe)
    assert (
        torch.get_num_threads(),
        torch.get_float32_matmul_precision(),
        torch.get_rng_state().tolist(),
    ) == before


def test_what_is_saved_is_what_was_trained(tiny_recipe: HostRecipe, trained: tuple[LeanHost, TrainingRecord]) -> None:
    """Nothing that training moved is lost under Hugging Face's names, which have one norm for all heads."""
    host, tensors = trained[0], weights_of(trained[0])
    back = rebuilt(tiny_recipe, tensors)
    again = weights_of(back)
    assert all(torch.equal(tensors[name], again[name]) for name in tensors)
    ids = torch.arange(4, 40).view(2, 18)
    assert torch.equal(host.forward(ids), back.forward(ids))


def test_exported_weights_share_no_memory_with_the_host_or_each_other(
    tiny_recipe: HostRecipe, trained: tuple[LeanHost, TrainingRecord]
) -> None:
    before = weights_of(trained[0])
    for tensor in weights_of(trained[0]).values():
        tensor.zero_()
    assert all(torch.equal(before[name], tensor) for name, tensor in weights_of(trained[0]).items())
    places = [tensor.untyped_storage().data_ptr() for tensor in before.values()]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize(
    "name", ["model.embed_tokens.weight", "model.norm.weight", "model.layers.1.mlp.up_proj.weight"]
)
def test_a_missing_weight_is_refused_by_name(
    tiny_recipe: HostRecipe, trained: tuple[LeanHost, TrainingRecord], name: str
) -> None:
    tensors = weights_of(trained[0])
    del tensors[name]
    with pytest.raises(HostError, match=name):
        rebuilt(tiny_recipe, tensors)


def test_transformers_builds_the_same_model_from_config_and_weights(
    tiny_recipe: HostRecipe, trained: tuple[LeanHost, TrainingRecord]
) -> None:
    settings = json.loads(json.dumps(hf_config(tiny_recipe)))
    model = Qwen3ForCausalLM(Qwen3Config(**settings)).eval()
    missing, unexpected = model.load_state_dict(weights_of(trained[0]), strict=False)
    assert (missing, unexpected) == (["lm_head.weight"], [])  # tied to the embedding
    model.tie_weights()
    ids = torch.arange(4, 40).view(2, 18)
    with torch.no_grad():
        theirs = model(ids).logits
    assert (theirs - trained[0].forward(ids)).abs().max() < 1e-4
