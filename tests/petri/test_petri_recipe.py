"""A recipe is a checked YAML file: every mistake in it is one line that names the setting."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from evolora_mesa.errors import ConfigError
from evolora_mesa.petri.recipe import HostRecipe, read_recipe


@pytest.fixture
def recipe_file(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "recipe.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_what_a_recipe_does_not_say_is_the_default(recipe_file) -> None:
    recipe = read_recipe(recipe_file("steps: 3\nmatrix_learning_rate: 1e-3\n"))
    assert recipe == HostRecipe(steps=3, matrix_learning_rate=0.001)


def test_a_recipe_survives_being_written_and_read(recipe_file) -> None:
    recipe = HostRecipe(name="tiny", steps=5, depth_weights=(0.5, 0.25, 0.25), near_miss=0.2)
    lines = [f"{name}: {list(v) if isinstance(v, tuple) else v}" for name, v in recipe.model_dump().items()]
    assert read_recipe(recipe_file("\n".join(lines))) == recipe


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("stepps: 3", "stepps"),
        ("steps: 0", "steps"),
        ("steps: many", "steps"),
        ("steps: 1.5", "steps"),
        ("seed: -1", "seed"),
        ("near_miss: 1.2", "near_miss"),
        ("hedge: -0.1", "hedge"),
        ("near_miss: .nan", "near_miss"),
        ("matrix_learning_rate: 0", "matrix_learning_rate"),
        ("hidden_size: 0", "hidden_size"),
        ("layers: 5000", "layers"),
        ("depth_weights: 0.5", "depth_weights"),
        ("depth_weights: []", "depth_weights"),
        ("depth_weights: [0, 0]", "depth_weights"),
        ("depth_weights: [0.5, -0.5, 1]", "depth_weights"),
        ("depth_weights: [1, 1, 1, 1, 1, 1, 1]", "depth_weights"),
        ("heads: 3\nkv_heads: 2", "heads"),
        ("head_dim: 15", "head_dim"),
    ],
)
def test_an_impossible_setting_is_refused_by_name_in_one_line(recipe_file, text: str, setting: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        read_recipe(recipe_file(text))
    assert setting in str(refusal.value)
    assert "recipe.yaml" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_mistake_is_found_with_its_line(recipe_file) -> None:
    with pytest.raises(ConfigError, match=r"recipe\.yaml:2"):
        read_recipe(recipe_file("name: tiny\nsteps: -4\n"))


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
        read_recipe(tmp_path / "nowhere.yaml")


def test_a_recipe_cannot_be_changed_once_it_is_read() -> None:
    with pytest.raises(ValidationError):
        HostRecipe().steps = 4
