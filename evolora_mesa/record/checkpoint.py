"""Checkpoints: whole worlds on the disk, each a folder that is complete or does not count.

A folder is written under another name. Every file in it is synced, last the manifest with the sizes and hashes of the
others and of itself; then the folder gets its name. Whatever happens at whatever moment, the one before stays. Nothing
is loaded that is not, byte for byte, what was saved; then an older one is taken, and that is said.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import torch

from evolora_mesa import __version__
from evolora_mesa.config import WorldConfig
from evolora_mesa.errors import RunError
from evolora_mesa.record.faultpoints import reached
from evolora_mesa.record.layout import (
    CHECKPOINT_PREFIX,
    MANIFEST_FILE,
    STATE_FILE,
    TENSORS_FILE,
    checkpoint_name,
)
from evolora_mesa.record.state import state_of
from evolora_mesa.record.store import config_hash
from evolora_mesa.record.tree import join, pack_tensors, parse_json, split, unpack_tensors

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["SCHEMA", "Checkpoint", "StorePosition", "faults", "load", "save", "surroundings", "there_is_one"]

SCHEMA: Final = 1
_FILES: Final = (STATE_FILE, TENSORS_FILE)
_MOST_MANIFEST_BYTES: Final = 64 * 1024
_NAME: Final = re.compile(rf"{CHECKPOINT_PREFIX}\d{{6,}}")
_ASIDE: Final = re.compile(rf"{CHECKPOINT_PREFIX}\d{{6,}}\.(tmp|old)-\d+")


class StorePosition(NamedTuple):
    """How far the store had come: its last generation, and the digest of that."""

    generation: int
    digest: str


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read.

    Attributes:
        path: its folder.
        position: of the store.
        tree: for `evolora_mesa.record.state.restore`.
        surroundings: what it was made with; see `surroundings`.
        skipped: newer ones that are of no use, each with the reason.
    """

    path: Path
    position: StorePosition
    tree: dict[str, Any]
    surroundings: dict[str, str]
    skipped: tuple[str, ...]


def surroundings(device: torch.device | str) -> dict[str, str]:
    """What a run must not change for its bits to stay the same."""
    return {
        "evolora-mesa": __version__,
        **{name: version(name) for name in ("torch", "numpy", "mesa")},
        "threads": str(torch.get_num_threads()),
        "device": str(device),
        "processor": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
    }


# ---------------------------------------------------------------- writing


def save(folder: Path, model: EcologyModel, position: tuple[int, str], *, keep: int = 2) -> Path:
    """Write the state of a world between two generations; its folder.

    One that is there already for the same position is left as it is. Only the process that holds the run's lock may
    call this: what others left half-written is cleared away.

    Args:
        folder: of all checkpoints of the run; made if it is not there.
        position: of the store, which has been synced.
        keep: older ones beyond this number are removed.

    Raises:
        RunError: it cannot be written. What was there before is still there.
    """
    if position[0] != model.tick:
        raise RunError("the store is not where the world is", expected=f"generation {model.tick}", got=position[0])
    target = folder / checkpoint_name(model.tick)
    aside = target.with_name(f"{target.name}.tmp-{os.getpid()}")
    try:
        folder.mkdir(exist_ok=True)
        _clear_debris(folder)
        if not _is_there(target, model.config, StorePosition(*position)):
            reached("checkpoint.begun")
            try:
                _write(aside, model, StorePosition(*position))
                reached("checkpoint.written")
                _put_in_place(aside, target)
                reached("checkpoint.renamed")
            except BaseException:  # also Ctrl-C: what is half-written helps nobody
                shutil.rmtree(aside, ignore_errors=True)
                raise
        _forget(folder, model.tick, keep)
        reached("checkpoint.kept")
    except OSError as error:
        raise RunError(
            "cannot write a checkpoint", where=target, got=error.strerror or str(error), do="The one before is intact."
        ) from error
    return target


def _write(folder: Path, model: EcologyModel, position: StorePosition) -> None:
    plain, tensors = split(state_of(model))
    contents = {STATE_FILE: _json(plain), TENSORS_FILE: pack_tensors(tensors)}
    manifest = {
        "schema": SCHEMA,
        "generation": model.tick,
        "config_hash": config_hash(model.config),
        "store": position._asdict(),
        "surroundings": surroundings(model.bank.device),
        "files": {name: _described(data) for name, data in contents.items()},
    }
    folder.mkdir()
    for name, data in (contents | {MANIFEST_FILE: _signed(manifest)}).items():
        with (folder / name).open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        reached("checkpoint.file")
    _sync_folder(folder)


def _put_in_place(aside: Path, target: Path) -> None:
    """Give a folder its name; what has that name is damaged, or of a past that was taken back."""
    if target.exists() or target.is_symlink():
        old = target.with_name(f"{target.name}.old-{os.getpid()}")
        target.rename(old)
        aside.rename(target)
        _remove(old)
    else:
        aside.rename(target)
    _sync_folder(target.parent)


def _is_there(target: Path, config: WorldConfig, position: StorePosition) -> bool:
    try:
        return target.exists() and _read(target, config).position == position
    except (RunError, OSError, KeyError, TypeError, ValueError, AttributeError):  # whatever it is, it is replaced
        return False


def _forget(folder: Path, generation: int, keep: int) -> None:
    """Remove all but the newest, and those after ``generation``, which belong to a future that was taken back."""
    past = [path for path in _newest_first(folder) if _generation(path) <= generation]
    for path in _newest_first(folder):
        if path not in past[:keep]:
            _remove(path)


def _clear_debris(folder: Path) -> None:
    for path in folder.iterdir():
        if _ASIDE.fullmatch(path.name):
            _remove(path)


def _remove(path: Path) -> None:
    """Under another name first: half of a folder must not look like a checkpoint."""
    if path.is_symlink() or not path.is_dir():
        path.unlink()
        return
    if _NAME.fullmatch(path.name):
        path = path.rename(path.with_name(f"{path.name}.old-{os.getpid()}"))
    shutil.rmtree(path)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows syncs no folders
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


# ---------------------------------------------------------------- reading


def load(
    folder: Path,
    config: WorldConfig,
    *,
    fits: Callable[[StorePosition], str | None] = lambda position: None,
    older: str = "",
) -> Checkpoint:
    """The newest checkpoint that is whole and of use.

    Args:
        folder: of all checkpoints of the run.
        config: of the run.
        fits: why the store cannot go on from a position, or `None`.
        older: hash of the same settings as the version of the program knew them that began the run.

    Raises:
        RunError: there is none.
    """
    if not there_is_one(folder):
        raise RunError("the run has no checkpoint", where=folder, do="Start it anew: evolora run.")
    skipped: list[str] = []
    for path in _newest_first(folder):
        checkpoint, reason = _tried(path, config, fits, older, tuple(skipped))
        if checkpoint is not None:
            return checkpoint
        skipped.append(f"{path.name}: {reason}")
    raise RunError(f"no checkpoint can be used; nothing was changed. {'; '.join(skipped)}", where=folder)


def faults(
    folder: Path, config: WorldConfig, fits: Callable[[StorePosition], str | None], older: str = ""
) -> dict[str, str]:
    """What is wrong with the checkpoints of a run, by folder; those that are sound are not in it.

    Args:
        folder, config, fits, older: as for `load`.
    """
    found: dict[str, str] = {}
    for path in _newest_first(folder) if folder.is_dir() else ():
        _, reason = _tried(path, config, fits, older)
        if reason is not None and path.exists():  # a run that is being written forgets old ones meanwhile
            found[path.name] = reason
    return found


def _tried(
    path: Path,
    config: WorldConfig,
    fits: Callable[[StorePosition], str | None],
    older: str,
    skipped: tuple[str, ...] = (),
) -> tuple[Checkpoint | None, str | None]:
    """A checkpoint, or why it cannot be used."""
    try:
        checkpoint = _read(path, config, older, skipped)
        reason = fits(checkpoint.position)
        return (checkpoint, None) if reason is None else (None, reason)
    except RunError as error:
        return None, str(error)
    except OSError as error:
        return None, error.strerror or str(error)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return None, f"not the files of a checkpoint ({type(error).__name__})"  # signed, but made by hand


def there_is_one(folder: Path) -> bool:
    """Whether anything has the name of a checkpoint, sound or not.

    Raises:
        RunError: the folder cannot be read.
    """
    try:
        return bool(_newest_first(folder))
    except FileNotFoundError:
        return False
    except OSError as error:
        raise RunError("checkpoints cannot be read", where=folder, got=error.strerror or str(error)) from error


def _newest_first(folder: Path) -> list[Path]:
    return sorted((path for path in folder.iterdir() if _NAME.fullmatch(path.name)), key=_generation, reverse=True)


def _generation(path: Path) -> int:
    return int(path.name.removeprefix(CHECKPOINT_PREFIX))


def _read(path: Path, config: WorldConfig, older: str = "", skipped: tuple[str, ...] = ()) -> Checkpoint:
    """A checkpoint, every byte of which is what was saved."""
    if path.is_symlink() or {entry.name for entry in path.iterdir()} != {*_FILES, MANIFEST_FILE}:
        raise RunError("not the files of a checkpoint")
    manifest = _verified_manifest(_bytes_of(path / MANIFEST_FILE, None))
    if manifest["generation"] != _generation(path):
        raise RunError("its manifest is of another generation")
    if manifest["config_hash"] not in (config_hash(config), older or None):
        raise RunError("it is of other settings")
    contents = {name: _bytes_of(path / name, manifest["files"][name]["size"]) for name in _FILES}
    for name, data in contents.items():
        if _described(data) != manifest["files"][name]:
            raise RunError(f"{name} is damaged")
    plain = parse_json(contents[STATE_FILE], path / STATE_FILE)
    tensors = unpack_tensors(contents[TENSORS_FILE], plain, path / TENSORS_FILE)
    return Checkpoint(path, StorePosition(**manifest["store"]), join(plain, tensors), manifest["surroundings"], skipped)


def _verified_manifest(data: bytes) -> dict[str, Any]:
    """What a manifest says, if it is to the byte what `_signed` made."""
    try:
        manifest = parse_json(data, Path(MANIFEST_FILE))
    except RunError as error:
        raise RunError(f"{MANIFEST_FILE} is damaged") from error
    schema = manifest.get("schema")
    if type(schema) is int and schema != SCHEMA:
        raise RunError(f"it was written by {'a newer' if schema > SCHEMA else 'an older'} version of the program")
    manifest.pop("sha256", None)
    if _signed(manifest) != data:
        raise RunError(f"{MANIFEST_FILE} is damaged")
    return manifest


def _bytes_of(path: Path, size: int | None) -> bytes:
    """A plain file of that size; of a moderate one if it is not known."""
    facts = path.lstat()
    if not stat.S_ISREG(facts.st_mode):  # before opening: opening a pipe waits for its writer
        raise RunError(f"{path.name} is no plain file")
    if facts.st_size != size and (size is not None or facts.st_size > _MOST_MANIFEST_BYTES):
        raise RunError(f"{path.name} has another size")
    return path.read_bytes()


def _described(data: bytes) -> dict[str, Any]:
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _signed(manifest: dict[str, Any]) -> bytes:
    """A manifest with its own hash in it."""

    def text(content: dict[str, Any]) -> bytes:
        return (json.dumps(content, indent=2, sort_keys=True) + "\n").encode("ascii")

    return text(manifest | {"sha256": hashlib.sha256(text(manifest)).hexdigest()})


def _json(tree: Any) -> bytes:
    return json.dumps(tree, separators=(",", ":"), allow_nan=False).encode("ascii")
