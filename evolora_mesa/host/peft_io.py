"""Adapters as standard PEFT folders: ``adapter_config.json`` beside ``adapter_model.safetensors``.

What is written loads with ``PeftModel.from_pretrained``. What is read may come from a stranger, so PEFT never
sees it: version 0.21 loads NaN weights and half-missing tensors without a word, and hangs for minutes on a
hostile regular expression in ``target_modules``. Here a strict schema, exact names and exact shapes are
checked before a single weight is read.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
import tempfile
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save

from evolora_mesa.errors import AdapterError
from evolora_mesa.host.bank import AdapterBank
from evolora_mesa.host.sites import Site

__all__ = ["export_adapter", "import_adapter"]

CONFIG_FILE: Final = "adapter_config.json"
WEIGHTS_FILE: Final = "adapter_model.safetensors"
_PREFIX = "base_model.model."
_FACTORS = ("lora_A", "lora_B")

_MOST_CONFIG_BYTES = 256 * 1024  # a list of all 560 linear layers of an 80-layer host takes 25 kB
_MOST_HEADER_BYTES_PER_TENSOR = 512
_MOST_METADATA_BYTES = 64 * 1024
_DTYPES = ("F32", "F16", "BF16")
_WIDEST = 4  # bytes of an F32
# A product within the norm bound can hide one huge and one tiny factor, which overflow on the way to it.
_LARGEST_WEIGHT = 1e4
_RUNS_CODE = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".zip", ".tar", ".gz", ".py")
_FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DEVICE_NAMES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # files that Windows lacks

_ModuleName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*(\.\w+)*$", max_length=200)]
_Rank = Annotated[int, Field(ge=1)]


class _PeftConfig(BaseModel):
    """The settings that plain LoRA needs; PEFT writes some forty more, which must all be switched off."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow", allow_inf_nan=False)

    peft_type: Literal["LORA"]
    task_type: Literal["CAUSAL_LM"] | None = None
    r: _Rank
    lora_alpha: float
    target_modules: list[_ModuleName] = Field(min_length=1, max_length=4096)
    rank_pattern: dict[_ModuleName, _Rank] | None = None
    alpha_pattern: dict[_ModuleName, float] | None = None
    use_rslora: bool = False
    bias: Literal["none"] = "none"
    # PiSSA, OLoRA, CorDA and LoftQ change the host's own weights when they start.
    init_lora_weights: bool | Literal["gaussian"] = True
    lora_dropout: float = Field(default=0.0, ge=0.0, le=1.0)
    # Read and not used: they describe the file, or mean nothing while the setting beside them is off.
    inference_mode: bool = True
    base_model_name_or_path: str | None = None
    revision: str | None = None
    peft_version: str | None = None
    megatron_core: str | None = None
    qalora_group_size: int | None = None

    def rank(self, site: Site) -> int:
        """Rank at a site; as in PEFT the first fitting pattern wins."""
        return next((r for name, r in (self.rank_pattern or {}).items() if _names(name, site)), self.r)

    def scaling(self, site: Site) -> float:
        """Factor on ``B @ A`` at a site; rsLoRA (D. Kalajdzievski, 2023) divides by the root."""
        patterns = self.alpha_pattern or {}
        alpha = next((a for name, a in patterns.items() if _names(name, site)), self.lora_alpha)
        rank = self.rank(site)
        return alpha / (math.sqrt(rank) if self.use_rslora else rank)


def export_adapter(bank: AdapterBank, slot: int, folder: str | Path, *, base_model: str) -> None:
    """Write the adapter of a slot as a PEFT folder, which appears whole or not at all.

    Args:
        folder: must not exist yet, or be empty.
        base_model: name of the host, stored for the reader.

    Raises:
        AdapterError: the slot is free, empty or not finite; the folder exists or cannot be written.
    """
    folder = _checked_path(folder)
    _check_slot(bank, slot)
    adapter = {name: factors for name, factors in bank.read(slot).items() if len(factors[0])}
    if not adapter:
        raise AdapterError("adapter has no weights to export", where=f"slot {slot}")
    if not bool(bank.finite(torch.tensor([slot]))[0]):
        raise AdapterError("adapter holds NaN or infinity", where=f"slot {slot}", do="Discard this adapter.")
    ranks = {name: a.shape[0] for name, (a, _) in adapter.items()}
    rank = max(ranks.values())
    odd = {name: other for name, other in ranks.items() if other != rank}
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_model,
        "r": rank,
        "lora_alpha": bank.scaling * rank,
        "target_modules": list(adapter),
        "rank_pattern": odd,
        "alpha_pattern": {name: bank.scaling * other for name, other in odd.items()},
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "init_lora_weights": True,
        "inference_mode": True,
        "use_rslora": False,
        "use_dora": False,
        "modules_to_save": None,
    }
    tensors = {
        f"{_PREFIX}{name}.{factor}.weight": tensor.contiguous()
        for name, pair in adapter.items()
        for factor, tensor in zip(_FACTORS, pair, strict=True)
    }
    files = {
        CONFIG_FILE: (json.dumps(config, indent=2) + "\n").encode(),
        WEIGHTS_FILE: save(tensors, metadata={"format": "pt"}),
    }
    try:
        _write_whole(folder, files)
    except OSError as error:
        raise AdapterError(
            "adapter folder cannot be written",
            where=folder,
            got=error.strerror or str(error),
            do="Choose another one.",
        ) from error


def import_adapter(bank: AdapterBank, slot: int, folder: str | Path, *, norm_bound: float = 100.0) -> float:
    """Read a PEFT folder into an allocated slot; a scaling other than the bank's is folded into B.

    Args:
        norm_bound: largest Frobenius norm of ΔW at any site; the default is three times what
            plasticity lets grow.

    Returns:
        Frobenius norm of ΔW over all sites; 0 for an adapter that does nothing.

    Raises:
        AdapterError: anything about the folder is not as it should be. The slot is unchanged then.
    """
    folder = _checked_path(folder)
    _check_slot(bank, slot)
    _check_entries(folder)
    config_path, weights_path = folder / CONFIG_FILE, folder / WEIGHTS_FILE
    config = _parse_config(_read_file(config_path, _MOST_CONFIG_BYTES), config_path)
    shapes = _expected_shapes(bank, config, config_path)
    header_limit = _MOST_HEADER_BYTES_PER_TENSOR * len(shapes) + _MOST_METADATA_BYTES
    payload_limit = _WIDEST * sum(math.prod(shape) for shape in shapes.values())
    data = _read_file(weights_path, 8 + header_limit + payload_limit)
    _check_header(data, header_limit, shapes, weights_path)
    try:
        tensors = load(data)
    except SafetensorError as error:
        raise AdapterError("adapter weights cannot be read", where=weights_path, got=str(error)) from error
    adapter: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
    squares = 0.0
    for site in bank.sites:
        if f"{_PREFIX}{site.name}.lora_A.weight" in shapes:
            a, b = (tensors[f"{_PREFIX}{site.name}.{factor}.weight"].double() for factor in _FACTORS)
            ratio = config.scaling(site) / bank.scaling
            if not math.isclose(ratio, 1.0, rel_tol=1e-12):  # alpha / r can be off by a rounding error
                b = b * ratio
            norm = _checked_norm(site, a, b, bank.scaling, norm_bound)
            squares += norm * norm
            adapter[site.name] = (a.float(), b.float())
    bank.write(slot, adapter)
    return math.sqrt(squares)


# ---------------------------------------------------------------------- names and files


def _names(short: str, site: Site) -> bool:
    """Whether a module name of PEFT's means the site: its full name, or whole parts at the end of it."""
    return site.name == short or site.name.endswith(f".{short}")


def _checked_path(folder: str | Path) -> Path:
    path = Path(folder)
    name = path.name  # only: what is above it was there before, or was chosen by the user
    if not _FOLDER_NAME.fullmatch(name) or name.endswith(".") or _DEVICE_NAMES.fullmatch(name):
        raise AdapterError(
            "unsafe adapter folder name",
            expected="up to 64 letters, digits, dots, dashes and underscores, a letter or digit first",
            got=name,
        )
    return path


def _check_slot(bank: AdapterBank, slot: int) -> None:
    if slot not in bank.used_slots():
        raise AdapterError("slot is not allocated", expected="an allocated slot", got=slot)


def _check_entries(folder: Path) -> None:
    """Refuse what is no folder, holds links, or holds files that run code when other programs load them."""
    try:
        if folder.is_symlink() or not folder.is_dir():
            raise AdapterError("not an adapter folder", where=folder, expected="a folder that is no link")
        for entry in sorted(folder.iterdir()):
            if entry.is_symlink() or entry.suffix.lower() in _RUNS_CODE:
                raise AdapterError(
                    "adapter folder holds a link"
                    if entry.is_symlink()
                    else "adapter folder holds a file that can run code",
                    where=folder,
                    got=entry.name,
                    do="Keep only the config and the safetensors file.",
                )
    except OSError as error:
        raise AdapterError("adapter folder cannot be read", where=folder, got=error.strerror) from error


def _read_file(path: Path, limit: int) -> bytes:
    """The bytes of a regular file of at most ``limit`` bytes."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):  # before opening: opening a pipe waits for its writer
            raise AdapterError("not a plain file", where=path)
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise AdapterError("adapter file cannot be read", where=path, got=error.strerror) from error
    if len(data) > limit:
        raise AdapterError("adapter file is too large", where=path, expected=f"at most {limit} bytes")
    return data


def _write_whole(folder: Path, files: dict[str, bytes]) -> None:
    """Write ``files`` beside ``folder`` and rename; renaming onto a folder with content fails."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".adapter-", dir=folder.parent) as aside:
        made = Path(aside) / folder.name
        made.mkdir()
        for name, data in files.items():
            with (made / name).open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        made.rename(folder)


# ---------------------------------------------------------------------- what a file may say


def _strict_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands there twice")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _parse_json(data: bytes, where: Path) -> dict[str, Any]:
    try:
        found = json.loads(data.decode("utf-8"), object_pairs_hook=_strict_object, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise AdapterError("not valid JSON", where=where, got=str(error)) from error
    if not isinstance(found, dict):
        raise AdapterError("not a JSON object", where=where, got=type(found).__name__)
    return found


def _parse_config(data: bytes, where: Path) -> _PeftConfig:
    try:
        config = _PeftConfig.model_validate(_parse_json(data, where))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        setting = ".".join(str(part) for part in first["loc"])
        raise AdapterError(
            f"adapter setting {setting[:80]!r} is refused",
            where=where,
            expected=first["msg"],
            got=first["input"],
        ) from error
    for setting, value in (config.model_extra or {}).items():
        if not (value is None or value is False or value == [] or value == {}):
            raise AdapterError(
                f"adapter setting {setting[:80]!r} is refused",
                where=where,
                expected="plain LoRA, with this switched off",
                got=value,
                do="Save with task_type='CAUSAL_LM'." if setting == "auto_mapping" else None,
            )
    return config


def _expected_shapes(bank: AdapterBank, config: _PeftConfig, where: Path) -> dict[str, tuple[int, int]]:
    """Tensor names and shapes that a file with this config must hold, no more and no less."""
    for target in config.target_modules:
        if not any(_names(target, site) for site in bank.sites):
            raise AdapterError(
                "adapter has a site that this bank lacks",
                where=where,
                expected=", ".join(site.name for site in bank.sites),
                got=target,
                do="Set adapter.sites to the sites it was made for.",
            )
    shapes: dict[str, tuple[int, int]] = {}
    for site in bank.sites:
        if any(_names(target, site) for target in config.target_modules):
            rank = config.rank(site)
            if rank > bank.max_rank:
                raise AdapterError("no such adapter rank", where=where, expected=f"1 to {bank.max_rank}", got=rank)
            shapes[f"{_PREFIX}{site.name}.lora_A.weight"] = (rank, site.d_in)
            shapes[f"{_PREFIX}{site.name}.lora_B.weight"] = (site.d_out, rank)
    return shapes


def _check_header(data: bytes, limit: int, shapes: dict[str, tuple[int, int]], where: Path) -> None:
    """Compare names, dtypes and shapes in a safetensors header with what must be there."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(limit, len(data) - 8):
        raise AdapterError("adapter weights cannot be read", where=where, expected="a whole safetensors file")
    header = _parse_json(data[8 : 8 + length], where)
    header.pop("__metadata__", None)
    for name in header:
        if name.endswith(".base_layer.weight"):  # PEFT adds the host's whole head when the head is adapted
            raise AdapterError(
                "adapter file holds weights of the host",
                where=where,
                got=name,
                do="Save with save_embedding_layers=False.",
            )
        if name not in shapes:
            raise AdapterError(
                "adapter file holds a tensor that its sites lack",
                where=where,
                got=name,
                do="Set adapter.sites to the sites it was made for.",
            )
    for name, shape in shapes.items():
        entry = header.get(name)
        if not isinstance(entry, dict):
            raise AdapterError("adapter file lacks a tensor", where=where, expected=name)
        if entry.get("dtype") not in _DTYPES or entry.get("shape") != list(shape):
            raise AdapterError(
                "adapter tensor has another form than its site",
                where=name,
                expected=f"{', '.join(_DTYPES)} of shape {list(shape)}",
                got=f"{entry.get('dtype')} of shape {entry.get('shape')}",
            )


def _checked_norm(site: Site, a: torch.Tensor, b: torch.Tensor, scaling: float, bound: float) -> float:
    """Frobenius norm of ``scaling * b @ a``, for float64 factors that are fit to run in float32."""
    tiny = torch.finfo(torch.float32).tiny  # numbers below it are denormal: slow, and flushed to zero elsewhere
    for factor in (a, b):
        largest = float(factor.abs().max())
        if not bool(factor.isfinite().all()):
            raise AdapterError("adapter holds NaN or infinity", where=site.name, do="Discard this adapter.")
        if largest > _LARGEST_WEIGHT or 0.0 < largest < tiny:
            raise AdapterError(
                "adapter weights are out of range",
                where=site.name,
                expected=f"all zero, or the largest from {tiny:.1e} to {_LARGEST_WEIGHT:g}",
                got=largest,
            )
    gram = (b.t() @ b) * (a @ a.t())  # tr(BᵀB · AAᵀ) = ‖BA‖²
    norm = abs(scaling) * math.sqrt(max(0.0, float(gram.sum())))
    if norm > bound:
        raise AdapterError(
            "adapter changes the host too much", where=site.name, expected=f"a norm up to {bound:g}", got=norm
        )
    return norm
