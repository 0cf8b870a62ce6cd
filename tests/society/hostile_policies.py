"""Forty strings that look like policies, or like attacks, and are none."""

from __future__ import annotations

import json

from evolora_mesa.society.policy import Bounds, named_cells

FAMILIES = ["math", "logic"]
CELLS = list(named_cells(FAMILIES, 2))
BOUNDS = Bounds(CELLS)
GOOD = {"c": "math:2", "b": 0.5, "k": 1.0, "r": True, "p": False, "m": "far"}


def written(**changes: object) -> str:
    return json.dumps({**GOOD, **changes}, separators=(",", ":"))


def _raw(key: str, value: str) -> str:
    """A good policy but for one value, which stands there as it is."""
    return written().replace(f'"{key}":{json.dumps(GOOD[key])}', f'"{key}":{value}')


def _without(key: str) -> str:
    return json.dumps({name: value for name, value in GOOD.items() if name != key})


HOSTILE = {
    "nothing": "",
    "prose": "I would rather work in math:2 and spend half.",
    "a fence": f"```json\n{written()}\n```",
    "prose before": f"Here it is: {written()}",
    "prose behind": f"{written()} as you wish",
    "two policies": written() + written(),
    "a list of one": f"[{written()}]",
    "a quoted policy": json.dumps(written()),
    "cut off": written()[:-1],
    "one brace more": written() + "}",
    "a comma more": written()[:-1] + ",}",
    "single quotes": written().replace('"', "'"),
    "python": str(GOOD),
    "a comment": written() + " // fine",
    "minus zero": "-0",
    "null": "null",
    "NaN": _raw("b", "NaN"),
    "infinity": _raw("k", "Infinity"),
    "minus infinity": _raw("b", "-Infinity"),
    "overflow": _raw("b", "1e999"),
    "schema-valid infinity": _raw("k", "975312e888"),
    "a number of 5,000 digits": _raw("b", "9" * 5000),
    "a number of 100 places": _raw("k", "0." + "1" * 100),
    "nested 3,000 deep": "[" * 3000 + "]" * 3000,
    "a value nested deep": _raw("c", '{"a":' * 8 + "1" + "}" * 8),
    "a key twice": written()[:-1] + ',"b":0.9}',
    "a key twice, escaped": written()[:-1] + ',"\\u0062":0.9}',
    "a key more": written(x=1),
    "__class__": written(__class__="Policy"),
    "the long key": written(budget=0.5),
    "a key missing": _without("m"),
    "wrong case": written(m="Far"),
    "key of wrong case": written().replace('"b"', '"B"'),
    "budget true": written(b=True),
    "budget as text": written(b="0.5"),
    "read as number": written(r=1),
    "no such cell": written(c="math:9"),
    "a cell that steers": written(c="math:2\u202e\x1b[31m"),
    "a cell of null": written(c=None),
    "a byte order mark": "\ufeff" + written(),
}
