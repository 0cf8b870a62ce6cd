"""Putting saved numbers back where they were: of the same type and shape, or not at all."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch

from evolora_mesa.errors import RunError

__all__ = ["Numbers", "refill", "refill_rows", "rows_of"]

Numbers = TypeVar("Numbers", np.ndarray, torch.Tensor)


def refill(target: Numbers, saved: object, where: str, *, finite: bool = True) -> None:
    """Overwrite ``target`` in place, so that whoever shares it sees the change.

    Args:
        finite: refuse NaN and infinity.

    Raises:
        RunError: ``saved`` is of another type or shape, or not finite. Nothing is changed.
    """
    found = _checked(target, saved, tuple(target.shape), where, finite)
    if isinstance(target, torch.Tensor):
        target.copy_(torch.as_tensor(found))
    else:
        target[...] = found


def rows_of(stack: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """``[rows, ...]`` a copy on the CPU."""
    return stack.detach()[rows].cpu()


def refill_rows(stack: torch.Tensor, rows: torch.Tensor, saved: object, where: str) -> None:
    """The inverse of `rows_of`: all other rows become zero. Weights may be NaN; learning quarantines them.

    Raises:
        RunError: ``saved`` does not fit. Nothing is changed.
    """
    found = _checked(stack, saved, (len(rows), *stack.shape[1:]), where, finite=False)
    stack.zero_()
    stack[rows] = torch.as_tensor(found).to(stack.device)


def _checked(target: Numbers, saved: object, shape: tuple[int, ...], where: str, finite: bool) -> Numbers:
    kind = torch.Tensor if isinstance(target, torch.Tensor) else np.ndarray
    if not isinstance(saved, kind) or saved.dtype != target.dtype or tuple(saved.shape) != shape:
        raise RunError(
            "a saved state does not fit this world",
            where=where,
            expected=f"{target.dtype} of shape {list(shape)}",
            got=f"{saved.dtype} of shape {list(saved.shape)}"
            if isinstance(saved, np.ndarray | torch.Tensor)
            else type(saved).__name__,
        )
    if finite and not bool((torch.isfinite if isinstance(saved, torch.Tensor) else np.isfinite)(saved).all()):
        raise RunError("a saved state holds NaN or infinity", where=where)
    return saved
