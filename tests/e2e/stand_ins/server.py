"""HTTP/1.1 by hand, on a thread of its own: so that an answer can be late, cut, endless or wrong at any byte, and a client that leaves is noticed."""
import asyncio
import collections
import contextlib
import json
import threading
import time
import urllib.parse

from . import faults
from .messages import Answer, Malformed, Request

HEADER_BYTES_MAX = 64 << 10
WAIT_LIMIT_S = 60


class _Watched(asyncio.StreamReaderProtocol):
    """Knows at once when the peer has gone, also while nobody reads."""

    def __init__(self, reader, connected, loop):
        super().__init__(reader, connected, loop=loop)
        self.gone = asyncio.Event()

    def eof_received(self):
        self.gone.set()
        return super().eof_received()

    def connection_lost(self, error):
        self.gone.set()
        super().connection_lost(error)


async def read_request_head(reader):
    """(request line, headers), or None at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip():
            raise Malformed(f"a broken header line: {line!r}")
        headers[name.lower()] = value.strip()
    return first, headers


async def read_body(reader, headers):
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = b""
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            body += await reader.readexactly(size)
            if await reader.readexactly(2) != b"\r\n":
                raise Malformed("a chunk longer than it says")
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass
        return body
    return await reader.readexactly(int(headers.get("content-length", 0)))


class StandIn:
    """A server. Subclasses give `routes`: path → coroutine function of the request that makes an Answer, and `refusal` for their way to say no."""

    def __init__(self, tls=None):
        self.tls = tls  # an ssl.SSLContext
        self.routes = {}
        self.requests = []
        self.connections = 0
        self.broken = []  # what clients did wrong on the wire
        self._next = collections.defaultdict(collections.deque)
        self._default = {}
        self._tasks = set()

    # --- what a test says

    def then(self, path, *steps):
        """The next requests of this path meet these, in order; after them it is as before."""
        self._next[path].extend(steps)

    def always(self, path, step):
        self._default[path] = step

    def well(self):
        """All is well again from the next request on, and nothing is remembered."""
        self._next.clear()
        self._default.clear()
        self.requests.clear()

    def settle(self):
        """Returns when all that clients had sent before is among the requests."""
        async def turns():
            for _ in range(20):
                await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(turns(), self._loop).result()

    def of(self, path):
        """The requests of one path, in the order in which they came."""
        return [request for request in self.requests if request.path == path]

    def wait_for(self, path, count=1):
        """Waits until so many requests of the path have come; the last of them."""
        return self.wait_until(lambda: len(self.of(path)) >= count and self.of(path)[count - 1], f"request {count} of {path}")

    @staticmethod
    def wait_until(what, name="it", limit_s=WAIT_LIMIT_S):
        until = time.monotonic() + limit_s
        while not (found := what()):
            assert time.monotonic() < until, f"{name} did not come"
            time.sleep(0.005)
        return found

    async def until(self, what, name="it", limit_s=WAIT_LIMIT_S):
        """wait_until() for coroutines."""
        return await asyncio.get_running_loop().run_in_executor(None, lambda: self.wait_until(what, name, limit_s))

    # --- what a subclass says

    def refusal(self, path, status, message, code):
        """The body of an error answer."""
        return json.dumps({"error": {"message": message, "type": "server_error", "param": None, "code": code}}).encode()

    def refuse(self, path, status, message, code=None):
        return Answer([self.refusal(path, status, message, code)], status=status, streamed=False)

    # --- life

    def __enter__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=type(self).__name__, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_):
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://{'localhost' if self.tls else '127.0.0.1'}:{self.port}"

    async def _listen(self):
        def connected(reader, writer):
            task = self._loop.create_task(self._serve(reader, writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        def protocol():
            reader = asyncio.StreamReader(limit=HEADER_BYTES_MAX, loop=self._loop)
            return _Watched(reader, connected, self._loop)

        return await self._loop.create_server(protocol, "127.0.0.1", 0, ssl=self.tls)

    async def _end(self):
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._loop.shutdown_default_executor()

    async def _serve(self, reader, writer):
        self.connections += 1
        number = self.connections
        gone = writer.transport.get_protocol().gone
        try:
            await self._serve_connection(reader, writer, gone, number)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except (Malformed, ValueError, LookupError, TypeError, AttributeError) as error:
            self.broken.append(f"{type(error).__name__}: {error}")
            writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), 1)

    async def _serve_connection(self, reader, writer, gone, number):
        while head := await read_request_head(reader):
            line, headers = head
            method, target, _ = line.split(" ")
            split = urllib.parse.urlsplit(target)
            body = await read_body(reader, headers)
            request = Request(method, split.path, split.query, headers, body, number, time.monotonic())
            self.requests.append(request)
            if not await self._answer(request, writer, gone):
                return

    async def _answer(self, request, writer, gone):
        """True: the connection is kept."""
        queue = self._next[request.path]
        step = queue.popleft() if queue else self._default.get(request.path) or faults.ok()
        work = self._loop.create_task(self._make_and_send(request, step, writer))
        left = self._loop.create_task(gone.wait())
        try:
            await asyncio.wait({work, left}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                request.aborted = time.monotonic()
                return False
            if work.exception() and isinstance(work.exception(), ConnectionError):
                request.aborted = time.monotonic()
            return work.result()
        finally:
            for task in (work, left):
                task.cancel()
            await asyncio.gather(work, left, return_exceptions=True)

    async def _make_and_send(self, request, step, writer):
        route = self.routes.get(request.path)
        if not route:
            return await faults.status(404, "No such path", "not_found").send(self, request, None, writer)
        answer = None if isinstance(step, faults.status) else await route(request)
        return await step.send(self, request, answer, writer)
