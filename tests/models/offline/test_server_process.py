"""The server's process: it starts fast, says why it cannot, answers alike, and never outlives its starter."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from dream.errors import DreamError
from dream.models.offline import OFFLINE_VERSION, ServerOptions, start

ASKED = (
    b'{"model": "extractive", "seed": 7, "messages": [{"role": "user", "content": '
    b'"Context:\\n[1] Ray runs tasks. The ledger keeps work.\\n\\nQuestion: What does the ledger keep?"}]}'
)


def ask(url: str) -> bytes:
    request = urllib.request.Request(
        url + "/chat/completions", data=ASKED, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        body: bytes = answer.read()
    return body


def ended(pid: int, within: float = 10.0) -> bool:
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_the_package_brings_nothing_heavy():
    heavy = ["ray", "ragas", "llama_index.core", "sklearn", "pandas", "mlflow", "numpy", "openai"]
    code = f"import sys, dream.models.offline.app; print([name for name in {heavy} if name in sys.modules])"
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert said.stdout.strip() == "[]"


def test_the_version_is_a_hash_of_the_rules(tmp_path, monkeypatch):
    from dream.models.offline import version

    package = Path(version.__file__).parent
    for path in package.glob("*.py"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(version, "__file__", str(tmp_path / "version.py"))
    assert version.digest_sources() == OFFLINE_VERSION
    with (tmp_path / "judging.py").open("a") as rules:
        rules.write("# changed\n")
    assert version.digest_sources() != OFFLINE_VERSION


@pytest.mark.servers
def test_a_restarted_server_answers_to_the_byte_alike():
    answers = set()
    for _ in range(2):  # each with another seed for Python's hashes
        with start() as server:
            answers.add(ask(server.url))
    assert len(answers) == 1


@pytest.mark.servers
def test_the_server_ends_with_its_context():
    with start() as server:
        assert ask(server.url)
    assert ended(server.pid, within=1)


@pytest.mark.servers
def test_the_server_ends_when_its_starter_is_killed():
    code = (
        "import sys, time\nfrom dream.models.offline import start\n"
        "with start() as server:\n    print(server.pid, flush=True)\n    time.sleep(60)\n"
    )
    starter = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    assert not ended(pid, within=0.2)
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait()
    starter.stdout.close()
    assert ended(pid)


@pytest.mark.servers
def test_a_taken_port_is_said_in_one_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(DreamError, match=f"127.0.0.1:{port}.*[Aa]ddress already in use"),
            start(ServerOptions(port=port)),
        ):
            pass


@pytest.mark.servers
def test_a_key_that_is_not_set_is_said():
    with (
        pytest.raises(DreamError, match="NO_SUCH_KEY is not set"),
        start(ServerOptions(api_key_env="NO_SUCH_KEY")),
    ):
        pass


@pytest.mark.servers
def test_two_servers_at_once_have_their_own_ports():
    with start() as one, start() as other:
        assert one.url != other.url
        assert ask(one.url) == ask(other.url)
        assert one.calls()["repeats"] == other.calls()["repeats"] == 0


@pytest.mark.servers
def test_the_server_starts_from_any_folder_and_survives_a_ctrl_c(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with start() as server:
        assert os.getpgid(server.pid) != os.getpgid(0)  # a terminal's Ctrl-C goes to a process group
        assert ask(server.url)
