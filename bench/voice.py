#!/usr/bin/env python3
"""What Repartee itself adds to a conversation whose ears, brain and voice are services over HTTP: prints Markdown for docs/numbers.md.

The services are stand-ins in a process of their own, with a fixed delay each. What they take is measured by the same requests made directly, on kept
connections, and subtracted.

Usage: REPARTEE_BINARY=build/release/repartee /usr/bin/python3 bench/voice.py [--quick]
"""
import argparse
import asyncio
import contextlib
import http.client
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tests" / "e2e"))
import provided  # noqa: E402
import stand_ins  # noqa: E402
from conversation import Conversation  # noqa: E402
from recordings import recording, wav  # noqa: E402
from speech import silence, speech  # noqa: E402
from stand_ins import faults  # noqa: E402
from stand_ins.openai import CHAT, GREETED, SPEECH, TRANSCRIPTIONS, spoken  # noqa: E402
from voice_chat_client import VoiceChat, form  # noqa: E402

HEARING_MS, THINKING_MS, SPEAKING_MS = 40, 40, 40
FIRST_PIECE = "네, 말씀 잘 들었습니다."
ADDED_LIMIT_MS = 100
TALK_S, ROUND_S = 1.5, 12
FRAME_MS = 100
SENTENCE = "저는 세 해 동안 서버를 만들었고, 지금은 음성 대화를 만들고 있습니다."


class Service:
    """The stand-ins in their own process, as provided.serve() wants it."""

    def __enter__(self):
        self.process = subprocess.Popen([sys.executable, __file__, "--stand-in"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        self.base = f"http://127.0.0.1:{self.port}/v1"
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


def run_stand_in():
    """Until the input ends."""
    spoken(FIRST_PIECE)
    with stand_ins.OpenAI() as service:
        for path, delay_ms in ((TRANSCRIPTIONS, HEARING_MS), (CHAT, THINKING_MS), (SPEECH, SPEAKING_MS)):
            service.always(path, faults.ok(first_ms=delay_ms))
        print(service.port, flush=True)
        sys.stdin.read()


class Direct:
    """The three requests of a turn, one behind the other, without anything between."""

    def __init__(self, service):
        self.connections = [http.client.HTTPConnection("127.0.0.1", service.port) for _ in range(3)]

    def turn_ms(self, file):
        """From the question's last byte to the first byte of the first piece's sound."""
        content_type, body = form([("model", None, None, b"gpt-transcribe"), ("stream", None, None, b"true"),
                                   ("file", "speech.wav", "audio/wav", file)])
        chat = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "?"}]}
        voice = {"model": "tts-1", "voice": "nova", "input": FIRST_PIECE, "response_format": "pcm"}
        hear, think, speak = self.connections
        begin = time.perf_counter()
        hear.request("POST", TRANSCRIPTIONS, body, {"Content-Type": content_type})
        hear.getresponse().read()
        think.request("POST", CHAT, json.dumps(chat))
        words = think.getresponse()
        words.readline()
        speak.request("POST", SPEECH, json.dumps(voice))
        sound = speak.getresponse()
        sound.read(1)
        took = (time.perf_counter() - begin) * 1000
        words.read()
        sound.read()
        return took


def row(what, values_ms):
    values = sorted(values_ms)
    print(f"| {what} | {statistics.median(values):.1f} | {values[0]:.1f} | {values[-1]:.1f} | {len(values)} |", flush=True)


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]


def rss_kib(server):
    for line in open(f"/proc/{server.process.pid}/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1])


def cpu_s(server):
    """Of the server and of the programs it has ended."""
    fields = open(f"/proc/{server.process.pid}/stat").read().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


async def spoken_turns(server, direct, turns):
    """speech_stopped → first sound: (all of it, what the services took of it), a value a turn."""
    file = wav(speech())
    measured, services = [], []
    async with Conversation(server, "choi_hyunwoo", "pacing=off") as talk:
        await talk.wait_for("session.created")
        for _ in range(turns):
            await talk.send_audio(speech() + silence(900))
            await talk.wait_for("input_audio_buffer.speech_stopped")
            begin = time.perf_counter()
            while (await talk.receive())["type"] != "binary":
                pass
            measured.append((time.perf_counter() - begin) * 1000)
            await talk.wait_for("audio.end")
            services.append(direct.turn_ms(file))
    return measured, services


def uploads(server, direct, turns):
    """The upload's last byte → the first byte of the answer: the same two."""
    file = wav((speech() * 2)[:16000 * 2 * 3])
    measured, services = [], []
    for _ in range(turns):
        with VoiceChat(server, content=file) as asked:
            asked.upload().head().rest()
            assert asked.status == 200 and asked.whole, asked.body
            measured.append((asked.first_byte - asked.uploaded) * 1000)
        services.append(direct.turn_ms(file))
    return measured, services


def rows(what, measured, services):
    """The added time, median."""
    row(what, measured)
    row("the services' part of it, directly", services)
    return statistics.median(measured) - statistics.median(services)


def formats(server, turns):
    """CPU of the server for a second of speech, by format; pcm is what all of them need."""
    used = {}
    for name in ("pcm", "mp3", "opus"):
        begin, seconds = cpu_s(server), 0.0
        for _ in range(turns):
            with VoiceChat(server, fields={"format": name}, headers={"Accept": "audio/*"}) as asked:
                asked.upload().head().rest()
            seconds += sum(len(spoken(text)) for text in (FIRST_PIECE, GREETED[len(FIRST_PIECE) + 1:])) / 48000
        used[name] = (cpu_s(server) - begin) * 1000 / seconds
    return {name: used[name] - used["pcm"] for name in ("mp3", "opus")}


def decoding_ms(service, turns):
    """What a WebM of 6 s takes longer than the same as WAV, when the recogniser reads only WAV."""
    took = {"wav": [], "webm": []}
    with provided.serve(service, stt={"accepts": "wav"}, voice_chat={"classify": "words"}) as server:
        for _ in range(turns):
            for kind, values in took.items():
                with VoiceChat(server, kind, content=recording(kind, SENTENCE)) as asked:
                    asked.upload().head().rest()
                    values.append((asked.first_byte - asked.uploaded) * 1000)
    return statistics.median(took["webm"]) - statistics.median(took["wav"])


async def memory(server, sessions):
    """KiB a session: idle, and after a turn."""
    before = rss_kib(server)
    async with contextlib.AsyncExitStack() as stack:
        talks = [await stack.enter_async_context(Conversation(server, "choi_hyunwoo", "pacing=off")) for _ in range(sessions)]
        for talk in talks:
            await talk.wait_for("session.created")
        idle = rss_kib(server)
        for talk in talks:
            await talk.send_audio(speech() + silence(900))
        for talk in talks:
            await talk.wait_for("audio.end")
        after = rss_kib(server)
    return (idle - before) / sessions, (after - before) / sessions


async def talk_in_turn(server, delay_s, until, added):
    """A person who talks, listens, and talks again, in real time."""
    frame = 16 * FRAME_MS * 2
    said = speech()[:int(TALK_S * 16000) * 2]
    nothing = bytes(frame)
    async with Conversation(server, "choi_hyunwoo") as talk:
        await talk.wait_for("session.created")
        await asyncio.sleep(delay_s)
        while time.monotonic() < until:
            sound_came = asyncio.Event()

            async def microphone():
                at = 0
                begin = time.monotonic()
                number = 0
                while not sound_came.is_set():
                    await talk.socket.send(said[at:at + frame] or nothing)
                    at += frame
                    number += 1
                    await asyncio.sleep(max(0, begin + number * FRAME_MS / 1000 - time.monotonic()))

            sending = asyncio.create_task(microphone())
            await talk.wait_for("input_audio_buffer.speech_stopped")
            begin = time.perf_counter()
            while (await talk.receive())["type"] != "binary":
                pass
            added.append((time.perf_counter() - begin) * 1000)
            sound_came.set()
            await sending
            await talk.wait_for("audio.end")


async def sessions_at_once(server, services_ms, steps):
    """Lines of (sessions, p50, p95 of the added time, CPU of the server in cores) until p95 is over the limit."""
    for sessions in steps:
        added, begin, used = [], time.monotonic(), cpu_s(server)
        until = begin + ROUND_S
        await asyncio.gather(*(talk_in_turn(server, i / sessions * 4, until, added) for i in range(sessions)))
        cores = (cpu_s(server) - used) / (time.monotonic() - begin)
        own = [value - services_ms for value in added]
        print(f"| {sessions} | {statistics.median(own):.1f} | {percentile(own, 0.95):.1f} | {cores:.2f} | {len(own)} |", flush=True)
        if percentile(own, 0.95) > ADDED_LIMIT_MS:
            return


async def main(quick):
    turns = 5 if quick else 40
    with Service() as service:
        direct = Direct(service)
        services_ms = statistics.median(direct.turn_ms(wav(speech())) for _ in range(5))
        with provided.serve(service, log={"level": "warn"}, voice_chat={"classify": "words"}) as server:
            await spoken_turns(server, direct, 2)  # voices and connections are there
            print("| what | median ms | min | max | n |\n|---|---|---|---|---|")
            spoken_added = rows("speech_stopped → first sound", *await spoken_turns(server, direct, turns))
            upload_added = rows("3 s of WAV uploaded → first byte of MP3", *uploads(server, direct, turns))
            encoded = formats(server, 4 if quick else 20)
        with provided.serve(service, log={"level": "warn"}) as server:
            idle, after = await memory(server, 20 if quick else 100)
        decoded_ms = decoding_ms(service, 3 if quick else 15)
        print(f"\nadded by Repartee, median: {spoken_added:.1f} ms to a spoken turn, {upload_added:.1f} ms to an upload")
        print(f"memory a session: {idle:.0f} KiB idle, {after:.0f} KiB after a spoken turn")
        print(f"encoding a second of speech: MP3 {encoded['mp3']:.1f} ms, Ogg/Opus {encoded['opus']:.1f} ms of CPU")
        print(f"decoding 6 s of WebM: {decoded_ms:.0f} ms")
        print("\n| sessions that talk a third of the time | added, median ms | p95 | cores used | turns |\n|---|---|---|---|---|")
        with provided.serve(service, log={"level": "warn"}, server={"threads": 2}) as server:
            await sessions_at_once(server, services_ms, (5, 10) if quick else (10, 20, 40, 60, 80, 100, 150, 200, 300))


arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
arguments.add_argument("--stand-in", action="store_true", help=argparse.SUPPRESS)
arguments.add_argument("--quick", action="store_true", help="a few turns only: to see that it runs")
chosen = arguments.parse_args()
if chosen.stand_in:
    run_stand_in()
else:
    asyncio.run(main(chosen.quick))
