"""The instruction set of the heads hardware, and genomes as letters or numbers.

Ofria, Bryson & Wilke, "Avida: a software platform for research in computational evolutionary biology" (2009).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from evolora_mesa.errors import ConfigError

__all__ = ["INSTRUCTIONS", "LONGEST", "NULL", "SHORTEST", "ancestor", "letters", "numbers"]

INSTRUCTIONS: Final = (
    *("nop-A", "nop-B", "nop-C", "if-n-equ", "if-less", "if-label", "mov-head", "jmp-head", "get-head", "set-flow"),
    *("shift-r", "shift-l", "inc", "dec", "push", "pop", "swap-stk", "swap", "add", "sub", "nand", "h-copy"),
    *("h-alloc", "h-divide", "IO", "h-search"),
)  # instruction n is written as the n-th letter
NULL: Final = len(INSTRUCTIONS)  # costs its turn and does nothing, also not as part of a template: a knocked-out site
SHORTEST: Final = 8  # sites of a viable genome
LONGEST: Final = 2048  # sites of memory, of parent and child together

_BEFORE, _AFTER = "wzcagc", "zvfcaxgab"  # allocate and find the end; the loop that copies, and divides at the end


def ancestor(length: int = 100) -> str:
    """The hand-written replicator: as many nop-C between its ends as make it ``length`` sites long.

    Raises:
        ConfigError: shorter than its ends, or too long to copy itself.
    """
    spare = length - len(_BEFORE) - len(_AFTER)
    if spare < 0 or 2 * length > LONGEST:
        raise ConfigError("no ancestor of this length", expected=f"in [15, {LONGEST // 2}]", got=length)
    return _BEFORE + "c" * spare + _AFTER


def numbers(genome: str) -> NDArray[np.int8]:
    """Instructions of a genome in letters, ``(length,)``.

    Raises:
        ConfigError: another character than a to z, or a length that no organism can have.
    """
    if not genome.isascii() or not genome.isalpha() or not genome.islower():
        raise ConfigError("not a genome", expected="letters a to z, one per instruction", got=genome)
    if not SHORTEST <= len(genome) <= LONGEST // 2:
        raise ConfigError(
            "a genome of this length cannot live", expected=f"{SHORTEST} to {LONGEST // 2} sites", got=len(genome)
        )
    return np.frombuffer(genome.encode(), np.int8) - np.int8(ord("a"))


def letters(genome: NDArray[np.int8]) -> str:
    """The inverse of `numbers`."""
    return (np.asarray(genome, np.int8) + np.int8(ord("a"))).tobytes().decode()
