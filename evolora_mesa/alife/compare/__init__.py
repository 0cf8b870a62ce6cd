"""Evolora beside the classic models: every run against its own neutral shadows, never against another model."""
