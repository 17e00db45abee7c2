"""A Realtime client in a few lines: /v1/realtime over JSON text frames. Every event that comes is checked against the published shapes."""
import asyncio
import base64
import collections
import json

import websockets

from realtime_schema import check_server_event

EVENT_LIMIT_S = 60
HZ = 24000


class RealtimeClient:
    def __init__(self, server, query="model=repartee-local", **connect):
        self.url = f"{server.ws_url}/v1/realtime" + (f"?{query}" if query else "")
        self.connect = connect

    async def __aenter__(self):
        self.socket = await websockets.connect(self.url, max_size=2**26, ping_interval=None, **self.connect)
        self.events = []
        self.raw = []
        self.audio = collections.defaultdict(bytes)  # by item
        self.transcripts = collections.defaultdict(str)  # by item, from deltas
        self.event_ids = set()
        return self

    async def __aexit__(self, *_):
        await self.socket.close()

    async def send(self, event_type, **members):
        await self.socket.send(json.dumps({"type": event_type, **members}))

    async def update(self, **session):
        """session.update; answers what is in force then."""
        await self.send("session.update", session={"type": "realtime", **session})
        return (await self.wait_for("session.updated"))["session"]

    async def append(self, pcm, chunk=4800):
        for at in range(0, len(pcm), chunk):
            await self.send("input_audio_buffer.append", audio=base64.b64encode(pcm[at:at + chunk]).decode())

    async def add_text(self, text, role="user", **members):
        part = "output_text" if role == "assistant" else "input_text"
        await self.send("conversation.item.create", item={"type": "message", "role": role, "content": [{"type": part, "text": text}]}, **members)

    async def say(self, text, **response):
        """A typed turn."""
        await self.add_text(text)
        await self.send("response.create", **({"response": response} if response else {}))

    async def receive(self):
        message = await asyncio.wait_for(self.socket.recv(), EVENT_LIMIT_S)
        assert isinstance(message, str), "the Realtime API has no binary frames"
        event = json.loads(message)
        check_server_event(event)
        assert event["event_id"] not in self.event_ids, "an event_id came twice"
        self.event_ids.add(event["event_id"])
        self.raw.append(message)
        self.events.append(event)
        if event["type"] == "response.output_audio.delta":
            self.audio[event["item_id"]] += base64.b64decode(event["delta"], validate=True)
        elif event["type"] in ("response.output_audio_transcript.delta", "response.output_text.delta"):
            self.transcripts[event["item_id"]] += event["delta"]
        return event

    async def wait_for(self, event_type, **members):
        """Reads on until such an event comes."""
        while True:
            event = await self.receive()
            if event["type"] == event_type and all(event.get(name) == value for name, value in members.items()):
                return event
            if event["type"] == "error" and event_type != "error":
                raise AssertionError(f"waiting for {event_type}, got {event}")

    async def error(self):
        return (await self.wait_for("error"))["error"]

    async def collect(self, last):
        """All events until one of type `last`, deltas of one kind folded: [(type, event), …]."""
        collected = []
        while not collected or collected[-1]["type"] != last:
            event = await self.receive()
            if event["type"].endswith(".delta") and any(e["type"] == event["type"] for e in collected):
                continue
            assert event["type"] != "error" or last == "error", event
            collected.append(event)
        return collected

    async def wait_close(self):
        try:
            while True:
                await self.receive()
        except websockets.ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006, closed.rcvd.reason if closed.rcvd else ""

    async def retrieve_audio(self, item_id, content_index=0):
        await self.send("conversation.item.retrieve", item_id=item_id)
        item = (await self.wait_for("conversation.item.retrieved"))["item"]
        assert item["id"] == item_id
        part = item["content"][content_index]
        return base64.b64decode(part.get("audio", ""), validate=True), part
