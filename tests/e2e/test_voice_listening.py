"""/ws/audio: raw PCM of a game's microphone in, the recognised sentences out."""
import asyncio
import json
import urllib.parse

import pytest
import websockets

import provided
import repartee
from recordings import decoded
from speech import duration_ms, silence, speech
from stand_ins import faults
from stand_ins.openai import TRANSCRIPTIONS

pytestmark = pytest.mark.usefixtures("well")
ANSWER_LIMIT_S = 60
SENTENCES = ["문을 열어 주세요.", "불을 켜 주세요.", "이제 가자."]
FAILED = "[not recognised] "


@pytest.fixture(scope="module")
def server(openai):
    with provided.serve(openai, stt={"retries": 0, "first_byte_limit_ms": 5000}, listen={"debug": True, "debug_files_max": 4}) as started:
        yield started


class Listener:
    """An Unreal game: sends its microphone, reads text."""

    def __init__(self, server, **query):
        self.url = f"{server.ws_url}/ws/audio" + (f"?{urllib.parse.urlencode(query)}" if query else "")

    async def __aenter__(self):
        self.socket = await websockets.connect(self.url, max_size=2**26, ping_interval=None)
        return self

    async def __aexit__(self, *_):
        await self.socket.close()

    async def say(self, pcm):
        await self.socket.send(pcm)

    async def stream(self, pcm, chunk=640):
        for at in range(0, len(pcm), chunk):
            await self.socket.send(pcm[at:at + chunk])

    async def text(self):
        message = await asyncio.wait_for(self.socket.recv(), ANSWER_LIMIT_S)
        assert isinstance(message, str)
        return message

    async def json(self):
        return json.loads(await self.text())


async def test_one_message_one_sentence(server, openai):
    openai.texts.append("문을 열어 주세요.\n")
    pcm = speech(SENTENCES[0])
    async with Listener(server) as listener:
        await listener.say(pcm)
        assert await listener.text() == "문을 열어 주세요."
    heard = openai.heard[0]
    assert (heard.file_name.endswith(".wav"), heard.hz, heard.content_type) == (True, 16000, "audio/wav")
    assert heard.content[-len(pcm):] == pcm and heard.fields["language"] == "ko"


async def test_five_messages_are_answered_in_their_order(server, openai):
    lengths = [0.4, 0.9, 0.5, 0.8, 0.6]
    openai.text = lambda heard: f"{heard.seconds:.1f}"
    # The first is the slowest.
    openai.then(TRANSCRIPTIONS, faults.ok(first_ms=300))
    async with Listener(server) as listener:
        for seconds in lengths:
            await listener.say(speech(SENTENCES[0])[:int(seconds * 16000) * 2])
        assert [await listener.text() for _ in lengths] == [str(seconds) for seconds in lengths]


async def test_other_rates_and_languages(server, openai):
    pcm = speech(SENTENCES[0], hz=48000)
    async with Listener(server, rate=48000, language="en") as listener:
        await listener.say(pcm)
        assert await listener.text() == openai.text
    assert openai.heard[0].seconds == pytest.approx(duration_ms(pcm, 48000) / 1000, abs=0.05)
    assert openai.heard[0].fields["language"] == "en"


async def test_a_stream_is_cut_into_sentences(server, openai):
    openai.texts.extend(SENTENCES)
    async with Listener(server, mode="stream") as listener:
        for sentence in SENTENCES[:2]:
            await listener.stream(speech(sentence) + silence(900))
        await listener.stream(speech(SENTENCES[2]))
        # The last one is not followed by silence: the game says that it is over.
        await listener.socket.send('{"type":"commit"}')
        assert [await listener.text() for _ in SENTENCES] == SENTENCES
    assert len(openai.heard) == 3
    for heard, sentence in zip(openai.heard, SENTENCES):
        assert heard.seconds == pytest.approx(duration_ms(speech(sentence), 16000) / 1000, abs=1.2)


async def test_json_with_times(server, openai):
    openai.texts.extend(SENTENCES)
    async with Listener(server, mode="stream", format="json") as listener:
        await listener.stream(silence(500) + speech(SENTENCES[0]) + silence(900) + speech(SENTENCES[1]) + silence(900))
        first, second = await listener.json(), await listener.json()
        assert set(first) >= {"type", "text", "start_ms", "end_ms", "duration_ms", "processing_ms", "language", "segments"}
        assert (first["type"], first["text"], second["text"]) == ("text", *SENTENCES[:2])
        assert 0 <= first["start_ms"] < 900 and first["end_ms"] < second["start_ms"] + 500
        assert first["duration_ms"] == first["end_ms"] - first["start_ms"] > 0 and first["processing_ms"] >= 0
        openai.then(TRANSCRIPTIONS, faults.quota())
        await listener.stream(speech(SENTENCES[2]) + silence(900))
        failed = await listener.json()
        assert failed["type"] == "error" and failed["code"] and failed["message"]


async def test_a_failure_is_a_text_and_the_socket_stays_open(server, openai):
    openai.then(TRANSCRIPTIONS, faults.status(401, code="invalid_api_key"), faults.cut(), faults.wrong_json())
    async with Listener(server) as listener:
        for _ in range(3):
            await listener.say(speech(SENTENCES[0]))
            assert (await listener.text()).startswith(FAILED)
        await listener.say(speech(SENTENCES[0]))
        assert await listener.text() == openai.text
    assert provided.API_KEY not in server.log()


async def test_what_says_nothing_is_answered_with_nothing(server, openai):
    async with Listener(server) as listener:
        for nothing in (b"", bytes(100), bytes(3198)):
            await listener.say(nothing)
            assert await listener.text() == ""
        assert not openai.heard, "less than 100 ms is not asked for"
        openai.texts.append("")
        await listener.say(speech(SENTENCES[0]))
        assert await listener.text() == ""
        # An odd byte is dropped.
        await listener.say(speech(SENTENCES[0]) + b"\x01")
        assert await listener.text() == openai.text
        await listener.socket.send("what is this?")
        assert await listener.text()
        await listener.say(speech(SENTENCES[0]))
        assert await listener.text() == openai.text


async def test_too_long_an_utterance(server, openai):
    async with Listener(server) as listener:
        await listener.say(bytes(9 << 20))
        assert (await listener.text()).startswith(FAILED)
        await listener.say(speech(SENTENCES[0]))
        assert await listener.text() == openai.text
        await listener.say(bytes(17 << 20))
        with pytest.raises(websockets.ConnectionClosed):
            await listener.text()
        assert listener.socket.close_code == 1009


@pytest.mark.parametrize("query", [{"mode": "radio"}, {"format": "xml"}, {"rate": "11025"}, {"language": "../x"}], ids=str)
async def test_wrong_queries(server, query):
    with pytest.raises(websockets.InvalidStatusCode) as refused:
        async with Listener(server, **query):
            pass
    assert refused.value.status_code == 400


async def test_debug_files_are_bounded(server, openai):
    pcm = speech(SENTENCES[1])
    async with Listener(server) as listener:
        for _ in range(6):
            await listener.say(pcm)
            await listener.text()

    def files():
        return sorted(path.name for path in server.data_dir.glob("debug_*.wav"))

    repartee.eventually(lambda: files() == [f"debug_000{number}.wav" for number in range(1, 5)])
    repartee.eventually(lambda: all(path.read_bytes()[-len(pcm):] == pcm for path in server.data_dir.glob("debug_*.wav")))
    assert all(decoded(path.read_bytes()) for path in server.data_dir.glob("debug_*.wav"))


async def test_without_a_recogniser_it_says_so():
    with repartee.Server() as server:
        async with Listener(server) as listener:
            await listener.say(speech(SENTENCES[0]))
            answer = await listener.text()
            assert answer.startswith(FAILED) and "stt" in answer
