"""The README's clients, run as a newcomer would."""
import asyncio
import pathlib
import re
import subprocess
import sys
import urllib.parse
import wave

from speech import rms

README = pathlib.Path(__file__).parents[2] / "README.md"


def client(name, folder):
    """The example of that name, and a question for it."""
    (folder / name).write_text(re.search(rf"```python\n(# {name}: .*?)```", README.read_text(), re.S)[1])
    subprocess.run(["espeak-ng", "-v", "ko", "-w", folder / "question.wav", "요즘 잠을 잘 못 자요."], check=True)
    return [sys.executable, name]


def answer(folder):
    with wave.open(str(folder / "answer.wav")) as file:
        assert file.getframerate() == 24000
        return file.readframes(2**30)


def test_the_python_client_of_the_readme_talks(local, tmp_path):
    command = client("talk.py", tmp_path)
    said = subprocess.run([*command, local.ws_url, "question.wav", "answer.wav"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert said.returncode == 0, said.stderr
    assert len(said.stdout) > 10
    pcm = answer(tmp_path)
    assert len(pcm) > 24000 * 2
    assert rms(pcm) > 300


class BreakingLine:
    """Passes on what comes to `host`, and breaks each of the first connections after so many bytes for the client."""

    def __init__(self, host, breaks_after):
        self.host, self.breaks_after = host.rsplit(":", 1), list(breaks_after)
        self.to_client = b""

    async def __call__(self, reader, writer):
        server_reader, server_writer = await asyncio.open_connection(*self.host)
        left = self.breaks_after.pop(0) if self.breaks_after else float("inf")

        async def up():
            while piece := await reader.read(65536):
                server_writer.write(piece)

        sending = asyncio.create_task(up())
        while left > 0 and (piece := await server_reader.read(4096)):
            self.to_client += piece
            left -= len(piece)
            writer.write(piece)
        sending.cancel()
        for end in (writer, server_writer):
            end.transport.abort()


async def test_the_lasting_client_of_the_readme_misses_nothing_on_a_line_that_breaks(local, tmp_path):
    command = client("lasting.py", tmp_path)
    line = BreakingLine(urllib.parse.urlsplit(local.url).netloc, [60_000, 60_000, 100_000])
    async with await asyncio.start_server(line, "127.0.0.1", 0) as listener:
        port = listener.sockets[0].getsockname()[1]
        process = await asyncio.create_subprocess_exec(*command, f"ws://127.0.0.1:{port}", "question.wav", "answer.wav", cwd=tmp_path,
                                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, errors = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, errors.decode()
    assert out.count(b"back, with ") == 3, out
    pcm = answer(tmp_path)
    said_ms = int(re.findall(rb'"type":"audio.end".*?"audio_ms":(\d+)', line.to_client)[-1])
    assert len(pcm) // 48 == said_ms
    # What came twice was put where it belongs: nowhere is the sound broken off.
    pieces = [rms(pcm[at:at + 960]) for at in range(0, len(pcm), 960)]
    assert rms(pcm) > 300 and sum(piece > 100 for piece in pieces) > len(pieces) / 3
