"""``evolora app``: what it opens with, and what it says when it cannot."""

from __future__ import annotations

import socket
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from evolora_mesa.cli import main
from evolora_mesa.cli_app import opening_of
from evolora_mesa.record.layout import STORE_FILE


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line of a command that ends with exit code 2."""
    assert main(["app", "--no-open", *arguments]) == 2
    line = capsys.readouterr().err
    assert line.startswith("error: ")
    assert line.count("\n") == 1
    return line


def test_a_name_and_a_file_are_worlds_and_a_folder_is_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.yaml").write_text("extends: smoke\nseed: 5\n")
    run = tmp_path / "all" / "first"
    run.mkdir(parents=True)
    (run / STORE_FILE).touch()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "smoke").mkdir()
    assert opening_of("smoke").config.name == "smoke"
    assert opening_of("mine.yaml").config.seed == 5
    opening = opening_of("all/first")
    assert (opening.run, opening.runs_folder) == ("first", run.parent)


@pytest.mark.parametrize("what", ["nowhere", "nowhere.yaml", "", "empty"])
def test_what_is_neither_world_nor_run_is_told_in_one_line(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert repr(what) in refused(capsys, what) or what == "empty"


def test_a_port_that_is_taken_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = refused(capsys, "smoke", "--port", str(port))
    assert f"cannot listen on port {port}" in line
    assert "--port" in line


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--token", "x" * 20], "--allow-remote"),
        (["--allow-remote", "--token", "short"], "at least 16"),
        (["--allow-remote", "--token", "sixteen letters; and more"], "letters, digits"),
        (["--port", "70000"], "65535"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told in refused(capsys, "smoke", *arguments)


def test_without_the_extra_it_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", version)
    line = refused(capsys, "smoke", "--port", "0")
    assert "solara is not installed" in line
    assert "pip install 'evolora-mesa[app]'" in line


def test_packages_that_would_leave_the_page_blank_are_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = pytest.importorskip("solara.server.settings")
    monkeypatch.setattr("evolora_mesa.view.server._load_ahead", lambda opening: None)
    monkeypatch.setattr("evolora_mesa.view.server._make_room", lambda: None)
    monkeypatch.setattr(settings.assets, "proxy_cache_dir", tmp_path)
    assert "solara-assets does not fit" in refused(capsys, "smoke", "--port", "0")
    monkeypatch.setattr("importlib.metadata.version", lambda name: "3.1.0")
    assert "ipyvuetify does not fit" in refused(capsys, "smoke", "--port", "0")
