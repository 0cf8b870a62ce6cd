"""The form's settings come from the schema: none is invented, and every stop of a slider is a value it may have."""

from __future__ import annotations

import pytest

from evolora_mesa.config import WorldConfig
from evolora_mesa.configfile import load_config, shipped_configs
from evolora_mesa.errors import ConfigError
from evolora_mesa.schema import fields_of
from evolora_mesa.view.parameters import Parameter, parameters, read_value, show_value, stops, value_of

NUMBERS = [parameter for parameter in parameters() if parameter.kind in ("whole", "number")]
BY_NAME = {parameter.name: parameter for parameter in parameters()}


def test_every_number_switch_and_choice_of_a_world_is_there() -> None:
    fields = fields_of(WorldConfig)
    assert set(BY_NAME) < set(fields)
    left_out = {name for name in fields if name not in BY_NAME and not name.startswith("record.")}
    texts = {name for name in left_out if not isinstance(value_of(WorldConfig(), name), int | float)}
    assert left_out - texts == {"generations", "seed"}
    assert BY_NAME["plasticity.rule"].choices[0] == "three_factor"
    assert all(parameter.help for parameter in parameters())


@pytest.mark.parametrize("parameter", NUMBERS, ids=lambda parameter: parameter.name)
def test_a_slider_has_room_on_both_sides_of_the_usual_value_and_stays_in_bounds(parameter: Parameter) -> None:
    usual = value_of(WorldConfig(), parameter.name)
    halts = stops(parameter, float(usual))
    assert usual in halts
    assert list(halts) == sorted(set(halts))
    assert 2 <= len(halts) <= 40
    assert all(parameter.allows(halt) for halt in halts)
    assert all(isinstance(halt, int) for halt in halts) or parameter.kind == "number"
    assert read_value(parameter, show_value(usual)) == usual
    if parameter.allows(usual * 2 + 1):
        assert halts[-1] > usual
    if usual > 0 and parameter.allows(usual / 2) and parameter.kind == "number":
        assert halts[0] < usual


def test_worlds_that_ship_can_all_be_shown() -> None:
    for name in shipped_configs():
        config = load_config(name)
        for parameter in NUMBERS:
            usual = value_of(config, parameter.name)
            assert usual in stops(parameter, float(usual)), (name, parameter.name)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("economy.ticket", "much", "expected number, got 'much'"),
        ("population.initial", "2.5", "expected whole number, got '2.5'"),
        ("population.initial", "", "expected whole number, got ''"),
        ("population.initial", "-3", "It must be at least 1"),
        ("plasticity.rollback_drop", "1.5", "It must be above 0 and at most 1"),
        ("economy.ticket", "nan", "expected number, got 'nan'"),
        ("economy.ticket", "inf", "expected number, got 'inf'"),
    ],
)
def test_what_is_no_value_is_told_in_one_line(name: str, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_value(BY_NAME[name], text)
    assert told in str(caught.value)
    assert name in str(caught.value)
