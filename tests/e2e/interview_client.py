"""A candidate in a few lines: hears questions, answers with recordings."""
import asyncio
import json
import urllib.parse

import websockets

EVENT_LIMIT_S = 60


class Candidate:
    def __init__(self, server, **query):
        words = urllib.parse.urlencode(query, doseq=True)
        self.url = f"{server.ws_url}/api/v1/ws/interview" + (f"?{words}" if words else "")

    async def __aenter__(self):
        self.socket = await websockets.connect(self.url, max_size=2**26, ping_interval=None)
        self.events = []
        self.chunks = []  # of what is being said
        self.session_id = None
        return self

    async def __aexit__(self, *_):
        await self.socket.close()

    async def receive(self):
        message = await asyncio.wait_for(self.socket.recv(), EVENT_LIMIT_S)
        if isinstance(message, bytes):
            self.chunks.append(message)
            return {"type": "binary"}
        event = json.loads(message)
        self.events.append(event)
        if event["type"] in ("question_start", "closing"):
            self.chunks = []
            self.session_id = event.get("session_id", self.session_id)
        return event

    async def wait_for(self, event_type):
        while True:
            event = await self.receive()
            if event["type"] == event_type:
                return event
            if event["type"] == "error":
                raise AssertionError(f"waiting for {event_type}, got {event}")

    async def question(self):
        """(its event, its sound)."""
        event = await self.wait_for("question_start")
        await self.wait_for("question_end")
        return event, b"".join(self.chunks)

    async def send(self, event_type, **members):
        await self.socket.send(json.dumps({"type": event_type, **members}))

    async def record(self, content, chunk=4000):
        for at in range(0, len(content), chunk):
            await self.socket.send(content[at:at + chunk])

    async def answer(self, content):
        """Says it, and hands back what was understood."""
        await self.record(content)
        await self.send("answer_done")
        return await self.understood()

    async def understood(self):
        await self.wait_for("transcribing_start")
        return (await self.wait_for("answer_text"))["text"]

    async def error(self):
        while (event := await self.receive())["type"] != "error":
            pass
        return event

    async def wait_close(self):
        try:
            while True:
                await self.receive()
        except websockets.ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006, closed.rcvd.reason if closed.rcvd else ""
