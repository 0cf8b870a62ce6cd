"""The trace of a generation holds, per generated token, what a naive forward pass sees there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from small_hosts import ALL_SITES, DEFAULT_SITES, filled_bank, load_service, mixed_requests, stop_often

from evolora_mesa.host import AdapterBank, FlatTrace, HostService, TokenTrace


def naive_trace(
    service: HostService, ids: list[int], bank: AdapterBank, slot: int, *, wants_output: bool
) -> tuple[torch.Tensor, dict[tuple[int, str], tuple[torch.Tensor, torch.Tensor]]]:
    """Logits, and inputs and outputs of all adapted products, of one teacher-forced row."""
    seen: dict[tuple[int, str], tuple[torch.Tensor, torch.Tensor]] = {}

    def capture(key: tuple[int, str], x: torch.Tensor, y: torch.Tensor) -> None:
        seen[key] = (x.clone(), y.clone())

    bound = bank.fused(torch.tensor([slot])).bind(torch.tensor([0]), capture, wants_output)
    with torch.no_grad():
        logits = service.host.forward(torch.tensor([ids]), bound)[0]
    return logits, seen


@pytest.mark.parametrize("max_rows", [512, 7])
@pytest.mark.parametrize("wants_output", [False, True])
@pytest.mark.parametrize("sites", [DEFAULT_SITES, ALL_SITES], ids=["late", "all"])
@pytest.mark.parametrize("kind", ["qwen3", "gemma3"])
def test_a_trace_holds_what_a_naive_pass_sees(
    kind: str, sites: tuple[str, ...], wants_output: bool, max_rows: int, host_folder: Callable[[str], Path]
) -> None:
    service = load_service(host_folder(kind), max_rows=max_rows)
    stop_often(service)
    bank = filled_bank(service, sites)
    requests = [request for request in mixed_requests(30) if request.slot]  # rows of the bare host share their zero
    answers = service.answer(
        requests, bank, temperature=1.0, max_new_tokens=7, trace=TokenTrace(wants_output=wants_output)
    )
    trace = answers.trace
    assert isinstance(trace, FlatTrace)
    assert trace.tokens.numel() == trace.rows.numel() == sum(map(len, answers.tokens))
    assert set(trace.inputs) == {(site.layer, site.group) for site in bank.sites}
    assert set(trace.outputs) == (set(trace.inputs) if wants_output else set())
    for row, request in enumerate(requests):
        picked = (trace.rows == row).nonzero().squeeze(1)
        assert trace.tokens[picked].tolist() == answers.tokens[row]
        prompt, written = answers.prompts[row], answers.tokens[row]
        logits, seen = naive_trace(service, prompt + written, bank, request.slot, wants_output=wants_output)
        at = slice(len(prompt) - 1, len(prompt) - 1 + len(written))
        assert (trace.probabilities[picked] - logits[at].softmax(-1)).abs().max() <= 1e-5
        for key, (x, y) in seen.items():
            assert (trace.inputs[key][picked] - x[at]).abs().max() <= 1e-4
            if wants_output:
                assert (trace.outputs[key][picked] - y[at]).abs().max() <= 2e-4


def test_the_residual_leads_to_the_probabilities_through_the_final_norm(service: HostService) -> None:
    bank = filled_bank(service, ("last.down_proj",))
    trace = service.answer(mixed_requests(10), bank, max_new_tokens=5, trace=TokenTrace()).trace
    assert trace is not None
    with torch.no_grad():
        again = service.host.logits(trace.residual, None).softmax(-1)
    assert (again - trace.probabilities).abs().max() <= 1e-6


def test_asking_for_a_trace_changes_no_answer(service: HostService) -> None:
    stop_often(service)
    bank, requests = filled_bank(service, ALL_SITES), mixed_requests()
    plain = service.answer(requests, bank, temperature=1.0, max_new_tokens=8)
    for wants_output in (False, True):
        traced = service.answer(
            requests, bank, temperature=1.0, max_new_tokens=8, trace=TokenTrace(wants_output=wants_output)
        )
        assert traced.tokens == plain.tokens
    assert plain.trace is None
