"""Rating a run from the command line: blind, kept at once, beside the run's own digest, and heard when it goes on."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from evolora_mesa.cli import main
from evolora_mesa.cli_judge import _visible
from evolora_mesa.record.lock import RunLock
from evolora_mesa.society.ratings import RatingBook, read_ratings

SETTINGS = ("host.tune_cpu=false", "society.judge.enabled=true", "society.judge.every=1", "society.judge.share=1.0")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    options = [part for setting in SETTINGS for part in ("--set", setting)]
    assert main(["run", "smoke", "--generations", "3", "--quiet", "--out", str(folder), *options]) == 0
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def script(tmp_path: Path, *verdicts: str) -> str:
    path = tmp_path / "verdicts.txt"
    path.write_text("\n".join(verdicts), encoding="utf-8")
    return str(path)


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    capsys.readouterr()
    assert main(arguments) == code
    found = capsys.readouterr()
    return found.out if code == 0 else found.err


def digest(run: Path) -> str:
    with sqlite3.connect(run / "run.sqlite") as store:
        return str(store.execute("SELECT digest FROM generations ORDER BY generation DESC").fetchone()[0])


def test_ratings_are_kept_beside_a_run_whose_digest_and_soundness_they_leave_alone(
    capsys: pytest.CaptureFixture[str], run: Path, tmp_path: Path
) -> None:
    before = digest(run)
    text = told(capsys, "judge", str(run), "--script", script(tmp_path, "a", "skip", "tie", "b", "quit", "a"))
    assert text.startswith("3 rated, 1 skipped; 3 ratings in ") and "evolora resume" in text
    found = read_ratings(run / "ratings.jsonl")
    assert [one.choice for one in found] == ["a", "tie", "b"] and {one.generation for one in found} == {3}
    assert digest(run) == before and "ok: generation 3, finished" in told(capsys, "verify", str(run))
    told(capsys, "judge", str(run), "--pairs", "2", "--script", script(tmp_path, "a", "a", "a"))
    again = read_ratings(run / "ratings.jsonl")
    assert len(again) == 5 and again[:3] == found
    assert {one.prompt for one in again[3:]}.isdisjoint(one.prompt for one in found)  # not the same duels once more


def test_changed_ratings_are_found_by_verify(capsys: pytest.CaptureFixture[str], run: Path, tmp_path: Path) -> None:
    told(capsys, "judge", str(run), "--script", script(tmp_path, "a"))
    path = run / "ratings.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"choice":"a"', b'"choice":"b"'))
    assert main(["verify", str(run)]) == 1
    assert "ratings.jsonl: the ratings were changed" in capsys.readouterr().out


def test_a_run_that_goes_on_hears_its_ratings_and_comes_out_the_same_when_lived_again(
    capsys: pytest.CaptureFixture[str], run: Path, tmp_path: Path
) -> None:
    deaf = Path(shutil.copytree(run, tmp_path / "deaf"))
    told(capsys, "judge", str(run), "--script", script(tmp_path, *["a"] * 12))
    for folder in (run, deaf):
        told(capsys, "resume", str(folder), "--generations", "5", "--quiet")
    known = []
    with sqlite3.connect(run / "run.sqlite") as store:
        for (data,) in store.execute("SELECT data FROM events WHERE kind = 'judged' ORDER BY generation"):
            known.append(json.loads(data)["ratings"])
    assert known == [0, 0, 0, 12, 12] and digest(run) != digest(deaf)
    assert "ok: generation 5" in told(capsys, "verify", str(run))
    assert digest(run) in told(capsys, "replay", str(run))


def test_a_world_that_does_not_listen_says_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "deaf"
    assert main(["run", "smoke", "--generations", "1", "--quiet", "--out", str(folder), "--set", SETTINGS[0]]) == 0
    assert "has no ear for them" in told(capsys, "judge", str(folder), "--script", script(tmp_path, "a"))


def test_a_person_is_asked_blindly_and_again_after_a_slip(
    capsys: pytest.CaptureFixture[str], run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("what\nA\nt\ns\n"))
    text = told(capsys, "judge", str(run), "--cell", "math:1", "--pairs", "6")
    assert text.count("a, b, t (a tie), s (skip), q (quit): ") == 5  # a slip and the end of the input
    assert text.count("math, depth 1") == 4 and "2 rated, 1 skipped; 2 ratings" in text
    found = read_ratings(run / "ratings.jsonl")
    assert [one.choice for one in found] == ["a", "tie"]
    assert found[0].a.text.strip() in text and "organelle" not in text and "host" not in text


def test_what_was_rated_before_an_interruption_is_kept(
    capsys: pytest.CaptureFixture[str], run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Leaver(io.StringIO):
        def readline(self, *_: object) -> str:  # type: ignore[override]
            line = super().readline()
            if not line:
                raise KeyboardInterrupt
            return line

    monkeypatch.setattr("sys.stdin", Leaver("a\nb\n"))
    assert main(["judge", str(run)]) == 130
    assert [one.choice for one in RatingBook(run / "ratings.jsonl").ratings] == ["a", "b"]
    assert not RunLock.is_held(run)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--cell", "math"], "no such cell (--cell): expected FAMILY:DEPTH"),
        (["--cell", "math:3"], "got 'math:3'"),
        (["--script", "none.txt"], "cannot read"),
        (["--pairs", "0"], "--pairs"),
    ],
)
def test_slips_are_told_in_one_line(
    capsys: pytest.CaptureFixture[str], run: Path, options: list[str], message: str
) -> None:
    text = told(capsys, "judge", str(run), *options, code=2)
    assert message in text and text.count("\n") == 1
    assert not (run / "ratings.jsonl").exists()


def test_a_run_that_is_being_written_is_not_rated(
    capsys: pytest.CaptureFixture[str], run: Path, tmp_path: Path
) -> None:
    with RunLock(run):
        assert "is being written" in told(capsys, "judge", str(run), "--script", script(tmp_path, "a"), code=2)


def test_answers_cannot_steer_the_terminal() -> None:
    assert _visible("a\x1b[31m\u202e\nb") == "a\\x1b[31m\\u202e\nb"
