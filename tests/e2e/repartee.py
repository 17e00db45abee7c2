"""The real binary as a test sees it: started on free ports with a folder of its own, stopped with SIGTERM, its exit status checked."""
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

BINARY = os.environ["REPARTEE_BINARY"]
START_LIMIT_S = 60
STOP_LIMIT_S = 60


def clean_environment(extra=None):
    """What the surroundings set must not reach the server under test."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("REPARTEE_", "OPENAI_")) and not k.lower().endswith("_proxy")}
    environment.update(extra or {})
    return environment


def settings(**sections):
    """Settings as environment variables: settings(llm={"url": "…"}) is {"REPARTEE_LLM__URL": "…"}."""
    return {f"REPARTEE_{section}__{key}".upper(): str(value).lower() if isinstance(value, bool) else str(value)
            for section, members in sections.items() for key, value in members.items()}


def run(*arguments, environment=None, timeout=60):
    """One verb to its end."""
    return subprocess.run([BINARY, *arguments], env=clean_environment(environment), capture_output=True, text=True, timeout=timeout)


class Server:
    """`repartee serve`. Attributes: url (http://host:port), tls_url, data_dir, log(); last_log when it has ended."""

    def __init__(self, *arguments, environment=None, tls=False, data_dir=None):
        self._temporary = tempfile.TemporaryDirectory(prefix="repartee-test-")
        self.data_dir = pathlib.Path(data_dir or self._temporary.name) / "data"
        self.arguments = [BINARY, "serve", "--listen", "127.0.0.1:0", "--data-dir", str(self.data_dir), *arguments]
        if tls:
            self.arguments += ["--tls-listen", "localhost:0"]
        self.environment = clean_environment(environment)
        self.url = self.tls_url = None
        self.expected_exit = 0

    def __enter__(self):
        self._log = open(pathlib.Path(self._temporary.name) / "log", "w+")
        self.process = subprocess.Popen(self.arguments, env=self.environment, stdout=subprocess.PIPE, stderr=self._log, text=True)
        guard = threading.Timer(START_LIMIT_S, self.process.kill)
        guard.start()
        for line in self.process.stdout:
            found = re.search(r"listens on (https?)://([^/]+)/", line)
            if found and found[1] == "http":
                self.url = f"http://{found[2]}"
            elif found:
                self.tls_url = f"https://{found[2]}"
            else:
                break
        guard.cancel()
        if not self.url:
            self.process.wait()
            raise RuntimeError("the server did not start:\n" + self.log())
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the server did not stop:\n" + self.log())
        finally:
            self.process.stdout.close()
        log = self.last_log = self.log()
        self._log.close()
        self._temporary.cleanup()
        assert status == self.expected_exit, f"exit status {status}:\n{log}"

    def log(self):
        self._log.flush()
        return pathlib.Path(self._log.name).read_text()

    @property
    def ws_url(self):
        return self.url.replace("http", "ws", 1)

    @property
    def certificate(self):
        return self.data_dir / "tls" / "cert.pem"

    def get(self, path, headers=None, method="GET", body=None):
        """(status, headers, body bytes), whatever the status."""
        request = urllib.request.Request(self.url + path, headers=headers or {}, method=method, data=body)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def get_json(self, path, **kwargs):
        status, _, body = self.get(path, **kwargs)
        return status, json.loads(body)

    def metric(self, name):
        """The value of one line of /metrics, labels included in the name; 0 when it is not there."""
        for line in self.get("/metrics")[2].decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
        return 0.0


def eventually(what, limit_s=30):
    """Asks until it is so; for what the server does in its own time."""
    until = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < until, "it did not happen"
