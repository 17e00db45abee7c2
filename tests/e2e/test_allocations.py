"""The steady state of a relayed conversation allocates nothing: no buffer, no JSON tree, no coroutine frame for a frame of audio."""
import asyncio
import json
import mmap
import pathlib
import ssl
import subprocess

import pytest
import websockets

import repartee
from conversation import Conversation

COUNTER = pathlib.Path(__file__).parents[2] / "bench" / "runner" / "count_allocations.c"
FRAMES = 400


class Counter:
    """Counts the server's allocations from outside: a library loaded before malloc's, a number in a shared file."""

    def __init__(self, folder):
        self.library = folder / "count_allocations.so"
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", str(self.library), str(COUNTER), "-ldl"], check=True)
        self.file = folder / "count"
        self.file.write_bytes(bytes(8))
        with open(self.file, "r+b") as file:
            self._shared = mmap.mmap(file.fileno(), 8)

    def environment(self):
        return {"LD_PRELOAD": str(self.library), "ALLOCATION_COUNTER_FILE": str(self.file)}

    def value(self):
        return int.from_bytes(self._shared[:8], "little")


async def echo(socket):
    await socket.send(json.dumps({"type": "session.created", "event_id": "e", "session": {"type": "realtime", "model": "echo"}}))
    async for text in socket:
        event = json.loads(text)
        if event["type"] == "session.update":
            await socket.send(json.dumps({"type": "session.updated", "event_id": "e", "session": event["session"]}))
        if event["type"] == "input_audio_buffer.append":
            await socket.send('{"type":"response.output_audio.delta","event_id":"e","response_id":"r","item_id":"i","output_index":0,'
                              '"content_index":0,"delta":"' + event["audio"] + '"}')


async def there_and_back(talk, frames, bytes_a_frame):
    """Bytes that came back."""
    came = 0
    for number in range(frames):
        await talk.socket.send(bytes([number % 251]) * bytes_a_frame)
        came_before = came
        while came == came_before:
            message = await talk.socket.recv()
            if isinstance(message, bytes):
                came += len(message)
    return came


@pytest.mark.parametrize("rate_hz", [24_000, 16_000])
@pytest.mark.parametrize("tls", [True, False])
async def test_a_frame_there_and_back_allocates_nothing(tmp_path, tls, rate_hz):
    binary = pathlib.Path(repartee.BINARY).read_bytes()
    if b"__asan_init" in binary or b"__tsan_init" in binary:
        pytest.skip("sanitizers have an allocator of their own")
    counter = Counter(tmp_path)
    loop = asyncio.get_running_loop()
    with repartee.Server(tls=True) as with_certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(with_certificate.certificate, with_certificate.certificate.with_name("key.pem"))
        async with websockets.serve(echo, "127.0.0.1", 0, ping_interval=None, compression=None, ssl=context if tls else None) as upstream:
            port = upstream.sockets[0].getsockname()[1]
            # What looks for changed characters every so often is no part of the conversation.
            server = repartee.Server("--set", f"realtime.url={'wss' if tls else 'ws'}://localhost:{port}/v1/realtime",
                                     "--set", "server.threads=1", "--set", "characters.reload_interval_ms=0",
                                     # These frames come faster than they are spoken: what is kept of them would grow for many seconds.
                                     "--set", "recovery.speech_ms_max=1000", "--set", "resume.audio_ms_max=500", environment={
                                         **counter.environment(), "REPARTEE_REALTIME__CA_FILE": str(with_certificate.certificate)})
            await loop.run_in_executor(None, server.__enter__)
            try:
                async with Conversation(server, query=f"input_rate={rate_hz}&output_rate={rate_hz}&pacing=off", compression=None) as talk:
                    await talk.socket.recv()  # session.created
                    frame_bytes = rate_hz // 50 * 2
                    await there_and_back(talk, 100, frame_bytes)
                    # Something may happen for the first time meanwhile, as on a busy machine; an allocation a frame would be in each of them.
                    for _ in range(4):
                        before = counter.value()
                        came = await there_and_back(talk, FRAMES, frame_bytes)
                        allocations = counter.value() - before
                        if allocations == 0:
                            break
            finally:
                await loop.run_in_executor(None, server.__exit__, None, None, None)
    assert before > 1000, "the counter counts"
    assert came > 0.9 * FRAMES * frame_bytes
    assert allocations == 0
