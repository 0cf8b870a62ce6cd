"""`evolora host` makes a complete Hugging Face folder, the same every time, and harms nothing."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from repetitions import repeated

from evolora_mesa.cli import main
from evolora_mesa.host import HostService, Request
from evolora_mesa.petri import card
from evolora_mesa.petri.recipe import HostRecipe, read_recipe
from evolora_mesa.petri.training import TrainingRecord
from evolora_mesa.shipped import shipped_folder
from evolora_mesa.tasks import SHIPPED

FILES = {
    "README.md",
    "config.json",
    "fingerprint.json",
    "generation_config.json",
    "model.safetensors",
    "recipe.yaml",
    "tokenizer.json",
    "tokenizer_config.json",
    "training.json",
}
SMALL = "hidden_size: 32\nlayers: 2\nheads: 2\nkv_heads: 1\nhead_dim: 16\nintermediate_size: 48\nbatch_size: 16\n"


@pytest.fixture(autouse=True)
def _small_and_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    quick = partial(card.measure_host, per_cell=1, examples=16, seeds=2)
    monkeypatch.setattr(card, "measure_host", quick)
    Path("small.yaml").write_text(f"name: small\n{SMALL}steps: 3\nwarm_up_steps: 2\n", encoding="utf-8")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1
    return err


def test_training_writes_a_complete_folder_with_the_same_bytes_every_time() -> None:
    assert main(["host", "train", "small.yaml"]) == 0
    assert main(["host", "train", "small.yaml", "--out", "again/small"]) == 0
    first, second = contents(Path("out/small")), contents(Path("again/small"))
    assert set(first) == set(second) == FILES
    for name in FILES - {"README.md", "training.json"}:  # these two tell the time that it took
        assert first[name] == second[name], name
    assert first["recipe.yaml"] == Path("small.yaml").read_bytes()
    assert json.loads(first["training.json"])["steps"] == 3
    assert json.loads(first["fingerprint.json"]) == HostService.load("out/small", tuned=False).fingerprint()
    assert sorted(path.name for path in Path("out").iterdir()) == ["small"]


def test_plain_transformers_answers_like_the_host_service() -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    assert main(["host", "train", "small.yaml"]) == 0
    model = AutoModelForCausalLM.from_pretrained("out/small")
    tokenizer = AutoTokenizer.from_pretrained("out/small")
    assert (model.generation_config.max_new_tokens, model.generation_config.do_sample) == (28, False)
    prompt = "What is: 3+4\nAnswer:"
    batch = tokenizer(prompt, return_tensors="pt")
    with torch.no_grad():
        theirs = model.generate(**batch)[0, batch["input_ids"].shape[1] :].tolist()
    service = HostService.load("out/small", tuned=False, stop_at_newline=False)
    ours = service.answer([Request(0, prompt)]).tokens[0]
    assert ours == theirs[: len(ours)]


def test_an_older_host_is_replaced_only_by_a_finished_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["host", "train", "small.yaml"]) == 0
    before = contents(Path("out/small"))
    Path("small.yaml").write_text(f"name: small\nseed: 1\n{SMALL}steps: 3\n", encoding="utf-8")

    def fail(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("evolora_mesa.petri.training.train_host", fail)
        assert main(["host", "train", "small.yaml"]) == 130
    assert contents(Path("out/small")) == before
    assert [path.name for path in Path("out").iterdir()] == ["small"]
    assert main(["host", "train", "small.yaml"]) == 0
    assert contents(Path("out/small"))["model.safetensors"] != before["model.safetensors"]
    assert [path.name for path in Path("out").iterdir()] == ["small"]


def test_a_folder_with_other_files_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine").mkdir()
    Path("mine/thesis.tex").write_text("precious", encoding="utf-8")
    assert "thesis.tex" in refusal(capsys, "host", "train", "small.yaml", "--out", "mine")
    assert "small.yaml" in refusal(capsys, "host", "train", "small.yaml", "--out", "small.yaml/below")
    assert sorted(path.name for path in Path().iterdir()) == ["mine", "small.yaml"]


def test_a_wrong_recipe_is_refused_before_any_training(capsys: pytest.CaptureFixture[str]) -> None:
    Path("small.yaml").write_text("name: small\nsteppes: 3\n", encoding="utf-8")
    assert "steppes" in refusal(capsys, "host", "train", "small.yaml")
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("name", "out", "told"),
    [
        ("../small", None, "not a folder's"),
        ("..", None, "not a folder's"),
        ("small", ".", "the working folder cannot be replaced"),
        ("small", "", "a path is empty"),
        ("small", "small.yaml", "is a file"),
        ("small", "a\nb", "cannot be printed"),
        ("small", "x" * 300, "File name too long"),
    ],
)
def test_a_folder_that_cannot_take_a_host_is_refused_before_any_training(
    name: str, out: str | None, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("small.yaml").write_text(f"name: {name}\n{SMALL}steps: 3\n", encoding="utf-8")
    assert told in refusal(capsys, "host", "train", "small.yaml", *(() if out is None else ("--out", out)))
    assert [path.name for path in Path().iterdir()] == ["small.yaml"]


def test_a_recipe_that_goes_away_during_the_training_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    from evolora_mesa.petri import training

    def train(*arguments: Any) -> Any:
        Path("small.yaml").unlink()
        return train_host(*arguments)

    before, train_host = Path("small.yaml").read_bytes(), training.train_host
    monkeypatch.setattr(training, "train_host", train)
    assert main(["host", "train", "small.yaml"]) == 0
    assert Path("out/small/recipe.yaml").read_bytes() == before


@pytest.mark.parametrize("text", ["{", '{"steps": "many"}', *repeated("[1]", "{}", "[" * 100_000)])
def test_a_broken_record_of_the_training_is_one_line(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["host", "train", "small.yaml"]) == 0
    capsys.readouterr()
    Path("out/small/training.json").write_text(text, encoding="utf-8")
    assert "record of the training cannot be read" in refusal(capsys, "host", "card", "out/small")


def test_the_card_is_measured_again_without_touching_the_weights() -> None:
    assert main(["host", "train", "small.yaml"]) == 0
    folder = Path("out/small")
    before = contents(folder)
    (folder / "README.md").unlink()
    (folder / "fingerprint.json").unlink()
    assert main(["host", "card", "out/small"]) == 0
    assert contents(folder) == before


def test_no_card_for_a_host_that_knows_other_questions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["host", "train", "small.yaml"]) == 0
    path = Path("out/small/tokenizer.json")
    path.write_text(path.read_text(encoding="utf-8").replace("Count the words", "Tell the words"), encoding="utf-8")
    capsys.readouterr()
    before = contents(path.parent)
    assert b"Tell the words" in before["tokenizer.json"]
    assert "questions of another version" in refusal(capsys, "host", "card", "out/small")
    assert contents(path.parent) == before


def test_the_card_says_what_was_measured() -> None:
    """Cell by cell: the table holds the base, its means, and the mean over seeds and depths with adapters."""
    import numpy as np

    families = tuple(SHIPPED)
    base = np.linspace(0, 0.35, len(families) * 4).reshape(-1, 4)
    ceiling = np.stack([base + 0.5, base + 0.61])
    figures = card.Figures(families, base, 40, ceiling, 1024)
    record = TrainingRecord(6000, 18_000_000, 0.4567, 1080.0, "2.13.0")
    assert main(["host", "train", "small.yaml"]) == 0
    weights = Path("out/small/model.safetensors")
    service = HostService.load("out/small", tuned=False)
    text = card.render_card(HostRecipe(), record, service, weights, figures)
    lines = {line.split(" | ")[0].strip("| *"): line.strip("| ").split(" | ")[1:] for line in text.splitlines()}
    assert lines[families[0]] == ["0", "1", "2", "3", "2", "57"]
    assert lines["mean"] == ["**16**", "**17**", "**18**", "**19**", "**18**", "**73**"]
    assert "**17.5 %**" in text
    assert "**73.0 %**, 95 % t interval\n  3.1 to 142.9 over 2 seeds" in text
    assert "18.0 CPU-minutes" in text and "18.0 M tokens" in text and "torch 2.13.0" in text
    assert text.startswith("---\nlicense: mit\n")
    assert isinstance(yaml.safe_load(text.split("---")[1]), dict)


def test_the_shipped_recipe_states_every_field_with_its_default() -> None:
    path = shipped_folder("configs") / "hosts" / "petri.yaml"
    recipe = read_recipe(path)
    assert recipe == HostRecipe()
    assert recipe.model_fields_set == set(HostRecipe.model_fields)
    assert recipe.steps == 6000
