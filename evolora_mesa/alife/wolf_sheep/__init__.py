"""Wolves, sheep and grass: births and deaths without anything heritable, the negative control of the metrics."""

from evolora_mesa.alife.wolf_sheep.agents import Sheep, Wolf
from evolora_mesa.alife.wolf_sheep.model import WolfSheep

__all__ = ["Sheep", "Wolf", "WolfSheep"]
