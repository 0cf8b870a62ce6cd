"""Parameter sweeps: many runs of a Mesa model over factors and seeds, on this machine or on a cluster."""
