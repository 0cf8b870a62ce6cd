"""Bit strings on Kauffman's NK landscapes, with the treatments of the MODES paper."""

from evolora_mesa.alife.nk.agents import NKGenome
from evolora_mesa.alife.nk.landscape import Landscape
from evolora_mesa.alife.nk.model import NKWorld
from evolora_mesa.alife.nk.treatments import TREATMENTS

__all__ = ["TREATMENTS", "Landscape", "NKGenome", "NKWorld"]
