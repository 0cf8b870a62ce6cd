"""Named random streams: every concern draws from its own generator, all spawned from one seed."""

from __future__ import annotations

import random
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from evolora_mesa.errors import ConfigError

__all__ = ["Streams", "with_seed"]

_SEED_DIGITS = 19  # of 2**63 - 1, the largest seed


class Streams:
    """One seed, many independent generators, each found by the name of the concern that uses it.

    The stream of a name depends on the seed and on the name alone, never on which other streams exist or in
    which order they were asked for. So a new concern does not disturb the draws of the old ones.

    Args:
        seed: non-negative integer; the entropy of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = int(seed)
        self._python: dict[str, random.Random] = {}
        self._numpy: dict[str, np.random.Generator] = {}

    def _sequence(self, name: str) -> np.random.SeedSequence:
        return np.random.SeedSequence(self.seed, spawn_key=(zlib.crc32(name.encode()),))

    def integer(self, name: str) -> int:
        """A 63-bit integer fixed by the seed and ``name``, to key counter-based noise or another library."""
        return int(self._sequence(name).generate_state(1, np.uint64)[0] >> 1)

    def python(self, name: str) -> random.Random:
        """The standard-library generator of ``name``; the same object at every call."""
        if name not in self._python:
            self._python[name] = random.Random(self.integer(name))
        return self._python[name]

    def numpy(self, name: str) -> np.random.Generator:
        """The numpy generator of ``name``; the same object at every call."""
        if name not in self._numpy:
            self._numpy[name] = np.random.default_rng(self._sequence(name))
        return self._numpy[name]

    def state_dict(self) -> dict[str, Any]:
        """State of every stream in use, as JSON-able values."""
        return {
            "seed": self.seed,
            "python": {name: list(stream.getstate()) for name, stream in self._python.items()},
            "numpy": {name: stream.bit_generator.state for name, stream in self._numpy.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue exactly where ``state_dict`` was taken."""
        self.seed = state["seed"]
        self._python.clear()
        self._numpy.clear()
        for name, (version, internal, gauss) in state["python"].items():
            self.python(name).setstate((version, tuple(internal), gauss))
        for name, bits in state["numpy"].items():
            self.numpy(name).bit_generator.state = bits


def with_seed(settings: Mapping[str, object], rng: object) -> Mapping[str, object]:
    """``settings`` with ``rng`` as the seed, so that what is recorded is what was run. The schema judges its value.

    Raises:
        ConfigError: the settings have a seed already.
    """
    if isinstance(rng, str):
        rng = rng.strip() or None
        if rng and rng.isascii() and rng.isdecimal() and len(rng) <= _SEED_DIGITS:
            rng = int(rng)
    if rng is None:
        return settings
    if "seed" in settings:
        raise ConfigError("the seed is given twice", where="rng and seed", do="Give one of them.")
    return {**settings, "seed": rng}
