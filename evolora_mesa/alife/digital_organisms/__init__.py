"""Self-copying programs that compete for processor time and earn it by logic (Avida)."""

from evolora_mesa.alife.digital_organisms.agents import Organism
from evolora_mesa.alife.digital_organisms.model import DigitalOrganisms

__all__ = ["DigitalOrganisms", "Organism"]
