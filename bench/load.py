"""What the clients send, and what it took: wrk and h2load for a while, or exactly so many requests one after another."""

import contextlib
import dataclasses
import json
import socket
import statistics
import subprocess
import tempfile

from processes import HERE, Failed

CONNECTIONS = 16


@dataclasses.dataclass
class Report:
    requests: int
    seconds: float
    p50: float  # milliseconds
    p99: float

    @property
    def rate(self):
        return self.requests / self.seconds


class Tokens:
    """Which tokens are sent: one, many in rotation, or each time a new one."""

    def __init__(self, folder, way, tokens):
        self.way = way
        self.tokens = tokens
        self.file = folder / "tokens" / f"{way}-{tokens[0][:8]}-{len(tokens)}"
        self.file.parent.mkdir(exist_ok=True)
        self.file.write_text("\n".join(tokens) + "\n")

    def each(self, count):
        """That many tokens, in the order of sending."""
        for number in range(count):
            yield self.tokens[0] + str(number) if self.way == "new" else self.tokens[number % len(self.tokens)]


def wrk(port, tokens, seconds, cores, connections=CONNECTIONS, threads=1):
    return wrk_started(port, tokens, seconds, cores, connections, threads)()


def wrk_started(port, tokens, seconds, cores, connections=CONNECTIONS, threads=1):
    """Starts wrk; what is returned waits for its report."""
    command = [*_on(cores), "wrk", "--timeout", "10s", "-t", str(threads), "-c", str(connections), "-d", f"{seconds}s",
               "-s", HERE / "wrk.lua", f"http://127.0.0.1:{port}/", "--", tokens.way, tokens.file]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def report():
        output, _ = process.communicate()
        return _wrk_report(output)

    return report


def _wrk_report(output):
    line = next((line for line in output.splitlines() if line.startswith("{")), None)
    if line is None:
        raise Failed(f"wrk failed: {output}")
    report = json.loads(line)
    if report["refused"] or report["broken"] or not report["requests"]:
        raise Failed(f"not every request was answered with 200: {line}")
    return Report(report["requests"], report["microseconds"] / 1e6, report["p50"] / 1e3, report["p99"] / 1e3)


def h2load(port, token, seconds, cores):
    """HTTP/2 without TLS, 10 requests at a time on each connection."""
    with tempfile.NamedTemporaryFile("r") as log:
        _h2load(port, token, "-D", str(seconds), "-c", str(CONNECTIONS), "-m", "10", f"--log-file={log.name}", cores=cores)
        answers = [line.split() for line in log]
    if not answers or any(answer[1] != "200" for answer in answers):
        raise Failed("h2load: not every request was answered with 200")
    milliseconds = sorted(int(answer[2]) / 1e3 for answer in answers)
    return Report(len(answers), seconds, statistics.median(milliseconds), milliseconds[len(milliseconds) * 99 // 100])


def exactly_http2(port, token, count):
    """Sends that many requests, one after another, on one connection."""
    output = _h2load(port, token, "-n", str(count), "-c", "1", "-m", "1")
    if f"status codes: {count} 2xx, 0 3xx, 0 4xx, 0 5xx" not in output:
        raise Failed(f"h2load: not every request was answered with 200: {output}")


def _h2load(port, token, *options, cores=None):
    command = [*(_on(cores) if cores else []), "h2load", "-t", "1", *options, "-H", f"authorization: Bearer {token}",
               f"http://127.0.0.1:{port}/"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if " 0 failed, 0 errored, 0 timeout" not in output:
        raise Failed(f"h2load: requests were lost: {output}")
    return output


def headers(credentials):
    """A token, or a token and behind a tab its proof."""
    token, _, proof = credentials.partition("\t")
    return {"Authorization": f"DPoP {token}", "DPoP": proof} if proof else {"Authorization": f"Bearer {token}"}


def exactly(port, tokens, path="/"):
    """Sends one request for each token, on one connection, and returns the heads of the answers."""
    heads = []
    with contextlib.closing(socket.create_connection(("127.0.0.1", port), 60)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for token in tokens:
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers(token).items())
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}\r\n".encode())
            heads.append(_answer(connection))
    return heads


def _answer(connection):
    received = b""
    while b"\r\n\r\n" not in received or not received.endswith(b"ok\n"):
        more = connection.recv(65536)
        received += more
        if not more or not received.startswith(b"HTTP/1.1 200 "):
            raise Failed(f"not every request was answered with 200: {received[:300]}")
    return received.split(b"\r\n\r\n")[0].decode()


def _on(cores):
    return ["taskset", "-c", ",".join(map(str, sorted(cores)))]
