"""POST /voice-chat over a plain socket: what comes when, trailers, and leaving in the middle."""
import contextlib
import json
import secrets
import socket
import time
import urllib.parse

from recordings import CONTENT_TYPES, recording

LIMIT_S = 60


def form(parts):
    """[(name, file name or None, content type, bytes)] → (content type, body)."""
    boundary = secrets.token_hex(12)
    body = b""
    for name, file_name, content_type, content in parts:
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'.encode()
        if file_name is not None:
            body += f'; filename="{file_name}"\r\nContent-Type: {content_type}'.encode()
        body += b"\r\n\r\n" + content + b"\r\n"
    return f"multipart/form-data; boundary={boundary}", body + f"--{boundary}--\r\n".encode()


class VoiceChat:
    """One request: upload(), head(), then next() or rest(). Names of headers and trailers are in lower case. `whole`: the body came to its end."""

    def __init__(self, server, kind="wav", content=None, fields=None, headers=None, path="/voice-chat", file_name=None):
        parts = [(name, None, None, value.encode()) for name, value in (fields or {}).items()]
        if content is None:
            content = recording(kind)
        if content:
            parts.append(("audio", file_name or f"question.{kind}", CONTENT_TYPES[kind], content))
        self.content_type, self.sent = form(parts)
        self.server, self.path, self.extra = server, path, headers or {}
        self.status, self.headers, self.trailers, self.body, self.whole = None, {}, {}, b"", False
        self.uploaded = self.first_byte = None

    def __enter__(self):
        host, port = self.server.url.removeprefix("http://").rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=LIMIT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as curl does; else the last piece waits for an acknowledgement
        self.file = self.socket.makefile("rb")
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def upload(self):
        headers = {"Host": "localhost", "Content-Type": self.content_type, "Content-Length": len(self.sent), **self.extra}
        head = f"POST {self.path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
        # A server that refuses early may not take all of it, and answers all the same.
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(head.encode() + self.sent)
        self.uploaded = time.perf_counter()
        return self

    def head(self):
        self.status = int(self.file.readline().split()[1])
        self.headers = self._fields()
        return self

    def _fields(self):
        fields = {}
        while line := self.file.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            fields[name.lower()] = value.strip()
        return fields

    def next(self):
        """The next chunk of the body; b"" at its end, or where it was cut."""
        if "transfer-encoding" in self.headers:
            line = self.file.readline()
            size = int(line, 16) if line.strip() else None
            if size == 0:
                self.trailers, self.whole = self._fields(), True
            chunk = self.file.read(size) if size else b""
            if size:
                self.file.read(2)
        elif self.whole:
            return b""
        else:
            size = int(self.headers.get("content-length", 0))
            chunk = self.file.read(size)
            self.whole = len(chunk) == size
        if chunk and self.first_byte is None:
            self.first_byte = time.perf_counter()
        self.body += chunk
        return chunk

    def rest(self):
        with contextlib.suppress(ConnectionError):
            while self.next():
                pass
        return self

    def text(self, name):
        """A header's text."""
        return urllib.parse.unquote(self.headers[name])

    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        return self.json()["error"]


def chat(server, *arguments, **words):
    """A whole one."""
    with VoiceChat(server, *arguments, **words) as asked:
        return asked.upload().head().rest()
