"""Where a host's folder is, and its JSON files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evolora_mesa.errors import HostError
from evolora_mesa.shipped import shipped_folder

__all__ = ["find_host", "read_json"]


def find_host(path: str | Path) -> Path:
    """The folder of a host: of a shipped one by its bare name, as given (``./petri`` is never the shipped one), or of a
    hub id.

    Raises:
        HostError: there is no such folder and no such id.
    """
    name = str(path)
    shipped = shipped_folder("models") / name
    parts = name.split("/")
    try:
        if name not in ("", "..") and Path(name).name == name and shipped.is_dir():  # ahead of a folder of that name
            return shipped
        folder = Path(path).expanduser()
        if name and folder.is_dir():
            return folder
    except (OSError, RuntimeError) as error:  # RuntimeError: the home of a user that is not there
        raise HostError("host folder cannot be read", where=path, got=str(error), do="Check --host.") from error
    if len(parts) != 2 or not all(parts) or parts[0] in (".", "..", "~"):
        raise HostError("host folder not found", where=path, do="Check --host, or leave it out to use petri.")
    return _from_hub(name)


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download

    wanted = ["*.json", "*.safetensors", "tokenizer.model"]
    try:
        return Path(snapshot_download(name, allow_patterns=wanted))
    except Exception as error:  # besides its own errors, all that the network library beneath it raises
        raise HostError(
            "host is neither a folder nor a hub model that can be had",
            where=name,
            got=f"{type(error).__name__}: {error}",
            do="Check the name, the network and HF_ENDPOINT.",
        ) from error


def read_json(path: Path, expected: str) -> dict[str, Any]:
    """The object in a JSON file, which is ``expected`` to hold something.

    Raises:
        HostError: the file cannot be read, or is anything but a JSON object.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise HostError(f"{path.name} cannot be read", where=path, got=str(error)) from error
    if not isinstance(found, dict):
        raise HostError(f"{path.name} is not a JSON object", where=path, expected=expected, got=type(found).__name__)
    return found
