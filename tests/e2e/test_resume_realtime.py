"""/v1/realtime outlives its client's connection: tokens, what comes again, which worker has it, and who may not come back."""
import asyncio
import contextlib
import http.client
import json
import ssl
import urllib.parse

import pytest
import websockets

import repartee
from realtime_schema import check_server_event

LIMIT_S = 20


class Counting:
    """A Realtime service that numbers its events and streams as many as it is told to."""

    def __init__(self):
        self.connections = 0
        self.heard = []

    async def __call__(self, socket):
        self.connections += 1
        self.number = 0
        await socket.send(json.dumps({"type": "session.created", "event_id": "event_first",
                                      "session": {"type": "realtime", "id": "sess_scripted", "model": "counting"}}))
        streams = set()
        async for text in socket:
            event = json.loads(text)
            self.heard.append(event)
            if event["type"] == "test.stream":
                task = asyncio.create_task(self.stream(socket, **event["how"]))
                streams.add(task)
                task.add_done_callback(streams.discard)
            elif event["type"] == "test.leave":
                await socket.close(1011)
            elif event["type"] == "session.update":
                session = {**event["session"], "id": "sess_scripted"}
                await socket.send(json.dumps({"type": "session.updated", "event_id": "event_u", "session": session}))

    async def stream(self, socket, count, size=10, gap_s=0.0, wait_s=0.0):
        await asyncio.sleep(wait_s)
        with contextlib.suppress(websockets.ConnectionClosed):
            for _ in range(count):
                self.number += 1
                await socket.send(json.dumps({"type": "response.output_audio.delta", "event_id": f"event_{self.number}", "response_id": "r",
                                              "item_id": "i", "output_index": 0, "content_index": 0, "delta": "A" * size}))
                await asyncio.sleep(gap_s)


class Client:
    """One conversation's client over all of its connections."""

    def __init__(self, url, path="/v1/realtime", **connect):
        self.address, self.path, self.connect = url.replace("http", "ws", 1), path, connect
        self.tokens, self.numbers, self.last = [], [], None

    async def open(self, **query):
        target = self.address + self.path + ("?" + urllib.parse.urlencode(query) if query else "")
        self.socket = await websockets.connect(target, max_size=2**26, ping_interval=None, compression=None, **self.connect)
        first = json.loads(await asyncio.wait_for(self.socket.recv(), LIMIT_S))
        assert first["type"] == ("session.resumed" if "resume" in query else "session.created"), first
        if "resume" in query:
            check_server_event(first)
        self.tokens.append(first["session"].get("resume", {}).get("token"))
        return first

    async def back(self, last=None, **query):
        if last or self.last:
            query["last_event"] = last or self.last
        return await self.open(resume=self.tokens[-1], **query)

    async def send(self, kind, **members):
        await self.socket.send(json.dumps({"type": kind, **members}))

    async def stream(self, count, **how):
        await self.send("test.stream", how={"count": count, **how})

    async def read(self, until):
        """Reads numbered events up to this number."""
        while not self.numbers or self.numbers[-1] < until:
            event = json.loads(await asyncio.wait_for(self.socket.recv(), LIMIT_S))
            assert event["type"] == "response.output_audio.delta", event
            self.numbers.append(int(event["event_id"].removeprefix("event_")))
            self.last = event["event_id"]

    def vanish(self):
        """As a phone that leaves the network, but noticed at once."""
        self.socket.transport.abort()

    async def closed(self):
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                await asyncio.wait_for(self.socket.recv(), LIMIT_S)
        return self.socket.close_code

    async def refused(self, token=None, path=None, **query):
        """The answer to a return that is not wanted."""
        target = self.address + (path or self.path) + "?" + urllib.parse.urlencode({"resume": token or self.tokens[-1], **query})
        with pytest.raises(websockets.InvalidStatusCode) as refusal:
            await websockets.connect(target, ping_interval=None, **self.connect)
        return refusal.value.status_code


@contextlib.asynccontextmanager
async def relay(*arguments, tls=False, environment=None):
    loop = asyncio.get_running_loop()
    service = Counting()
    async with websockets.serve(service, "127.0.0.1", 0, ping_interval=None, compression=None, max_size=2**26) as upstream:
        port = upstream.sockets[0].getsockname()[1]
        server = repartee.Server("--set", f"realtime.url=ws://127.0.0.1:{port}/v1/realtime", "--set", "realtime.warm_connections=0",
                                 "--set", "server.threads=4", *arguments, tls=tls, environment=environment)
        await loop.run_in_executor(None, server.__enter__)
        server.service = service
        try:
            yield server
        finally:
            await loop.run_in_executor(None, server.__exit__, None, None, None)


async def eventually(what, limit_s=10):
    await asyncio.get_running_loop().run_in_executor(None, repartee.eventually, what, limit_s)


def sessions(server, count):
    return lambda: server.metric("repartee_sessions_active") == count


@pytest.mark.parametrize("tls", [False, True])
async def test_a_client_that_comes_and_goes_misses_nothing(tls):
    async with relay(tls=tls) as server:
        connect = {"ssl": ssl.create_default_context(cafile=server.certificate)} if tls else {}
        client = Client(server.tls_url if tls else server.url, **connect)
        created = await client.open()
        assert len(created["session"]["resume"]["token"]) >= 32 and created["session"]["resume"]["window_ms"] == 60000
        total = 0
        # The accepting worker is another one each time; the session's stays.
        for turn in range(9):
            await client.stream(30, gap_s=0.004, size=2000)
            total += 30
            await client.read(until=total - 25)
            client.vanish()
            await eventually(lambda: server.metric("repartee_connections_active") == 1)  # the one that asks
            if turn % 3 == 0:
                await asyncio.sleep(0.2)
            resumed = await client.back()
            assert resumed["events_lost"] == 0 and resumed["session"]["id"] == "sess_scripted", resumed
            await client.read(until=total)
        assert client.numbers == list(range(1, total + 1)), "an event was lost, or came twice"
        assert len(set(client.tokens)) == len(client.tokens)
        assert server.service.connections == 1
        await client.send("test.echo", said="by the last connection")
        await eventually(lambda: {"type": "test.echo", "said": "by the last connection"} in server.service.heard)
        await client.socket.close()
        await eventually(sessions(server, 0))
        await eventually(lambda: server.metric("repartee_connections_active") == 1)
        log = server.log()
        assert not any(token in log for token in client.tokens), "a token stands in the log"


async def test_a_token_is_good_once_and_only_at_its_own_door():
    async with relay() as server:
        client = Client(server.url)
        await client.open()
        character = server.get_json("/api/v1/characters")[1]
        name = (character["characters"] if isinstance(character, dict) else character)[0]["id"]
        assert await client.refused(path=f"/ws/conversations/{name}") == 410
        assert await client.refused(token="resume_unknown") == 410
        assert await client.refused(played="item:-1") == 400
        asked = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=LIMIT_S)
        asked.request("GET", "/v1/realtime?resume=resume_unknown", headers={
            "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="})
        answer = asked.getresponse()
        assert answer.status == 410 and json.loads(answer.read())["error"]["code"] == "resume_refused"
        asked.close()

        spent = client.tokens[0]
        client.vanish()
        # Many at the same moment: one gets in.
        others = [Client(server.url) for _ in range(6)]
        outcomes = await asyncio.gather(*(other.open(resume=spent) for other in others), return_exceptions=True)
        winners = [other for other, outcome in zip(others, outcomes) if isinstance(outcome, dict)]
        assert len(winners) == 1, outcomes
        assert all(o.status_code == 410 for o in outcomes if not isinstance(o, dict))
        assert await client.refused(token=spent) == 410
        await winners[0].socket.close()
        await eventually(sessions(server, 0))
        assert await client.refused(token=winners[0].tokens[-1]) == 410


async def test_a_new_connection_takes_the_place_of_one_that_seems_alive():
    async with relay() as server:
        client = Client(server.url)
        await client.open()
        await client.stream(3)
        await client.read(until=3)
        old = client.socket
        await client.back()
        await client.stream(3)
        await client.read(until=6)
        assert client.numbers == [1, 2, 3, 4, 5, 6]
        await asyncio.wait_for(old.wait_closed(), LIMIT_S)
        assert old.close_code == 4001
        await client.socket.close()
        await eventually(sessions(server, 0))


async def test_a_client_that_got_no_new_token_comes_back_with_the_one_it_has():
    async with relay() as server:
        client = Client(server.url)
        await client.open()
        client.vanish()
        await client.back()
        unseen = client.tokens.pop()
        client.vanish()  # before anything was heard from it
        await eventually(lambda: server.metric("repartee_connections_active") == 1)
        await client.back()
        assert await client.refused(token=unseen) == 410
        await client.socket.close()


async def test_what_does_not_fit_holds_the_service_back_and_is_not_lost():
    async with relay("--set", "resume.events_bytes_max=20000") as server:
        client = Client(server.url)
        await client.open()
        await client.stream(1)
        await client.read(until=1)
        await client.stream(2000, size=10_000, wait_s=0.5)
        client.vanish()
        await asyncio.sleep(1.5)
        resumed = await client.back()
        assert resumed["events_lost"] == 0, resumed
        assert resumed["events_again"] < 20, resumed
        await client.read(until=2001)
        assert client.numbers == list(range(1, 2002))
        await client.socket.close()


async def test_without_a_last_event_the_last_moments_come_again():
    async with relay() as server:
        client = Client(server.url)
        await client.open()
        await client.stream(5)
        await client.read(until=5)
        client.vanish()
        client.last, client.numbers = None, []
        await client.back()
        await client.read(until=5)
        assert client.numbers == [1, 2, 3, 4, 5]
        await client.socket.close()


@pytest.mark.parametrize("ended_by", ["window", "upstream", "code 1000"])
async def test_a_session_that_is_over_cannot_be_come_back_to(ended_by):
    async with relay("--set", "resume.window_ms=1000") as server:
        client = Client(server.url)
        await client.open()
        if ended_by == "upstream":
            await client.send("test.leave")
            assert await client.closed() in (1011, 1013)
        elif ended_by == "code 1000":
            await client.socket.close(1000)
        else:
            client.vanish()
            assert sessions(server, 1)()
        await eventually(sessions(server, 0))
        assert await client.refused() == 410
        await eventually(lambda: server.metric("repartee_connections_active") == 1)


async def test_a_waiting_session_gives_its_place_to_a_new_client():
    async with relay("--set", "server.sessions_max=2") as server:
        first, second, third = (Client(server.url) for _ in range(3))
        await first.open()
        await second.open()
        with pytest.raises(websockets.InvalidStatusCode):
            await third.open()  # both are in use
        first.vanish()
        await eventually(lambda: server.metric("repartee_connections_active") == 2)
        await third.open()
        assert await first.refused() == 410
        second.vanish()
        await eventually(lambda: server.metric("repartee_connections_active") == 2)
        await second.back()
        for client in (second, third):
            await client.socket.close()
        await eventually(sessions(server, 0))


async def test_no_window_no_way_back():
    async with relay("--set", "resume.window_ms=0") as server:
        client = Client(server.url)
        created = await client.open()
        assert "resume" not in created["session"]
        client.vanish()
        await eventually(sessions(server, 0))


async def test_a_stopping_server_does_not_wait_for_lost_clients():
    async with relay() as server:
        client = Client(server.url)
        await client.open()
        client.vanish()
        await eventually(lambda: server.metric("repartee_connections_active") == 1)
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < 5


async def test_a_character_session_on_the_engine_built_in_goes_on():
    loop = asyncio.get_running_loop()
    server = repartee.Server("--set", "server.threads=4")
    await loop.run_in_executor(None, server.__enter__)
    try:
        listed = server.get_json("/api/v1/characters")[1]
        name = (listed["characters"] if isinstance(listed, dict) else listed)[0]["id"]
        client = Client(server.url, path=f"/characters/{name}/v1/realtime")
        await client.open()
        client.path = "/v1/realtime"  # the token says which session
        for _ in range(3):
            content = [{"type": "input_text", "text": "안녕"}]
            await client.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})
            await client.send("response.create")
            events = []
            while not events or events[-1]["type"] != "response.done":
                events.append(json.loads(await asyncio.wait_for(client.socket.recv(), LIMIT_S)))
                if len(events) == 4:
                    client.vanish()
                    await client.back(last=events[-1]["event_id"])
            assert len({event["event_id"] for event in events}) == len(events)
            kinds = [event["type"] for event in events]
            assert kinds.count("response.created") == 1 and "response.output_audio.delta" in kinds, kinds
            assert events[-1]["response"]["status"] == "completed", events[-1]
        await client.socket.close()
        await eventually(sessions(server, 0))
    finally:
        await loop.run_in_executor(None, server.__exit__, None, None, None)
