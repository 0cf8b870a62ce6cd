"""Trees of a world's state: nested dicts and lists of plain values and arrays, taken apart into JSON and tensors.

Arrays leave for a safetensors file, under their path in the tree; a note of their kind, type and shape stays behind.
JSON has no NaN or infinity, so such numbers are written as a note too. Both ways are exact.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from evolora_mesa.errors import RunError

__all__ = ["join", "pack_tensors", "parse_json", "split", "unpack_tensors"]

_ARRAY, _FLOAT = "$array", "$float"  # keys of the notes
_NAMES: Final = {  # what safetensors calls the types that occur
    torch.float64: "F64",
    torch.float32: "F32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.int64: "I64",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_MOST_HEADER_BYTES_PER_TENSOR: Final = 1024


def split(tree: object) -> tuple[Any, dict[str, torch.Tensor]]:
    """What is plain JSON, and the arrays of a tree by path. Tuples become lists, numbers of numpy plain ones.

    Raises:
        TypeError: something in the tree has no place in a file.
    """
    tensors: dict[str, torch.Tensor] = {}
    return _split(tree, "", tensors), tensors


def _split(node: object, path: str, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(node, np.generic):
        node = node.item()
    if isinstance(node, float) and not math.isfinite(node):
        return {_FLOAT: repr(node)}
    if node is None or isinstance(node, bool | int | float | str):
        return node
    if isinstance(node, np.ndarray | torch.Tensor):
        tensor = torch.from_numpy(np.ascontiguousarray(node)) if isinstance(node, np.ndarray) else node.detach().cpu()
        tensors[path] = tensor.contiguous()
        kind = "numpy" if isinstance(node, np.ndarray) else "torch"
        return {_ARRAY: path, "kind": kind, "dtype": _NAMES[tensor.dtype], "shape": list(node.shape)}
    if isinstance(node, Mapping):
        if not all(isinstance(key, str) and "/" not in key and not key.startswith("$") for key in node):
            raise TypeError(f"keys of {path or 'the tree'} are not plain words: {list(node)[:4]}")
        return {key: _split(value, f"{path}/{key}" if path else key, tensors) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_split(value, f"{path}/{place}" if path else str(place), tensors) for place, value in enumerate(node)]
    raise TypeError(f"{path or 'the tree'} is a {type(node).__name__}, which has no place in a file")


def join(plain: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    """The inverse of `split`."""
    if isinstance(plain, list):
        return [join(value, tensors) for value in plain]
    if not isinstance(plain, dict):
        return plain
    if _FLOAT in plain:
        return float(plain[_FLOAT])
    if _ARRAY in plain:
        tensor = tensors[plain[_ARRAY]]
        return tensor.numpy() if plain["kind"] == "numpy" else tensor
    return {key: join(value, tensors) for key, value in plain.items()}


def _notes(plain: Any) -> dict[str, tuple[str, list[int]]]:
    """By path, type and shape of the arrays that have left the tree."""
    found: dict[str, tuple[str, list[int]]] = {}
    waiting = [plain]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict) and _ARRAY in node:
            found[node[_ARRAY]] = (node["dtype"], node["shape"])
        elif isinstance(node, dict | list):
            waiting += node.values() if isinstance(node, dict) else node
    return found


def pack_tensors(tensors: Mapping[str, torch.Tensor]) -> bytes:
    """The bytes of a safetensors file."""
    return save(dict(tensors))


def unpack_tensors(data: bytes, plain: Any, where: Path) -> dict[str, torch.Tensor]:
    """The inverse of `pack_tensors`, for exactly those arrays that ``plain`` has notes of.

    The header is held against the notes before anything is loaded.

    Raises:
        RunError: another set of names, another type or shape, or not a safetensors file.
    """
    expected = _notes(plain)
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(len(data) - 8, _MOST_HEADER_BYTES_PER_TENSOR * (1 + len(expected))):
        raise RunError("saved tensors cannot be read", where=where, expected="a whole safetensors file")
    header = parse_json(data[8 : 8 + length], where)
    header.pop("__metadata__", None)
    found = {
        name: (entry.get("dtype"), entry.get("shape")) if isinstance(entry, dict) else None
        for name, entry in header.items()
    }
    if found != expected:
        odd = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))[0]
        raise RunError(
            "saved tensors are not those of the saved state",
            where=where,
            expected=f"{odd}: {expected.get(odd, 'absent')}",
            got=found.get(odd, "absent"),
        )
    try:
        return load(data)
    except SafetensorError as error:
        raise RunError("saved tensors cannot be read", where=where, got=str(error)) from error


def parse_json(data: bytes, where: Path) -> dict[str, Any]:
    """A strict JSON object: UTF-8, every key once, no NaN.

    Raises:
        RunError: it is something else.
    """
    try:
        found = json.loads(data.decode("utf-8"), object_pairs_hook=_each_once, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise RunError("not valid JSON", where=where, got=str(error)) from error
    if not isinstance(found, dict):
        raise RunError("not a JSON object", where=where, got=type(found).__name__)
    return found


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands there twice")
    return found


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not a number")
