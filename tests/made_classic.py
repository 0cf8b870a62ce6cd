"""Folders of small runs of classic models, made in a moment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from evolora_mesa.alife.runs import CHECKPOINT_FILE, ClassicConfig, founded, live

__all__ = ["DAMAGES", "SMALL", "Killed", "damage", "founded_run", "killed_run", "made_run_of"]

SMALL: dict[str, dict[str, Any]] = {
    "NKWorld": {"population": 12},
    "HostSymbiont": {"width": 6, "height": 6},
    "Sugarscape": {"agents": 40, "rules": "S"},
    "DigitalOrganisms": {"width": 4, "height": 4},
    "WolfSheep": {"width": 12, "height": 12, "sheep": 20, "wolves": 8},
    "Boltzmann": {"agents": 20},
}


class Killed(BaseException):
    """As a kill, it leaves what is written and nothing else."""


def made_run_of(model: str, folder: Path, *, steps: int = 30, seed: int = 3, **settings: Any) -> Path:
    """A run to its end."""
    config = ClassicConfig(model=model, generations=steps, seed=seed, checkpoint_every=8, set=SMALL[model] | settings)
    folder.mkdir(parents=True)
    live(founded(config), config, folder, lambda: True)
    return folder


def killed_run(folder: Path, *, after: int, steps: int = 30, model: str = "NKWorld") -> Path:
    """A run that was killed after so many steps."""
    config = ClassicConfig(model=model, generations=steps, seed=3, checkpoint_every=8, set=SMALL[model])
    folder.mkdir(parents=True)
    world = founded(config)

    def wanted() -> bool:
        if world.tick >= after:
            raise Killed
        return True

    try:
        live(world, config, folder, wanted)
    except Killed:
        return folder
    raise AssertionError("nobody killed it")


def founded_run(folder: Path) -> Path:
    """A run that was killed before its first checkpoint."""
    (killed_run(folder, after=0) / CHECKPOINT_FILE).unlink()
    return folder


# ---------------------------------------------------------------- damage


def _with_a_flipped_bit(whole: bytes) -> bytes:
    """In the version that the archive's first entry asks for."""
    place = whole.index(b"PK\x01\x02") + 6
    return whole[:place] + bytes([whole[place] ^ 0x80]) + whole[place + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "nothing of it": lambda whole: b"PK nothing",
    "empty": lambda whole: b"",
    "half": lambda whole: whole[: len(whole) // 2],
    "a flipped bit": _with_a_flipped_bit,
}


def damage(run: Path, how: str) -> Path:
    """A run whose checkpoint is spoilt."""
    checkpoint = run / CHECKPOINT_FILE
    checkpoint.write_bytes(DAMAGES[how](checkpoint.read_bytes()))
    return run
