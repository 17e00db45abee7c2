"""POST /voice-chat: one recording in, one spoken answer out."""
import json
import re
import shlex
import subprocess
import time
import urllib.parse

import pytest

import provided
import repartee
from recordings import CONTENT_TYPES, decoded, recording
from speech import duration_ms, rms
from stand_ins import faults
from stand_ins.openai import CHAT, GREETED, HZ, SPEECH, TRANSCRIPTIONS, Reply, spoken
from test_readme import README
from voice_chat_client import VoiceChat, chat

pytestmark = pytest.mark.usefixtures("well")
HEARD = "어제 주문한 물건은 언제 도착하나요?"
FALLBACK = "죄송합니다. 다시 말씀해 주세요."


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("voice-chat")


def serve(openai, data_dir, **sections):
    voice_chat = {"classify": "words", "fallback_line": FALLBACK, "instructions": "당신은 상담원입니다.", **sections.pop("voice_chat", {})}
    return provided.serve(openai, voice_chat=voice_chat, server_words={"data_dir": data_dir}, **sections)


@pytest.fixture(scope="module")
def server(openai, data_dir):
    with serve(openai, data_dir) as started:
        yield started


def said_ms(openai):
    """How long all that was spoken takes."""
    return sum(duration_ms(spoken(text), HZ) for text in openai.spoken_texts())


def without_spaces(text):
    return re.sub(r"\s", "", text)


def test_curl_as_in_the_readme(server, tmp_path):
    command = re.search(r"^ +(curl .*/voice-chat.*)$", README.read_text(), re.M)[1].replace("http://127.0.0.1:8000", server.url)
    (tmp_path / "question.wav").write_bytes(recording("wav"))
    ran = subprocess.run(shlex.split(command), cwd=tmp_path, capture_output=True, text=True, timeout=120, env=repartee.clean_environment())
    assert ran.returncode == 0, ran.stderr
    pcm = decoded((tmp_path / "reply.mp3").read_bytes())
    assert rms(pcm) > 300


def test_a_spoken_answer(server, openai):
    openai.texts.append(HEARD)
    answer = chat(server, "wav")
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "audio/mpeg"
    assert answer.headers["content-disposition"] == "inline; filename=reply.mp3"
    assert answer.text("x-heard-text") == HEARD
    assert answer.headers["x-request-class"] == "order_status"
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", answer.headers["x-session-id"])
    assert answer.headers["x-reply-complete"] in ("yes", "no")
    assert answer.text("x-reply-text").strip() and GREETED.startswith(answer.text("x-reply-text").strip())
    assert answer.headers["trailer"].lower() == "x-reply-text"
    assert answer.whole
    assert urllib.parse.unquote(answer.trailers["x-reply-text"]) == GREETED
    pcm = decoded(answer.body)
    assert rms(pcm) > 300
    assert duration_ms(pcm, 24000) == pytest.approx(said_ms(openai), rel=0.15)
    assert without_spaces("".join(openai.spoken_texts(of=GREETED))) == without_spaces(GREETED)
    asked = openai.of(SPEECH)[0]
    assert asked.json()["voice"] == "nova" and asked.headers["authorization"] == f"Bearer {provided.API_KEY}"
    prompt = openai.prompts()[-1]
    assert prompt[0]["role"] == "system" and "당신은 상담원입니다." in prompt[0]["content"]
    assert prompt[-1] == {"role": "user", "content": HEARD}


@pytest.mark.parametrize("kind", CONTENT_TYPES)
def test_a_recording_goes_to_the_service_as_it_came(server, openai, kind):
    answer = chat(server, kind, file_name="blob")
    assert answer.status == 200, answer.body
    heard = openai.heard[-1]
    assert heard.file_name.endswith(f".{kind}") and heard.content == recording(kind)
    assert heard.fields["language"] == "ko"


@pytest.mark.parametrize("asked, content_type, extension", [
    ({"fields": {"format": "wav"}}, "audio/wav", "wav"),
    ({"path": "/voice-chat?format=opus"}, "audio/ogg; codecs=opus", "ogg"),
    ({"headers": {"Accept": "audio/wav"}}, "audio/wav", "wav"),
    ({"fields": {"format": "pcm"}}, "audio/pcm; rate=24000; channels=1", "pcm"),
], ids=["wav", "opus", "accept", "pcm"])
def test_other_formats(server, openai, asked, content_type, extension):
    answer = chat(server, **asked)
    assert (answer.status, answer.headers["content-type"]) == (200, content_type)
    assert answer.headers["content-disposition"] == f"inline; filename=reply.{extension}"
    if extension == "pcm":
        assert answer.body == b"".join(spoken(text) for text in openai.spoken_texts(of=GREETED))
        return
    pcm = answer.body[44:] if extension == "wav" else decoded(answer.body)
    assert answer.body.startswith(b"RIFF" if extension == "wav" else b"OggS")
    assert rms(pcm) > 300
    assert duration_ms(pcm, 24000) == pytest.approx(said_ms(openai), rel=0.15)


def test_json_with_the_sound_linked(server, openai):
    openai.texts.append(HEARD)
    answer = chat(server, headers={"Accept": "application/json, audio/mpeg"})
    assert (answer.status, answer.headers["content-type"].split(";")[0]) == (200, "application/json")
    told = answer.json()
    assert (told["heard"], told["said"], told["class"], told["content_type"]) == (HEARD, GREETED, "order_status", "audio/mpeg")
    assert told["duration_ms"] == pytest.approx(said_ms(openai), rel=0.15)
    assert told["audio_url"].startswith("/voice-chat/replies/reply_")
    status, headers, sound = server.get(told["audio_url"])
    assert (status, headers["Content-Type"]) == (200, "audio/mpeg")
    assert duration_ms(decoded(sound), 24000) == pytest.approx(told["duration_ms"], rel=0.15)
    assert server.get("/voice-chat/replies/reply_nonesuch")[0] == 404


def test_a_session_remembers_also_after_a_restart(openai, data_dir):
    session = {"session_id": "shop-1"}
    turns = [("제 이름은 민수예요.", "네, 민수 님. 반갑습니다."), ("제 이름이 뭐였죠?", "민수 님이라고 하셨습니다."), ("고마워요.", "천만에요.")]

    def ask(server, turn):
        openai.texts.append(turn[0])
        openai.replies.append(Reply(turn[1]))
        answer = chat(server, fields=session)
        assert (answer.status, answer.headers["x-session-id"]) == (200, "shop-1"), answer.body

    def expected(of_turns):
        return [{"role": role, "content": text} for turn in of_turns for role, text in zip(("user", "assistant"), turn)]

    with serve(openai, data_dir) as first:
        ask(first, turns[0])
        ask(first, turns[1])
        assert openai.prompts()[-1][1:] == expected(turns[:1]) + [{"role": "user", "content": turns[1][0]}]
    with serve(openai, data_dir) as second:
        ask(second, turns[2])
        assert openai.prompts()[-1][1:] == expected(turns[:2]) + [{"role": "user", "content": turns[2][0]}]
        status, kept = second.get_json("/voice-chat/shop-1")
        assert (status, kept["session_id"]) == (200, "shop-1")
        assert [(turn["role"], turn["text"]) for turn in kept["turns"]] == [(m["role"], m["content"]) for m in expected(turns)]
        assert kept["turns"][0]["class"] and all(turn["at"] for turn in kept["turns"])
        assert second.get("/voice-chat/shop-1", method="DELETE")[0] == 204
        assert second.get("/voice-chat/shop-1")[0] == 404
        assert second.get("/voice-chat/shop-1", method="DELETE")[0] == 404
        ask(second, turns[1])
        assert openai.prompts()[-1][1:] == [{"role": "user", "content": turns[1][0]}]


def test_nothing_understood_is_answered_all_the_same(server, openai):
    openai.texts.append("")
    answer = chat(server, fields={"session_id": "mumbler"})
    assert answer.status == 200
    assert (answer.headers["x-heard-text"], answer.headers["x-request-class"]) == ("", "other")
    assert answer.text("x-reply-text") == FALLBACK
    assert without_spaces("".join(openai.spoken_texts(of=FALLBACK))) == without_spaces(FALLBACK)
    assert rms(decoded(answer.body)) > 300
    assert not openai.of(CHAT)
    assert server.get("/voice-chat/mumbler")[0] == 404, "what nobody understood is not remembered"


def test_what_is_remembered_is_no_change_of_the_characters(openai, tmp_path):
    with serve(openai, tmp_path, characters={"reload_interval_ms": 20}) as server:
        for _ in range(3):
            assert chat(server, fields={"session_id": "shop-2"}).status == 200
            time.sleep(0.1)  # some intervals
        assert server.get("/voice-chat/shop-2")[0] == 200
        assert server.log().count("characters.loaded") == 1


@pytest.mark.parametrize("heard, request_class", [
    ("영업 시간이 어떻게 되나요?", "general_question"), ("어제 산 믹서기가 고장 났어요. 정말 최악이에요.", "complaint"),
    ("제 택배 지금 어디쯤 왔어요?", "order_status"), ("안녕하세요. 반갑습니다.", "other"), ("Where is my order?", "order_status"),
])
def test_classes_by_words(server, openai, heard, request_class):
    openai.texts.append(heard)
    assert chat(server).headers["x-request-class"] == request_class


def test_the_class_by_the_model(openai, data_dir):
    openai.request_class = "complaint"
    voice = faults.held(bytes=0)
    openai.always(SPEECH, voice)
    with serve(openai, data_dir, voice_chat={"classify": "model", "classify_limit_ms": 30000}) as server:
        with VoiceChat(server, headers={"Accept": "application/json"}) as answer:
            answer.upload()
            # The classifier's answer has come before the first sound.
            openai.wait_until(lambda: server.metric('repartee_provider_request_seconds_count{role="llm"}') == 2, "both answers of the model")
            voice.release()
            answer.head().rest()
        assert (answer.status, answer.json()["class"], answer.json()["said"]) == (200, "complaint", GREETED)
        assert len(openai.of(CHAT)) == 2 and len(openai.prompts()) == 1


def test_the_sound_begins_before_the_model_has_ended(server, openai):
    held = faults.held(pieces=8)  # behind the first sentence
    openai.then(CHAT, held)
    with VoiceChat(server) as asked:
        asked.upload().head()
        assert asked.status == 200 and asked.next()
        assert not openai.of(CHAT)[-1].ended
        assert asked.headers["x-reply-complete"] == "no"
        first = asked.text("x-reply-text")
        held.release()
        asked.rest()
        assert asked.whole and urllib.parse.unquote(asked.trailers["x-reply-text"]) == GREETED
        assert GREETED.startswith(first.strip()) and len(first) < len(GREETED)


def test_the_headers_may_wait_for_the_whole_text(server, openai):
    answer = chat(server, path="/voice-chat?wait=text")
    assert (answer.text("x-reply-text"), answer.headers["x-reply-complete"]) == (GREETED, "yes")


def test_a_character_answers(server, openai):
    answer = chat(server, fields={"character": "choi_hyunwoo"})
    assert answer.status == 200
    assert "최현우" in openai.prompts()[-1][0]["content"]
    assert openai.of(SPEECH)[-1].json()["voice"] == "echo"


WRONG = {
    "no audio": ({"content": b"", "fields": {"language": "ko"}}, 400, "missing_required_parameter"),
    "no known container": ({"content": b"These are words, not sounds." * 20}, 400, "invalid_audio"),
    "session id": ({"fields": {"session_id": "../etc"}}, 400, "invalid_value"),
    "format": ({"fields": {"format": "midi"}}, 400, "invalid_value"),
    "character": ({"fields": {"character": "nobody"}}, 404, "character_not_found"),
    "origin": ({"headers": {"Origin": "https://elsewhere.example"}}, 403, "origin_not_allowed"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_requests(server, openai, wrong):
    words, status, code = WRONG[wrong]
    answer = chat(server, **words)
    assert (answer.status, answer.error["code"]) == (status, code), answer.body
    assert answer.error["message"]
    assert not openai.requests
    if wrong == "no audio":
        assert answer.error["param"] == "audio"


@pytest.mark.parametrize("content_type, body, code", [
    ("application/json", b"{}", "unsupported_content_type"),
    ("multipart/form-data", b"x", None),
    ("multipart/form-data; boundary=x", b"--y\r\n\r\n", "invalid_value"),
    ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="audio"; filename="a.wav"\r\n\r\nRIFF', "invalid_value"),
], ids=["json", "no boundary", "another boundary", "cut"])
def test_what_is_no_form(server, content_type, body, code):
    status, _, answer = server.get("/voice-chat", method="POST", body=body, headers={"Content-Type": content_type})
    assert status == 400
    assert code in (None, json.loads(answer)["error"]["code"])


def test_other_methods_and_sessions(server):
    assert server.get("/voice-chat")[0] == 405
    assert server.get("/voice-chat/nobody")[0] == 404


def test_too_large_is_refused_before_it_has_come(server):
    with VoiceChat(server, content=b"RIFF" + bytes(26 << 20)) as asked:
        asked.upload().head().rest()
        assert (asked.status, asked.error["code"]) == (413, "too_large")
    assert chat(server).status == 200


def test_a_client_that_leaves_takes_the_requests_with_it(server, openai):
    for path, step in ((TRANSCRIPTIONS, faults.hang()), (CHAT, faults.hang("body")), (SPEECH, faults.hang("body", after_bytes=48000))):
        openai.well()
        openai.then(path, step)
        with VoiceChat(server) as asked:
            asked.upload()
            openai.wait_for(path)
            left = time.monotonic()
        request = openai.of(path)[0]  # the one that hangs
        openai.wait_until(lambda: request.aborted, f"the end of {path}")
        assert request.aborted - left < 10
    assert chat(server).status == 200


def test_keys_are_wanted_before_the_upload(openai, data_dir):
    with serve(openai, data_dir, server={"threads": 1, "api_keys": "open-sesame"}) as server:
        with VoiceChat(server, content=b"RIFF" + bytes(8 << 20)) as asked:
            asked.upload().head().rest()
            assert (asked.status, asked.error["code"]) == (401, "invalid_api_key")
        assert chat(server, headers={"Authorization": "Bearer open-sesame"}).status == 200
        assert server.get("/voice-chat/x")[0] == 401


def test_without_a_recogniser_it_says_so():
    with repartee.Server() as server:
        answer = chat(server)
        assert (answer.status, answer.error["code"]) == (501, "not_configured")
        assert "stt" in answer.error["message"]
