"""Our decoder computes what transformers computes, for every architecture it claims to know."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from small_hosts import KINDS, PROMPTS, filled_bank, load_service, mixed_requests, naive_logits, reference

from evolora_mesa.host.weights import read_tensors, tensors_from_host


@pytest.mark.parametrize("kind", KINDS)
def test_logits_equal_those_of_transformers(kind: str, host_folder: Callable[[str], Path]) -> None:
    service, model = load_service(host_folder(kind)), reference(host_folder(kind))
    ids = torch.randint(4, 140, (3, 40), generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        theirs, ours = model(ids).logits, service.host.forward(ids)
    assert theirs.std() > 0.3  # logits that are all alike would prove nothing
    assert (theirs - ours).abs().max() <= 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_answers_equal_those_of_transformers(kind: str, host_folder: Callable[[str], Path]) -> None:
    service, model = load_service(host_folder(kind)), reference(host_folder(kind))
    answers = service.answer([request for request in mixed_requests(7, owners=0)], max_new_tokens=10)
    for prompt, written in zip(answers.prompts, answers.tokens, strict=True):
        ids = list(prompt)
        for token in written:
            with torch.no_grad():
                assert int(model(torch.tensor([ids])).logits[0, -1].argmax()) == token
            ids.append(token)
        assert len(written) == 10 or service.codec.stop[written[-1]]


def test_prompts_are_tokenized_as_transformers_does(host_folder: Callable[[str], Path]) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(host_folder("qwen3"))
    service = load_service(host_folder("qwen3"))
    assert service.codec.encode(PROMPTS) == [tokenizer(prompt)["input_ids"] for prompt in PROMPTS]


def test_answering_leaves_every_weight_of_the_host_as_it_was(host_folder: Callable[[str], Path]) -> None:
    service = load_service(host_folder("llama"))
    before = service.fingerprint()
    service.answer(mixed_requests(), filled_bank(service), temperature=1.0, max_new_tokens=6)
    assert service.fingerprint() == before
    service.host.layers[0].weights["o"][0, 0] += 1e-3
    assert service.fingerprint()["weights"] != before["weights"]  # the hash would have seen it


def test_random_weights_keep_the_shapes_and_lose_the_host(host_folder: Callable[[str], Path]) -> None:
    trained, control = (load_service(host_folder("qwen3"), random_weights=noise) for noise in (False, True))
    pairs = list(zip(trained.host.tensors(), control.host.tensors(), strict=True))
    assert all(ours.shape == noise.shape for ours, noise in pairs)
    matrices = [(ours, noise) for ours, noise in pairs if ours.dim() == 2 and not torch.equal(ours, noise)]
    assert len(matrices) >= 4 * trained.host.arch.layers + 1  # four fused groups a layer, and the embedding
    for ours, noise in matrices:
        assert float(noise.std()) == pytest.approx(float(ours.std()), rel=0.1)
    assert load_service(host_folder("qwen3"), random_weights=True).fingerprint() == control.fingerprint()
    ids = trained.codec.encode([PROMPTS[0]])[0]
    assert (naive_logits(trained, ids) - naive_logits(control, ids)).abs().max() > 0.1


def test_weights_go_back_to_hugging_face_names_unchanged(host_folder: Callable[[str], Path]) -> None:
    folder = host_folder("qwen3")
    stored, ours = read_tensors(folder), tensors_from_host(load_service(folder).host)
    assert stored.keys() == ours.keys()
    assert all(torch.equal(stored[name], ours[name]) for name in stored)
