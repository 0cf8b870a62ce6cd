"""A run's folder survives its way over the wire, whole or not at all."""

from __future__ import annotations

import io
import random
import tarfile

import pytest

from evolora_mesa.errors import RunError
from evolora_mesa.study.sweep.parcel import pack, unpack


def test_a_folder_arrives_as_it_was_sent(tmp_path):
    sent = tmp_path / "sent"
    (sent / "checkpoints" / "000001").mkdir(parents=True)
    (sent / "log.txt").write_text("grüße\n", encoding="utf-8")
    (sent / "checkpoints" / "000001" / "state").write_bytes(bytes(range(256)))
    unpack(pack(sent), tmp_path / "runs" / "here")
    here = tmp_path / "runs" / "here"
    assert (here / "log.txt").read_text(encoding="utf-8") == "grüße\n"
    assert (here / "checkpoints" / "000001" / "state").read_bytes() == bytes(range(256))
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["here"]


def test_what_arrives_replaces_what_was_there(tmp_path):
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.txt").touch()
    unpack(pack(tmp_path / "new"), tmp_path / "old")
    assert [path.name for path in (tmp_path / "old").iterdir()] == ["new.txt"]


def test_no_folder_is_an_empty_parcel_that_changes_nothing(tmp_path):
    assert pack(tmp_path / "nowhere") == b""
    unpack(b"", tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_damaged_parcel_leaves_what_was_there(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "figures").write_bytes(random.Random(0).randbytes(200_000))
    parcel = pack(tmp_path / "run")
    for damaged in (parcel[: len(parcel) // 2], b"no parcel", parcel[:90_000] + bytes(40) + parcel[90_040:]):
        with pytest.raises(RunError, match="a run came back damaged"):
            unpack(damaged, tmp_path / "run")
        assert [path.name for path in tmp_path.iterdir()] == ["run"]
        assert [path.name for path in (tmp_path / "run").iterdir()] == ["figures"]


@pytest.mark.parametrize("name", ["../outside", "below/../../outside"])
def test_a_parcel_cannot_write_beside_its_folder(tmp_path, name):
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    with pytest.raises(RunError, match="a run came back damaged"):
        unpack(held.getvalue(), tmp_path / "runs" / "run")
    assert not list(tmp_path.rglob("outside"))
