"""What happened in one generation: its events, and its numbers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, TypeAlias

__all__ = ["Event", "Tally"]

Event: TypeAlias = tuple[str, int | None, dict[str, Any]]  # kind, organelle if it is one's own, and facts


@dataclass
class Tally:
    """Counts and sums of one generation."""

    episodes: int = 0
    succeeded: int = 0
    reward: float = 0.0
    prompt_tokens: int = 0
    generated_tokens: int = 0
    gate_rows: int = 0
    gate_tokens: int = 0
    conceived: int = 0
    births: int = 0
    deaths: int = 0
    merges: int = 0
    promotions: int = 0
    confined: int = 0
    revivals: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    fees: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))  # paid beside the bill, by id
    rolled_back: int = 0
    quarantined: int = 0
    hints_read: int = 0
    routed: int = 0
    routed_right: int = 0
    composites: int = 0
    composites_right: int = 0
    judged: int = 0
    host_seconds: float = 0.0
    step_seconds: float = 0.0
