"""What other programs get from a run: a verdict, tables, and a view of it while it is written."""

from __future__ import annotations

import csv
import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from processes import PATIENCE, environment

from evolora_mesa.cli import main
from evolora_mesa.record.export import EXPORTED
from evolora_mesa.record.store import RunStore


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    arguments = ["run", "smoke", "--generations", "6", "--quiet", "--out", str(folder)]
    assert main([*arguments, "--set", "host.tune_cpu=false", "--set", "record.checkpoint_every=4"]) == 0
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy to do harm to."""
    import shutil

    return Path(shutil.copytree(finished, tmp_path / "run"))


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    capsys.readouterr()
    assert main(arguments) == code
    return capsys.readouterr().out


# ---------------------------------------------------------------- verify


def test_a_finished_run_is_sound(capsys: pytest.CaptureFixture[str], finished: Path) -> None:
    before = sorted(path.name for path in finished.iterdir())
    text = told(capsys, "verify", str(finished))
    found = json.loads(told(capsys, "verify", str(finished), "--json"))
    summary = json.loads((finished / "summary.json").read_text(encoding="utf-8"))
    assert (found["ok"], found["findings"], found["generation"], found["finished"]) == (True, [], 6, True)
    assert found["digest"] == summary["digest"] and text.startswith("ok: ") and found["digest"] in text
    assert sorted(path.name for path in finished.iterdir()) == before  # reading leaves nothing behind


def change(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as store:
        store.execute(statement)


def test_a_changed_store_is_told_by_the_name_of_the_invariant(capsys: pytest.CaptureFixture[str], run: Path) -> None:
    change(run / "run.sqlite", "UPDATE episodes SET answer = 'better' WHERE generation = 3 AND row = 0")
    text = told(capsys, "verify", str(run), code=1)
    assert text.startswith("broken: the digest chain is intact (generation 3): ")
    assert json.loads(told(capsys, "verify", str(run), "--json", code=1))["ok"] is False


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("config.yaml", "config.yaml"),
        ("phylogeny.csv", "phylogeny.csv"),
        ("checkpoint/gen-000004/state.json", "checkpoint/gen-000004"),
        ("checkpoint/gen-000006/tensors.safetensors", "checkpoint/gen-000006"),
        ("checkpoint/gen-000006/manifest.json", "checkpoint/gen-000006"),
    ],
)
def test_a_damaged_file_is_named(capsys: pytest.CaptureFixture[str], run: Path, file: str, expected: str) -> None:
    data = bytearray((run / file).read_bytes())
    data[len(data) // 2] ^= 1
    (run / file).write_bytes(data)
    text = told(capsys, "verify", str(run), code=1)
    assert text.count("broken: ") == 2 and f"files agree with the store: {expected}" in text


@pytest.mark.parametrize("name", ["digest", "generations", "totals", "last"])
def test_a_summary_that_says_something_else_is_named(capsys: pytest.CaptureFixture[str], run: Path, name: str) -> None:
    summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    told_there = summary[name]
    if isinstance(told_there, dict):
        told_there["episodes"] += 1
    else:
        summary[name] = "0"
    (run / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    assert f"summary.json: {name} is not as in the store" in told(capsys, "verify", str(run), code=1)


def test_a_checkpoint_of_another_past_is_named(capsys: pytest.CaptureFixture[str], run: Path) -> None:
    RunStore.open_for_append(run / "run.sqlite", 5).close()
    (run / "summary.json").unlink()
    assert "checkpoint/gen-000006: the store does not reach it" in told(capsys, "verify", str(run), code=1)


@pytest.mark.parametrize("command", [["verify"], ["export"], ["watch", "--once"]])
def test_what_is_no_run_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: list[str]
) -> None:
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "run.sqlite").write_text("no store " * 1000, encoding="utf-8")
    for folder in (tmp_path / "text", tmp_path / "nothing", tmp_path):
        assert main([command[0], str(folder), *command[1:]]) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.startswith("error: ") and err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["run.sqlite", "text"]


# ---------------------------------------------------------------- export


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_an_export_has_every_row(capsys: pytest.CaptureFixture[str], finished: Path, tmp_path: Path, form: str) -> None:
    if form == "parquet":
        pytest.importorskip("pyarrow")
    told(capsys, "export", str(finished), "--format", form, "--out", str(tmp_path / "out"))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(f"{name}.{form}" for name in EXPORTED)
    with RunStore.open(finished / "run.sqlite") as store:
        for name in EXPORTED:
            expected = [dict(zip(store.columns(name), row, strict=True)) for row in store.table(name)]
            found = read(tmp_path / "out" / f"{name}.{form}")
            if form == "csv":
                expected = [
                    {key: "" if value is None else str(value) for key, value in row.items()} for row in expected
                ]
            if form == "jsonl" and name == "events":
                expected = [{**row, "data": json.loads(row["data"])} for row in expected]
            assert found == expected


def read(path: Path) -> list[dict[str, object]]:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    from pyarrow import parquet

    return parquet.read_table(path).to_pylist()


def test_single_tables_go_where_they_are_wanted(capsys: pytest.CaptureFixture[str], run: Path) -> None:
    out = told(capsys, "export", str(run), "--table", "gates", "--table", "generations")
    assert out.splitlines()[1] == f"{run / 'export' / 'generations.csv'}  7 rows"
    assert sorted(path.name for path in (run / "export").iterdir()) == ["gates.csv", "generations.csv"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--table", "episode"], "no such table"),
        (["--format", "xlsx"], "no such format"),
        (["--out", "full"], "not empty"),
        (["--out", "file"], "cannot write the export"),
    ],
)
def test_an_export_that_cannot_be_is_refused_and_leaves_nothing(
    capsys: pytest.CaptureFixture[str], run: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(run.parent)
    Path("full").mkdir()
    Path("full/mine.txt").write_text("mine", encoding="utf-8")
    Path("file").touch()
    assert main(["export", str(run), *arguments]) == 2
    assert told in capsys.readouterr().err
    assert not (run / "export").exists()
    assert sorted(path.name for path in Path().iterdir()) == ["file", "full", "run"]
    assert [path.name for path in Path("full").iterdir()] == ["mine.txt"]


def test_an_export_without_pyarrow_is_refused_before_anything_is_made(
    capsys: pytest.CaptureFixture[str], run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    assert main(["export", str(run), "--format", "parquet"]) == 2
    assert "Parquet needs pyarrow" in capsys.readouterr().err
    assert not (run / "export").exists()


# ---------------------------------------------------------------- watch


def test_a_finished_run_is_shown_once(capsys: pytest.CaptureFixture[str], finished: Path) -> None:
    out = told(capsys, "watch", str(finished))
    assert out.splitlines()[0].startswith("generation 6/6  alive ") and out.endswith("generation 6 of 6\n")


@pytest.mark.parametrize("command", [("verify",), ("watch", "--once")])
def test_results_that_are_older_than_the_records_are_told(
    capsys: pytest.CaptureFixture[str], run: Path, command: tuple[str, ...]
) -> None:
    name, *options = command
    assert "adapters/" not in told(capsys, name, str(run), *options)
    (run / "summary.json").rename(run / "earlier_summary.json")  # as when a longer run was asked for
    assert "adapters/ and phylogeny.csv are of generation 6, " in told(capsys, name, str(run), *options)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_another_process_follows_a_run_to_its_end(tmp_path: Path) -> None:
    folder = str(tmp_path / "run")

    def start(*arguments: str) -> subprocess.Popen[str]:
        code = [sys.executable, "-m", "evolora_mesa.cli", *arguments]
        surroundings = environment(PYTHONUTF8="1")
        return subprocess.Popen(code, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    with start("run", "smoke", "--generations", "100000", "--out", folder) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        with start("watch", folder) as reader:
            assert reader.stdout is not None
            first = reader.stdout.readline()
            assert first.startswith("generation ") and "/100000  alive " in first
            writer.send_signal(signal.SIGINT)
            writer.communicate(timeout=PATIENCE)
            rest, error = reader.communicate(timeout=PATIENCE)
    assert (reader.returncode, error) == (0, "")
    summary = json.loads((tmp_path / "run" / "summary.json").read_text(encoding="utf-8"))
    assert rest.endswith(f"generation {summary['generations']} of 100000\n")
