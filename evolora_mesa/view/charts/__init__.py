"""Drawings: pure functions from a picture, or from plain arrays, to options of ECharts.

A function returns `None` where there is nothing to draw, and the page says so in a sentence. Every axis has a name and,
where it measures something, a unit. What is hovered over is told by the item's name.
"""
