"""``evolora app``: the world in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evolora_mesa.errors import ConfigError, RunError

if TYPE_CHECKING:
    from evolora_mesa.view.opening import Opening

__all__ = ["app", "opening_of"]

_LEAST_TOKEN = 16  # characters


def app(
    what: Annotated[
        str,
        typer.Argument(metavar="CONFIG|RUN", help="A shipped world, a YAML file, or the folder of a run."),
    ] = "ecology",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0 takes a free port.")] = 8765,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open the browser.")] = False,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Listen to other machines too; they need the token.")
    ] = False,
    token: Annotated[
        str | None, typer.Option(help="For --allow-remote; made up and printed if left out.", show_default=False)
    ] = None,
) -> None:
    """Watch a world in the browser: play, step, inspect, talk."""
    opening = opening_of(what)
    if token is not None and not allow_remote:
        raise ConfigError("nobody needs a token on this machine", where="--token", do="Add --allow-remote.")
    if token is not None and (len(token) < _LEAST_TOKEN or not _is_plain(token)):
        expected = f"at least {_LEAST_TOKEN} letters, digits, - and _"
        raise ConfigError("not a token that keeps anybody out", where="--token", expected=expected)
    from evolora_mesa.view.server import serve

    serve(opening, port=port, remote=allow_remote, token=token, open_browser=not no_open)


def _is_plain(token: str) -> bool:
    """It stands in addresses and cookies as it is."""
    return token.isascii() and token.replace("-", "").replace("_", "").isalnum()


def opening_of(what: str) -> Opening:
    """What to open with: the name of a shipped world is that world, a folder is a run, all else a world's file.

    Raises:
        ConfigError: no such world, or something is wrong with it.
        RunError: a folder that holds no run.
    """
    from evolora_mesa.alife.runs import is_classic
    from evolora_mesa.configfile import load_config, shipped_configs
    from evolora_mesa.record.layout import STORE_FILE
    from evolora_mesa.view.opening import Opening

    folder = Path(what)
    if what in shipped_configs() or not what.strip() or not folder.is_dir():
        return Opening(config=load_config(what))
    if not (folder / STORE_FILE).is_file() and not is_classic(folder):
        raise RunError("not the folder of a run", where=folder, expected=f"one that has a {STORE_FILE}")
    place = folder.resolve()
    return Opening(run=place.name, runs_folder=place.parent)
