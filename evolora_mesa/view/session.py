"""A session: what one browser tab has. A world on its stage, what is looked at, and what the next world will be."""

from __future__ import annotations

import operator
import threading
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import solara

from evolora_mesa.config import WorldConfig
from evolora_mesa.configfile import load_config, shipped_configs
from evolora_mesa.errors import EvoloraError
from evolora_mesa.view.parameters import Value
from evolora_mesa.view.stage import Stage, Status
from evolora_mesa.view.together import Together

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel
    from evolora_mesa.view.picture import Picture

    WorldStage = Stage[EcologyModel, Picture]

__all__ = ["Session"]

_REDRAWS = 12.0  # per second, at most: each takes a twentieth of a second of a core in the browser
# A browser that draws slower than the world lives would pile pictures up, lag behind for a minute, and lose its
# connection. So it gets the next one when it has drawn the last but one: the one after is on its way meanwhile. A
# hidden page draws nothing: it is waited for so long and no longer.
_ON_THE_WAY = 2  # pictures, at most
_LONGEST_BLINK = 5.0  # seconds
_LONGEST_FAREWELL = (
    5.0  # seconds that a new world waits for the end of one that was given up, so that there are two at most
)


class Session:
    """The state of one tab; its fields are reactive, so whoever reads one while drawing is redrawn when it changes.

    Args:
        config: a shipped name, a YAML file, or settings: of the first world.
        model: a world to show instead, which stays its owner's.
        runs_folder: where the Runs page looks.
        sweeps_folder: where the Sweeps page looks.
        run: name of the run that the Runs page opens with.

    Raises:
        ConfigError: the config cannot be read.

    Attributes:
        stage: the world that is shown. Not for drawing from: `picture` is.
        picture: the latest picture of it; `None` while the first world loads.
        status: what that world is doing.
        shown: pictures given so far, by which the browser says what it has drawn.
        coming: the next world is being made.
        message: why something that was asked for did not happen, in one line; empty if it did.
        chosen: the organelle that is looked at, by its unique id.
        dark: dark colours.
        config: settings of the world that is shown.
        base: name of the config that the next world starts from.
        changes: settings over it, by dotted name.
        pace: most generations per second; `None` without limit.
        together: the pages that draw from here, so that a picture is drawn in one pass.
    """

    def __init__(
        self,
        config: str | Path | WorldConfig = "ecology",
        *,
        model: EcologyModel | None = None,
        runs_folder: Path = Path("runs"),
        sweeps_folder: Path = Path("sweeps"),
        run: str | None = None,
    ) -> None:
        self.runs_folder, self.sweeps_folder, self.run = runs_folder, sweeps_folder, run
        settings = model.config if model is not None else load_config(config)
        self.given = settings  # a preset by its name, whether it ships or not
        self._host = model.host if model is not None else None
        self._lock, self._looking = threading.Lock(), threading.Lock()
        self._next: tuple[WorldStage, WorldConfig] | None = None  # that is being made
        self._leaving: weakref.ref[WorldStage] | None = None  # given up last; alive while its thread is
        self._over = False  # the tab is gone
        self.shown, self._seen, self._drawn = 0, 0, threading.Condition()
        self.together = Together()
        self._watched = False  # somebody says what is drawn
        stage = _stage_of(settings) if model is None else _stage_with(model)
        self.stage: solara.Reactive[WorldStage] = solara.Reactive(stage, equals=operator.is_)
        self.picture: solara.Reactive[Picture | None] = solara.Reactive(None, equals=operator.is_)
        self.status: solara.Reactive[Status] = solara.Reactive("loading")
        self.coming = solara.Reactive(False)
        self.message = solara.Reactive("")
        self.chosen: solara.Reactive[int | None] = solara.Reactive(None)
        self.dark = solara.Reactive(False)
        self.config = solara.Reactive(settings, equals=operator.is_)
        self.base = solara.Reactive(settings.name)
        self.changes: solara.Reactive[Mapping[str, Value]] = solara.Reactive({})
        self.pace: solara.Reactive[float | None] = solara.Reactive(None)
        self._watch(stage)

    # ------------------------------------------------------------------ the next world

    def reset(self) -> None:
        """Found a new world of `base` and `changes`; the old one stays until the new one is there."""
        try:
            config = load_config(load_config(self.preset()), self.changes.peek())
        except EvoloraError as error:
            self.message.value = str(error)
            return
        self.message.value, self.coming.value = "", True
        self.stage.peek().pause()
        with self._lock:
            before = self._next
            after = self._leaving if before is None else weakref.ref(before[0])
            stage = _stage_of(config, pace=self.pace.peek(), after=after)
            self._next = stage, config
        if before is not None:
            before[0].close()
        self._watch(stage)

    def preset(self) -> str | WorldConfig:
        """What the next world starts from, for `load_config`."""
        return self.given if self.base.peek() == self.given.name else self.base.peek()

    def presets(self) -> tuple[str, ...]:
        """Names of what the next world may start from: what was given, and what ships."""
        return tuple(dict.fromkeys((self.given.name, *shipped_configs())))

    def start_from(self, name: str) -> None:
        """Take another preset; changes were made to the one before, so they go with it.

        The name comes from a browser, so anything else is ignored: it might be the path of any file.
        """
        if name in self.presets():
            self.base.value, self.changes.value = name, {}

    def change(self, name: str, value: Value, usual: Value) -> None:
        """Set a setting of the next world; one that is as usual in the preset is no change."""
        others = {other: given for other, given in self.changes.peek().items() if other != name}
        self.changes.value = others if value == usual else {**others, name: value}

    def press(self, key: str) -> None:
        """Keys of the page: ``space`` plays and pauses, ``right`` lives one generation."""
        stage = self.stage.peek()
        if self.coming.peek() or stage.status not in ("playing", "paused"):
            return  # as the buttons, which are off then
        if key == "right":
            stage.step()
        elif stage.status == "playing":
            stage.pause()
        else:
            stage.play()

    def set_pace(self, pace: float | None) -> None:
        """Most generations per second from now on; `None` is as many as there can be."""
        self.pace.value = self.stage.peek().pace = pace

    def saw(self, shown: int) -> None:
        """The browser has drawn so many pictures, those included that it skipped."""
        if type(shown) is not int:
            return  # it comes from a browser
        with self._drawn:
            self._watched, self._seen = not self._over, max(self._seen, min(shown, self.shown))
            self._drawn.notify_all()

    def close(self) -> None:
        """The tab is gone: its worlds end."""
        with self._drawn:
            self._watched = False
            self._drawn.notify_all()
        with self._lock:
            self._over, coming, self._next = True, self._next, None
        if coming is not None:
            coming[0].close()
        self.stage.peek().close()

    # ------------------------------------------------------------------ listening

    def _watch(self, stage: WorldStage) -> None:
        stage.listen(lambda: self._look(stage), _REDRAWS)

    def _look(self, stage: WorldStage) -> None:
        """A stage has changed: show it as soon as the browser has drawn nearly all that was shown."""
        end = time.monotonic() + _LONGEST_BLINK
        with self._drawn:
            # News may not wait, those included that come meanwhile; of them only the stage knows.
            while stage.status == self.status.peek() and not self._keeps_up() and time.monotonic() < end:
                self._drawn.wait(1.0 / _REDRAWS)
        # Else the old stage, late, would have its last word after the new one's first.
        with self._looking, self.together():
            self._show(stage)

    def _keeps_up(self) -> bool:
        return not self._watched or self.shown - self._seen < _ON_THE_WAY

    def _show(self, stage: WorldStage) -> None:
        """Redraw what changed on a stage, or exchange the one that is shown for it."""
        status = stage.status
        if status == "loading" or (stage.closed and status != "failed"):
            return
        with self._lock:
            coming, config = self._next or (None, None)
            if coming is stage:
                self._next = None
        if coming is stage and config is not None:
            self.coming.value = False
            if status == "failed":
                self.message.value = stage.message
                return
            self._leaving = weakref.ref(self.stage.peek())
            self.stage.peek().close()
            self.config.value, self.chosen.value, self.stage.value = config, None, stage
            if self._over:  # the tab went while worlds were exchanged, and closed the old one
                stage.close()
                return
        elif stage is not self.stage.peek():
            return
        picture = stage.picture
        if picture is not None and picture is not self.picture.peek():
            self.shown += 1
            self.picture.value = picture
        self.status.value = status


def _stage_of(
    config: WorldConfig, *, pace: float | None = None, after: weakref.ref[WorldStage] | None = None
) -> WorldStage:
    """The stage of a new world; its host is shared with every other world of this process that has the same one.

    Args:
        after: a closed stage, which ends first.
    """

    def make() -> EcologyModel:
        if after is not None and (last := after()) is not None:
            last.join(_LONGEST_FAREWELL)
            del last
        from evolora_mesa.model import EcologyModel
        from evolora_mesa.view.hosts import shared_host

        return EcologyModel(config, host=shared_host(config))

    return Stage(make, _take, pace=pace)


def _stage_with(model: EcologyModel) -> WorldStage:
    return Stage(lambda: model, _take, lent=True)


def _take(model: EcologyModel, before: Picture | None) -> Picture:
    from evolora_mesa.view.picture import take_picture

    return take_picture(model, before)
