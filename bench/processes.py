"""The processes of a benchmark: nginx started from a configuration of bench/nginx, ports, and cores."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
MODULE = HERE.parent / "build/ngx_http_phantom_token_module.so"
NJS = "/usr/lib/nginx/modules/ngx_http_js_module.so"
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")

# One core for what is measured, another for the rest. Where there is one only, it is both.
CORES = sorted(os.sched_getaffinity(0))
GATEWAY_CORE, OTHER_CORE = CORES[0], CORES[-1]


class Failed(Exception):
    """The benchmark cannot go on, or would measure something else than it says."""


class Refused(Failed):
    """nginx -t refuses a configuration."""


class Ports:
    """Free ports of the loopback interface, each given out once."""

    def __init__(self):
        self._held = []

    def new(self):
        """The port stays bound until all are released, so that no other process gets it in the meantime."""
        held = socket.socket()
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        self._held.append(held)
        return held.getsockname()[1]

    def release(self):
        for held in self._held:
            held.close()
        self._held = []


def filled(text, values):
    """The text with every %%NAME%% replaced, in values too."""
    while "%%" in text:
        before, name, after = text.split("%%", 2)
        if name not in values:
            raise Failed(f"no value for the placeholder {name}")
        text = f"{before}{values[name]}{after}"
    return text


class Nginx:
    """One nginx with its own folder; ends with stop()."""

    def __init__(self, folder, http, values, modules=(), workers=1, wrapper=()):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        for script in (HERE / "nginx").glob("*.js"):
            shutil.copy(script, self.folder)
        frame = (HERE / "nginx/frame.conf").read_text()
        values = {**values, "HTTP": http, "WORKERS": workers,
                  "USER": "user root;" if os.geteuid() == 0 else "",
                  "MODULES": "\n".join(f"load_module {module};" for module in modules)}
        (self.folder / "nginx.conf").write_text(filled(frame, values))
        self._command = [*wrapper, NGINX, "-p", f"{self.folder}/", "-e", "error.log", "-c", "nginx.conf"]
        self._workers = workers
        self._wrapped = bool(wrapper)
        self._process = None

    def check(self):
        command = [NGINX, "-t", "-q", *self._command[self._command.index("-p"):]]
        tested = subprocess.run(command, capture_output=True, text=True)
        if tested.returncode != 0:
            raise Refused(tested.stderr.strip())

    def start(self, port):
        with open(self.folder / "output", "w") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=output, cwd=self.folder, start_new_session=True)
        deadline = time.monotonic() + 60
        while not (_answers(port) and len(self.workers()) == self._workers):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"nginx did not start: {(self.folder / 'error.log').read_text()[-2000:]}")
            time.sleep(0.05)
        return self

    def workers(self):
        """Process ids, without the cache's manager and loader."""
        children = pathlib.Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        if self._wrapped:
            # valgrind hides the titles; nginx starts its workers first.
            return [int(child) for child in children[:self._workers]]
        return [int(child) for child in children if b"worker process" in _title(child)]

    def pin(self, cores):
        for process in self.workers():
            os.sched_setaffinity(process, cores)

    def stop(self):
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def complaints(self):
        """What the error log says, but for the errors of single requests: clients that leave cause some."""
        lines = (self.folder / "error.log").read_text().splitlines()
        return [line for line in lines if re.search(r"\[(warn|crit|alert|emerg)\]", line)]


def _title(process):
    try:
        return pathlib.Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


def _answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False
