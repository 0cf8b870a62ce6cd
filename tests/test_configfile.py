"""Files that lead to other files, odd ones among them: one line says which and why."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from evolora_mesa.configfile import load_config
from evolora_mesa.errors import ConfigError


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def chain(length: int) -> str:
    """So many files, each of which extends the next; the last one extends a shipped config, which is a file too."""
    for number in range(length):
        base = f"{number + 1}.yaml" if number + 1 < length else "ecology"
        Path(f"{number}.yaml").write_text(f"extends: {base}\n", encoding="utf-8")
    return "0.yaml"


def test_a_short_chain_is_followed_and_a_long_one_refused() -> None:
    assert load_config(chain(16)) == load_config("ecology")
    for length in (17, 1200):
        with pytest.raises(ConfigError, match=r"too many configs extend each other \(16\.yaml:1\).*at most 16 files"):
            load_config(chain(length))


@pytest.mark.parametrize("name", ["folder.yaml", "./folder.yaml", "/dev/null", "./"])
def test_what_is_there_but_no_file_is_told_from_what_is_missing(name: str) -> None:
    Path("folder.yaml").mkdir()
    with pytest.raises(ConfigError, match="expected a plain file, and this is a folder or a device"):
        load_config(name)
    Path("mine.yaml").write_text(f"extends: {name}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"\(mine\.yaml:1\): expected a plain file"):
        load_config("mine.yaml")


def test_a_name_that_is_too_long_is_cut_and_the_reason_is_not() -> None:
    with pytest.raises(ConfigError, match=r"cannot open config 'x{80}…': got 'File name too long'"):
        load_config("x" * 5000 + ".yaml")


def test_a_file_that_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*arguments: Any, **options: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    Path("mine.yaml").write_text("extends: ecology\n", encoding="utf-8")
    monkeypatch.setattr(Path, "open", locked)
    with pytest.raises(ConfigError, match=r"cannot read config \(mine\.yaml\): got 'Permission denied'"):
        load_config("mine.yaml")


def test_a_base_that_is_no_name_is_shown_once() -> None:
    Path("mine.yaml").write_text("extends: 3\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"got 3$"):
        load_config("mine.yaml")


@pytest.mark.parametrize("overrides", [3, None, {"seed"}])
def test_overrides_of_another_kind_are_refused(overrides: Any) -> None:
    with pytest.raises(ConfigError, match="not overrides"):
        load_config("ecology", overrides)


def test_a_list_that_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ConfigError, match="nested too deep"):
        load_config("ecology", {"tasks.families": endless})


def test_the_longest_text_is_told() -> None:
    with pytest.raises(ConfigError, match="line of text of up to 100 characters"):
        load_config("ecology", {"name": "x" * 101})


def test_an_impossible_escape_is_told_in_plain_words() -> None:
    Path("mine.yaml").write_text('name: "\\U99999999"\n', encoding="utf-8")
    with pytest.raises(ConfigError, match="a number in an escape or a directive is too large"):
        load_config("mine.yaml")
