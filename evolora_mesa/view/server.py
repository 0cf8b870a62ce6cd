"""The server of the app: Solara's own, on this machine only, behind a guard, and it asks nobody for anything."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.metadata
import logging
import os
import secrets
import socket
import sys
import threading
import webbrowser
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NoReturn

from evolora_mesa.errors import ConfigError, EvoloraError, RunError
from evolora_mesa.record.interrupt import Killed, exit_code, leaving_at_once
from evolora_mesa.view.opening import Opening

if TYPE_CHECKING:
    import uvicorn
    from starlette.applications import Starlette

__all__ = ["application", "check_assets", "check_installed", "listening_socket", "serve"]

_LOOPBACK, _EVERYWHERE = "127.0.0.1", "0.0.0.0"
_APP: Final = "evolora_mesa.view.app"
_NEEDED: Final = ("solara", "solara-server", "solara-assets", "ipyvuetify", "uvicorn")
_INSTALL: Final = "Install it: pip install 'evolora-mesa[app]'."
_CDN: Final = "/_solara/cdn"  # where pages look for the files of solara-assets
_BUNDLE: Final = "@widgetti/solara-vuetify-app@10.1.1"  # the first of them that a page asks for
# A tab that is closed says so. This is for those that cannot: a lost connection, a browser that was ended.
_LOST_TAB: Final = "60s"
_LONGEST_SILENCE: Final = 60.0  # seconds; a browser on a busy machine is slow to answer, and not gone
_MOST_SOCKETS: Final = 256  # each is served by a thread; what comes beyond them waits
_MOST_BACKLOG: Final = 256
_FILES_PER_SOCKET: Final = 8  # its own, and those of the loop that its thread runs
_M_ARENA_MAX, _ARENAS = -8, 2


def serve(
    opening: Opening,
    *,
    port: int,
    remote: bool = False,
    token: str | None = None,
    open_browser: bool = True,
) -> None:
    """Serve the app until the process is told to end.

    Args:
        opening: what a new tab opens with.
        port: 0 takes a free one.
        remote: listen to other machines too; they need the token.
        token: by default one is made up, and printed.

    Raises:
        ConfigError: the extra ``app`` is not installed as it has to be.
        RunError: the port is taken.
    """
    with (
        listening_socket(_EVERYWHERE if remote else _LOOPBACK, port) as listening,
        _warnings_held_back() as warned,
    ):
        port = listening.getsockname()[1]
        token = (token or secrets.token_urlsafe(24)) if remote else None
        with leaving_at_once():
            server = _server(opening, port, token)
        address = f"http://{socket.gethostname() if remote else _LOOPBACK}:{port}/"
        page = "runs" if opening.run else ""
        shown = address + page + (f"?token={token}" if token else "")
        print(f"The app is at {shown}  (Ctrl-C ends it)", flush=True)
        warned.show()
        if open_browser:
            threading.Thread(target=webbrowser.open, args=(shown,), name="browser", daemon=True).start()
        try:
            server.run([listening])
        except KeyboardInterrupt as told:
            _leave(told)


def _leave(told: KeyboardInterrupt) -> NoReturn:
    """End the process on the spot: worlds that play would make it abort while Python is taken apart around them."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code(told.args[0] if isinstance(told, Killed) else "SIGINT"))


class _Warned(logging.StreamHandler[Any]):
    """Keeps warnings back until they are to be shown."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[logging.LogRecord] | None = []
        # Solara's, of cookies for other sites than this; ours are for this one alone.
        self.addFilter(lambda record: "samesite=none" not in record.getMessage())

    def emit(self, record: logging.LogRecord) -> None:
        if self._kept is None:
            super().emit(record)
        else:
            self._kept.append(record)

    def show(self) -> None:
        """What was kept back, and from now on every warning as it comes."""
        with self.lock or contextlib.nullcontext():
            kept, self._kept = self._kept or [], None
            for record in kept:
                super().emit(record)


@contextlib.contextmanager
def _warnings_held_back() -> Iterator[_Warned]:
    """Libraries that load in two threads undo each other's filters, and the first line belongs to the address."""
    logger, warned = logging.getLogger("py.warnings"), _Warned()
    logger.addHandler(warned)
    logging.captureWarnings(True)
    try:
        yield warned
    finally:
        logging.captureWarnings(False)
        logger.removeHandler(warned)


def _server(opening: Opening, port: int, token: str | None) -> uvicorn.Server:
    """All that takes seconds to load, loaded.

    Raises:
        ConfigError: the extra ``app`` is not installed as it has to be.
    """
    check_installed()
    _make_room()
    _load_ahead(opening)
    check_assets()
    import uvicorn

    config = uvicorn.Config(
        application(opening, port=port, token=token),
        log_level="warning",
        access_log=False,
        loop="asyncio",
        ws_per_message_deflate=False,  # packing pictures would cost the world more than sending them
        ws_ping_timeout=_LONGEST_SILENCE,
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that is bound before anything slow is loaded, so that a taken port is told at once.

    Raises:
        RunError: the port is taken, or not ours to take.
    """
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere it would share the port with whoever has it
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(_MOST_BACKLOG)
    except OSError as error:
        found.close()
        raise RunError(
            f"cannot listen on port {port}",
            where=host,
            got=error.strerror,
            do="Choose another --port; 0 takes a free one.",
        ) from error
    return found


def check_installed() -> None:
    """Refuse to start where there is nothing to start, or the page would stay blank.

    Raises:
        ConfigError: a package of the extra ``app`` is missing, or is one that Mesa's and our pages cannot work with.
    """
    for name in _NEEDED:
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError as error:
            raise ConfigError(f"{name} is not installed", where="evolora app", do=_INSTALL) from error
        if name == "ipyvuetify" and int(found.partition(".")[0]) > 1:
            raise ConfigError("ipyvuetify does not fit", where="evolora app", expected="1.x", got=found, do=_INSTALL)


def check_assets() -> None:
    """Refuse to start where the page would ask for files that are not there.

    Raises:
        ConfigError: solara-assets has other versions of them.
    """
    import solara.server.settings

    folder = solara.server.settings.assets.proxy_cache_dir
    if not (folder / _BUNDLE).is_dir():
        raise ConfigError(
            "solara-assets does not fit this solara",
            where=folder,
            expected=_BUNDLE.rpartition("/")[2],
            do=_INSTALL,
        )


def application(opening: Opening, *, port: int, token: str | None = None) -> Starlette:
    """The guarded app.

    Args:
        opening: what a new tab opens with.
        port: that pages name it by.
        token: for strangers; `None` keeps them out.
    """
    import solara.server.app
    import solara.server.starlette as solara_starlette
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.routing import Mount
    from starlette.staticfiles import StaticFiles

    from evolora_mesa.view import app
    from evolora_mesa.view.guard import Guard

    _settle(solara.server.settings)
    app.opening = opening
    solara.server.app.apps["__default__"] = solara.server.app.AppScript(_APP)
    # Solara's own route for these fetches what it lacks from the network; ours is before it and has what there is.
    assets = Mount(_CDN, app=StaticFiles(directory=solara.server.settings.assets.proxy_cache_dir))
    return Starlette(
        routes=[assets, *solara_starlette.routes],
        lifespan=solara_starlette.lifespan,
        middleware=[Middleware(Guard, port=port, token=token)],
    )


def _settle(settings: Any) -> None:
    """Solara as an app of this machine."""
    from evolora_mesa.view.app import stay_quiet

    stay_quiet()
    os.environ.setdefault("REACTON_FAST", "1")  # walks past what did not change: a drawing costs a third
    settings.main.mode = "production"
    settings.kernel.cull_timeout = _LOST_TAB
    settings.kernel.max_count = _MOST_SOCKETS
    settings.theme.title = "Evolora-Mesa"
    settings.theme.loader = "plain"
    settings.theme.show_banner = False


def _make_room() -> None:
    """Many threads and sockets in one process, where the system can be told.

    glibc gives every thread an arena of its own, up to eight a core, and each keeps what its world took at its peak:
    after ten resets of `ecology` on two cores that was 1,070 MiB, and is 680 with two arenas for all.
    """
    with contextlib.suppress(ImportError, ValueError, OSError):  # not on Windows; not above the hard limit
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _FILES_PER_SOCKET * _MOST_SOCKETS
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < soft:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with contextlib.suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)


def _load_ahead(opening: Opening) -> None:
    """Load what worlds are made of beside what pages are made of: both take seconds, and wait for the disk."""

    def load() -> None:
        from evolora_mesa.configfile import load_config
        from evolora_mesa.view.hosts import shared_host

        try:
            shared_host(load_config(opening.config))
        except EvoloraError:
            return  # the world says it, on its page

    threading.Thread(target=load, name="load ahead", daemon=True).start()
