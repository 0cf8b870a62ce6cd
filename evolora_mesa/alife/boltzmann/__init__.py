"""Money handed around at random: nobody is born, nobody dies, and the Gini coefficient has a closed form."""

from evolora_mesa.alife.boltzmann.model import Boltzmann, Trader

__all__ = ["Boltzmann", "Trader"]
