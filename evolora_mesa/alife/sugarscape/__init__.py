"""Sugarscape (Epstein & Axtell 1996): foragers on two sugar peaks, immortal, replaced, or reproducing sexually."""

from evolora_mesa.alife.sugarscape.agents import Forager
from evolora_mesa.alife.sugarscape.model import Sugarscape

__all__ = ["Forager", "Sugarscape"]
