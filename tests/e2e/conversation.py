"""A game client in a few lines: events and audio of /ws/conversations/{id}, in the order in which they came."""
import asyncio
import collections
import json

import websockets

from realtime_schema import CONVERSATION_EVENTS, check_server_event

EVENT_LIMIT_S = 60


class Conversation:
    def __init__(self, server, character="park_jihoon", query="", **connect):
        self.url = f"{server.ws_url}/ws/conversations/{character}" + (f"?{query}" if query else "")
        self.connect = connect

    async def __aenter__(self):
        self.socket = await websockets.connect(self.url, max_size=2**26, ping_interval=None, **self.connect)
        self.order = []  # event types and ("binary", item)
        self.events = []
        self.audio = collections.defaultdict(bytes)  # by item
        self.playing = None
        self.taken = 0
        return self

    async def __aexit__(self, *_):
        await self.socket.close()

    async def send(self, event_type, **members):
        await self.socket.send(json.dumps({"type": event_type, **members}))

    async def send_audio(self, pcm, chunk=3200):
        for at in range(0, len(pcm), chunk):
            await self.socket.send(pcm[at:at + chunk])

    async def say(self, text):
        """A typed turn."""
        await self.send("conversation.item.create", item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]})
        await self.send("response.create")

    async def receive(self):
        """The next event; audio on the way is kept under its item."""
        while True:
            message = await asyncio.wait_for(self.socket.recv(), EVENT_LIMIT_S)
            if isinstance(message, bytes):
                assert self.playing, "a binary frame before any audio.start"
                assert len(message) % 2 == 0
                self.audio[self.playing] += message
                self.order.append(("binary", self.playing))
                return {"type": "binary", "item_id": self.playing, "bytes": len(message)}
            event = json.loads(message)
            check_server_event(event, CONVERSATION_EVENTS)
            if event["type"] == "audio.start":
                self.playing = event["item_id"]
            self.order.append(event["type"])
            self.events.append(event)
            return event

    async def wait_for(self, event_type, **members):
        """Reads on until such an event comes."""
        while True:
            event = await self.receive()
            if event["type"] == event_type and all(event.get(k) == v for k, v in members.items()):
                return event
            if event["type"] == "error" and event_type != "error":
                raise AssertionError(f"waiting for {event_type}, got {event}")

    async def seen(self, event_type, **members):
        """Such an event: one that has come already, or the next."""
        for event in self.events:
            if event["type"] == event_type and all(event.get(k) == v for k, v in members.items()):
                return event
        return await self.wait_for(event_type, **members)

    async def wait_close(self):
        try:
            while True:
                await self.receive()
        except websockets.ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006, closed.rcvd.reason if closed.rcvd else ""

    def types(self):
        """Event types without binaries, repeats of deltas folded."""
        out = []
        for entry in self.order:
            if isinstance(entry, str) and not (out and out[-1] == entry):
                out.append(entry)
        return out
