"""``evolora doctor``: are this machine and this installation fit to run? Each failure names its cure."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import TYPE_CHECKING

from evolora_mesa.errors import EvoloraError
from evolora_mesa.memory import GIB, free_memory
from evolora_mesa.shipped import shipped_folder

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = ["Check", "examine", "report"]

DISTRIBUTION = "evolora-mesa"
OLDEST_PYTHON = (3, 11)
SHIPPED_HOST = "petri"
LEAST_MEMORY = 1.0  # GiB free
WORLD_MEMORY = "0.65 GiB"  # most that 64 generations of `ecology` took on a CPU, measured
LEAST_DISK = 1.0  # GiB free in the working folder, for the runs
DEVELOPER_EXTRA = "dev"  # its tools have no known-good versions


@dataclass(frozen=True)
class Check:
    """One finding.

    Attributes:
        name: what was looked at.
        ok: whether it is as it should be.
        found: what is there.
        expected: what should be there; empty where nothing particular is.
        cure: the next step when not ``ok``, else empty.
    """

    name: str
    ok: bool
    found: str
    expected: str = ""
    cure: str = ""


def examine() -> list[Check]:
    """Look at everything, in the order in which one thing needs the other. Never raises for a finding."""
    return [
        _check_python(),
        *_check_packages(),
        _check_torch(),
        _check_memory(),
        _check_disk(),
        _check_write_access(),
        *_check_host(),
    ]


def report(checks: list[Check], as_json: bool = False) -> str:
    """The findings as lines for people, or as one JSON object ``{"ok": bool, "checks": [...]}``."""
    ok = all(check.ok for check in checks)
    if as_json:
        return json.dumps({"ok": ok, "checks": [asdict(check) for check in checks]}, indent=2)
    width = max((len(check.name) for check in checks), default=0)
    lines = []
    for check in checks:
        line = f"{'ok  ' if check.ok else 'FAIL'}  {check.name:<{width}}  {check.found}"
        if not check.ok:
            line += f"; expected {check.expected}\n{'':{width + 8}}do: {check.cure}"
        lines.append(line)
    failed = sum(not check.ok for check in checks)
    lines.append("Everything is as it should be." if ok else f"{failed} of {len(checks)} checks failed.")
    return "\n".join(lines)


def _finding(name: str, ok: bool, found: str, expected: str, cure: str) -> Check:
    return Check(name, ok, found, expected, "" if ok else cure)


def _check_python() -> Check:
    return _finding(
        "python",
        sys.version_info >= OLDEST_PYTHON,
        f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        ">=" + ".".join(map(str, OLDEST_PYTHON)),
        "Install a newer Python and set up again with it: python3 go.py setup",
    )


def _check_packages() -> list[Check]:
    """The core packages against the ranges of our own installed metadata; optional ones where installed."""
    cure = "Set up again: python3 go.py setup"
    try:
        core, optional = _requirements()
    except ImportError as error:  # PackageNotFoundError is one: the package runs from a bare source folder
        return [Check(DISTRIBUTION, False, f"not installed ({error})", "installed with its packages", cure)]
    checks = [Check(DISTRIBUTION, True, metadata.version(DISTRIBUTION))]
    checks += [_check_package(requirement) for requirement in core]
    for extra, requirements in optional.items():
        missing = [requirement.name for requirement in requirements if _version(requirement.name) is None]
        if missing:
            found = f"not installed (optional; lacks {', '.join(missing)})"
            checks.append(Check(f"extra [{extra}]", True, found))
        else:
            checks += [_check_package(requirement) for requirement in requirements]
    return checks


def _requirements() -> tuple[list[Requirement], dict[str, list[Requirement]]]:
    """(core requirements, {extra: requirements}) that hold for this Python and machine.

    Raises:
        ImportError: the distribution, or ``packaging`` to read its metadata, is not installed.
    """
    from packaging.requirements import Requirement

    declared = [Requirement(line) for line in metadata.requires(DISTRIBUTION) or []]

    def holds(requirement: Requirement, extra: str) -> bool:
        return requirement.marker is None or requirement.marker.evaluate({"extra": extra})

    core = [requirement for requirement in declared if holds(requirement, "")]
    rest = [requirement for requirement in declared if not holds(requirement, "")]
    extras = metadata.metadata(DISTRIBUTION).get_all("Provides-Extra") or []
    optional = {
        extra: [requirement for requirement in rest if holds(requirement, extra)]
        for extra in extras
        if extra != DEVELOPER_EXTRA
    }
    return core, optional


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _check_package(requirement: Requirement) -> Check:
    version = _version(requirement.name)
    return _finding(
        requirement.name,
        version is not None and requirement.specifier.contains(version, prereleases=True),
        version or "not installed",
        str(requirement.specifier) or "any version",
        f'python -m pip install "{requirement.name}{requirement.specifier}"',
    )


def _check_torch() -> Check:
    """Build (CPU or CUDA), device and threads of torch, which is imported for it (seconds)."""
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a shared library of the build does not load
        cure = "python -m pip install --force-reinstall torch, in the range that the line of torch names"
        return Check("torch build", False, f"does not import ({error})", "torch imports", cure)
    build = "CPU build" if torch.version.cuda is None else f"CUDA {torch.version.cuda} build"
    if torch.cuda.is_available():
        build += f" on {torch.cuda.get_device_name()}"
    elif torch.version.cuda is not None:
        build += ", no CUDA device seen"
    return Check("torch build", True, f"{build}, {torch.get_num_threads()} threads of {os.cpu_count()} cores")


def _check_memory() -> Check:
    free = free_memory()
    return _finding(
        "memory",
        free is None or free >= LEAST_MEMORY * GIB,
        f"{'unknown' if free is None else f'{free / GIB:.1f} GiB available'}; a run of ecology takes {WORLD_MEMORY}",
        f"at least {LEAST_MEMORY:g} GiB available",
        "Close other programs, or use a machine with more memory.",
    )


def _check_disk() -> Check:
    try:
        free = shutil.disk_usage(os.curdir).free
    except OSError as error:  # the working folder was deleted
        cure = "Change to a folder that exists."
        return Check("disk", False, f"unknown ({error.strerror})", "a working folder", cure)
    return _finding(
        "disk",
        free >= LEAST_DISK * GIB,
        f"{free / GIB:.1f} GiB free in the working folder",
        f"at least {LEAST_DISK:g} GiB free",
        "Free some space, or write runs elsewhere: evolora run --out DIR",
    )


def _check_write_access() -> Check:
    name, expected = "write access", "the working folder is writable"
    try:
        with tempfile.TemporaryFile(dir=os.curdir):
            pass
    except OSError as error:
        cure = "Change to a folder that you may write to, or write runs elsewhere: evolora run --out DIR"
        return Check(name, False, f"none ({error.strerror})", expected, cure)
    return Check(name, True, expected)


def _check_host() -> list[Check]:
    """Load the shipped host and hold its weights and 20 of its logits against what its maker noted."""
    name, expected = f"host {SHIPPED_HOST}", "loads and answers as its fingerprint.json says"
    cure = f"Restore the folder: git checkout -- models/{SHIPPED_HOST}, or install the package again"
    folder = shipped_folder("models") / SHIPPED_HOST
    if not folder.is_dir():
        return [Check(name, False, f"no folder models/{SHIPPED_HOST}", expected, cure)]
    try:
        from evolora_mesa.host import HostService

        noted = json.loads((folder / "fingerprint.json").read_text(encoding="utf-8"))
        here = HostService.load(SHIPPED_HOST).fingerprint()
        pairs = {part: (here[part], noted[part]) for part in ("weights", "logits")}
    except (EvoloraError, ImportError, OSError, KeyError, ValueError) as error:
        return [Check(name, False, f"{type(error).__name__}: {error}", expected, cure)]
    cures = {
        "weights": cure,
        "logits": "Compare only runs from one machine and one torch version: this one computes the same host "
        "differently. If the versions above are good, report it with: evolora doctor --json",
    }
    return [
        _finding(f"{name} {part}", found == wanted, str(found)[:16], str(wanted)[:16], cures[part])
        for part, (found, wanted) in pairs.items()
    ]
