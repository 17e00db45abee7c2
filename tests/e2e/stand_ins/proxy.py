"""A forward proxy: CONNECT for https, whole addresses for http. Every name leads to where the test says."""
import asyncio
import base64
import contextlib
import time
import urllib.parse

from .messages import Request
from .server import StandIn, read_body, read_request_head


class Proxy(StandIn):
    """`leads`: "host:port" of the address → (host, port) to connect to. `login`: "name:password" that is wanted."""

    def __init__(self, leads, login=None):
        super().__init__()
        self.leads, self.login = leads, login

    def _is_let_in(self, headers):
        wanted = "Basic " + base64.b64encode((self.login or "").encode()).decode()
        return self.login is None or headers.get("proxy-authorization") == wanted

    async def _serve_connection(self, reader, writer, gone, number):
        head = await read_request_head(reader)
        if not head:
            return
        line, headers = head
        method, target, _ = line.split(" ")
        request = Request(method, target, "", headers, b"", number, time.monotonic())
        self.requests.append(request)
        split = urllib.parse.urlsplit(target if method != "CONNECT" else f"//{target}")
        lead = self.leads.get(f"{split.hostname}:{split.port or 80}")
        if not self._is_let_in(headers):
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")
            return
        if not lead:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        far_reader, far_writer = await asyncio.open_connection(*lead)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            request.body = await read_body(reader, headers)
            kept = {name: value for name, value in headers.items() if not name.startswith("proxy-")}
            kept.pop("transfer-encoding", None)
            kept["content-length"] = str(len(request.body))
            path = split.path + (f"?{split.query}" if split.query else "")
            far_writer.write((f"{method} {path} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in kept.items()) + "\r\n").encode() + request.body)
        both = [asyncio.ensure_future(_pump(reader, far_writer)), asyncio.ensure_future(_pump(far_reader, writer))]
        try:
            # Whoever ends first ends both: an address a request, nothing is kept.
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            far_writer.close()


async def _pump(reader, writer):
    with contextlib.suppress(ConnectionError):
        while some := await reader.read(65536):
            writer.write(some)
            await writer.drain()
