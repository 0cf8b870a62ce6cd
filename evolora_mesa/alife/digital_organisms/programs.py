"""Programs written by hand: the ancestor with a piece of code at its beginning that solves one task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from evolora_mesa.alife.digital_organisms.genome import ancestor

__all__ = ["CODE", "NOT_GENOME", "program"]

NOT_GENOME: Final = "wzcagc" + "yopcuyk" + "c" * 78 + "zvfcaxgab"  # of the literature; its gestation is known

# B and C take two inputs; `u` is nand of B and C, `ob pc` copies B to C, `rb` exchanges them, A is kept aside in XOR.
_TWO: Final = "ybyc"
_NOT_B: Final = "obpcub"
_OR: Final = _TWO + "ocobpcub" + "pcrb" + "ocobpcub" + "pcub"  # nand(not a, not b)
_XOR: Final = _TWO + "uaocoapcub" + "paraub" + "oapcub"  # with n = nand(a, b): nand(nand(a, n), nand(b, n))

CODE: Final[Mapping[str, str]] = {
    "NOT": "yb" + _NOT_B + "yb",
    "NAND": _TWO + "ub" + "yb",
    "AND": _TWO + "ub" + _NOT_B + "yb",
    "ORN": _TWO + "ocobpcub" + "pcub" + "yb",
    "OR": _OR + "yb",
    "ANDN": _TWO + "rb" + "ocobpcub" + "pcub" + _NOT_B + "yb",
    "NOR": _OR + _NOT_B + "yb",
    "XOR": _XOR + "yb",
    "EQU": _XOR + _NOT_B + "yb",
}


def program(task: str, length: int = 100) -> str:
    """A replicator of ``length`` sites that solves ``task`` and nothing else."""
    plain, code = ancestor(length), CODE[task]
    return plain[:6] + code + plain[6 + len(code) :]
