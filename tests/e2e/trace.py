"""Prints one whole conversation as it goes over the wire, for docs/protocol.md.

Usage: REPARTEE_BINARY=build/release/repartee /usr/bin/python3 tests/e2e/trace.py
"""
import asyncio
import json

import repartee
from conversation import Conversation
from speech import duration_ms, silence, speech


def short(value):
    """Long texts and lists are cut, so that a line is read at a glance."""
    if isinstance(value, str) and len(value) > 44:
        return value[:40] + "…"
    if isinstance(value, dict):
        return {k: short(v) for k, v in value.items()}
    if isinstance(value, list):
        return [short(v) for v in value]
    return value


class Trace:
    def __init__(self, talk):
        self.talk = talk
        self.run = [None, 0, 0]  # a row of like messages: label, how many, bytes

    def line(self, direction, label, bytes_count=0):
        if self.run[0] == (direction, label):
            self.run[1] += 1
            self.run[2] += bytes_count
            return
        self.flush()
        self.run = [(direction, label), 1, bytes_count]

    def flush(self):
        if not self.run[0]:
            return
        (direction, label), count, size = self.run
        print(direction, label + (f" × {count}, {size} bytes" if size else f" × {count}" if count > 1 else ""))
        self.run = [None, 0, 0]

    def received(self, event):
        if event["type"] == "binary":
            return self.line("<", f"binary PCM16 of {event['item_id']}", event["bytes"])
        if event["type"].endswith(".delta"):
            return self.line("<", event["type"] + " …")
        members = {k: short(v) for k, v in event.items() if k not in ("type", "event_id")}
        self.line("<", event["type"] + "  " + json.dumps(members, ensure_ascii=False))

    async def until(self, event_type):
        while True:
            event = await self.talk.receive()
            self.received(event)
            if event["type"] == event_type:
                return event

    async def send_audio(self, pcm, what):
        self.line(">", f"binary PCM16: {what}", len(pcm))
        await self.talk.send_audio(pcm)

    async def send(self, event_type, **members):
        self.line(">", event_type + "  " + json.dumps(members, ensure_ascii=False))
        await self.talk.send(event_type, **members)


async def main():
    with repartee.Server("--set", "log.level=off") as server:
        async with Conversation(server, "oh_kyungmi") as talk:
            trace = Trace(talk)
            print("> GET /ws/conversations/oh_kyungmi  101 Switching Protocols")
            await trace.until("session.created")
            await trace.send_audio(speech(), "“안녕하세요. 요즘 잠을 잘 못 자서 걱정이에요.”")
            await trace.send_audio(silence(900), "silence")
            begin = await trace.until("audio.start")
            while duration_ms(talk.audio[begin["item_id"]], 24000) < 900:
                trace.received(await talk.receive())
            await trace.send("playback", item_id=begin["item_id"], played_ms=480)
            await trace.send_audio(speech("잠깐만요.", "ko"), "“잠깐만요.”, over the character's voice")
            await trace.send_audio(silence(900), "silence")
            await trace.until("conversation.item.truncated")
            await trace.until("audio.end")
            await trace.until("response.output_audio.done")
            trace.flush()
            await talk.socket.close(1000)
            print("> close 1000")


asyncio.run(main())
