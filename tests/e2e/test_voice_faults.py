"""Every way in which a service can fail, under every front: an error in time, and then it goes on as if nothing had been."""
import asyncio
import contextlib
import time

import pytest

import provided
import repartee
from interview_client import Candidate
from realtime_client import HZ, RealtimeClient
from recordings import recording
from speech import speech
from stand_ins import Reply, faults
from stand_ins.openai import CHAT, SPEECH, TRANSCRIPTIONS
from test_voice_listening import FAILED, Listener
from voice_chat_client import VoiceChat, chat

pytestmark = pytest.mark.usefixtures("well")
PATHS = {"stt": TRANSCRIPTIONS, "llm": CHAT, "tts": SPEECH}
# Short for the tests of what only they end, long for a good turn on a machine that is busy.
LIMITS = {"retries": 0, "connect_limit_ms": 20000, "first_byte_limit_ms": 2500, "idle_limit_ms": 2500, "limit_ms": 5000}
# What a fault may take at most: its limit, and patience with slow builds.
ERROR_LIMIT_S = 20
FAULTS = {
    "closes": faults.cut(header=False),
    "cuts": faults.cut(),
    "resets": faults.cut(reset=True),
    "wrong json": faults.wrong_json(),
    "wrong type": faults.wrong_type(),
    "401": faults.status(401, "Incorrect API key provided.", "invalid_api_key"),
    "413": faults.status(413),
    "429": faults.status(429, retry_after=1),
    "quota": faults.quota(),
    "500": faults.status(500),
    "error amid": faults.error_amid(),
}
# What only a time limit ends.
SLOW_FAULTS = {"hangs": faults.hang(), "hangs in the body": faults.hang("body", after_bytes=20), "endless": faults.endless(), "drips": faults.drip()}


@pytest.fixture(scope="module")
def server(openai):
    with provided.serve(openai, stt=LIMITS, llm=LIMITS, tts=LIMITS, providers={"cooldown_ms": 0}, voice_chat={"classify": "words"}) as started:
        yield started
    assert provided.API_KEY not in started.last_log


@contextlib.asynccontextmanager
async def watched(server, role, failures=1):
    """Errors have to come in time, and to be counted."""
    name = f'repartee_provider_failures_total{{role="{role}"}}'
    counted, begin = server.metric(name), time.monotonic()
    yield
    assert time.monotonic() - begin < ERROR_LIMIT_S
    assert server.metric(name) >= counted + failures


async def every_fault(server, openai, role, front):
    """`front(server)`, entered with `async with`, is one client, which has `fails(fault's name)` and `works()`."""
    # One request a turn and role.
    openai.well()
    openai.think = lambda body: Reply("네.")
    async with front(server) as client:
        for name, fault in FAULTS.items():
            # Until it has been told of: a kept connection that ends without a byte is asked for once more, unseen.
            openai.always(PATHS[role], fault)
            async with watched(server, role):
                await client.fails(name)
            openai.always(PATHS[role], faults.ok())
            await client.works(f"after: {name}")
    # All at once, each for a client of its own: together they take no longer than one.
    async with contextlib.AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(front(server)) for _ in SLOW_FAULTS]
        openai.then(PATHS[role], *SLOW_FAULTS.values())
        async with watched(server, role, len(SLOW_FAULTS)):
            await asyncio.gather(*(client.fails("slow") for client in clients))
        for client in clients:
            await client.works("after a slow one")


class Talk(RealtimeClient):
    """A spoken turn at a time."""

    async def __aenter__(self):
        await super().__aenter__()
        await self.wait_for("session.created")
        await self.update(audio={"input": {"turn_detection": None, "transcription": {"model": "gpt-transcribe"}}})
        return self

    async def _turn(self):
        await self.append(speech(hz=HZ)[:HZ * 2])
        await self.send("input_audio_buffer.commit")
        await self.send("response.create")
        return (await self.wait_for("response.done"))["response"]

    async def fails(self, name):
        response = await self._turn()
        assert response["status"] == "failed", (name, response)
        error = response["status_details"]["error"]
        assert error["code"] and error["message"], name

    async def works(self, when):
        response = await self._turn()
        assert response["status"] == "completed", (when, response)


class Talks(list):
    """Keeps the clients that were made."""

    def __call__(self, server):
        self.append(Talk(server))
        return self[-1]


@pytest.mark.parametrize("role", PATHS)
async def test_realtime(server, openai, role):
    count, talks = len(FAULTS) + len(SLOW_FAULTS), Talks()
    failed_before = server.metric("repartee_turns_failed_total")
    await every_fault(server, openai, role, talks)
    assert server.metric("repartee_turns_failed_total") - failed_before == count
    untranscribed = [event for talk in talks for event in talk.events if event["type"].endswith("transcription.failed")]
    assert len(untranscribed) == (count if role == "stt" else 0)


class Chat:
    def __init__(self, server):
        self.server = server

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    async def fails(self, name):
        answer = await asyncio.to_thread(chat, self.server)
        if answer.status == 200:
            assert not answer.whole, f"{name}: an answer that broke off looks whole"
        else:
            assert answer.status in (502, 503, 504) or name == "413" == str(answer.status), (name, answer.status)
            assert answer.error["code"] and answer.error["message"] and answer.json()["session_id"], name

    async def works(self, when):
        answer = await asyncio.to_thread(chat, self.server)
        assert (answer.status, answer.whole) == (200, True), (when, answer.body)


@pytest.mark.parametrize("role", PATHS)
async def test_voice_chat(server, openai, role):
    await every_fault(server, openai, role, Chat)


class Interview(Candidate):
    """More questions than faults: what fails and what works takes one each, or the same one twice."""

    def __init__(self, server):
        super().__init__(server, question=["질문?"] * (2 * len(FAULTS) + 3), questions=50)

    async def __aenter__(self):
        await super().__aenter__()
        await self.question()
        return self


class Unheard(Interview):
    async def fails(self, name):
        await self.record(recording("webm"))
        await self.send("answer_done")
        error = await self.error()
        assert error["code"] and error["message"], name

    async def works(self, when):
        # What was recorded is still there.
        await self.send("answer_done")
        assert await self.understood(), when
        await self.question()


class Unspoken(Interview):
    async def fails(self, name):
        await self.answer(recording("webm"))
        error = await self.error()
        assert error["code"] and error["message"], name
        await self.wait_for("question_end")

    async def works(self, when):
        await self.answer(recording("webm"))
        _, sound = await self.question()
        assert sound, when


@pytest.mark.parametrize("role, front", [("stt", Unheard), ("tts", Unspoken)], ids=["stt", "tts"])
async def test_interview(server, openai, role, front):
    await every_fault(server, openai, role, front)


class Hearer(Listener):
    async def fails(self, name):
        await self.say(speech())
        assert (await self.text()).startswith(FAILED), name

    async def works(self, when):
        await self.say(speech())
        heard = await self.text()
        assert heard and not heard.startswith(FAILED), (when, heard)


async def test_listening(server, openai):
    await every_fault(server, openai, "stt", Hearer)


async def test_the_end_of_the_server_ends_what_is_under_way(openai):
    """SIGTERM while each front waits for a service that says nothing."""
    with provided.serve(openai, server={"threads": 2, "drain_limit_ms": 1000}) as server:
        for path in PATHS.values():
            openai.always(path, faults.hang())
        async with RealtimeClient(server) as client, Listener(server) as listener, Candidate(server, question="질문?") as candidate:
            await client.wait_for("session.created")
            await client.say("안녕하세요.")
            await listener.say(speech())
            await candidate.wait_for("question_start")
            with VoiceChat(server) as asked:
                asked.upload()
                await openai.until(lambda: len(openai.of(TRANSCRIPTIONS)) == 2 and openai.of(CHAT) and openai.of(SPEECH), "all requests")
                begin = time.monotonic()
                server.process.terminate()
                await asyncio.get_running_loop().run_in_executor(None, server.process.wait, repartee.STOP_LIMIT_S)
                assert time.monotonic() - begin < 30
