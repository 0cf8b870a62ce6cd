"""What the best organelles answer now, beside what the bare host answers to the same prompts.

Nothing of a user's is run for it: a family that is no part of the project is neither imported nor asked to grade.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from evolora_mesa.config import WorldConfig
from evolora_mesa.errors import EvoloraError, one_line
from evolora_mesa.record.report.reading import Choice, RunFacts
from evolora_mesa.strictyaml import parse_yaml

__all__ = ["Answered", "Beside", "ask_host"]


class Beside(NamedTuple):
    """Two answers to a prompt.

    Attributes:
        host: the bare host's; `None` when it was not asked.
        verdict: how it compares; empty when it was not asked, or cannot be told.
        good: whether the host's answer would have been paid in full; `None` where it cannot be told.
        style: of answers that the cell pays for.
    """

    choice: Choice
    host: str | None
    verdict: str
    good: bool | None
    style: str


class Answered(NamedTuple):
    """All of them, and why the host was not asked, if it was not."""

    pairs: tuple[Beside, ...]
    left_out: str


def ask_host(facts: RunFacts, *, wanted: bool = True) -> Answered:
    """Put the prompts of the best organelles' latest answers to the bare host, greedily.

    Args:
        wanted: `False` leaves the host alone, as when it is large.
    """
    try:
        config = _config(facts)
        styles = _styles(config, facts)
    except EvoloraError as error:
        return Answered(_pairs(facts.choices, None, {}), f"The settings cannot be read by this version: {error}.")
    if not facts.choices:
        return Answered((), "")
    if not wanted:
        return Answered(_pairs(facts.choices, None, styles), "The host was not asked, as was wished.")
    try:
        texts = _answers(facts, config)
    except EvoloraError as error:
        return Answered(_pairs(facts.choices, None, styles), f"The host was not asked: {error}.")
    except (OSError, RuntimeError) as error:  # what torch and the file system say of too little memory
        return Answered(_pairs(facts.choices, None, styles), f"The host was not asked: {one_line(str(error))}.")
    return Answered(_pairs(facts.choices, texts, styles), "")


def _config(facts: RunFacts) -> WorldConfig:
    from evolora_mesa.errors import ConfigError

    tree, _ = parse_yaml(facts.meta.get("config", ""), "the store's config")
    try:
        return WorldConfig.model_validate(tree)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(first["msg"], where=where) from error


def _styles(config: WorldConfig, facts: RunFacts) -> dict[Choice, str]:
    """What the cell of every choice paid for when that was given."""
    from evolora_mesa.ground import contracts_at

    return {
        choice: contracts_at(config, facts.families, choice.generation).style(
            facts.families[choice.family], choice.depth + 1
        )
        for choice in facts.choices
    }


def _answers(facts: RunFacts, config: WorldConfig) -> list[str]:
    """The bare host's, by choice.

    Raises:
        HostError: it is not on this machine, cannot be loaded, or is not the one of the run.
    """
    from evolora_mesa.errors import HostError
    from evolora_mesa.host import BARE, Request
    from evolora_mesa.hosting import host_for

    path = _at_hand(config.host.path)
    service = host_for(config.model_copy(update={"host": config.host.model_copy(update={"path": path})}))
    known = _fingerprint(facts.meta).get("weights")
    if known is not None and service.host.weight_hash() != known:
        raise HostError("its weights are not those of the run", where=config.host.path)
    requests = [Request(BARE, choice.prompt) for choice in facts.choices]
    return service.answer(requests, max_new_tokens=config.host.max_new_tokens).texts


def _at_hand(path: str) -> str:
    """Where the host is; a report downloads nothing, so a hub's model has to be in the cache."""
    from evolora_mesa.errors import HostError
    from evolora_mesa.shipped import shipped_folder

    if (shipped_folder("models") / path).is_dir() or Path(path).expanduser().is_dir():
        return path
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = try_to_load_from_cache(path, "config.json")
    except HFValidationError:
        cached = None
    if not isinstance(cached, str):
        raise HostError("it is not on this machine, and a report downloads nothing", where=path)
    return str(Path(cached).parent)


def _fingerprint(meta: Mapping[str, str]) -> dict[str, str]:
    try:
        found = json.loads(meta.get("host", "{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _pairs(choices: Sequence[Choice], texts: Sequence[str] | None, styles: Mapping[Choice, str]) -> tuple[Beside, ...]:
    return tuple(
        _beside(choice, None if texts is None else texts[place], styles.get(choice, ""))
        for place, choice in enumerate(choices)
    )


def _beside(choice: Choice, host: str | None, style: str) -> Beside:
    """Where the organelle's answer was paid in full, its content is the right one, so the host's can be judged by it.

    Where it was not, the right answer is not on record.
    """
    from evolora_mesa.tasks.styles import read_answer

    if host is None:
        return Beside(choice, None, "", None, style)
    ours, theirs = read_answer(choice.answer), read_answer(host)
    if ours == theirs:
        return Beside(choice, host, "the same", choice.success, style)
    if not choice.success:
        return Beside(choice, host, "another; which is right is not on record", None, style)
    if ours[1] == theirs[1]:
        return Beside(choice, host, f"right, but written as ‘{theirs[0]}’", False, style)
    return Beside(choice, host, "another content", False, style)
