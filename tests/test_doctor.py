"""The doctor names what is wrong and what cures it, and never stumbles over it."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement

from evolora_mesa import doctor
from evolora_mesa.errors import HostError

REQUIRES = [
    "numpy>=1",
    "torch<0.1,>=0.0",
    "nonesuch-at-all>=3",
    'never-wanted; sys_platform == "abacus"',
    'solara-of-nowhere==1; extra == "app"',
    'numpy>=1; extra == "ray"',
    'pytest<0.1; extra == "dev"',
]


@pytest.fixture
def installed(monkeypatch):
    """Our own metadata as if installed with REQUIRES; every other distribution as it is."""
    version = metadata.version
    mapping = SimpleNamespace(get_all=lambda key: ["app", "ray", "dev"])
    monkeypatch.setattr(metadata, "requires", lambda name: REQUIRES)
    monkeypatch.setattr(metadata, "metadata", lambda name: mapping)
    monkeypatch.setattr(metadata, "version", lambda name: "0.1" if name == doctor.DISTRIBUTION else version(name))


@pytest.fixture
def host(monkeypatch, tmp_path):
    """A host folder with a noted fingerprint, and a service whose answer the test chooses."""
    folder = tmp_path / "petri"
    folder.mkdir()
    (folder / "fingerprint.json").write_text(json.dumps({"weights": "aa", "logits": "bb"}))
    monkeypatch.setattr(doctor, "shipped_folder", lambda name: tmp_path if name == "models" else None)

    def answer(fingerprint):
        def load(path):
            if isinstance(fingerprint, Exception):
                raise fingerprint
            return SimpleNamespace(fingerprint=lambda: fingerprint)

        module = SimpleNamespace(HostService=SimpleNamespace(load=load))
        monkeypatch.setitem(sys.modules, "evolora_mesa.host", module)
        return {check.name: check for check in doctor._check_host()}

    return SimpleNamespace(folder=folder, answer=answer)


def test_versions_are_held_against_the_installed_ranges(installed):
    checks = {check.name: check for check in doctor._check_packages()}
    assert checks["numpy"].ok and checks["numpy"].found == metadata.version("numpy")
    assert not checks["torch"].ok and checks["torch"].expected == "<0.1,>=0.0"
    assert checks["torch"].cure == 'python -m pip install "torch<0.1,>=0.0"'
    assert not checks["nonesuch-at-all"].ok and checks["nonesuch-at-all"].found == "not installed"


def test_a_requirement_for_another_machine_is_not_asked_for(installed):
    assert "never-wanted" not in {check.name for check in doctor._check_packages()}


def test_a_missing_extra_is_told_and_is_no_failure(installed):
    checks = {check.name: check for check in doctor._check_packages()}
    assert checks["extra [app]"].ok and "solara-of-nowhere" in checks["extra [app]"].found
    assert "pytest" not in checks and "extra [dev]" not in checks


def test_a_local_version_counts_as_its_release(monkeypatch):
    monkeypatch.setattr(metadata, "version", lambda name: "2.13.0+cpu")
    assert doctor._check_package(Requirement("torch>=2.6,<2.14")).ok


def test_a_bare_source_folder_is_told_to_set_up(monkeypatch):
    def requires(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", requires)
    (check,) = doctor._check_packages()
    assert not check.ok and "go.py setup" in check.cure


def test_torch_that_does_not_import_is_a_finding(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    check = doctor._check_torch()
    assert not check.ok and "pip install" in check.cure


def test_torch_tells_its_build_and_its_threads():
    check = doctor._check_torch()
    assert check.ok and "build" in check.found and "threads" in check.found


@pytest.mark.parametrize(("free", "ok"), [(None, True), (0.2 * doctor.GIB, False), (4 * doctor.GIB, True)])
def test_little_memory_is_a_finding_and_unknown_memory_is_not(monkeypatch, free, ok):
    monkeypatch.setattr(doctor, "free_memory", lambda: free)
    assert doctor._check_memory().ok is ok


def test_free_memory_is_a_plausible_number_of_bytes():
    free = doctor.free_memory()
    assert free is None or 2**20 < free < 2**50


def test_a_full_disk_is_a_finding(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1000))
    check = doctor._check_disk()
    assert not check.ok and "0.0 GiB" in check.found


def test_a_folder_without_write_access_is_a_finding(monkeypatch):
    def refuse(**options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    check = doctor._check_write_access()
    assert not check.ok and "Permission denied" in check.found and "--out" in check.cure


def test_a_host_that_answers_as_noted_is_well(host):
    checks = host.answer({"weights": "aa", "logits": "bb"})
    assert checks["host petri weights"].ok and checks["host petri logits"].ok


def test_other_weights_and_other_logits_have_different_cures(host):
    checks = host.answer({"weights": "xx", "logits": "yy"})
    assert "git checkout" in checks["host petri weights"].cure
    assert "torch version" in checks["host petri logits"].cure
    assert not any(check.ok for check in checks.values())


@pytest.mark.parametrize(
    "trouble", [HostError("no tokenizer"), OSError("unreadable"), ValueError("bad JSON"), KeyError("weights")]
)
def test_a_host_that_does_not_load_is_a_finding(host, trouble):
    (check,) = host.answer(trouble).values()
    assert not check.ok and type(trouble).__name__ in check.found and check.cure


def test_a_missing_models_folder_is_a_finding(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "shipped_folder", lambda name: tmp_path / name)
    (check,) = doctor._check_host()
    assert not check.ok and "models/petri" in check.found and check.cure


def test_a_missing_fingerprint_is_a_finding(host):
    (host.folder / "fingerprint.json").unlink()
    (check,) = host.answer({"weights": "aa", "logits": "bb"}).values()
    assert not check.ok and "fingerprint.json" in check.found


def test_every_failure_comes_with_what_was_expected_and_a_cure(installed, host):
    host.answer(HostError("no tokenizer"))
    checks = doctor.examine()
    assert {"python", "torch build", "memory", "disk", "write access"} <= {check.name for check in checks}
    assert all(check.expected and check.cure for check in checks if not check.ok)


def test_the_report_for_people_shows_the_cure_under_the_failure():
    good = doctor.Check("memory", True, "4.0 GiB available")
    bad = doctor.Check("disk", False, "0.1 GiB free", "at least 1 GiB free", "Free some space.")
    lines = doctor.report([good, bad]).splitlines()
    assert lines[0] == "ok    memory  4.0 GiB available"
    assert lines[1] == "FAIL  disk    0.1 GiB free; expected at least 1 GiB free"
    assert lines[2].strip() == "do: Free some space."
    assert lines[3] == "1 of 2 checks failed."
    assert doctor.report([good]).endswith("Everything is as it should be.")


def test_the_report_for_machines_is_one_json_object():
    bad = doctor.Check("disk", False, "0.1 GiB free", "at least 1 GiB free", "Free some space.")
    answer = json.loads(doctor.report([bad], as_json=True))
    assert answer["ok"] is False and answer["checks"][0]["cure"] == "Free some space."
