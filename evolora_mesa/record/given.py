"""The settings that a run began with, read back by whatever version of the program: a newer one knows more of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from evolora_mesa.config import WorldConfig
from evolora_mesa.configfile import load_config
from evolora_mesa.errors import RunError
from evolora_mesa.record.layout import CONFIG_FILE
from evolora_mesa.record.store import config_hash, settings_hash
from evolora_mesa.schema import fields_of
from evolora_mesa.strictyaml import parse_yaml, read_text

__all__ = ["Given", "given_settings"]

_NAMED: Final = 6  # settings in a line


class Given(NamedTuple):
    """What a run was given.

    Attributes:
        config: settings that there were not yet have their defaults.
        older: that an older version of the program began the run, and what it did not know; empty if it was this one.
    """

    config: WorldConfig
    older: str = ""


def given_settings(run: Path, facts: Mapping[str, str]) -> Given:
    """The settings in the folder of a run.

    Their hash is on record. If it is not that of the settings as they are read today, it has to be that of the file
    itself: then nobody has changed the file, and it is the program that has got new settings.

    Args:
        facts: of its store.

    Raises:
        ConfigError: the file cannot be read, or has what this version does not know.
        RunError: they are not those that the run began with.
    """
    path = (run / CONFIG_FILE).absolute()
    config = load_config(path)
    if config_hash(config) == facts.get("config_hash"):
        return Given(config)
    tree = parse_yaml(read_text(path, str(path)), str(path))[0]
    if not isinstance(tree, dict) or settings_hash(tree) != facts.get("config_hash"):
        raise RunError(
            "the settings are not those that the run began with",
            where=run / CONFIG_FILE,
            do="Put the file back as it was; for other settings start another run.",
        )
    return Given(config, f"begun by an older version of the program{_told(list(dict.fromkeys(_absent(tree))))}")


def _absent(tree: Mapping[str, Any]) -> Iterator[str]:
    """Settings that the tree has not; a section that it has nothing of is named as a whole."""
    for name in fields_of(WorldConfig):
        place: Any = tree
        parts = name.split(".")
        for depth, part in enumerate(parts, start=1):
            if part not in place:
                yield ".".join(parts[:depth])
                break
            place = place[part]


def _told(absent: list[str]) -> str:
    if not absent:
        return ""
    more = f" and {len(absent) - _NAMED} more" if len(absent) > _NAMED else ""
    return f", which did not know {', '.join(absent[:_NAMED])}{more}: the defaults hold"
