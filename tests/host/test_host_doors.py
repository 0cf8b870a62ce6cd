"""A host, a request or a bank that cannot be right is refused in one line, before anything is computed with it."""

from __future__ import annotations

import copy
import json
import math
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from small_hosts import ALL_SITES, PROMPTS, filled_bank, load_service, mixed_requests
from tokenizers import Tokenizer, models, pre_tokenizers

from evolora_mesa.config import HostConfig, PlasticityConfig
from evolora_mesa.errors import AdapterError, ConfigError, EvoloraError, HostError
from evolora_mesa.host import AdapterBank, HostService, Request, bank, folder
from evolora_mesa.host.folder import find_host
from evolora_mesa.host.text import TextCodec

Folders = Callable[[str], Path]
Tensors = dict[str, torch.Tensor]
MISSING = object()


@pytest.fixture
def spoilt(host_folder: Folders, tmp_path: Path) -> Path:
    """A good host, to be spoilt."""
    return Path(shutil.copytree(host_folder("qwen3"), tmp_path / "host"))


def refused(path: Path | str, **options: Any) -> str:
    with pytest.raises(EvoloraError) as caught:
        load_service(path, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def change_config(path: Path, **settings: Any) -> None:
    config = json.loads((path / "config.json").read_text()) | settings
    kept = {name: value for name, value in config.items() if value is not MISSING}
    (path / "config.json").write_text(json.dumps(kept))


def change_tensors(path: Path, change: Callable[[Tensors], object]) -> None:
    tensors = load_file(path / "model.safetensors")
    change(tensors)
    save_file(tensors, path / "model.safetensors", {"format": "pt"})


def change_json(path: Path, content: str | bytes) -> None:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


# ---------------------------------------------------------------------- config.json


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, MISSING) for name in ("hidden_size", "num_attention_heads", "num_hidden_layers", "vocab_size")),
        *((name, MISSING) for name in ("intermediate_size",)),
        *(("hidden_size", value) for value in ("x", 0, None, True, 48.0)),
        *(("num_attention_heads", value) for value in ("x", 0, -1, 1.5, 10**12)),
        *(("num_hidden_layers", value) for value in ("x", 0, None, 10**12)),
        *(("vocab_size", value) for value in ("x", -1, 10**12)),
        *(("intermediate_size", value) for value in ("x", 0, -1, 10**12)),
        *(("num_key_value_heads", value) for value in ("x", 0, -1, 3, 5)),
        *(("head_dim", value) for value in ("x", 0, -1, 1.5, 11, 10**12)),
        *(("rms_norm_eps", value) for value in ("x", -1, 0, math.nan)),
        *(("max_position_embeddings", value) for value in ("x", 0, -1)),
        *(("rope_parameters", value) for value in ([1], "x", {"rope_theta": "x"}, {"rope_theta": 0})),
        *(("rope_parameters", value) for value in ({"rope_theta": math.nan}, {"rope_type": "linear"})),
        ("rope_parameters", {"rope_type": "linear", "factor": 0}),
        ("rope_parameters", {"rope_type": "linear", "factor": 10**400}),
        *(("layer_types", value) for value in ("full_attention", [1, 2, 3])),
        ("tie_word_embeddings", "yes"),
        ("model_type", ["qwen3"]),
    ],
)
def test_a_setting_of_the_wrong_kind_is_named(name: str, value: object, spoilt: Path) -> None:
    change_config(spoilt, **{name: value})
    assert name in refused(spoilt)


def test_heads_that_do_not_divide_the_width(spoilt: Path) -> None:
    change_config(spoilt, head_dim=None, num_attention_heads=7, num_key_value_heads=7)
    assert "divisor of hidden_size = 48" in refused(spoilt)


def test_sliding_layers_without_a_window(spoilt: Path) -> None:
    change_config(spoilt, layer_types=["sliding_attention"] * 3, sliding_window=None)
    assert "sliding_window" in refused(spoilt)


@pytest.mark.parametrize("name", ["config.json", "generation_config.json"])
@pytest.mark.parametrize("content", ["{", "[" * 100_000, "[]", "{}".encode("utf-16"), "9" * 5000])
def test_a_damaged_json_file_is_named(name: str, content: str | bytes, spoilt: Path) -> None:
    change_json(spoilt / name, content)
    assert name in refused(spoilt)


@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json"])
def test_a_file_that_may_not_be_read_is_named(name: str, spoilt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise PermissionError(13, "Permission denied")

    if name.endswith("config.json"):
        read = Path.read_text
        monkeypatch.setattr(Path, "read_text", lambda path, **how: (refuse if path.name == name else read)(path, **how))
    elif name == "model.safetensors":
        monkeypatch.setattr("evolora_mesa.host.weights.safe_open", refuse)
    else:
        (spoilt / name).unlink()
        (spoilt / name).mkdir()
        (spoilt / "tokenizer_config.json").unlink(missing_ok=True)
    assert name in refused(spoilt)


def test_a_host_folder_that_may_not_be_entered(spoilt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bool:
        if path != spoilt:
            return is_dir(path)
        raise PermissionError(13, "Permission denied", str(path))

    is_dir = Path.is_dir
    monkeypatch.setattr(Path, "is_dir", refuse)
    assert "Permission denied" in refused(spoilt)


# ---------------------------------------------------------------------- weights


@pytest.mark.parametrize("route", ["lean", "generic"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_finite(value: float, route: str, spoilt: Path) -> None:
    change_tensors(spoilt, lambda tensors: tensors["model.layers.1.mlp.down_proj.weight"][3].fill_(value))
    assert "model.layers.1.mlp.down_proj.weight" in refused(spoilt, route=route)


@pytest.mark.parametrize("route", ["lean", "generic"])
def test_weights_beyond_the_reach_of_the_hosts_numbers(route: str, spoilt: Path) -> None:
    def grow(tensors: Tensors) -> None:
        tensors["model.norm.weight"].fill_(3e38)

    change_tensors(spoilt, grow)
    assert "host computes NaN or infinity" in refused(spoilt, route=route)


@pytest.mark.parametrize("route", ["lean", "generic"])
@pytest.mark.parametrize("number_format", [torch.int8, torch.bool, torch.float8_e4m3fn])
def test_quantised_weights(number_format: torch.dtype, route: str, spoilt: Path) -> None:
    def quantise(tensors: Tensors) -> None:
        tensors["model.layers.0.mlp.up_proj.weight"] = tensors["model.layers.0.mlp.up_proj.weight"].to(number_format)

    change_tensors(spoilt, quantise)
    line = refused(spoilt, route=route)
    assert "quantised" in line and "up_proj" in line


@pytest.mark.parametrize("route", ["lean", "generic"])
def test_a_config_that_tells_of_quantised_weights(route: str, spoilt: Path) -> None:
    change_config(spoilt, quantization_config={"quant_method": "fp8"})
    assert "quantised" in refused(spoilt, route=route)


_LAYER = "model.layers.0."


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("model.norm.weight", (1,)),
        ("model.norm.weight", (5,)),
        (f"{_LAYER}input_layernorm.weight", (1,)),
        (f"{_LAYER}self_attn.q_norm.weight", (1,)),
        (f"{_LAYER}self_attn.o_proj.weight", (48,)),
        (f"{_LAYER}mlp.down_proj.weight", (48, 71)),
        (f"{_LAYER}self_attn.k_proj.weight", (25, 48)),
    ],
)
def test_a_weight_of_another_shape_is_named(name: str, shape: tuple[int, ...], spoilt: Path) -> None:
    change_tensors(spoilt, lambda tensors: tensors.update({name: torch.ones(shape)}))
    line = refused(spoilt)
    assert name in line and str(shape) in line


def test_rows_shifted_between_queries_and_keys(spoilt: Path) -> None:
    def shift(tensors: Tensors) -> None:
        tensors[f"{_LAYER}self_attn.q_proj.weight"] = torch.ones(40, 48)
        tensors[f"{_LAYER}self_attn.k_proj.weight"] = torch.ones(32, 48)

    change_tensors(spoilt, shift)
    assert "q_proj" in refused(spoilt)


def test_layers_that_the_config_leaves_out(spoilt: Path) -> None:
    change_config(spoilt, num_hidden_layers=2, layer_types=None)
    assert "model.layers.2." in refused(spoilt)


def test_norms_that_the_config_leaves_out(spoilt: Path) -> None:
    change_config(spoilt, model_type="llama")
    assert "k_norm" in refused(spoilt)


def test_an_untied_host_without_a_head(spoilt: Path) -> None:
    change_config(spoilt, tie_word_embeddings=False)
    assert "lm_head.weight" in refused(spoilt)


def test_weights_that_nobody_reads_do_no_harm(spoilt: Path) -> None:
    before = load_service(spoilt).fingerprint()
    extra = {"lm_head.weight": torch.ones(5), f"{_LAYER}self_attn.rotary_emb.inv_freq": torch.ones(6)}
    change_tensors(spoilt, lambda tensors: tensors.update(extra))
    assert load_service(spoilt).fingerprint() == before


# ---------------------------------------------------------------------- tokenizer and stop tokens


def _words(words: dict[str, int], **options: Any) -> Tokenizer:
    tokenizer = Tokenizer(models.WordLevel(words, **options))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


@pytest.mark.parametrize(
    ("tokenizer", "why"),
    [
        (_words({"a": 0}), r"cannot be tokenized.*UNK"),
        (Tokenizer(models.BPE()), "no words"),
        (_words({"a": 0, "[UNK]": 100_000}, unk_token="[UNK]"), "more words than the host.*100000"),
    ],
    ids=["no-unknown", "empty", "wide"],
)
def test_a_tokenizer_that_does_not_fit_the_host(tokenizer: Tokenizer, why: str, spoilt: Path) -> None:
    tokenizer.save(str(spoilt / "tokenizer.json"))
    with pytest.raises(HostError, match=why):
        load_service(spoilt)


def test_a_special_token_that_the_host_lacks_is_refused_only_where_it_is_used() -> None:
    tokenizer = _words({"a": 0, "[UNK]": 1}, unk_token="[UNK]")
    tokenizer.add_special_tokens(["<image>"])
    codec = TextCodec(tokenizer, [1], 2)
    assert codec.encode(["a b"]) == [[0, 1]]
    with pytest.raises(HostError, match="below 2, got 2"):
        codec.encode(["a", "a <image>"])


@pytest.mark.parametrize("ids", ["x", -1, 10**6, 2.0, True, [[1]], ["a"], [10**6], [2, -1]], ids=repr)
def test_an_end_of_text_token_that_is_none(ids: object, spoilt: Path) -> None:
    (spoilt / "generation_config.json").write_text(json.dumps({"eos_token_id": ids}))
    line = refused(spoilt)
    assert "end-of-text" in line and "generation_config.json" in line


@pytest.mark.parametrize("generation", [{}, {"eos_token_id": None}])
def test_the_config_names_the_end_of_text_where_the_generation_config_does_not(
    generation: dict[str, Any], spoilt: Path
) -> None:
    (spoilt / "generation_config.json").write_text(json.dumps(generation))
    assert bool(load_service(spoilt).codec.stop[2])


# ---------------------------------------------------------------------- finding a host


@pytest.mark.parametrize("name", ["..", ".", "", "petri/", "petri/../petri", "~nobody-of-this-name/x", "x" * 5000])
def test_only_bare_names_are_shipped_hosts(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models" / "petri").mkdir(parents=True)
    (tmp_path / "away" / "here").mkdir(parents=True)
    for wrong in (tmp_path, tmp_path / "models"):
        (wrong / "config.json").write_text('{"model_type": "of a folder that nobody named"}')
    monkeypatch.chdir(tmp_path / "away" / "here")
    monkeypatch.setattr(folder, "shipped_folder", lambda kind: tmp_path / kind)
    assert find_host("petri") == tmp_path / "models" / "petri"
    assert re.search("--host|expected a config.json", refused(name))


def test_a_hub_that_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise Exception("Request URL is missing a protocol")

    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    assert "HF_ENDPOINT" in refused("nobody/no-such-model")


@pytest.mark.parametrize(("options", "why"), [({"dtype": "int8"}, "number format"), ({"threads": 0}, "threads")])
def test_options_that_do_not_exist(options: dict[str, Any], why: str, host_folder: Folders) -> None:
    with pytest.raises(ConfigError, match=why):
        load_service(host_folder("qwen3"), **options)


# ---------------------------------------------------------------------- answering


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (Request(-1, "a"), "slot is not allocated"),
        (Request(7, "a"), "slot is not allocated"),
        (Request(99, "a"), "slot is not allocated"),
        (Request(1.5, "a"), r"Request\.slot"),  # type: ignore[arg-type]
        (Request(2**63, "a"), r"Request\.slot"),
        (Request(0, "a", 2**63), r"Request\.key"),
        (Request(0, "a", None), r"Request\.key"),  # type: ignore[arg-type]
        (Request(0, None), r"Request\.prompt"),  # type: ignore[arg-type]
        (Request(0, "\ud800"), "cannot be tokenized"),
    ],
    ids=lambda value: repr(value).replace("\\", ""),
)
def test_a_request_that_cannot_be_answered(request_: Request, why: str, service: HostService) -> None:
    adapters = filled_bank(service, ranks=(2, 2, 2, 2, 2, 2))  # slots 1 to 6 of 0 to 7
    with pytest.raises(EvoloraError, match=why) as caught:
        service.answer([Request(1, "a"), request_], adapters)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("temperature", [-1.0, math.nan, math.inf, 1e-38, 1e-300, 0.0009])
def test_temperatures_that_give_no_distribution(temperature: float, service: HostService) -> None:
    with pytest.raises(HostError, match="0, which is greedy, or at least"):
        service.answer([Request(0, "a")], temperature=temperature)


def test_the_lowest_temperature_is_as_good_as_greedy(service: HostService) -> None:
    requests = [Request(0, prompt, key=row) for row, prompt in enumerate(PROMPTS)]
    cold = service.answer(requests, temperature=0.001, max_new_tokens=4)
    assert cold.tokens == service.answer(requests, max_new_tokens=4).tokens
    assert bool(cold.log_probability.isfinite().all())


@pytest.mark.parametrize(
    ("section", "settings"),
    [
        (HostConfig, {"temperature": 1e-38}),
        (PlasticityConfig, {"half_life": 1e-300}),
        (PlasticityConfig, {"beta1": 1 - 1e-12}),
        (PlasticityConfig, {"beta2": 1 - 1e-12}),
        (PlasticityConfig, {"perturbation": 1e-38}),
    ],
)
def test_settings_that_float32_cannot_follow(section: type, settings: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        section(**settings)


@pytest.mark.parametrize("length", [0, -1])
def test_answers_of_no_length(length: int, service: HostService) -> None:
    with pytest.raises(HostError, match="max_new_tokens"):
        service.answer([Request(0, "a")], max_new_tokens=length)


def test_a_bank_of_another_host(service: HostService, host_folder: Folders) -> None:
    strangers = [
        load_service(host_folder("llama")).new_bank(["last.down_proj"], capacity=2),
        load_service(host_folder("qwen3"), dtype="bfloat16").new_bank(["lm_head"], capacity=2),
        load_service(host_folder("qwen3"), route="generic").new_bank(["last.down_proj"], capacity=2),
    ]
    assert strangers[0].sites == service.new_bank(["last.down_proj"], capacity=2).sites  # one that fits is no stranger
    for stranger in strangers[1:]:
        with pytest.raises(AdapterError, match="made for another host"):
            service.answer([Request(0, "a")], stranger)


def test_a_population_that_no_memory_holds(service: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AdapterError, match=r"more memory than there is.*Lower population\.maximum"):
        service.new_bank(ALL_SITES, capacity=10**9)
    monkeypatch.setattr(bank, "free_memory", lambda: None)
    assert service.new_bank(["lm_head"], capacity=3).capacity == 3


@pytest.mark.parametrize("size", [{"capacity": 0}, {"capacity": -1}, {"capacity": 2, "max_rank": 0}])
def test_a_bank_of_no_size(size: dict[str, int], service: HostService) -> None:
    with pytest.raises(AdapterError, match="of no size"):
        service.new_bank(["lm_head"], **size)


# ---------------------------------------------------------------------- the generic route


def test_threads_may_share_a_generic_host(host_folder: Folders) -> None:
    service = load_service(host_folder("qwen3"), route="generic")
    banks = [filled_bank(service, ["lm_head"]), filled_bank(service, ALL_SITES)]
    alone = [service.answer(mixed_requests(), adapters, max_new_tokens=6).tokens for adapters in banks]
    found: dict[int, list[list[list[int]]]] = {0: [], 1: []}

    def work(number: int, adapters: AdapterBank) -> None:
        for _ in range(6):
            found[number].append(service.answer(mixed_requests(), adapters, max_new_tokens=6).tokens)

    threads = [threading.Thread(target=work, args=pair) for pair in enumerate(banks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: [tokens] * 6 for number, tokens in enumerate(alone)}


def test_a_copied_service_still_applies_adapters(host_folder: Folders) -> None:
    service = load_service(host_folder("qwen3"), route="generic")
    twin, adapters = copy.deepcopy(service), filled_bank(service)
    assert twin.host is service.host
    answers = [one.answer(mixed_requests(), adapters, max_new_tokens=4).tokens for one in (service, twin)]
    assert answers[0] == answers[1]


@pytest.mark.slow
def test_loading_through_transformers_is_silent_and_puts_its_settings_back(host_folder: Folders) -> None:
    code = (
        "import sys\n"
        "from transformers.utils import logging\n"
        "from evolora_mesa.host import HostService\n"
        "HostService.load(sys.argv[1], route='generic', device='cpu')\n"
        "assert logging.is_progress_bar_enabled() and logging.get_verbosity() == logging.WARNING\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(host_folder("qwen3"))], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("settings", [{"layer_types": ["full_attention"]}, {"layer_types": ["chunked_attention"] * 3}])
def test_what_transformers_cannot_make_anything_of_is_one_line(settings: dict[str, Any], spoilt: Path) -> None:
    change_config(spoilt, **settings)
    assert "transformers cannot load" in (line := refused(spoilt)) or "cannot read a short prompt" in line
