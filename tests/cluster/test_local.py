"""A Ray of this machine, as `dream run` starts one: of few parts, beside any other."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import pytest

from dream.cluster.connect import connect, disconnect

pytestmark = pytest.mark.servers

AGENTS_PORT = 52365  # where Ray's agent listens unless told


def test_a_ray_of_this_machine_waits_for_no_port_that_another_has_and_has_no_part_that_nobody_asks() -> None:
    import ray

    with socket.socket() as another:
        with contextlib.suppress(OSError):  # then another Ray has it, which is what is wanted
            another.bind(("", AGENTS_PORT))
            another.listen()
        connect("local")
        try:
            logs = Path(ray._private.worker._global_node.get_session_dir_path()) / "logs"
            assert ray.get(ray.remote(lambda: "works").remote(), timeout=60) == "works"
            agent = (logs / "dashboard_agent.log").read_text()
        finally:
            disconnect()
    assert "Loaded" in agent and "bind" not in agent
    assert not list(logs.glob("*monitor*"))
