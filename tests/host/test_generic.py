"""A host that the lean route does not know answers through transformers, by the same rules."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
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
from transformers import (
    AutoModelForCausalLM,
    BertConfig,
    FalconConfig,
    GPT2Config,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    MambaConfig,
    MixtralConfig,
    PhiConfig,
    PretrainedConfig,
)

from evolora_mesa.errors import ConfigError, HostError
from evolora_mesa.host import AdapterBank, HostService, Request, TokenTrace
from evolora_mesa.host.generic import GenericHost
from evolora_mesa.host.lean import LeanHost
from evolora_mesa.petri.tokenizer import save_tokenizer, vocabulary
from evolora_mesa.plasticity.rule import Experience
from evolora_mesa.plasticity.teacher_forcing import sequence_gradients
from evolora_mesa.plasticity.three_factor import ThreeFactor

KINDS = ("gpt_neox", "phi", "gpt2", "falcon_alibi", "bert_decoder")
Folders = Callable[[str], Path]

_COMMON: dict[str, Any] = {
    "vocab_size": len(vocabulary()),
    "bos_token_id": 1,
    "eos_token_id": 2,
    "initializer_range": 0.25,
}
_SHAPE: dict[str, Any] = {
    **_COMMON,
    "pad_token_id": 0,
    "hidden_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
}


def config_of(kind: str) -> PretrainedConfig:
    match kind:
        case "gpt_neox":
            return GPTNeoXConfig(**_SHAPE, intermediate_size=72)
        case "phi":
            return PhiConfig(**_SHAPE, intermediate_size=72)
        case "gpt2":
            return GPT2Config(**_COMMON, n_embd=48, n_layer=2, n_head=4, n_positions=128)
        case "falcon_alibi":
            return FalconConfig(**_SHAPE, alibi=True)
        case "bert_decoder":
            return BertConfig(**_SHAPE, intermediate_size=72, is_decoder=True)
        case "bert":
            return BertConfig(**_SHAPE, intermediate_size=72)
        case "mamba":
            return MambaConfig(**_COMMON, hidden_size=48, num_hidden_layers=2)
        case "mixtral":
            return MixtralConfig(**_SHAPE, intermediate_size=72, num_key_value_heads=2, num_local_experts=4)
        case _:
            raise ValueError(kind)


def random_model(kind: str) -> Any:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config_of(kind)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter += 0.1 * torch.randn_like(parameter)
    return model


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """Kind of host -> its folder; to be read only."""
    made: dict[str, Path] = {}

    def folder(kind: str) -> Path:
        if kind not in made:
            made[kind] = tmp_path_factory.mktemp(kind)
            random_model(kind).save_pretrained(made[kind])
            save_tokenizer(made[kind])
        return made[kind]

    return folder


def head_of(service: HostService) -> str:
    return next(site.name for site in service.available_sites if site.group == "head")


def full_bank(service: HostService) -> AdapterBank:
    """Mixed ranks on every linear layer, the head too."""
    return filled_bank(service, ["all-linear", head_of(service)])


# ---------------------------------------------------------------------- the host


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_architecture_falls_back_and_gives_the_logits_of_transformers(kind: str, folder_of: Folders) -> None:
    service = load_service(folder_of(kind))
    assert isinstance(service.host, GenericHost)
    ids = torch.randint(4, 140, (3, 30), generator=torch.Generator().manual_seed(2))
    theirs = AutoModelForCausalLM.from_pretrained(folder_of(kind)).eval()
    with torch.no_grad():
        expected = theirs(ids).logits
        assert (service.host.forward(ids) - expected).abs().max() <= 1e-4
    assert expected.std() > 0.1
    assert service.host.parameter_count() == sum(p.numel() for p in theirs.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_every_linear_layer_is_a_site_with_its_own_group(kind: str, folder_of: Folders) -> None:
    service = load_service(folder_of(kind))
    linear = {
        name
        for name, module in AutoModelForCausalLM.from_pretrained(folder_of(kind)).named_modules()
        if type(module).__name__.endswith("Linear") or type(module).__name__ == "Conv1D"
    }
    sites = service.available_sites
    assert {site.name for site in sites} == linear
    assert len({(site.layer, site.group) for site in sites}) == len(sites)
    assert [site.layer for site in sites][-1] == -1 and sites[-1].group == "head"
    layers = [site.layer for site in sites if f".{site.layer}." in site.name]
    assert set(layers) == {0, 1} and layers == sorted(layers)  # in order of computation


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")  # PEFT's, on tied heads and Conv1D
@pytest.mark.parametrize("kind", ["gpt_neox", "phi", "gpt2"])
def test_adapters_compute_what_peft_computes(kind: str, folder_of: Folders) -> None:
    service = load_service(folder_of(kind))
    bank = filled_bank(service, ["all-linear", head_of(service)], ranks=(3,), scaling=0.5)
    adapter = bank.read(1)
    settings = LoraConfig(
        r=3,
        lora_alpha=1.5,
        target_modules=list(adapter),
        fan_in_fan_out=kind == "gpt2",
        task_type="CAUSAL_LM",
    )
    theirs = get_peft_model(AutoModelForCausalLM.from_pretrained(folder_of(kind)), settings).eval()
    with torch.no_grad():
        for name, (a, b) in adapter.items():
            module = theirs.base_model.model.get_submodule(name)
            module.lora_A["default"].weight.copy_(a)
            module.lora_B["default"].weight.copy_(b)
        ids = service.codec.encode([PROMPTS[1]])[0]
        expected = theirs(torch.tensor([ids])).logits[0]
    ours = naive_logits(service, ids, bank, 1)
    assert (ours - expected).abs().max() <= 1e-4
    assert (ours - naive_logits(service, ids)).abs().max() > 0.1


# ---------------------------------------------------------------------- answers


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("head_only", [False, True], ids=["all", "head"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_mixed_batch_answers_as_each_row_does_alone(
    kind: str, head_only: bool, temperature: float, folder_of: Folders
) -> None:
    service = load_service(folder_of(kind))
    stop_often(service)
    bank = filled_bank(service, [head_of(service)]) if head_only else full_bank(service)
    requests = mixed_requests(14)
    options = {"temperature": temperature, "max_new_tokens": 8}
    together = service.answer(requests, bank, **options)
    alone = [service.answer([request], bank, **options) for request in requests]
    assert together.tokens == [answer.tokens[0] for answer in alone]
    alone_log = torch.cat([answer.log_probability for answer in alone])
    assert (together.log_probability - alone_log).abs().max() <= 1e-4
    assert len({len(tokens) for tokens in together.tokens}) > 1  # rows did leave at different times
    turned = service.answer(requests[::-1], bank, **options)
    assert turned.tokens == together.tokens[::-1]
    service.max_rows = 5
    assert service.answer(requests, bank, **options).tokens == together.tokens


@pytest.mark.parametrize("kind", KINDS)
def test_greedy_tokens_are_those_of_a_loop_without_cache_or_batch(kind: str, folder_of: Folders) -> None:
    service = load_service(folder_of(kind))
    stop_often(service)
    bank, requests = full_bank(service), mixed_requests(10)
    answers = service.answer(requests, bank, max_new_tokens=6)
    for request, prompt, written in zip(requests, answers.prompts, answers.tokens, strict=True):
        naive: list[int] = []
        while len(naive) < 6 and not (naive and service.codec.stop[naive[-1]]):
            naive.append(int(naive_logits(service, prompt + naive, bank, request.slot)[-1].argmax()))
        assert written == naive


def test_finished_rows_leave_the_batch(folder_of: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    service = load_service(folder_of("gpt_neox"))
    stop_often(service)
    passes: list[int] = []
    run = service.host.run  # type: ignore[union-attr]

    def counting(ids: torch.Tensor, *rest: Any) -> Any:
        passes.append(ids.shape[0])
        return run(ids, *rest)

    monkeypatch.setattr(service.host, "run", counting)
    service.answer(mixed_requests(24), full_bank(service), max_new_tokens=10)
    assert passes == sorted(passes, reverse=True)
    assert passes[-1] < passes[0] / 2


def test_answering_leaves_the_weights_alone_and_random_weights_replace_them(folder_of: Folders) -> None:
    service = load_service(folder_of("phi"))
    before = service.fingerprint()
    service.answer(mixed_requests(), full_bank(service), temperature=1.0, max_new_tokens=4)
    assert service.fingerprint() == before
    noise = load_service(folder_of("phi"), random_weights=True)
    assert noise.fingerprint()["weights"] != before["weights"]
    assert noise.fingerprint() == load_service(folder_of("phi"), random_weights=True).fingerprint()
    assert noise.host.parameter_count() == service.host.parameter_count()


def test_bfloat16_hosts_answer(folder_of: Folders) -> None:
    service = load_service(folder_of("gpt_neox"), dtype="bfloat16")
    assert service.host.dtype == torch.bfloat16
    bank = service.new_bank(["all-linear", head_of(service)], capacity=3)
    slots = bank.allocate(2, 4, torch.Generator().manual_seed(0))
    for b in bank.b.values():
        b[slots] = 0.1
    requests = [Request(row % 3, PROMPTS[row]) for row in range(6)]
    answers = service.answer(requests, bank, temperature=1.0, max_new_tokens=4)
    assert all(answers.tokens) and bool(answers.log_probability.isfinite().all())


# ---------------------------------------------------------------------- beside the lean route


@pytest.fixture(params=["qwen3", "gemma3"])
def both(request: pytest.FixtureRequest, host_folder: Folders) -> tuple[HostService, HostService]:
    """One folder by the lean route and by the generic one."""
    folder = host_folder(request.param)
    services = load_service(folder, route="lean"), load_service(folder, route="generic")
    assert isinstance(services[0].host, LeanHost) and isinstance(services[1].host, GenericHost)
    for service in services:
        stop_often(service)
    return services


@pytest.mark.parametrize("sites", [DEFAULT_SITES, ALL_SITES], ids=["late", "all"])
def test_both_routes_give_the_same_logits_and_tokens(
    sites: tuple[str, ...], both: tuple[HostService, HostService]
) -> None:
    lean, generic = both
    banks = [filled_bank(service, sites) for service in both]
    for slot in banks[0].used_slots():  # sites stand in another order, so the random draws differ
        banks[1].write(slot, banks[0].read(slot))
    ids = lean.codec.encode([PROMPTS[1]])[0]
    logits = [naive_logits(service, ids, bank, 2) for service, bank in zip(both, banks, strict=True)]
    assert (logits[0] - logits[1]).abs().max() <= 1e-4
    for temperature in (0.0, 1.0):
        answers = [
            service.answer(mixed_requests(), bank, temperature=temperature, max_new_tokens=8)
            for service, bank in zip(both, banks, strict=True)
        ]
        assert answers[0].tokens == answers[1].tokens
    assert {site.name for site in lean.available_sites} == {site.name for site in generic.available_sites}


def test_the_cache_is_billed_as_the_lean_route_bills_it(host_folder: Folders) -> None:
    lean = load_service(host_folder("qwen3"))
    generic = load_service(host_folder("qwen3"), route="generic")
    slots, prompts = torch.zeros(100, dtype=torch.long), [[5] * 30] * 100
    lean.memory_mb = generic.memory_mb = 1
    pieces = [[len(chunk) for chunk in service._chunks(slots, prompts, 10)] for service in (lean, generic)]
    assert pieces[0] == pieces[1] and len(pieces[0]) > 1


def test_both_routes_trace_the_same_activities(both: tuple[HostService, HostService]) -> None:
    banks = [filled_bank(service, DEFAULT_SITES, spread=0.1) for service in both]
    for slot in banks[0].used_slots():
        banks[1].write(slot, banks[0].read(slot))
    traces, learned = [], []
    requests = [request for request in mixed_requests(30) if request.slot]
    for service, bank in zip(both, banks, strict=True):
        service.max_rows = 9  # several chunks
        trace = TokenTrace(wants_output=True)
        answers = service.answer(requests, bank, temperature=1.0, max_new_tokens=8, trace=trace)
        assert answers.trace is not None
        assert answers.trace.rows.bincount().tolist() == [len(tokens) for tokens in answers.tokens]
        for row, tokens in enumerate(answers.tokens):
            assert answers.trace.tokens[answers.trace.rows == row].tolist() == tokens
        traces.append(answers.trace)
        slots = torch.tensor([request.slot for request in requests])
        advantages = torch.linspace(-1, 1, len(requests))
        learned.append(
            sequence_gradients(
                service.host,  # type: ignore[arg-type]
                bank,
                slots,
                answers.prompts,
                answers.tokens,
                advantages,
            )
        )
    ours, theirs = (_by_row(trace) for trace in traces)
    for site in banks[1].sites:
        lean_site = next(other for other in banks[0].sites if other.name == site.name)
        for which in ("inputs", "outputs"):
            lean_seen = getattr(traces[0], which)[lean_site.layer, lean_site.group][ours]
            seen = getattr(traces[1], which)[site.layer, site.group][theirs]
            assert (lean_seen - seen).abs().max() <= 1e-3
        for factor in ("a", "b"):
            exact, found = getattr(learned[0], factor)[site.name], getattr(learned[1], factor)[site.name]
            assert (exact - found).abs().max() <= 1e-3 * exact.abs().max()
    head_input = traces[1].inputs[-1, "head"]
    assert torch.equal(traces[1].residual, head_input)


def _by_row(trace: Any) -> torch.Tensor:
    """Order of a trace's entries by request; steps of one request already stand in their order."""
    return torch.argsort(trace.rows, stable=True)


@pytest.mark.parametrize("sites", [DEFAULT_SITES, ("last.dense_4h_to_h",)])
def test_the_local_rule_learns_at_the_head_of_a_generic_host_only(
    sites: tuple[str, ...], host_folder: Folders, folder_of: Folders
) -> None:
    known = sites is DEFAULT_SITES
    service = load_service((host_folder if known else folder_of)("qwen3" if known else "gpt_neox"), route="generic")
    assert isinstance(service.host, GenericHost) and service.host.final_norm is None
    with pytest.raises(ConfigError, match="lm_head on this host"):
        ThreeFactor(service.host, filled_bank(service, sites))  # type: ignore[arg-type]


def test_the_local_rule_is_the_exact_gradient_at_the_head(folder_of: Folders) -> None:
    service = load_service(folder_of("gpt_neox"))
    bank = filled_bank(service, [head_of(service)])
    rule = ThreeFactor(service.host, bank)  # type: ignore[arg-type]
    requests = [request for request in mixed_requests(20) if request.slot]
    slots = torch.tensor([request.slot for request in requests])
    answers = service.answer(requests, bank, temperature=1.0, max_new_tokens=6, trace=TokenTrace())
    advantages = torch.linspace(-1, 1, len(requests))
    local = rule.gradients(bank, Experience(slots, slots, advantages, answers))
    exact = sequence_gradients(
        service.host,  # type: ignore[arg-type]
        bank,
        slots,
        answers.prompts,
        answers.tokens,
        advantages,
    )
    for name in local.b:
        for ours, theirs in ((local.a[name], exact.a[name]), (local.b[name], exact.b[name])):
            assert torch.cosine_similarity(ours.flatten(), theirs.flatten(), dim=0) >= 0.9999


# ---------------------------------------------------------------------- refusals


class CarelessModel(GPTNeoXForCausalLM):
    """Reads padding as if it were text."""

    def forward(self, input_ids=None, past_key_values=None, use_cache=None):
        return super().forward(input_ids=input_ids, past_key_values=past_key_values, use_cache=use_cache)


class RoutingModel(GPTNeoXForCausalLM):
    """Once ``routes`` is set, shows one layer some of the tokens only, as a mixture does with its experts."""

    routes = False

    def forward(self, input_ids=None, **rest):
        if self.routes:
            self.gpt_neox.layers[0].mlp.dense_h_to_4h(torch.zeros(input_ids.shape[0], 48))
        return super().forward(input_ids=input_ids, **rest)


def test_a_host_whose_answers_would_depend_on_the_batch_is_refused() -> None:
    GenericHost(GPTNeoXForCausalLM(config_of("gpt_neox")))
    with pytest.raises(HostError, match="cannot answer padded prompts together"):
        GenericHost(CarelessModel(config_of("gpt_neox")))


def test_a_layer_that_sees_some_tokens_only_carries_no_adapter(folder_of: Folders) -> None:
    names = [site.name for site in load_service(folder_of("mixtral")).available_sites]
    assert names and not [name for name in names if "expert" in name]
    service = load_service(folder_of("gpt_neox"))
    model = RoutingModel(config_of("gpt_neox")).eval()
    model.forward.__func__.__wrapped__ = GPTNeoXForCausalLM.forward  # inspect sees the parameters behind **rest
    service.host = GenericHost(model)
    bank = full_bank(service)
    service.answer([Request(1, "abc")], bank, max_new_tokens=2)
    model.routes = True
    with pytest.raises(HostError, match=r"only some of the tokens.*dense_h_to_4h"):
        service.answer([Request(1, "abc")], bank, max_new_tokens=2)


@pytest.mark.parametrize("kind", ["mamba", "bert"])
def test_a_host_without_a_key_value_cache_is_refused(kind: str, folder_of: Folders) -> None:
    with pytest.raises(HostError, match=f"keeps no key-value cache \\({kind}\\)"):
        load_service(folder_of(kind))


def test_routes_can_be_forced_and_misnamed(folder_of: Folders) -> None:
    with pytest.raises(HostError, match=r"lean route does not know.*gpt_neox"):
        load_service(folder_of("gpt_neox"), route="lean")
    with pytest.raises(ConfigError, match="auto or lean or generic, got 'fast'"):
        load_service(folder_of("gpt_neox"), route="fast")


def test_too_long_a_prompt_is_refused(folder_of: Folders) -> None:
    service = load_service(folder_of("gpt2"))
    with pytest.raises(HostError, match="at most 128 tokens, got 133"):
        service.answer([Request(0, "~" * 122)], max_new_tokens=10)


def copy_of(folder: Path, target: Path) -> Path:
    for file in folder.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


def test_missing_and_damaged_weights_are_refused(folder_of: Folders, tmp_path: Path) -> None:
    folder = copy_of(folder_of("gpt_neox"), tmp_path)
    weights = folder / "model.safetensors"
    tensors = load_file(weights)
    absent = next(name for name in tensors if "dense_h_to_4h.weight" in name)
    save_file({name: t for name, t in tensors.items() if name != absent}, weights, {"format": "pt"})
    with pytest.raises(HostError, match=r"weights do not fit config.json.*dense_h_to_4h"):
        load_service(folder)
    weights.write_bytes(weights.read_bytes()[:2000])
    with pytest.raises(HostError, match="transformers cannot load this host"):
        load_service(folder)
    weights.unlink()
    torch.save(tensors, folder / "pytorch_model.bin")
    with pytest.raises(HostError, match="transformers cannot load this host"):
        load_service(folder)


@pytest.mark.parametrize("model_type", ["invented", "gpt_neox"])
def test_code_in_a_host_folder_is_never_run(model_type: str, folder_of: Folders, tmp_path: Path) -> None:
    folder = copy_of(folder_of("gpt_neox"), tmp_path)
    marker = tmp_path / "ran"
    (folder / "modeling_invented.py").write_text(f"open({str(marker)!r}, 'w').close()\n", encoding="utf-8")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"model_type": model_type, "auto_map": {"AutoModelForCausalLM": "modeling_invented.Invented"}}
    if model_type == "invented":
        config["auto_map"]["AutoConfig"] = "modeling_invented.InventedConfig"
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    if model_type == "invented":
        with pytest.raises(HostError, match="transformers cannot load this host"):
            load_service(folder)
    else:
        load_service(folder)
    assert not marker.exists()


def test_the_package_does_not_import_transformers() -> None:
    code = "import sys, evolora_mesa.host; sys.exit('transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
