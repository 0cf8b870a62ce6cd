"""The physics: a frozen language model, the bank of adapters that ride on it, and batched decoding for all of them."""

from __future__ import annotations

from evolora_mesa.host.bank import BARE, AdapterBank
from evolora_mesa.host.constrained import Guide
from evolora_mesa.host.service import Answers, HostService, Request
from evolora_mesa.host.sites import Site, resolve_sites
from evolora_mesa.host.trace import FlatTrace, TokenTrace

__all__ = [
    "BARE",
    "AdapterBank",
    "Answers",
    "FlatTrace",
    "Guide",
    "HostService",
    "Request",
    "Site",
    "TokenTrace",
    "resolve_sites",
]
