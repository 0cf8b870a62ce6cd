"""What the models' tests share: a run that is interrupted, written down and taken up again."""

from __future__ import annotations

import json

import numpy as np

from evolora_mesa.alife.interface import EvoModel


def stepped(model: EvoModel, ticks: int) -> EvoModel:
    for _ in range(ticks):
        model.step()
    return model


def assert_resumes(kind: type[EvoModel], before: int = 12, after: int = 15, **settings) -> None:
    """``before + after`` ticks in one go come to the same as with a break between them, log included."""
    unbroken = stepped(kind(**settings), before + after).state_dict()
    state = stepped(kind(**settings), before).state_dict()
    arrays = state.pop("arrays")
    state = json.loads(json.dumps(state)) | {"arrays": arrays}  # nothing but arrays needs more than JSON
    resumed = kind(**settings)
    resumed.load_state_dict(state)
    resumed = stepped(resumed, after).state_dict()
    ours, theirs = resumed.pop("arrays"), unbroken.pop("arrays")
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name], equal_nan=theirs[name].dtype.kind == "f") for name in ours)
    assert json.dumps(resumed) == json.dumps(unbroken)
