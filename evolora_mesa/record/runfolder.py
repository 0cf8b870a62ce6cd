"""The folder that a run leaves behind: settings, the store, checkpoints, and the adapters of the survivors."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from evolora_mesa.config import WorldConfig
from evolora_mesa.configfile import dump_config
from evolora_mesa.errors import RunError, one_line
from evolora_mesa.record.checkpoint import save
from evolora_mesa.record.faultpoints import reached
from evolora_mesa.record.layout import (
    CHECKPOINT_FOLDER,
    CONFIG_FILE,
    LOG_FILE,
    STORE_FILE,
)
from evolora_mesa.record.lock import RunLock
from evolora_mesa.record.recorder import Recorder
from evolora_mesa.record.results import write_results
from evolora_mesa.record.store import RunStore
from evolora_mesa.record.summary import set_aside
from evolora_mesa.record.workshop import clear_abandoned, workshop

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["RunFolder", "check_vacant", "check_writable", "default_folder"]

_LONGEST_NAME = 100  # bytes of a world's name in a folder's; file systems take 255 for the whole


class _Named(Protocol):
    """What a folder is named after."""

    @property
    def name(self) -> str: ...

    @property
    def seed(self) -> int: ...


def default_folder(config: _Named, parent: Path = Path("runs")) -> Path:
    """``runs/<name>-seed<seed>-<number>`` with the first number above all that are taken."""
    name = re.sub(r"[^\w.-]+", "-", config.name).strip(".-")
    name = name.encode("utf-8")[:_LONGEST_NAME].decode("utf-8", "ignore") or "world"
    stem = f"{name}-seed{config.seed}-"
    taken = [path.name.removeprefix(stem) for path in parent.glob("*") if path.name.startswith(stem)]
    return parent / f"{stem}{1 + max((int(number) for number in taken if number.isdecimal()), default=0)}"


def check_vacant(path: Path) -> None:
    """Refuse a folder that has content, for a run never overwrites, and one that cannot be written.

    What a run that was killed before it began left in it is no content, and is cleared away.

    Raises:
        RunError: the folder is not empty, is no folder, cannot be looked into or written.
    """
    check_writable(path)
    try:
        if path.is_dir():
            clear_abandoned(path)
        occupied = path.is_dir() and any(path.iterdir())
    except OSError as error:
        raise _cannot("look into the output folder", path, error) from error
    if occupied:
        raise RunError(
            "the output folder is not empty", where=path, do="Choose another --out; nothing was overwritten."
        )


def check_writable(folder: Path) -> None:
    """Refuse a folder that could not be made or written into; nothing is made here.

    Raises:
        RunError: something that is no folder is in the way, the right to write is missing, or the name is odd.
    """
    if not str(folder).isprintable():
        raise RunError(
            "the output folder's name cannot be printed",
            expected="letters, digits, signs and plain spaces",
            got=str(folder),
            do="Choose another --out.",
        )
    try:
        there = next(place for place in (folder, *folder.parents) if _exists(place))
        if not there.is_dir():
            kind = "a file" if there.exists() else "a link to nothing"
            what = f"the output folder is {kind}" if there == folder else f"the output folder would be below {kind}"
            raise RunError(what, where=there, do="Choose another --out; nothing was overwritten.")
        with tempfile.TemporaryFile(dir=there):  # rights alone do not tell of a read-only or a full disk
            pass
    except OSError as error:
        raise _cannot("write the output folder", folder, error) from error


class RunFolder:
    """Where one run is written: it appears whole, with its settings and an empty store, then grows by generations.

    Args:
        path: must not exist yet, or be empty.
        config: the resolved settings.
        host: fingerprint of the frozen host.
        adapters: where those of the first founders came from, if they got any.

    Attributes:
        store: everything that happens.

    Raises:
        RunError: the folder has content or cannot be written.
    """

    def __init__(
        self,
        path: str | Path,
        config: WorldConfig,
        host: Mapping[str, str] | None = None,
        *,
        adapters: Path | None = None,
    ) -> None:
        self.path, self._settings = Path(path), config.record
        check_vacant(self.path)
        in_place = self.path.is_dir()  # it may be a link, or the working folder: neither can be renamed onto
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with workshop(self.path if in_place else self.path.parent) as made:
                (made / CONFIG_FILE).write_text(dump_config(config), encoding="utf-8")
                RunStore.create(made / STORE_FILE, config, host=host, adapters=adapters).close()
                reached("folder.made")
                if in_place:
                    for file in sorted(made.iterdir()):
                        file.rename(self.path / file.name)
                else:
                    made.rename(self.path)
                reached("folder.named")
        except OSError as error:
            raise _cannot("write the output folder", self.path, error) from error
        with contextlib.ExitStack() as stack:
            stack.enter_context(RunLock(self.path))
            self.store = stack.enter_context(RunStore.open_for_append(self.path / STORE_FILE, -1))
            self._open = stack.pop_all()
        self.log(f"a run of {config.generations} generations of {config.name}, seed {config.seed}")

    @classmethod
    def reopen(cls, path: str | Path, config: WorldConfig, generation: int) -> RunFolder:
        """The folder of a run that goes on after ``generation``; what its store has later is forgotten.

        Whoever calls this holds the lock of the run.

        Args:
            config: the resolved settings, with the length that the run is to have.

        Raises:
            RunError: the store cannot be opened, or it ends before that generation.
        """
        folder = cls.__new__(cls)
        folder.path, folder._settings = Path(path), config.record
        with contextlib.ExitStack() as stack:
            folder.store = stack.enter_context(RunStore.open_for_append(folder.path / STORE_FILE, generation))
            folder.store.ask_for(config.generations)
            try:
                set_aside(folder.path)
                clear_abandoned(folder.path)
            except OSError as error:
                raise _cannot("write the output folder", folder.path, error) from error
            folder._open = stack.pop_all()
        folder.log(f"goes on after generation {generation}")
        return folder

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._open.close()
        except RunError:
            if error is None:  # what a full disk could not take fails once more here
                raise

    def attach(self, model: EcologyModel) -> None:
        """From now on every generation of ``model`` is in the store when its step returns; the founding is now.

        Raises:
            RunError: the world is not where the store is, or it cannot be written.
        """
        Recorder(self.store, self._settings).attach(model)

    def checkpoint(self, model: EcologyModel, *, due: bool = True) -> None:
        """Save the whole state of the world.

        Args:
            due: also between the generations at which a checkpoint is due. That of the founding always is: without
                one a run that is killed is lost.

        Raises:
            RunError: it cannot be written; the one before is intact.
        """
        every = self._settings.checkpoint_every
        if not due and model.tick > 0 and (every == 0 or model.tick % every):
            return
        self.store.sync()
        save(self.path / CHECKPOINT_FOLDER, model, self.store.position, keep=self._settings.keep)
        self.log(f"checkpoint of generation {model.tick}")

    def log(self, text: str) -> None:
        """A line with the time. That it cannot be written is no reason to lose a run."""
        line = f"{datetime.now(UTC).isoformat(timespec='seconds')} {one_line(text)}\n"
        with contextlib.suppress(OSError), (self.path / LOG_FILE).open("a", encoding="utf-8") as file:
            file.write(line)

    def finish(self, model: EcologyModel, summary: Mapping[str, Any]) -> None:
        """Write the phylogeny, the adapters of everyone alive, and last the summary.

        Raises:
            RunError: a file cannot be written.
            AdapterError: an adapter cannot be written.
        """
        write_results(self.path, model, summary)
        self.log("the end")


def _cannot(what: str, path: Path, error: OSError) -> RunError:
    return RunError(f"cannot {what}", where=path, got=error.strerror or str(error), do="Choose another --out.")


def _exists(path: Path) -> bool:
    """Also for a link to nothing; errors that tell more than absence pass through."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
