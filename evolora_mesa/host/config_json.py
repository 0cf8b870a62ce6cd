"""The settings of a host's ``config.json``, each checked when it is asked for."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from evolora_mesa.errors import HostError

__all__ = ["REQUIRED", "Settings"]

REQUIRED: Final[Any] = object()  # the default of a setting that has none
_MOST: Final = 2**63 - 1
_INFINITE: Final = 1e300  # JSON has whole numbers beyond the largest float

T = TypeVar("T")


class Settings:
    """The object of a config, or a part of it. A setting that is ``null`` counts as left out.

    All methods raise `HostError` for a setting that is missing though required, or not what it should be.

    Args:
        values: by name.
        section: of the config, for messages; empty for the whole.
    """

    def __init__(self, values: dict[str, Any], section: str = "") -> None:
        self._values, self._section = values, section

    def has(self, name: str) -> bool:
        """Whether a setting is there and not ``null``."""
        return self._values.get(name) is not None

    def whole(self, name: str, default: T = REQUIRED, *, least: int = 1, most: int = _MOST) -> int | T:
        """A whole number in ``[least, most]``."""
        value = self._get(name, default)
        if value is default or (type(value) is int and least <= value <= most):  # True is an int too
            return value
        bound = f"at least {least}" if most == _MOST else f"in {least} to {most}"
        raise self._wrong(name, f"a whole number {bound}")

    def real(self, name: str, default: T = REQUIRED, *, above: float = 0.0) -> float | T:
        """A finite number above a bound."""
        value = self._get(name, default)
        if value is default:
            return value
        if type(value) in (int, float) and above < value < _INFINITE:
            return float(value)
        raise self._wrong(name, f"a finite number above {above:g}")

    def flag(self, name: str, default: bool) -> bool:
        """True or False."""
        return self._typed(name, bool, default, "true or false")

    def word(self, name: str, default: str) -> str:
        """A text."""
        return self._typed(name, str, default, "a text")

    def words(self, name: str) -> tuple[str, ...] | None:
        """A list of texts; `None` when left out or empty."""
        value = self._get(name, None)
        if not value:
            return None
        if isinstance(value, list) and all(isinstance(word, str) for word in value):
            return tuple(value)
        raise self._wrong(name, "a list of texts")

    def section(self, name: str) -> Settings | None:
        """A part of the config that is an object itself; `None` when left out or empty."""
        value = self._typed(name, dict, None, "an object")
        return Settings(value, f"{self._section}{name}.") if value else None

    def _get(self, name: str, default: Any) -> Any:
        value = self._values.get(name)
        if value is None and default is REQUIRED:
            raise HostError("setting missing", where=f"config.json, {self._section}{name}", do="Complete config.json.")
        return default if value is None else value

    def _typed(self, name: str, kind: type, default: Any, expected: str) -> Any:
        value = self._get(name, default)
        if value is not default and not isinstance(value, kind):
            raise self._wrong(name, expected)
        return value

    def _wrong(self, name: str, expected: str) -> HostError:
        return HostError(
            "setting is not usable",
            where=f"config.json, {self._section}{name}",
            expected=expected,
            got=self._values[name],
        )
