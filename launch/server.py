"""Start a Jupyter server, run notebooks through it as JupyterLab does, and tell what time and memory that took.

Runs with the Python of the environment to be tried, see `binder.py`. It speaks the server's own protocol (REST to begin
a session, a WebSocket for the kernel's messages) with libraries that every Jupyter server brings: what is tried is the
way a reader's browser takes, the server's limits on the flow of output included, and nothing is added to the
environment.

Memory: `VmHWM`, the highest resident size that the kernel of the operating system has recorded of a process, summed
over the server and all that it has started and still runs. No peak escapes it, however short; pages that two processes
share count twice, so it is rather too high than too low.
"""

import json
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from pathlib import Path

import psutil
import websocket
from project import patience, table

GOAL, LIMIT = 1200, 1800  # MB; Binder ends a session that takes more than 2 GB


class Server:
    """JupyterLab on a port of its own, with `folder` as its root."""

    def __init__(self, folder: Path, log: Path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.host, self.token, self.log = f"127.0.0.1:{port}", secrets.token_hex(16), log
        begin = time.monotonic()
        options = ["--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", "--ServerApp.port_retries=0"]
        options += [f"--ServerApp.port={port}", f"--IdentityProvider.token={self.token}"]
        with log.open("w") as told:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyter", "lab", *options], cwd=folder, stdout=told, stderr=told
            )
        while True:
            try:
                self.ask("api/status")
                break
            except OSError:
                if self.process.poll() is not None or time.monotonic() > begin + 120:
                    sys.exit(f"the server did not start:\n{log.read_text()}")
                time.sleep(0.05)
        self.seconds = time.monotonic() - begin

    def ask(self, path: str, method: str = "GET", /, **content) -> bytes:
        """The answer to a request; an error of the server raises an OSError."""
        body = json.dumps(content).encode() if content else None
        headers = {"Authorization": f"token {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"http://{self.host}/{path}", body, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def memory(self) -> float:
        """The highest resident size of the server and of what it has started, in MB."""
        server = psutil.Process(self.process.pid)
        total = 0
        for process in (server, *server.children(recursive=True)):
            try:
                status = Path(f"/proc/{process.pid}/status").read_text()
            except OSError:  # has just ended
                continue
            total += sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        return total * 1024 / 1e6

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Kernel:
    """A notebook opened on the server, with a kernel of its own."""

    def __init__(self, server: Server, name: str):
        self.server = server
        server.ask(f"lab/tree/{name}")  # the page that the launch button opens
        self.cells = json.loads(server.ask(f"api/contents/{name}"))["content"]["cells"]
        asked = {"path": name, "name": Path(name).name, "type": "notebook", "kernel": {"name": "python3"}}
        self.session = json.loads(server.ask("api/sessions", "POST", **asked))
        path = f"api/kernels/{self.session['kernel']['id']}/channels?session_id={uuid.uuid4().hex}"
        self.socket = websocket.create_connection(
            f"ws://{server.host}/{path}", header=[f"Authorization: token {server.token}"], timeout=patience()
        )

    def run(self, code: str) -> str | None:
        """Run a cell to its end; what went wrong, if anything."""
        number = uuid.uuid4().hex
        header = {"msg_id": number, "msg_type": "execute_request", "username": "", "session": number, "version": "5.3"}
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        message = {"channel": "shell", "header": header, "parent_header": {}, "metadata": {}, "content": content}
        self.socket.send(json.dumps(message))
        wrong, answered, idle = None, False, False
        while not (answered and idle):
            said = self.socket.recv()
            if isinstance(said, bytes):
                continue  # a message with buffers: of a widget, never one of those below
            said = json.loads(said)
            if said["parent_header"].get("msg_id") != number:
                continue
            kind, content = said["header"]["msg_type"], said["content"]
            if kind == "execute_reply":
                answered = True
                if content["status"] != "ok":
                    wrong = "\n".join(content.get("traceback", [content["status"]]))
            elif kind == "status":
                idle = content["execution_state"] == "idle"
            elif kind == "stream" and "rate exceeded" in content["text"]:
                wrong = content["text"]  # the server has dropped output that a reader should see
        return wrong

    def close(self) -> None:
        self.socket.close()
        self.server.ask(f"api/sessions/{self.session['id']}", "DELETE")


def visit(server: Server, name: str) -> tuple[float, float, float]:
    """Open a notebook, run it from top to bottom and close it: seconds to start, seconds to run, MB at the highest."""
    begin = time.monotonic()
    kernel = Kernel(server, name)
    kernel.run("")
    started = time.monotonic()
    for number, cell in enumerate(kernel.cells):
        if cell["cell_type"] != "code":
            continue
        wrong = kernel.run("".join(cell["source"]))
        if wrong and "raises-exception" not in cell["metadata"].get("tags", []):
            sys.exit(f"{name}, cell {number}:\n{wrong}")
    ran, memory = time.monotonic(), server.memory()
    kernel.close()
    return started - begin, ran - started, memory


def main(folder: str, *names: str) -> None:
    server = Server(Path(folder), Path(folder).parent / "server.log")
    rows = []
    try:
        print(f"server: starts in {server.seconds:.1f} s, takes {server.memory():.0f} MB", flush=True)
        for name in names:
            start, run, memory = visit(server, name)
            verdict = "good" if memory < GOAL else "above the goal" if memory < LIMIT else "TOO MUCH"
            rows.append([name, f"{start:.1f}", f"{run:.0f}", f"{memory:.0f}", verdict])
            print(f"{name}: {run:.0f} s, {memory:.0f} MB", flush=True)
    finally:
        server.stop()
    print("\n" + table(["chapter", "kernel starts (s)", "runs (s)", "highest memory (MB)", f"goal {GOAL} MB"], rows))
    if any(row[-1] == "TOO MUCH" for row in rows):
        sys.exit(f"a chapter needs more than {LIMIT} MB on Binder")


if __name__ == "__main__":
    main(*sys.argv[1:])
