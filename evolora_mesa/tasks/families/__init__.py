"""The families that ship with the project, one idea a file."""

from __future__ import annotations

from evolora_mesa.tasks.families.arithmetic import Math, MultiStepMath
from evolora_mesa.tasks.families.json_repair import JsonRepair
from evolora_mesa.tasks.families.letters import StringReversal, StringSort
from evolora_mesa.tasks.families.logic import Logic
from evolora_mesa.tasks.families.naming import CodeFormat
from evolora_mesa.tasks.families.sequence import Sequence
from evolora_mesa.tasks.families.words import WordCount

__all__ = [
    "CodeFormat",
    "JsonRepair",
    "Logic",
    "Math",
    "MultiStepMath",
    "Sequence",
    "StringReversal",
    "StringSort",
    "WordCount",
]
