"""Several changes, one drawing.

A value that many components read tells each of them by itself, and with each of them the whole page is walked: a
picture that nine components draw from would cost nine walks. Held together, all of them are drawn in one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import reacton.core
import solara

__all__ = ["Together", "use_together"]

Page = AbstractContextManager[Any]  # a render context, which draws nothing from its opening to its end


class Together:
    """The pages that show the same session."""

    def __init__(self) -> None:
        self._pages: dict[int, Page] = {}

    def join(self, page: Page) -> Callable[[], None]:
        """Have this page wait too.

        Returns:
            what ends it.
        """
        self._pages[id(page)] = page
        return lambda: self._leave(page)

    def _leave(self, page: Page) -> None:
        self._pages.pop(id(page), None)

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Whatever changes herein is drawn at the end, in one pass a page."""
        with ExitStack() as held:
            for page in tuple(self._pages.values()):
                held.enter_context(page)
            yield


def use_together(together: Together) -> None:
    """Have the page that this component is on wait for all of the changes."""
    page = reacton.core.get_render_context(required=True)
    solara.use_effect(lambda: together.join(page), [together])
