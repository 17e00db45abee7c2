"""/api/v1/ws/interview: the server asks, the candidate answers by voice, and nothing that was said is lost."""
import asyncio
import json

import pytest
import websockets

import provided
import repartee
from interview_client import Candidate
from recordings import decoded, recording
from speech import duration_ms, rms, speech
from stand_ins import faults
from stand_ins.openai import CHAT, HZ, SPEECH, TRANSCRIPTIONS, Reply, spoken

pytestmark = pytest.mark.usefixtures("well")
QUESTIONS = ["자기소개를 부탁드립니다.", "왜 이 일을 하고 싶으신가요?", "마지막으로 하실 말씀이 있나요?"]
CLOSING = "면접이 끝났습니다. 감사합니다."
ANSWERS = ["저는 김민수입니다.", "서버를 좋아합니다.", "감사합니다."]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("interview")


def serve(openai, data_dir, **sections):
    interview = {"questions": "|".join(QUESTIONS), "closing_line": CLOSING, **sections.pop("interview", {})}
    return provided.serve(openai, interview=interview, server_words={"data_dir": data_dir}, **sections)


@pytest.fixture(scope="module")
def server(openai, data_dir):
    with serve(openai, data_dir) as started:
        yield started


async def end_of(candidate):
    """(closing event, its sound, interview_end)."""
    closing = await candidate.wait_for("closing")
    end = await candidate.wait_for("interview_end")
    return closing, b"".join(candidate.chunks), end


async def test_three_questions(server, openai):
    openai.texts.extend(ANSWERS)
    async with Candidate(server) as candidate:
        for number, text in enumerate(QUESTIONS, 1):
            event, sound = await candidate.question()
            assert (event["text"], event["index"], event["total"], event["resumed"]) == (text, number, 3, False)
            assert all(len(chunk) == 1024 for chunk in candidate.chunks[:-1]) and 0 < len(candidate.chunks[-1]) <= 1024
            pcm = decoded(sound)
            assert rms(pcm) > 300
            assert duration_ms(pcm, 24000) == pytest.approx(duration_ms(spoken(text), HZ), rel=0.15)
            assert await candidate.answer(recording("webm")) == ANSWERS[number - 1]
        closing, sound, end = await end_of(candidate)
        assert closing["text"] == CLOSING and rms(decoded(sound)) > 300
        transcript = [{"question": question, "answer": answer} for question, answer in zip(QUESTIONS, ANSWERS)]
        assert (end["session_id"], end["transcript"]) == (candidate.session_id, transcript)
        assert await candidate.wait_close() == (1000, "interview_over")
    assert all(heard.file_name.endswith(".webm") and heard.content == recording("webm") for heard in openai.heard)
    status, told = server.get_json(f"/api/v1/interviews/{candidate.session_id}")
    assert (status, told) == (200, {"session_id": candidate.session_id, "finished": True, "transcript": transcript})
    assert server.get(f"/api/v1/interviews/{candidate.session_id}", method="DELETE")[0] == 204
    assert server.get(f"/api/v1/interviews/{candidate.session_id}")[0] == 404


async def test_the_first_sound_comes_before_the_voice_has_ended(server, openai):
    held = faults.held(bytes=24000)  # half a second of the voice
    openai.then(SPEECH, held)
    async with Candidate(server) as candidate:
        await candidate.wait_for("question_start")
        assert (await candidate.receive())["type"] == "binary"
        assert not openai.of(SPEECH)[-1].ended
        held.release()
        await candidate.wait_for("question_end")


async def test_what_the_query_says(server, openai):
    async with Candidate(server, question=["하나?", "둘?"], voice="Onyx", model="tts-1-hd", format="wav", chunk_bytes=4096, speed=1.25) as candidate:
        event, sound = await candidate.question()
        assert (event["text"], event["total"]) == ("하나?", 2)
        assert all(len(chunk) == 4096 for chunk in candidate.chunks[:-1])
        assert sound.startswith(b"RIFF")
        asked = openai.of(SPEECH)[0].json()
        assert (asked["voice"], asked["model"], asked["speed"]) == ("onyx", "tts-1-hd", 1.25)


async def test_prepared_over_rest(server, openai):
    body = json.dumps({"questions": ["무엇을 잘하시나요?"], "voice": "fable"}).encode()
    status, _, answer = server.get("/api/v1/interviews", method="POST", body=body, headers={"Content-Type": "application/json"})
    prepared = json.loads(answer)
    assert (status, prepared["questions_total"]) == (201, 1)
    assert prepared["ws_url"] == f"/api/v1/ws/interview?session_id={prepared['session_id']}"
    openai.texts.append("코딩이요.")
    async with Candidate(server, session_id=prepared["session_id"]) as candidate:
        event, _ = await candidate.question()
        assert (event["text"], event["session_id"]) == ("무엇을 잘하시나요?", prepared["session_id"])
        assert await candidate.answer(recording("ogg")) == "코딩이요."
        assert (await end_of(candidate))[2]["transcript"] == [{"question": "무엇을 잘하시나요?", "answer": "코딩이요."}]


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"questions":"one"}', b'{"questions":["x"],"voice":"donald"}', b'{"quetsions":["x"]}',
                                  json.dumps({"questions": ["x"] * 51}).encode(), json.dumps({"questions": ["x" * 1001]}).encode()])
def test_wrong_preparations(server, body):
    status, _, answer = server.get("/api/v1/interviews", method="POST", body=body, headers={"Content-Type": "application/json"})
    assert status == 400 and json.loads(answer)["error"]["message"]


@pytest.mark.parametrize("query, status", [
    ({"voice": "donald"}, 400), ({"model": "tts-9"}, 400), ({"speed": "9"}, 400), ({"chunk_bytes": "10"}, 400), ({"format": "midi"}, 400),
    ({"input": "tape"}, 400), ({"input": "pcm16", "input_rate": "11025"}, 400), ({"follow_ups": "6"}, 400), ({"session_id": "nonesuch"}, 404),
], ids=str)
async def test_wrong_queries(server, query, status):
    with pytest.raises(websockets.InvalidStatusCode) as refused:
        async with Candidate(server, **query):
            pass
    assert refused.value.status_code == status
    if query.get("voice"):
        headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
        told = server.get("/api/v1/ws/interview?voice=donald", headers=headers)[2].decode()
        assert "nova" in told and "shimmer" in told


async def test_dropped_amid_an_answer_and_resumed_by_another_server(openai, data_dir):
    openai.texts.extend([ANSWERS[0], "저는 서버를", "좋아합니다.", ANSWERS[2]])
    first, second = recording("webm", "저는 서버를"), recording("webm", "좋아합니다.")
    with serve(openai, data_dir) as server:
        async with Candidate(server) as candidate:
            await candidate.question()
            await candidate.answer(recording("webm"))
            await candidate.question()
            await candidate.record(first)
            session = candidate.session_id
            # The connection breaks without a word; what was said must be there all the same.
            candidate.socket.transport.abort()
        # Known by that: the session can be taken again, in this process.
        async with Candidate(server, session_id=session) as candidate:
            event, _ = await candidate.question()
            assert (event["resumed"], event["index"], event["text"]) == (True, 2, QUESTIONS[1])
    with serve(openai, data_dir) as server:
        async with Candidate(server, session_id=session) as candidate:
            event, _ = await candidate.question()
            assert (event["resumed"], event["index"], event["session_id"]) == (True, 2, session)
            assert await candidate.answer(second) == "저는 서버를 좋아합니다."
            assert [heard.content for heard in openai.heard[1:]] == [first, second]
            await candidate.question()
            await candidate.answer(recording("webm"))
            transcript = (await end_of(candidate))[2]["transcript"]
            assert [exchange["answer"] for exchange in transcript] == [ANSWERS[0], "저는 서버를 좋아합니다.", ANSWERS[2]]
        assert server.metric("repartee_interviews_resumed_total") == 1


async def test_a_second_connection_takes_over(server, openai):
    async with Candidate(server) as first:
        await first.question()
        await first.record(recording("webm"))
        async with Candidate(server, session_id=first.session_id) as second:
            assert await first.wait_close() == (1008, "replaced")
            event, _ = await second.question()
            assert (event["resumed"], event["text"]) == (True, QUESTIONS[0])
            await second.send("answer_done")
            await second.understood()
            assert openai.heard[0].content == recording("webm")


async def test_raw_pcm(server, openai):
    pcm = speech("저는 김민수입니다.", hz=16000)
    async with Candidate(server, question="누구신가요?", input="pcm16", input_rate=16000) as candidate:
        await candidate.question()
        await candidate.answer(pcm)
        heard = openai.heard[0]
        assert (heard.file_name.endswith(".wav"), heard.seconds) == (True, pytest.approx(duration_ms(pcm, 16000) / 1000, abs=0.1))


@pytest.mark.parametrize("kind", ["mp3", "wav", "m4a"])
async def test_recordings_of_other_kinds(server, openai, kind):
    async with Candidate(server, question="누구신가요?") as candidate:
        await candidate.question()
        await candidate.answer(recording(kind))
        assert openai.heard[0].file_name.endswith(f".{kind}") and openai.heard[0].content == recording(kind)


async def test_follow_ups_by_the_model(server, openai):
    openai.texts.extend(ANSWERS)
    openai.replies.append(Reply("어떤 서버를\n만드셨나요?"))
    async with Candidate(server, question=["무엇을 하셨나요?"], follow_ups=1) as candidate:
        await candidate.question()
        await candidate.answer(recording("webm"))
        event, sound = await candidate.question()
        assert event["text"].split() == "어떤 서버를 만드셨나요?".split() and "\n" not in event["text"]
        assert rms(decoded(sound)) > 300
        prompt = json.dumps(openai.prompts()[0], ensure_ascii=False)
        assert "무엇을 하셨나요?" in prompt and ANSWERS[0] in prompt
        assert await candidate.answer(recording("webm")) == ANSWERS[1]
        assert len((await end_of(candidate))[2]["transcript"]) == 2


async def test_without_the_model_the_list_goes_on(server, openai):
    openai.always(CHAT, faults.status(500))
    async with Candidate(server, question=["하나?", "둘?"], follow_ups=1) as candidate:
        await candidate.question()
        await candidate.answer(recording("webm"))
        assert (await candidate.question())[0]["text"] == "둘?"


async def test_a_failed_recognition_is_said_and_tried_again(server, openai):
    openai.then(TRANSCRIPTIONS, faults.quota())
    openai.texts.append(ANSWERS[0])
    async with Candidate(server) as candidate:
        await candidate.question()
        await candidate.record(recording("webm"))
        await candidate.send("answer_done")
        error = await candidate.error()
        assert error["code"] and error["message"]
        await candidate.send("answer_done")
        assert await candidate.understood() == ANSWERS[0]
        assert [heard.content for heard in openai.heard] == [recording("webm")]
        await candidate.question()


async def test_nothing_understood_goes_on(server, openai):
    openai.texts.append("")
    async with Candidate(server) as candidate:
        await candidate.question()
        assert await candidate.answer(recording("webm")) == ""
        assert (await candidate.question())[0]["index"] == 2


async def test_a_mute_interviewer_goes_on_in_writing(server, openai):
    openai.always(SPEECH, faults.quota())
    async with Candidate(server) as candidate:
        assert (await candidate.wait_for("question_start"))["text"] == QUESTIONS[0]
        assert (await candidate.error())["code"]
        await candidate.wait_for("question_end")
        assert await candidate.answer(recording("webm"))


async def test_mistakes_are_named_and_do_no_harm(server, openai):
    async with Candidate(server) as candidate:
        await candidate.question()
        for code, wrong in (("invalid_json", ["{", "[]"]), ("invalid_event", ['{"type":"sing"}', '{"typ":"answer_done"}'])):
            for text in wrong:
                await candidate.socket.send(text)
                assert (await candidate.error())["code"] == code, text
        await candidate.send("answer_done")
        assert (await candidate.error())["code"] == "input_audio_buffer_commit_empty"
        await candidate.record(b"These are words, not sounds. " * 50)
        await candidate.send("answer_done")
        assert (await candidate.error())["code"] == "invalid_audio"
        await candidate.record(recording("webm", "아니요."))
        await candidate.send("answer_cancel")
        await candidate.record(recording("webm"))
        held = faults.held(pieces=0)
        openai.then(TRANSCRIPTIONS, held)
        await candidate.send("answer_done")
        await candidate.wait_for("transcribing_start")
        await candidate.record(recording("webm"))
        assert (await candidate.error())["code"] == "invalid_event"
        held.release()
        await candidate.wait_for("answer_text")
        assert [heard.content for heard in openai.heard] == [recording("webm")]


async def test_an_answer_that_is_too_large(openai, tmp_path):
    with serve(openai, tmp_path, interview={"answer_bytes_max": 20000}) as server:
        async with Candidate(server) as candidate:
            await candidate.question()
            await candidate.record(recording("webm"))
            assert (await candidate.error())["code"] == "too_large"
            await candidate.send("answer_done")
            await candidate.understood()
            heard = openai.heard[0].content
            assert 10000 < len(heard) <= 20000 and recording("webm").startswith(heard)
            assert (await candidate.question())[0]["index"] == 2


async def test_an_answer_that_takes_too_long(openai, tmp_path):
    with serve(openai, tmp_path, interview={"answer_limit_ms": 3000}) as server:
        async with Candidate(server) as candidate:
            # Not ended by its speaker.
            await candidate.question()
            await candidate.record(recording("webm")[:8000])
            assert (await candidate.error())["code"] == "timeout"
            await candidate.understood()
            # Not given.
            await candidate.question()
            assert (await candidate.error())["code"] == "timeout"
            assert await candidate.wait_close() == (1008, "answer_timeout")
        async with Candidate(server, session_id=candidate.session_id) as candidate:
            event, _ = await candidate.question()
            assert (event["index"], event["resumed"]) == (2, True)


async def test_a_server_that_goes_away_keeps_the_answer(openai, tmp_path):
    loop = asyncio.get_running_loop()
    with serve(openai, tmp_path) as server:
        async with Candidate(server) as candidate:
            await candidate.question()
            await candidate.record(recording("webm"))
            pong = await candidate.socket.ping()
            await pong
            server.process.terminate()
            assert await candidate.wait_close() == (1001, "going_away")
        await loop.run_in_executor(None, server.process.wait, repartee.STOP_LIMIT_S)
    with serve(openai, tmp_path) as server:
        async with Candidate(server, session_id=candidate.session_id) as candidate:
            await candidate.question()
            await candidate.send("answer_done")
            await candidate.understood()
            assert openai.heard[0].content == recording("webm")


async def test_without_services_it_asks_aloud_and_says_what_is_missing():
    with repartee.Server() as server:
        async with Candidate(server) as candidate:
            _, sound = await candidate.question()
            assert rms(decoded(sound)) > 300
            await candidate.record(recording("webm"))
            await candidate.send("answer_done")
            error = await candidate.error()
            assert error["code"] == "not_configured" and "stt" in error["message"]
