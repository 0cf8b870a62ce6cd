"""Hosts and endosymbionts (Symbulation): mutualism or parasitism, by how symbionts are handed on."""

from evolora_mesa.alife.host_symbiont.agents import Host, Symbiont
from evolora_mesa.alife.host_symbiont.model import HostSymbiont

__all__ = ["Host", "HostSymbiont", "Symbiont"]
