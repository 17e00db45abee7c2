"""Lines that break, doors that are closed."""
import asyncio
import contextlib

from conftest import LINES, STATE, console, say, talk_to
import repartee


class Line:
    """A cable between the page and the server that can be pulled."""

    def __init__(self, url):
        self._target = url.split("://")[1].split(":")
        self._open = set()
        self.whole = True

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
        for pair in list(self._open):
            for writer in pair:
                writer.transport.abort()


async def test_a_lost_line_is_told_and_comes_back_by_itself(server, recording):
    async with Line(server.url) as line:
        # That the line broke is in the browser's log; it is what this test does.
        async with console(line.url, speech=recording(120), own=["WebSocket connection", "ERR_"], tapped=True) as page:
            await talk_to(page, "choi_hyunwoo")
            await say(page, "저는 민수라고 해요.")
            await page.until(f"{STATE} === 'speaking'")
            await asyncio.sleep(1)
            line.whole = False
            line.pull()
            await page.until(f"{STATE} === 'lost'")
            assert "연결이 끊겼어요" in (await page.run(LINES))[-1][1]
            await asyncio.sleep(1.5)
            line.whole = True
            await page.until(f"{STATE} !== 'lost'", 30)
            lines = await page.run(LINES)
            assert "다시 이어졌어요" in lines[-1][1]
            assert not any(who == "note" and "error" in text for who, text in lines)
            # The new session was told what both had said, and refused none of it.
            added = await page.run("probe.events.filter((event) => event.type === 'conversation.item.added' && event.item.id.startsWith('memory_')).map((event) => event.item.role)")
            assert added == ["user", "assistant"]
            assert await page.run("probe.events.filter((event) => event.type === 'error').length") == 0
            before = len(lines)
            await say(page, "계속 이야기해요.")
            await page.until(f"document.querySelectorAll('.line').length === {before + 2}")
            await page.until(f"{STATE} === 'speaking'")


async def test_a_server_that_wants_a_key(recording):
    with repartee.Server(environment={"REPARTEE_SERVER__API_KEYS": "open-sesame"}) as locked:
        assert locked.get("/api/v1/status")[0] == 401
        assert locked.get_json("/api/v1/status", headers={"Authorization": "Bearer open-sesame"})[1]["keys_wanted"] is True
        async with console(locked.url, speech=recording(120), own=["401", "WebSocket connection"]) as page:
            await page.click(".card[data-id=park_jihoon] h2 a")
            await page.click(".notice .button")
            await page.until("document.activeElement.id === 'key'")
            await page.type("open-sesame")
            await page.key("Enter")
            await page.until(f"{STATE} === 'listening'")
            assert await page.run("localStorage.length && JSON.stringify(localStorage).includes('sesame')") is False
            await page.click(".under")
            await page.click("#tab-code")
            assert await page.run("document.querySelector('.snippet').textContent.includes('sesame')") is False
            await page.run("location.hash = '#/server'")
            await page.until("document.querySelector('.verdict').dataset.level === 'good'")


async def test_an_unknown_character_and_a_fresh_page(server, recording):
    async with console(server.url, speech=recording(120), own=["404"]) as page:
        await page.run("location.hash = '#/talk/nobody'")
        await page.until("document.querySelector('.lonely')")
    # Without a click there is no sound, so a page that opens right here offers to begin.
    async with console(server.url, speech=recording(120)) as page:
        await page.open(server.url + "/?fresh#/talk/park_jihoon")
        await page.until("document.querySelector('.offer') || document.querySelector('.dock')")
        if await page.run("!!document.querySelector('.offer')"):
            await page.click(".offer .button")
        await page.until(f"{STATE} === 'listening'")
