"""A cable between two programs that can be pulled."""
import asyncio
import contextlib


class Line:
    """`url` leads to `target`. While not `whole`, nobody gets through."""

    def __init__(self, url):
        self.lead_to(url)
        self._open = set()
        self.whole = True

    def lead_to(self, url):
        self._target = url.split("://")[1].split(":")

    async def __aenter__(self):
        self._listener = await asyncio.start_server(self._join, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._listener.close()
        self.pull()
        await asyncio.sleep(0.05)

    async def _join(self, reader, writer):
        if not self.whole:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(*self._target)
        pair = (writer, far_writer)
        self._open.add(pair)
        await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))
        self._open.discard(pair)

    @staticmethod
    async def _carry(reader, writer):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    def pull(self):
        """What is on its way is lost; new connections get through unless `whole` says no."""
        for pair in list(self._open):
            for writer in pair:
                writer.transport.abort()
