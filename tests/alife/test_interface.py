"""What all models share: targets that pass or fail, arguments that are checked, a state that goes on unbroken."""

import json

import mesa
import numpy as np
import pytest

from evolora_mesa.alife import MODELS, model_class
from evolora_mesa.alife.interface import EvoModel, Target, flag, one_of, real, whole
from evolora_mesa.alife.nk import NKWorld
from evolora_mesa.errors import ConfigError


class Coins(EvoModel):
    """A child is born whenever a coin says so."""

    capabilities = frozenset({"birth"})

    def __init__(self, *, rng: int = 0, record: bool = True) -> None:
        super().__init__(rng=rng, record=record)
        self.born = 1
        self.log.births(0, 0.0, [0])
        self.log.snapshot(0, 0.0, [0])
        self.datacollector = mesa.DataCollector({"born": lambda model: model.born})
        self.datacollector.collect(self)

    def step(self) -> None:
        self.tick += 1
        if self.streams.numpy("coin").random() + self.random.random() + self.rng.random() > 1.5:
            self.log.births(self.tick, self.tick / 2, [self.born], [0])
            self.born += 1
        self.log.snapshot(self.tick, self.tick / 2, range(self.born))
        self.datacollector.collect(self)

    def state_dict(self):
        return super().state_dict() | {"born": self.born}

    def load_state_dict(self, state):
        super().load_state_dict(state)
        self.born = state["born"]


def stepped(model: Coins, ticks: int) -> Coins:
    for _ in range(ticks):
        model.step()
    return model


def test_a_model_that_goes_on_from_its_state_is_as_if_it_had_never_stopped():
    whole_run, first = stepped(Coins(rng=3), 30), stepped(Coins(rng=3), 12)
    state = first.state_dict()
    arrays = state.pop("arrays")
    second = Coins(rng=3)
    second.load_state_dict({**json.loads(json.dumps(state)), "arrays": arrays})
    stepped(second, 18)
    assert second.series() == whole_run.series() and second.steps == whole_run.steps == second.tick == 30
    assert second.log.frame("births").equals(whole_run.log.frame("births"))
    assert len(second.log.close()) == len(whole_run.log.close()) > 5


def test_a_state_of_another_model_is_refused():
    state = Coins().state_dict() | {"model": "Dice"}
    with pytest.raises(ConfigError, match="another model"):
        Coins().load_state_dict(state)


def test_a_state_of_another_seed_is_refused():
    with pytest.raises(ConfigError, match="another seed"):
        Coins(rng=1).load_state_dict(Coins(rng=2).state_dict())


def test_a_finished_log_is_counted_over_to_its_end():
    model = stepped(NKWorld(sites=8, population=6), 13)
    assert model.log.stream("marks")["step"].tolist() == [0, 10]
    log = model.finished_log()
    assert log.closed and log.stream("marks")["step"].tolist() == [0, 10, 13]
    assert len(model.finished_log().stream("marks")) == 3


def test_a_model_that_is_not_recorded_has_an_empty_log():
    assert len(stepped(Coins(record=False), 20).log) == 0


@pytest.mark.parametrize("seed", [-1, 1.5, "1", True, None])
def test_a_seed_that_is_none_is_refused(seed):
    with pytest.raises(ConfigError, match="rng"):
        Coins(rng=seed)


def test_arguments_are_checked_and_numbers_of_numpy_taken():
    assert whole("n", np.int64(3), low=1) == 3 and type(whole("n", np.int64(3), low=1)) is int
    assert real("x", 1, low=0) == 1.0 and real("x", np.float32(0.5)) == 0.5
    assert one_of("kind", "a", ("a", "b")) == "a"
    for wrong in (float("nan"), "x", 2.0, True):
        with pytest.raises(ConfigError):
            real("x", wrong, low=0, high=1)
    assert flag("on", np.bool_(True)) is True and flag("on", False) is False
    for wrong in (1, "no", None):
        with pytest.raises(ConfigError, match="neither true nor false"):
            flag("on", wrong)
    with pytest.raises(ConfigError, match="one of a, b"):
        one_of("kind", "c", ("a", "b"))


@pytest.mark.parametrize(
    ("target", "passed"),
    [
        (Target("n", 3, 3, "paper", "exact"), True),
        (Target("n", 3, 4, "paper", "exact"), False),
        (Target("n", 3, 4, "paper", "report"), True),
        (Target("n", 3.0, 3.2, "paper", low=2.5, high=3.5), True),
        (Target("n", 3.0, 3.6, "paper", low=2.5, high=3.5), False),
        (Target("n", 3.0, 9.0, "paper", low=2.5), True),
        (Target("n", 3.0, float("nan"), "paper", low=2.5), False),
        (Target("n", None, "grid above mixed", "paper", rule="above", holds=False), False),
        (Target("n", None, "grid above mixed", "paper", rule="above", holds=True), True),
    ],
)
def test_a_target_passes_when_it_is_met(target, passed):
    assert target.passed is passed


def test_every_model_can_be_found_by_its_name():
    for name in MODELS:
        assert issubclass(model_class(name), EvoModel) and model_class(name).__name__ == name
    with pytest.raises(ConfigError, match="NKWorld"):
        model_class("Tierra")
