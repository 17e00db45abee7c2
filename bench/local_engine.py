#!/usr/bin/env python3
"""Measures how soon the local engine answers and falls silent, with its own voice (espeak-ng): prints Markdown for docs/numbers.md.

Usage: REPARTEE_BINARY=build/release/repartee /usr/bin/python3 bench/local_engine.py
"""
import asyncio
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tests" / "e2e"))
import repartee  # noqa: E402
from conversation import Conversation  # noqa: E402
from speech import silence, speech  # noqa: E402

TURNS = 15
SPEECH_HZ = 16_000


def row(what, values_ms):
    values = sorted(values_ms)
    print(f"| {what} | {statistics.median(values):.2f} | {values[0]:.2f} | {values[-1]:.2f} | {len(values)} |")


async def sound(talk):
    while (await talk.receive())["type"] != "binary":
        pass


def ms_since(begin):
    return (time.perf_counter() - begin) * 1000


async def spoken_turn(server):
    """speech_stopped → first sound, and interruption → silence."""
    async with Conversation(server) as talk:
        await talk.wait_for("session.created")
        # The turn ends with the frame that completes 500 ms of silence: the clock starts when the server says so.
        await talk.send_audio(speech() + silence(900))
        await talk.wait_for("input_audio_buffer.speech_stopped")
        begin = time.perf_counter()
        await sound(talk)
        first_ms = ms_since(begin)

        loud = speech()[SPEECH_HZ * 2 // 10:]
        await sound(talk)
        begin = time.perf_counter()
        await talk.send_audio(loud[:SPEECH_HZ * 2 // 2])
        await talk.wait_for("audio.clear")
        return first_ms, ms_since(begin)


async def typed_turn(server):
    async with Conversation(server) as talk:
        await talk.wait_for("session.created")
        begin = time.perf_counter()
        await talk.say("안녕하세요")
        await sound(talk)
        return ms_since(begin)


async def main():
    print("| what | median ms | min | max | n |\n|---|---|---|---|---|")
    with repartee.Server() as server:
        spoken = [await spoken_turn(server) for _ in range(TURNS)]
        typed = [await typed_turn(server) for _ in range(TURNS)]
    row("`speech_stopped` → first reply byte (local engine; espeak-ng is started for it)", [first for first, _ in spoken])
    row("typed turn → first reply byte (the same)", typed)
    row("500 ms of speech sent at once during a reply → `audio.clear`", [silent for _, silent in spoken])


asyncio.run(main())
