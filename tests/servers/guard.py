"""Runs a server and ends it, with all its children, when whoever started it goes away.

Called as ``python guard.py FOLDER COMMAND...`` with a pipe as standard input. The pipe closes when the
starter closes it or dies, even by ``kill -9``; a death signal alone would be lost where a server changes
its user, and would not reach the workers of a server that has some. FOLDER, the server's own, is removed.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading


def main() -> int:
    folder, command = sys.argv[1], sys.argv[2:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, which then close the pipe
    signal.signal(signal.SIGTERM, lambda *_: end(server))
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)

    def watch() -> None:
        while os.read(0, 1):
            pass
        end(server)

    threading.Thread(target=watch, daemon=True).start()
    code = server.wait()
    signal_group(server, signal.SIGKILL)  # workers that outlived their parent
    shutil.rmtree(folder, ignore_errors=True)
    return code


def end(server: subprocess.Popen[bytes]) -> None:
    signal_group(server, signal.SIGTERM)
    # not a daemon timer: it must also fire while the main thread waits for the server
    late = threading.Timer(8, signal_group, (server, signal.SIGKILL))
    late.daemon = True
    late.start()


def signal_group(server: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, number)


if __name__ == "__main__":
    sys.exit(main())
