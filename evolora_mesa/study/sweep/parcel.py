"""A run's folder as bytes, for machines that share no disk."""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
import zlib
from pathlib import Path

from evolora_mesa.errors import RunError

__all__ = ["pack", "unpack"]

_FAST = 1  # gzip level: a store shrinks to a third, at 100 MB a second


def pack(folder: Path) -> bytes:
    """All files below ``folder``; nothing at all if there is no folder."""
    if not folder.is_dir():
        return b""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.add(path, path.relative_to(folder).as_posix(), recursive=False)
    return gzip.compress(held.getvalue(), _FAST)


def unpack(parcel: bytes, folder: Path) -> None:
    """Put a packed folder where it belongs; what was there before is replaced as a whole.

    Args:
        parcel: of `pack`; empty leaves everything as it is.

    Raises:
        RunError: the bytes are no parcel, or hold what may not leave the folder.
    """
    if not parcel:
        return
    aside = folder.with_name(f"{folder.name}.arriving")
    shutil.rmtree(aside, ignore_errors=True)  # of a supervisor that was killed here
    aside.mkdir(parents=True)
    try:
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(parcel)), mode="r") as archive:
            archive.extractall(aside, filter="data")
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise RunError(
            "a run came back damaged", where=folder, got=str(error), do="Give the same command again."
        ) from None
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)
