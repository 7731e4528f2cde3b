"""A cluster that tests give commands to, as a person at its administrator's terminal would."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

ROOT = Path(__file__).parents[3]
SHARED = ROOT.parent / "shared" / "cluster" / "cluster"

# Programs, images and state of the test cluster.
CACHE = Path(os.environ.get("TEST_CLUSTER_HOME") or Path.home() / ".cache" / "test-cluster")

DREAM_IMAGE = "ghcr.io/dream-rag/dream:0.1.0"


class CommandFailed(AssertionError):
    """A command ended with an error; the message holds all that it said."""


@dataclass(frozen=True)
class Cluster:
    """Where commands run.

    Attributes:
        prefix: what stands before each command to bring it to the cluster; nothing for a KUBECONFIG.
        folder: the folder that commands run in; the fork, once there is one.
        environment: variables that commands see besides this process's own.
    """

    prefix: tuple[str, ...] = ()
    folder: Path = ROOT
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def own(self) -> bool:
        """Whether the suite started it, so that images can be packed for its node."""
        return bool(self.prefix)

    def start(self, *words: str | Path, **how: Any) -> subprocess.Popen[str]:
        """A command under way, in a process group of its own."""
        return subprocess.Popen(
            [*self.prefix, *map(str, words)],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            text=True,
            start_new_session=True,
            **how,
        )

    def attempt(
        self, *words: str | Path, stdin: str | None = None, seconds: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """A command, whatever its exit status."""
        process = self.start(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(stdin, timeout=seconds)
        except subprocess.TimeoutExpired:
            end(process)
            out, err = process.communicate()
            raise CommandFailed(f"{shown(words)} took more than {seconds:.0f} s:\n{out}{err}") from None
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def run(self, *words: str | Path, stdin: str | None = None, seconds: float = 300) -> str:
        """What a command printed.

        Raises:
            CommandFailed: its exit status is not 0, or it took longer than ``seconds``.
        """
        done = self.attempt(*words, stdin=stdin, seconds=seconds)
        if done.returncode != 0:
            raise CommandFailed(f"{shown(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def shell(self, command: str, seconds: float = 300) -> str:
        """What a line of a document printed, run as a person types it."""
        return self.run("bash", "-euo", "pipefail", "-c", command, seconds=seconds)

    def kubectl(self, *words: str | Path, stdin: str | None = None, seconds: float = 300) -> str:
        """``kubectl`` in the platform's namespace; another ``-n`` among the words wins."""
        return self.run("kubectl", "--namespace", "dream", *words, stdin=stdin, seconds=seconds)

    def get(self, *words: str) -> Any:
        """What ``kubectl get`` finds, as JSON; a list where it finds several."""
        found = json.loads(self.kubectl("get", *words, "--output", "json"))
        return found["items"] if found["kind"].endswith("List") else found

    def python(self, pod: str, program: str, *arguments: str, seconds: float = 300) -> str:
        """What a program printed that was run in a Pod."""
        return self.kubectl(
            "exec", "-i", *pod.split(), "--", "python", "-", *arguments, stdin=program, seconds=seconds
        )


def shown(words: tuple[str | Path, ...]) -> str:
    """A command for a message, its length bounded."""
    return " ".join(map(str, words))[:300]


def end(process: subprocess.Popen[str]) -> None:
    """End a command with all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def running(cluster: Cluster, *words: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A command under way until the block ends; its words are thrown away."""
    process = cluster.start(*words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        end(process)


def wait_for(look: Callable[[], T], what: str, seconds: float = 300, pause: float = 1) -> T:
    """Look until what is found is true, and give it.

    Raises:
        AssertionError: it did not happen in time; says what was found last.
    """
    limit = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < limit, f"{what} did not happen within {seconds:.0f} s"
        time.sleep(pause)
