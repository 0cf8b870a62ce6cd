"""What is wrong with settings is told in one line, however deep they lie."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from evolora_mesa.errors import ConfigError
from evolora_mesa.schema import explain, fields_of, kind_of
from evolora_mesa.settings import Section, Texts, clash, setting


class Leaf(Section):
    size: int = setting(..., "how large", unit="cm", ge=1, le=9)
    colours: Texts = setting((), "which")


class Tree(Section):
    leaf: Leaf | None = setting(None, "the one leaf")
    leaves: dict[str, Leaf] = setting(dict, "leaves by name")
    mixed: dict[str, int | list[int]] = setting(dict, "numbers, or lists of them")
    height: float | None = setting(None, "how high", unit="m", gt=0)


def told(tree: dict[str, Any], below: tuple[str, ...] = ()) -> str:
    with pytest.raises(ValidationError) as caught:
        Tree.model_validate(tree)
    error = explain(caught.value, Tree, lambda path: f"at {'/'.join(map(str, path))}", below)
    assert isinstance(error, ConfigError)
    return str(error)


@pytest.mark.parametrize(
    ("tree", "line"),
    [
        (
            {"leaf": {"size": 12}},
            "bad value for 'leaf.size' (at leaf/size): expected whole number in [1, 9] (cm), got 12",
        ),
        ({"leaf": {}}, "'leaf.size' is missing (at leaf/size): expected whole number in [1, 9] (cm)"),
        ({"leaf": {"size": None}}, "'leaf.size' has no value (at leaf/size): expected whole number in [1, 9] (cm)"),
        (
            {"leaf": {"size": 1, "colors": []}},
            "unknown setting 'leaf.colors' (at leaf/colors). Did you mean 'colours'?",
        ),
        ({"leaf": 3}, "'leaf' is a section (at leaf): expected settings such as 'size', got 3"),
        ({"leaves": {"a": {"size": 0}}}, "bad value for 'leaves.a.size' (at leaves/a/size)"),
        ({"leaves": {"a": None}}, "section 'leaves.a' is empty (at leaves/a): expected settings such as 'size'"),
        ({"leaves": [1]}, "bad value for 'leaves' (at leaves): expected table, each value a table, got [1]"),
        (
            {"leaf": {"size": 1, "colours": ["red", 3]}},
            "bad value for 'leaf.colours[1]' (at leaf/colours/1): expected line of text, got 3",
        ),
        ({"mixed": {"a": ["x"]}}, "bad value for 'mixed[a]' (at mixed/a): expected numbers, or lists of them"),
        ({"height": "x"}, "bad value for 'height' (at height): expected number (m), got 'x'"),
        ({"heigth": 2}, "unknown setting 'heigth' (at heigth). Did you mean 'height'?"),
        ({"size": 2}, "unknown setting 'size' (at size). Did you mean 'leaf.size'?"),
    ],
)
def test_a_mistake_is_one_line_with_its_name_its_place_and_what_was_expected(tree: dict[str, Any], line: str) -> None:
    assert told(tree).startswith(line)


def test_what_stands_below_something_is_named_with_it() -> None:
    assert told({"height": "x"}, below=("garden",)).startswith("bad value for 'garden.height' (at garden/height)")


def test_a_contradiction_without_a_setting_to_blame_names_the_section() -> None:
    from pydantic import model_validator

    class Vain(Section):
        @model_validator(mode="after")
        def _never(self) -> Vain:
            raise clash("there is nothing", expected="something", got=None)

    class Around(Section):
        vain: Vain | None = setting(None, "in vain")

    with pytest.raises(ValidationError) as caught:
        Around.model_validate({"vain": {}})
    assert str(explain(caught.value, Around, lambda path: None)) == "'vain': there is nothing: expected something"


def test_settings_that_may_be_left_out_are_settings_too() -> None:
    assert list(fields_of(Tree)) == ["leaf.size", "leaf.colours", "leaves", "mixed", "height"]
    assert kind_of(Tree.model_fields["height"].annotation) == "number"
