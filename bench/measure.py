#!/usr/bin/env python3
"""Measures what docs/numbers.md reports, on this machine, in one run: prints one Markdown table.

Usage: REPARTEE_BINARY=build/release/repartee /usr/bin/python3 bench/measure.py
"""
import asyncio
import contextlib
import json
import pathlib
import statistics
import sys
import time

import websockets

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tests" / "e2e"))
import repartee  # noqa: E402
from conversation import Conversation  # noqa: E402
from speech import silence, speech  # noqa: E402

TURNS = 15
ECHOES = 500
SESSIONS = 200


def row(what, values_ms):
    values = sorted(values_ms)
    print(f"| {what} | {statistics.median(values):.2f} | {values[0]:.2f} | {values[-1]:.2f} | {len(values)} |")


def rss_kib(server):
    for line in open(f"/proc/{server.process.pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1])


async def first_audio(socket):
    while not isinstance(await socket.recv(), bytes):
        pass


async def reply_latency(server):
    """End of speech → first reply byte, and interruption → silence, with the local engine."""
    first_byte, typed, to_silence = [], [], []
    for _ in range(TURNS):
        async with Conversation(server) as talk:
            await talk.wait_for("session.created")
            # The turn ends with the frame that completes 500 ms of silence: the clock starts when the server says so.
            await talk.send_audio(speech() + silence(900))
            await talk.wait_for("input_audio_buffer.speech_stopped")
            begin = time.perf_counter()
            while (await talk.receive())["type"] != "binary":
                pass
            first_byte.append((time.perf_counter() - begin) * 1000)

            loud = speech()[16000 * 2 // 10:]
            while (await talk.receive())["type"] != "binary":
                pass
            begin = time.perf_counter()
            await talk.send_audio(loud[:16000 * 2 // 2])
            await talk.wait_for("audio.clear")
            to_silence.append((time.perf_counter() - begin) * 1000)

        async with Conversation(server) as talk:
            await talk.wait_for("session.created")
            begin = time.perf_counter()
            await talk.say("안녕하세요")
            while (await talk.receive())["type"] != "binary":
                pass
            typed.append((time.perf_counter() - begin) * 1000)
    row("speech_stopped → first reply byte (local engine, espeak-ng started for it)", first_byte)
    row("typed turn → first reply byte (the same)", typed)
    row("500 ms of speech sent at once during a reply → audio.clear", to_silence)


async def echo_upstream(socket):
    """A Realtime service that answers every append with its own audio."""
    await socket.send(json.dumps({"type": "session.created", "event_id": "e", "session": {"type": "realtime", "model": "echo"}}))
    async for text in socket:
        event = json.loads(text)
        if event["type"] == "input_audio_buffer.append":
            await socket.send('{"type":"response.output_audio.delta","event_id":"e","response_id":"r","item_id":"i","output_index":0,"content_index":0,"delta":"'
                              + event["audio"] + '"}')
        elif event["type"] == "session.update":
            await socket.send(json.dumps({"type": "session.updated", "event_id": "e", "session": event["session"]}))


@contextlib.asynccontextmanager
async def relay_to_echo():
    loop = asyncio.get_running_loop()
    async with websockets.serve(echo_upstream, "127.0.0.1", 0, ping_interval=None) as upstream:
        url = f"ws://127.0.0.1:{upstream.sockets[0].getsockname()[1]}/v1/realtime"
        server = repartee.Server("--set", f"realtime.url={url}", "--set", "server.threads=1", "--set", "log.level=warn",
                                 "--set", f"server.sessions_max={SESSIONS * 2}")
        await loop.run_in_executor(None, server.__enter__)
        try:
            yield server, url
        finally:
            await loop.run_in_executor(None, server.__exit__, None, None, None)


async def added_latency(server, url):
    """One 20 ms frame there and back, directly and through the relay, in turn."""
    frame = bytes(960)
    append = json.dumps({"type": "input_audio_buffer.append", "audio": "A" * 1280})
    direct, relayed = [], []
    async with websockets.connect(url, ping_interval=None, compression=None) as straight, Conversation(
            server, query="input_rate=24000&output_rate=24000&pacing=off", compression=None) as talk:
        await straight.recv()
        await talk.socket.send(frame)
        await first_audio(talk.socket)
        for _ in range(ECHOES):
            begin = time.perf_counter()
            await straight.send(append)
            await straight.recv()
            direct.append((time.perf_counter() - begin) * 1000)
            begin = time.perf_counter()
            await talk.socket.send(frame)
            await talk.socket.recv()
            relayed.append((time.perf_counter() - begin) * 1000)
    row("20 ms frame there and back, directly", direct)
    row("20 ms frame there and back, through Repartee", relayed)
    return statistics.median(relayed) - statistics.median(direct)


async def memory(server):
    before = rss_kib(server)
    async with contextlib.AsyncExitStack() as stack:
        talks = []
        for _ in range(SESSIONS):
            talks.append(await stack.enter_async_context(Conversation(server, query="pacing=off", compression=None)))
            await talks[-1].socket.recv()  # session.created
        idle = rss_kib(server)
        for talk in talks:
            await talk.socket.send(bytes(640))
            await first_audio(talk.socket)
        talking = rss_kib(server)
    return (idle - before) / SESSIONS, (talking - before) / SESSIONS


async def main():
    print("| what | median ms | min | max | n |\n|---|---|---|---|---|")
    with repartee.Server() as local:
        await reply_latency(local)
    async with relay_to_echo() as (server, url):
        added = await added_latency(server, url)
        idle, talking = await memory(server)
    print(f"\nadded by the relay, median: {added:.3f} ms a round trip")
    print(f"memory a session at {SESSIONS}: {idle:.0f} KiB idle, {talking:.0f} KiB after audio both ways (16 kHz in, resampled)")


asyncio.run(main())
