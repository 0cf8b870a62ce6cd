"""The app by Solara's own command: ``solara run apps/ecology.py``.

``evolora app`` is the better door: it guards the address, opens runs, and starts faster.
"""

from evolora_mesa.view.app import Layout, routes, stay_quiet

__all__ = ["Layout", "routes"]

stay_quiet()
