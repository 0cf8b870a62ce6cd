"""Hosts that worlds of one process share: a host is frozen, so one copy serves every tab."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from evolora_mesa.config import WorldConfig

if TYPE_CHECKING:
    from evolora_mesa.host import HostService

__all__ = ["shared_host"]

_MOST_HOSTS = 2  # kept; a world that still lives keeps its own as well
_PER_REQUEST = {"max_new_tokens", "temperature"}  # settings that the host itself knows nothing of

_hosts: OrderedDict[str, HostService] = OrderedDict()
_loading = threading.Lock()


def shared_host(config: WorldConfig) -> HostService:
    """The host that a world's settings ask for, loaded once.

    Raises:
        HostError: it cannot be loaded.
    """
    from evolora_mesa.hosting import host_for

    name = config.host.model_dump_json(exclude=_PER_REQUEST)
    with _loading:
        if name not in _hosts:
            _hosts[name] = host_for(config)
        _hosts.move_to_end(name)
        while len(_hosts) > _MOST_HOSTS:
            _hosts.popitem(last=False)
        return _hosts[name]
