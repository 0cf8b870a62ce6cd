"""A run of an older version of the program, which had fewer settings, is told from one whose settings were changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from evolora_mesa.cli import main
from evolora_mesa.record import checkpoint
from evolora_mesa.record.given import given_settings
from evolora_mesa.record.layout import CHECKPOINT_FOLDER, CONFIG_FILE, MANIFEST_FILE, STORE_FILE
from evolora_mesa.record.store import RunStore, config_hash, settings_hash
from evolora_mesa.strictyaml import dump_yaml, parse_yaml

_KNEW_LESS = "begun by an older version of the program, which did not know seasons, economy.ticket: the defaults hold"


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run as a version would have left it that had neither seasons nor tickets."""
    run = tmp_path_factory.mktemp("runs") / "run"
    given = ["host.tune_cpu=false", "record.checkpoint_every=2", "economy.ticket=1.0", "population.episodes=2"]
    options = [part for setting in given for part in ("--set", setting)]
    assert main(["run", "smoke", "--generations", "2", "--quiet", "--out", str(run), *options]) == 0
    tree = parse_yaml((run / CONFIG_FILE).read_text(encoding="utf-8"), CONFIG_FILE)[0]
    del tree["seasons"], tree["economy"]["ticket"]
    (run / CONFIG_FILE).write_text(dump_yaml(tree), encoding="utf-8")
    with RunStore.open_for_append(run / STORE_FILE, 2) as store:
        for key, value in (("config", dump_yaml(tree)), ("config_hash", settings_hash(tree))):
            store._connection.execute("UPDATE meta SET value = ? WHERE key = ?", (value, key))
    for path in (run / CHECKPOINT_FOLDER).glob(f"*/{MANIFEST_FILE}"):
        manifest = json.loads(path.read_text(encoding="ascii")) | {"config_hash": settings_hash(tree)}
        del manifest["sha256"]
        path.write_bytes(checkpoint._signed(manifest))
    return run


@pytest.fixture
def run(older: Path, tmp_path: Path) -> Path:
    """A copy to go on with."""
    return Path(shutil.copytree(older, tmp_path / "run"))


def facts_of(run: Path) -> dict[str, str]:
    with RunStore.open(run / STORE_FILE) as store:
        return store.meta


def change(run: Path) -> None:
    """A value in the file, by hand."""
    path = run / CONFIG_FILE
    text = path.read_text(encoding="utf-8")
    assert "inflow: " in text
    path.write_text(text.replace("inflow: ", "inflow: 1"), encoding="utf-8")


def test_it_is_sound_and_what_it_did_not_know_is_said(older: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(older)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == _KNEW_LESS and told[-1].startswith("ok: generation 2, finished")


def test_a_file_that_was_changed_is_still_found(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(run)
    assert main(["verify", str(run)]) == 1
    assert f"{CONFIG_FILE} has other settings" in capsys.readouterr().out
    assert main(["resume", str(run), "--generations", "3"]) == 2
    assert "the settings are not those that the run began with" in capsys.readouterr().err


def test_it_goes_on_and_says_that_it_may_come_out_otherwise(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for generations in (3, 4):  # the second time from a checkpoint of this version
        assert main(["resume", str(run), "--generations", str(generations), "--quiet"]) == 0
        told = capsys.readouterr()
        assert told.err == f"{_KNEW_LESS}; what follows is no longer sure to be bit-identical\n"
        assert told.out.startswith(f"{generations} generations, 1 of them now,")
    assert main(["verify", str(run)]) == 0
    assert (run / CHECKPOINT_FOLDER / "gen-000004").is_dir()


def test_comments_and_an_order_of_its_own_change_no_settings(run: Path) -> None:
    path = run / CONFIG_FILE
    config = given_settings(run, facts_of(run)).config
    path.write_text(f"# mine\n{dump_yaml(config.model_dump(mode='json'))}", encoding="utf-8")
    given = given_settings(run, {"config_hash": config_hash(config)})
    assert (given.config, given.older) == (config, "")
