"""What lies where in the folder of a run."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ADAPTERS_FOLDER",
    "CHECKPOINT_FOLDER",
    "CHECKPOINT_PREFIX",
    "CONFIG_FILE",
    "EARLIER_SUMMARY_FILE",
    "LOCK_FILE",
    "LOG_FILE",
    "MANIFEST_FILE",
    "ORGANELLES_FILE",
    "PHYLOGENY_FILE",
    "RATINGS_FILE",
    "REPORT_FOLDER",
    "RESULTS_PREFIX",
    "STATE_FILE",
    "STORE_FILE",
    "SUMMARY_FILE",
    "TENSORS_FILE",
    "checkpoint_name",
]

CONFIG_FILE: Final = "config.yaml"  # all settings, resolved
STORE_FILE: Final = "run.sqlite"  # everything that happened; SQLite keeps a -wal and a -shm file beside it
LOCK_FILE: Final = "run.lock"  # held by the one process that writes
LOG_FILE: Final = "log.txt"
SUMMARY_FILE: Final = "summary.json"  # written last: a run that has it is over
EARLIER_SUMMARY_FILE: Final = "earlier_summary.json"  # of a run that was over and goes on, until it is over again

CHECKPOINT_FOLDER: Final = "checkpoint"  # of folders by generation
CHECKPOINT_PREFIX: Final = "gen-"
STATE_FILE: Final = "state.json"
TENSORS_FILE: Final = "tensors.safetensors"
MANIFEST_FILE: Final = "manifest.json"

ADAPTERS_FOLDER: Final = "adapters"  # of the survivors, a PEFT folder each, once the run is over
ORGANELLES_FILE: Final = "organelles.csv"  # a table of them
PHYLOGENY_FILE: Final = "phylogeny.csv"  # everybody who ever lived, in the ALife data standard
RESULTS_PREFIX: Final = ".finish-"  # of folders in which they are made
REPORT_FOLDER: Final = "report"
RATINGS_FILE: Final = "ratings.jsonl"  # of its answers, by people; no part of what happened


def checkpoint_name(generation: int) -> str:
    """Folder of a checkpoint below `CHECKPOINT_FOLDER`; names sort as generations do up to a million of them."""
    return f"{CHECKPOINT_PREFIX}{generation:06}"
