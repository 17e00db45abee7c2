"""How a request is answered: well, late, slowly, or wrongly. One object a step; `send` gives True when the connection may be used again."""
import asyncio
import socket
import struct
import threading
import time

from .messages import Answer

PHRASES = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 413: "Payload Too Large", 429: "Too Many Requests",
           500: "Internal Server Error", 503: "Service Unavailable"}


def _head(answer, length=None, close=False):
    lines = [f"HTTP/1.1 {answer.status} {PHRASES.get(answer.status, 'Status')}", f"Content-Type: {answer.content_type}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    lines.append("Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}")
    if close:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _regrouped(pieces, size):
    whole = b"".join(pieces)
    return [whole[at:at + size] for at in range(0, len(whole), size)]


class _Out:
    """The way of one answer's bytes to the client: chunked, or plain behind a Content-Length."""

    def __init__(self, request, answer, writer, length=None, close=False):
        self.request, self.writer, self.chunked = request, writer, length is None
        self.writer.write(_head(answer, length, close))
        self.request.answered = time.monotonic()

    async def put(self, piece):
        if piece:
            self.writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if self.chunked else piece)
            await self.writer.drain()

    async def end(self):
        if self.chunked:
            self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()
        self.request.ended = time.monotonic()


def _begin(request, answer, writer, close=False):
    return _Out(request, answer, writer, None if answer.streamed else sum(map(len, answer.pieces)), close)


def _cut(request, writer, reset=False):
    """Ends the connection amid an answer: with FIN, or with RST."""
    request.ended = time.monotonic()
    if reset:
        plain = writer.get_extra_info("socket")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    else:
        writer.close()
    return False


class ok:
    """A faithful answer: the header after `first_ms`, `gap_ms` between its pieces, which have `chunk` bytes when given: odd sizes split samples and
    letters."""

    def __init__(self, first_ms=0, gap_ms=0, chunk=None):
        self.first_ms, self.gap_ms, self.chunk = first_ms, gap_ms, chunk

    async def send(self, service, request, answer, writer):
        await asyncio.sleep(self.first_ms / 1000)
        out = _begin(request, answer, writer)
        for piece in _regrouped(answer.pieces, self.chunk) if self.chunk else answer.pieces:
            await out.put(piece)
            if self.gap_ms:
                await asyncio.sleep(self.gap_ms / 1000)
        await out.end()
        return True


class held:
    """Stops behind some pieces, or behind some bytes, until release()."""

    def __init__(self, pieces=None, bytes=None):
        self.pieces, self.bytes = pieces, bytes
        self.reached = threading.Event()
        self._released = threading.Event()

    def release(self):
        self._released.set()

    async def _wait(self):
        self.reached.set()
        while not self._released.is_set():
            await asyncio.sleep(0.003)

    async def send(self, service, request, answer, writer):
        whole = b"".join(answer.pieces)
        at = sum(map(len, answer.pieces[:self.pieces])) if self.pieces is not None else self.bytes
        if at == 0:
            await self._wait()
        out = _begin(request, answer, writer)
        await out.put(whole[:at])
        if at > 0:
            await self._wait()
        await out.put(whole[at:])
        await out.end()
        return True


class status:
    """A refusal in the service's own form."""

    def __init__(self, number, message="The stand-in says no.", code=None, retry_after=None):
        self.number, self.message, self.code, self.retry_after = number, message, code, retry_after

    async def send(self, service, request, _, writer):
        body = service.refusal(request.path, self.number, self.message, self.code)
        answer = Answer([body], status=self.number, streamed=False)
        if self.retry_after is not None:
            answer.headers["Retry-After"] = str(self.retry_after)
        return await ok().send(service, request, answer, writer)


def quota():
    """Nothing that another try could mend."""
    return status(429, "You exceeded your current quota.", "insufficient_quota")


class _Replaced:
    """200 with something else in place of the answer."""

    def __init__(self, body, content_type=None):
        self.body, self.content_type = body, content_type

    async def send(self, service, request, answer, writer):
        answer.pieces, answer.streamed = [self.body], False
        # What is not JSON at all is not made sound by its name.
        is_sound = answer.content_type.startswith("audio/")
        answer.content_type = self.content_type or ("application/json" if is_sound else answer.content_type)
        return await ok().send(service, request, answer, writer)


def wrong_json():
    return _Replaced(b'data: {"choices":[{"delta":{"content":"Hel\n\n{"text": \n')


def wrong_type():
    return _Replaced(b"<!doctype html><title>Sign in</title>", "text/html; charset=utf-8")


class cut:
    """Closes the connection amid the answer, or (`after_bytes` 0) with nothing but its header; `header=False`: before that."""

    def __init__(self, after_bytes=None, reset=False, header=True):
        self.after_bytes, self.reset, self.header = after_bytes, reset, header

    async def send(self, service, request, answer, writer):
        if not self.header:
            return _cut(request, writer, self.reset)
        out = _begin(request, answer, writer)
        whole = b"".join(answer.pieces)
        await out.put(whole[:len(whole) // 2 if self.after_bytes is None else self.after_bytes])
        # So that what was sent is read before the reset throws it away.
        await asyncio.sleep(0.02 if self.reset else 0)
        return _cut(request, writer, self.reset)


class hang:
    """Says nothing any more: before the header, or amid the body. Ends when the client leaves."""

    def __init__(self, before="header", after_bytes=0):
        self.before, self.after_bytes = before, after_bytes

    async def send(self, service, request, answer, writer):
        if self.before == "body":
            out = _begin(request, answer, writer)
            await out.put(b"".join(answer.pieces)[:self.after_bytes])
            await writer.drain()
        await asyncio.Event().wait()


class drip:
    """Alive, but slow."""

    def __init__(self, bytes_a_second=40):
        self.bytes_a_second = bytes_a_second

    async def send(self, service, request, answer, writer):
        out = _begin(request, answer, writer)
        for piece in _regrouped(answer.pieces, max(1, self.bytes_a_second // 20)):
            await out.put(piece)
            await asyncio.sleep(0.05)
        await out.end()
        return True


class endless:
    """Never comes to its end."""

    def __init__(self, gap_ms=10):
        self.gap_ms = gap_ms

    async def send(self, service, request, answer, writer):
        answer.streamed = True
        out = _begin(request, answer, writer)
        await out.put(b"".join(answer.pieces[:1]))
        filler = answer.filler or answer.pieces[0]
        while True:
            await out.put(filler)
            await asyncio.sleep(self.gap_ms / 1000)


class close_idle:
    """Answers well, without a word about the connection, and closes it."""

    async def send(self, service, request, answer, writer):
        await ok().send(service, request, answer, writer)
        return False


class error_amid:
    """Begins well, and tells of an error in the middle, as the original would."""

    async def send(self, service, request, answer, writer):
        if answer.error is None:
            return await cut().send(service, request, answer, writer)
        answer.streamed = True
        out = _begin(request, answer, writer)
        for piece in answer.pieces[:max(1, len(answer.pieces) // 2)] + [answer.error]:
            await out.put(piece)
        await out.end()
        return True
