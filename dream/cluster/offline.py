"""The offline model server where the trials can reach it: on this machine, or on one of the cluster's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from dream.cluster.connect import Connection
from dream.models.offline import ServerOptions, start
from dream.study import OfflineChat, Study
from dream.study_file import used_models


@contextmanager
def offline_server(study: Study, connection: Connection, also: Sequence[str] = ()) -> Iterator[str | None]:
    """The server's address for as long as the block runs, if a model of the run, or of ``also``, is offline.

    On a cluster it runs beside an actor, which ends with this process's connection, however that ends.
    """
    used = {name for group, name in used_models(study) if group == "llms"}.union(also)
    if not any(isinstance(study.models.llms[name], OfflineChat) for name in used):
        yield None
    elif connection.kind == "local":
        with start() as server:
            yield server.url
    else:
        import ray

        host: Any = ray.remote(num_cpus=0)(Host).remote()
        try:
            yield ray.get(host.start.remote())
        finally:
            ray.kill(host)


class Host:
    """Holds a server on the machine that the actor runs on."""

    def __init__(self) -> None:
        self._running = ExitStack()

    def start(self) -> str:
        """Start it where the cluster's other machines can reach it; gives its address."""
        import ray

        address = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        options = ServerOptions(host=address)
        return str(self._running.enter_context(start(options)).url)
