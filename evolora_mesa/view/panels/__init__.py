"""Panels of the world page: a drawing each, with its controls and words, and what it says while there is nothing."""

from __future__ import annotations

from evolora_mesa.view.panels.archive import ArchivePanel
from evolora_mesa.view.panels.events import EventsPanel
from evolora_mesa.view.panels.gate import GatePanel
from evolora_mesa.view.panels.grid import GridPanel
from evolora_mesa.view.panels.organelle import OrganellePanel
from evolora_mesa.view.panels.series import SeriesPanel

__all__ = ["ArchivePanel", "EventsPanel", "GatePanel", "GridPanel", "OrganellePanel", "SeriesPanel"]
