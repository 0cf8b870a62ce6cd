"""Which rows ride together changes no token of any of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from repetitions import repeated
from small_hosts import (
    ALL_SITES,
    DEFAULT_SITES,
    PROMPTS,
    filled_bank,
    load_service,
    mixed_requests,
    naive_logits,
    stop_often,
)

from evolora_mesa.errors import HostError
from evolora_mesa.host import Answers, HostService, Request

SITES = pytest.mark.parametrize(
    "sites", [DEFAULT_SITES, ALL_SITES, ("all.q_proj", "all.up_proj")], ids=["late", "all", "early"]
)
TEMPERATURES = pytest.mark.parametrize("temperature", [0.0, 1.0, *repeated(0.6)])
KINDS = pytest.mark.parametrize("kind", ["qwen3", "gemma3", "llama"])


@KINDS
@SITES
@TEMPERATURES
def test_a_mixed_batch_answers_as_each_row_does_alone(
    kind: str, sites: tuple[str, ...], temperature: float, host_folder: Callable[[str], Path]
) -> None:
    service = load_service(host_folder(kind))
    stop_often(service)
    bank, requests = filled_bank(service, sites), mixed_requests()
    together = service.answer(requests, bank, temperature=temperature, max_new_tokens=10)
    alone = [service.answer([request], bank, temperature=temperature, max_new_tokens=10) for request in requests]
    assert together.tokens == [answer.tokens[0] for answer in alone]
    assert together.texts == [answer.texts[0] for answer in alone]
    alone_log = torch.cat([answer.log_probability for answer in alone])
    assert (together.log_probability - alone_log).abs().max() <= 1e-4
    assert len({len(tokens) for tokens in together.tokens}) > 1  # rows did leave at different times


@KINDS
@SITES
def test_greedy_tokens_are_those_of_a_loop_without_cache_or_batch(
    kind: str, sites: tuple[str, ...], host_folder: Callable[[str], Path]
) -> None:
    service = load_service(host_folder(kind))
    stop_often(service)
    bank, requests = filled_bank(service, sites), mixed_requests(14)
    answers = service.answer(requests, bank, max_new_tokens=8)
    for request, prompt, written in zip(requests, answers.prompts, answers.tokens, strict=True):
        naive: list[int] = []
        while len(naive) < 8 and not (naive and service.codec.stop[naive[-1]]):
            naive.append(int(naive_logits(service, prompt + naive, bank, request.slot)[-1].argmax()))
        assert naive == written


def test_adapters_really_differ(service: HostService) -> None:
    bank = filled_bank(service)
    answers = service.answer([Request(slot, PROMPTS[0]) for slot in range(6)], bank, max_new_tokens=8)
    assert len({tuple(tokens) for tokens in answers.tokens}) == 6


@SITES
@TEMPERATURES
def test_the_order_of_requests_does_not_matter(
    sites: tuple[str, ...], temperature: float, service: HostService
) -> None:
    stop_often(service)
    bank, requests = filled_bank(service, sites), mixed_requests()
    straight = service.answer(requests, bank, temperature=temperature, max_new_tokens=9)
    order = random.Random(3).sample(range(len(requests)), len(requests))
    turned = service.answer([requests[row] for row in order], bank, temperature=temperature, max_new_tokens=9)
    assert turned.tokens == [straight.tokens[row] for row in order]


@pytest.mark.parametrize("bound", [{"max_rows": 5}, {"memory_mb": 0}, *repeated({"max_rows": 1}, {"max_rows": 23})])
@TEMPERATURES
def test_chunks_do_not_matter(
    bound: dict[str, int], temperature: float, host_folder: Callable[[str], Path], service: HostService
) -> None:
    small = load_service(host_folder("qwen3"), **bound)
    bank, requests = filled_bank(service, ALL_SITES), mixed_requests()
    assert small.answer(requests, bank, temperature=temperature, max_new_tokens=7).tokens == (
        service.answer(requests, bank, temperature=temperature, max_new_tokens=7).tokens
    )


def test_the_memory_bound_holds_for_the_cache_of_a_chunk(service: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    from evolora_mesa.host import decode as module

    sizes = []
    real = module.KeyValueCache

    class Weighed(real):  # type: ignore[misc, valid-type]
        def __init__(self, host: object, lengths: torch.Tensor, room: int) -> None:
            super().__init__(host, lengths, room)
            sizes.append(sum(t.numel() * 4 for t in (*self.keys, *self.values)))

    monkeypatch.setattr(module, "KeyValueCache", Weighed)
    service.memory_mb = 1
    service.answer([Request(0, "x" * 60 + str(row)) for row in range(40)], max_new_tokens=8)
    assert len(sizes) > 1
    assert max(sizes) <= 2**20
    assert sum(sizes) > 2**20


def test_long_answers_outgrow_the_first_room_of_the_cache(service: HostService) -> None:
    bank, requests = filled_bank(service), mixed_requests(8)
    service.codec.stop = torch.zeros_like(service.codec.stop)
    answers = service.answer(requests, bank, max_new_tokens=40)
    assert {len(tokens) for tokens in answers.tokens} == {40}
    short = service.answer(requests, bank, max_new_tokens=5)
    assert [tokens[:5] for tokens in answers.tokens] == short.tokens
    written = answers.prompts[3] + answers.tokens[3]
    naive = naive_logits(service, written, bank, requests[3].slot).argmax(-1).tolist()
    assert naive[len(answers.prompts[3]) - 1 : -1] == answers.tokens[3]


@KINDS
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_log_probability_is_that_of_teacher_forcing(
    kind: str, temperature: float, host_folder: Callable[[str], Path]
) -> None:
    service = load_service(host_folder(kind))
    stop_often(service)
    bank, requests = filled_bank(service, ALL_SITES), mixed_requests()
    answers = service.answer(requests, bank, temperature=temperature, max_new_tokens=9)
    for row, request in enumerate(requests):
        prompt, written = answers.prompts[row], answers.tokens[row]
        scores = naive_logits(service, prompt + written, bank, request.slot).log_softmax(-1)
        expected = sum(float(scores[len(prompt) - 1 + place, token]) for place, token in enumerate(written))
        assert float(answers.log_probability[row]) == pytest.approx(expected, abs=1e-4)


def test_log_probability_at_a_temperature_is_of_the_distribution_drawn_from(service: HostService) -> None:
    answers = service.answer([Request(0, PROMPTS[1], key=4)], temperature=0.5, max_new_tokens=6)
    prompt, written = answers.prompts[0], answers.tokens[0]
    scores = (naive_logits(service, prompt + written) / 0.5).log_softmax(-1)
    expected = sum(float(scores[len(prompt) - 1 + place, token]) for place, token in enumerate(written))
    assert float(answers.log_probability[0]) == pytest.approx(expected, abs=1e-4)


def test_equal_keys_draw_equal_answers_and_other_keys_others(service: HostService) -> None:
    keys = [5, 5, 6, -1, 2**62, 0]
    answers = service.answer([Request(0, PROMPTS[0], key=key) for key in keys], temperature=1.0, max_new_tokens=12)
    assert answers.tokens[0] == answers.tokens[1]
    assert len({tuple(tokens) for tokens in answers.tokens}) == 5


def test_an_answer_ends_with_its_first_stop_token(service: HostService) -> None:
    stop_often(service)
    answers = service.answer(mixed_requests(), filled_bank(service), temperature=1.0, max_new_tokens=10)
    for written in answers.tokens:
        assert 1 <= len(written) <= 10
        assert not service.codec.stop[written[:-1]].any()
        assert len(written) == 10 or service.codec.stop[written[-1]]


def test_odd_requests_are_answered(service: HostService) -> None:
    nothing: Answers = service.answer([])
    assert (nothing.texts, nothing.tokens, nothing.log_probability.numel()) == ([], [], 0)
    answers = service.answer([Request(0, ""), Request(0, "ü → 🜁"), Request(0, "a\n\nb")], max_new_tokens=1)
    assert [len(tokens) for tokens in answers.tokens] == [1, 1, 1]
    with pytest.raises(HostError, match="no bank"):
        service.answer([Request(1, "x")])


def test_rows_that_have_finished_leave_the_batch(service: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_often(service)
    rows: list[int] = []
    decode = service.host.decode

    def counted(tokens: torch.Tensor, *rest: object) -> torch.Tensor:
        rows.append(tokens.numel())
        return decode(tokens, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(service.host, "decode", counted)
    requests = [Request(0, PROMPTS[row % 7], key=row) for row in range(64)]
    answers = service.answer(requests, temperature=1.0, max_new_tokens=16)
    lengths = [len(tokens) for tokens in answers.tokens]
    for step, decoded in enumerate(rows, start=2):  # the first token comes from the prompt
        needed = sum(length >= step for length in lengths)
        assert needed <= decoded <= max(2, needed / 0.7 + 1)
    assert len(rows) == max(lengths) - 1


# ---------------------------------------------------------------------- equal prompts are read once


def count_readings(service: HostService, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Every prompt that reaches the host's prefill from now on."""
    seen: list[tuple[int, ...]] = []
    prefill = service.host.prefill

    def counted(ids: torch.Tensor, lengths: torch.Tensor, *rest: object) -> object:
        seen.extend(tuple(row[:length]) for row, length in zip(ids.tolist(), lengths.tolist(), strict=True))
        return prefill(ids, lengths, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(service.host, "prefill", counted)
    return seen


@pytest.mark.parametrize("sites", [DEFAULT_SITES, ("last.o_proj", "last.gate_proj")])
def test_late_adapters_share_one_reading_of_a_prompt_across_owners(
    sites: tuple[str, ...], service: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = count_readings(service, monkeypatch)
    requests = mixed_requests(40)
    service.answer(requests, filled_bank(service, sites), max_new_tokens=3)
    assert len(seen) == len(set(seen)) == len({request.prompt for request in requests})


@pytest.mark.parametrize("sites", [("last.v_proj",), ("layers.0.down_proj",), ALL_SITES])
def test_early_adapters_read_a_prompt_once_for_each_owner(
    sites: tuple[str, ...], service: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = count_readings(service, monkeypatch)
    requests = [Request(1 + row % 4, PROMPTS[row // 4 % 2]) for row in range(32)]  # 4 owners x 2 prompts x 4 times
    service.answer(requests, filled_bank(service, sites), max_new_tokens=3)
    assert len(set(seen)) == 2
    assert len(seen) == 8


def test_the_bare_host_reads_each_prompt_once(service: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = count_readings(service, monkeypatch)
    service.answer([Request(0, PROMPTS[row % 3]) for row in range(30)], max_new_tokens=2)
    assert len(seen) == 3
