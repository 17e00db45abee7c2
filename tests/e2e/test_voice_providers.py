"""Each kind of provider in each role: what is asked for, connections, proxies, certificates, repetitions, and who takes over when one fails."""
import contextlib
import json
import pathlib
import re
import subprocess

import pytest

import provided
import repartee
import stand_ins
from conversation import Conversation
from realtime_client import HZ, RealtimeClient
from recordings import recording
from speech import duration_ms, rms, speech
from stand_ins import Reply, faults, ollama as ollama_paths
from stand_ins.openai import CHAT, GREETED, SPEECH, TRANSCRIPTIONS, spoken
from stand_ins.sovits import TTS
from test_readme import README
from voice_chat_client import chat

pytestmark = pytest.mark.usefixtures("well")
CHARACTER = json.loads(pathlib.Path("assets/characters/choi_hyunwoo.json").read_text())
SECOND_MODEL = "the-other-model"
LOGIN = "someone:s3cr3t%20w0rd"
VOICES = {"default_voice_id": "guide", "voices": [
    {"id": "guide", "name": "안내", "language": "ko", "ref_audio_path": "/voices/guide.wav", "prompt_text": "안녕하세요.", "prompt_lang": "ko"},
    {"id": "guard", "name": "경비", "language": "ko", "ref_audio_path": "/voices/guard.wav", "prompt_text": "멈추세요.", "prompt_lang": "ko",
     "text_lang": "all_ko"}]}


@contextlib.asynccontextmanager
async def talking(server, query="model=repartee-local"):
    async with RealtimeClient(server, query) as client:
        await client.wait_for("session.created")
        await client.update(audio={"input": {"turn_detection": None}})
        yield client


async def turn(client, text="안녕하세요."):
    """A typed one: (the response, what was said, its sound)."""
    await client.say(text)
    response = (await client.wait_for("response.done"))["response"]
    item = response["output"][0]["id"] if response["output"] else ""
    return response, client.transcripts[item], client.audio[item]


async def good_turn(server):
    async with talking(server) as client:
        response, said, sound = await turn(client)
        assert response["status"] == "completed", response
        return said, sound


async def failed_turn(server):
    """The error."""
    async with talking(server) as client:
        response, *_ = await turn(client)
        assert response["status"] == "failed", response
        return response["status_details"]["error"]


def without_secrets(text):
    return provided.API_KEY not in text and "s3cr3t" not in text


# ── OpenAI's kind ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def server(openai):
    with provided.serve(openai, tts={"instructions": "Speak warmly.", "model": "gpt-4o-mini-tts"}, stt={"prompt": "Repartee"},
                        llm={"temperature": 0.5, "output_tokens_max": 300, "extra": '{"seed":7}'}) as started:
        yield started


async def test_what_the_settings_say_is_asked_for(server, openai):
    async with talking(server) as client:
        await client.append(speech(hz=HZ))
        await client.send("input_audio_buffer.commit")
        await client.send("response.create")
        assert (await client.wait_for("response.done"))["response"]["status"] == "completed"
    heard, thought, said = (openai.of(path)[0] for path in (TRANSCRIPTIONS, CHAT, SPEECH))
    assert heard.fields()["prompt"] == "Repartee" and heard.fields()["model"] == "gpt-transcribe"
    assert list(heard.form())[-1] == "file"
    body = thought.json()
    assert (body["model"], body["temperature"], body["max_tokens"], body["seed"]) == (provided.MODEL, 0.5, 300, 7)
    body = said.json()
    assert (body["model"], body["instructions"], body["response_format"]) == ("gpt-4o-mini-tts", "Speak warmly.", "pcm")
    assert all(request.headers["authorization"] == f"Bearer {provided.API_KEY}" for request in openai.requests)
    for role in ("stt", "llm", "tts"):
        assert server.metric(f'repartee_provider_requests_total{{role="{role}"}}') > 0


async def test_connections_are_used_again(server, openai):
    await good_turn(server)
    before = openai.connections
    for _ in range(5):
        await good_turn(server)
    # The model and two sentences of the voice at once, at most.
    assert openai.connections - before <= 2
    assert len({request.connection for request in openai.requests}) <= 3
    assert server.metric("repartee_provider_connections_reused_total") > 5


async def test_a_connection_that_was_closed_meanwhile_is_no_failure(server, openai):
    for path in (CHAT, SPEECH):
        openai.always(path, faults.close_idle())
    for _ in range(4):
        assert (await good_turn(server))[0] == GREETED
    assert len(openai.of(CHAT)) == 4


@pytest.mark.parametrize("step, times, answered", [
    (faults.status(503), 2, True),
    (faults.status(429, retry_after=1), 2, True),
    (faults.cut(header=False), 2, True),
    (faults.status(429, retry_after=600), 1, False),
    (faults.quota(), 1, False),
    (faults.status(400), 1, False),
    (faults.status(401, code="invalid_api_key"), 1, False),
    (faults.cut(), 1, False),
], ids=["503", "429", "closed", "429 too long", "quota", "400", "401", "cut"])
async def test_one_repetition_where_it_is_safe(server, openai, step, times, answered):
    openai.then(CHAT, step)
    if answered:
        assert (await good_turn(server))[0] == GREETED
    else:
        error = await failed_turn(server)
        assert error["code"] and error["message"] and without_secrets(error["message"])
    requests = openai.of(CHAT)
    assert len(requests) == times
    if getattr(step, "retry_after", None) == 1:
        assert requests[1].came - requests[0].came >= 0.95


async def test_a_service_that_does_not_know_stream_options(server, openai):
    openai.then(CHAT, faults.status(400, "Unrecognized request argument supplied: stream_options", "unknown_parameter"))
    for _ in range(2):
        assert (await good_turn(server))[0] == GREETED
    assert ["stream_options" in request.json() for request in openai.of(CHAT)] == [True, False, False]


async def test_reasoning_is_not_spoken(server, openai):
    openai.replies.append(Reply("<think>Let me see. </think>네, 알겠습니다.", reasoning="Greetings are due."))
    said, _ = await good_turn(server)
    assert said.strip() == "네, 알겠습니다."
    assert "think" not in "".join(openai.spoken_texts()) and "see" not in "".join(openai.spoken_texts())


async def test_answers_in_odd_pieces(server, openai):
    for path in (CHAT, SPEECH):
        openai.always(path, faults.ok(chunk=7 if path == CHAT else 1237))
    said, sound = await good_turn(server)
    assert said == GREETED and sound == b"".join(spoken(text) for text in openai.spoken_texts(of=GREETED))


# ── Ollama, GPT-SoVITS, a recogniser that reads only WAV ─────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def ears():
    """A recogniser of one's own, which wants no key."""
    with stand_ins.OpenAI() as service:
        yield service
        assert not service.broken, service.broken


@pytest.fixture(scope="module")
def ollama():
    with stand_ins.Ollama() as service:
        yield service
        assert not service.broken, service.broken


@pytest.fixture(scope="module")
def sovits():
    with stand_ins.SoVits() as service:
        yield service
        assert not service.broken, service.broken


@pytest.fixture(scope="module")
def local_models(ears, ollama, sovits, tmp_path_factory):
    voices = tmp_path_factory.mktemp("voices") / "voices.json"
    voices.write_text(json.dumps(VOICES))
    with provided.serve(ears, stt={"accepts": "wav", "response_format": "verbose_json", "api_key": ""},
                        llm={"provider": "ollama", "url": ollama.url, "model": "llama", "api_key": "", "context_tokens": 4096},
                        tts={"provider": "sovits", "url": sovits.url, "voices_file": str(voices), "api_key": ""}) as started:
        yield started


async def test_local_models_hold_a_conversation(local_models, ears, ollama, sovits):
    async with talking(local_models) as client:
        await client.append(speech(hz=HZ))
        await client.send("input_audio_buffer.commit")
        await client.send("response.create")
        response = (await client.wait_for("response.done"))["response"]
        item = response["output"][0]["id"]
        assert client.transcripts[item] == "네, 여기서 바로 대답합니다. 무엇을 도와 드릴까요?"
        assert (response["usage"]["input_token_details"]["text_tokens"], response["usage"]["output_token_details"]["text_tokens"]) == (21, 12)
    asked = ollama.of(ollama_paths.CHAT)[0].json()
    assert (asked["model"], asked["keep_alive"], asked["options"]["num_ctx"]) == ("llama", "5m", 4096)
    assert asked["messages"][-1]["content"] == ears.text
    made = [request.json() for request in sovits.of(TTS)]
    assert all((body["ref_audio_path"], body["prompt_text"], body["prompt_lang"], body["text_lang"]) ==
               ("/voices/guide.wav", "안녕하세요.", "ko", "ko") for body in made)
    assert made[0]["streaming_mode"] == 2 and made[0]["media_type"] == "wav"
    # 32 kHz there, 24 kHz here.
    expected_ms = sum(duration_ms(spoken(body["text"], 32000), 32000) for body in made)
    assert duration_ms(client.audio[item], HZ) == pytest.approx(expected_ms, rel=0.03)
    assert rms(client.audio[item]) > 300
    assert len(made) >= 2 and sovits.most_at_once == 1
    assert not any("authorization" in request.headers for request in ears.requests + ollama.requests + sovits.requests)


async def test_functions_of_a_local_model(local_models, ollama):
    def think(body):
        if body["messages"][-1]["role"] == "tool":
            return Reply(f"{body['messages'][-1]['content']}도입니다.")
        return Reply(calls=[("temperature", '{"room":"kitchen"}')])

    ollama.think = think
    tool = {"type": "function", "name": "temperature", "description": "How warm it is.", "parameters": {"type": "object", "properties": {}}}
    async with talking(local_models) as client:
        await client.update(tools=[tool])
        response, *_ = await turn(client, "부엌은 몇 도예요?")
        call = response["output"][-1]
        assert (call["type"], json.loads(call["arguments"])) == ("function_call", {"room": "kitchen"}) and call["call_id"]
        await client.send("conversation.item.create", item={"type": "function_call_output", "call_id": call["call_id"], "output": "21"})
        await client.send("response.create")
        response = (await client.wait_for("response.done"))["response"]
        assert client.transcripts[response["output"][0]["id"]] == "21도입니다."
    told = ollama.of(ollama_paths.CHAT)[1].json()["messages"][-2:]
    assert told[0]["tool_calls"][0]["function"] == {"name": "temperature", "arguments": {"room": "kitchen"}}
    assert (told[1]["role"], told[1]["content"], told[1]["tool_name"]) == ("tool", "21", "temperature")


async def test_a_model_that_was_not_pulled(local_models, ollama):
    ollama.models.remove("llama")
    try:
        error = await failed_turn(local_models)
    finally:
        ollama.models.append("llama")
    assert "ollama pull" in error["message"]


def test_a_recogniser_that_reads_only_wav(local_models, ears):
    answer = chat(local_models, "webm")
    assert answer.status == 200, answer.body
    heard = ears.heard[-1]
    assert heard.file_name.endswith(".wav") and heard.hz == 16000
    assert heard.seconds == pytest.approx(len(recording("wav")) / 2 / 16000, abs=0.2)


async def test_words_that_nobody_said(local_models, ears, ollama):
    ears.no_speech = 0.95
    ears.text = "시청해 주셔서 감사합니다."
    async with talking(local_models) as client:
        await client.append(speech(hz=HZ))
        await client.send("input_audio_buffer.commit")
        await client.send("response.create")
        response = (await client.wait_for("response.done"))["response"]
        assert (response["status"], response["output"]) == ("completed", [])
    assert not ollama.requests


async def test_a_cut_voice_is_an_error(local_models, sovits):
    sovits.then(TTS, faults.cut(after_bytes=20000))
    assert (await failed_turn(local_models))["code"]
    assert (await good_turn(local_models))[0]


# ── who takes over ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def second():
    with stand_ins.OpenAI() as service:
        yield service
        assert not service.broken, service.broken


@pytest.fixture(autouse=True)
def second_is_well(request, well):
    if "second" in request.fixturenames:
        service = request.getfixturevalue("second")
        service.settle()
        service.well()
        service.think = lambda body: Reply("두 번째가 대답합니다.")
        service.text = "두 번째가 들었습니다."


def with_second(openai, second, folder, cooldown_ms):
    characters = folder / "characters"
    characters.mkdir()
    (characters / "guest.json").write_text(json.dumps({**CHARACTER, "id": "guest", "llm_provider": "llm_2", "llm_model": "a-third-model"}))
    quick = {"retries": 0, "first_byte_limit_ms": 4000, "idle_limit_ms": 4000}
    there = {"provider": "openai", "url": second.base, "api_key": "sk-second"}
    return provided.serve(openai, stt=quick, llm=quick, tts=quick, stt_2=there, llm_2={**there, "model": SECOND_MODEL}, tts_2=there,
                          providers={"cooldown_ms": cooldown_ms}, characters={"dir": str(characters)})


@pytest.fixture(scope="module")
def doubled(openai, second, tmp_path_factory):
    with with_second(openai, second, tmp_path_factory.mktemp("doubled"), cooldown_ms=0) as started:
        yield started


def fallbacks(server, role):
    return server.metric(f'repartee_provider_fallbacks_total{{role="{role}"}}')


@pytest.mark.parametrize("step", [
    faults.status(500), faults.quota(), faults.hang(), faults.hang("body"), faults.cut(header=False), faults.cut(after_bytes=0), faults.wrong_type(),
], ids=["500", "quota", "hang", "hang in the body", "closed", "cut", "wrong type"])
async def test_the_second_model_takes_over(doubled, openai, second, step):
    before = fallbacks(doubled, "llm")
    # Not `then`: a kept connection that ends without a byte is no failure, and asked for once more.
    openai.always(CHAT, step)
    assert (await good_turn(doubled))[0] == "두 번째가 대답합니다."
    asked = second.of(CHAT)[0]
    assert asked.json()["model"] == SECOND_MODEL and asked.headers["authorization"] == "Bearer sk-second"
    assert fallbacks(doubled, "llm") == before + 1
    line = [line for line in doubled.log().splitlines() if "provider.fallback role=llm" in line][-1]
    assert "llm_2" in line and without_secrets(doubled.log()) and "sk-second" not in doubled.log()
    # Without a cooldown the first one is asked again.
    openai.well()
    assert (await good_turn(doubled))[0] == GREETED


async def test_the_second_ears_and_voice_take_over(doubled, openai, second):
    openai.then(TRANSCRIPTIONS, faults.status(500))
    openai.then(SPEECH, faults.status(500))
    async with talking(doubled) as client:
        await client.append(speech(hz=HZ))
        await client.send("input_audio_buffer.commit")
        await client.send("response.create")
        response = (await client.wait_for("response.done"))["response"]
        assert response["status"] == "completed"
        assert rms(client.audio[response["output"][0]["id"]]) > 300
    assert openai.prompts()[0][-1]["content"] == "두 번째가 들었습니다."
    assert second.of(SPEECH)
    assert fallbacks(doubled, "stt") >= 1 and fallbacks(doubled, "tts") >= 1


async def test_nobody_takes_over_amid_an_answer(doubled, openai, second):
    openai.then(CHAT, faults.cut())
    assert (await failed_turn(doubled))["code"]
    assert not second.requests


async def test_when_all_fail_the_first_ones_error_is_told(doubled, openai, second):
    openai.then(CHAT, faults.status(401, "Incorrect API key provided.", "invalid_api_key"))
    second.then(CHAT, faults.status(500))
    error = await failed_turn(doubled)
    assert "401" in error["message"] and "llm.api_key" in error["message"] and without_secrets(error["message"])


async def test_a_character_chooses_its_provider_and_model(doubled, openai, second):
    async with Conversation(doubled, "guest", "pacing=off") as talk:
        await talk.wait_for("session.created")
        await talk.say("안녕하세요.")
        assert (await talk.wait_for("response.output_audio_transcript.done"))["transcript"] == "두 번째가 대답합니다."
    assert second.of(CHAT)[0].json()["model"] == "a-third-model"
    assert not openai.of(CHAT) and openai.of(SPEECH)


async def test_one_that_failed_is_left_alone_for_a_while(openai, second, tmp_path):
    with with_second(openai, second, tmp_path, cooldown_ms=3600000) as server:
        openai.then(CHAT, faults.status(500))
        for _ in range(3):
            assert (await good_turn(server))[0] == "두 번째가 대답합니다."
        assert len(openai.of(CHAT)) == 1
        # When the other one fails too, it is better than nobody.
        second.then(CHAT, faults.status(500))
        assert (await good_turn(server))[0] == GREETED


# ── TLS, proxies, keys ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_certificates_are_verified():
    good, good_file = stand_ins.certificate_for("localhost")
    other, other_file = stand_ins.certificate_for("elsewhere.example")
    with stand_ins.OpenAI(tls=good) as right, stand_ins.OpenAI(tls=other) as wrong:
        with provided.serve(right, llm={"ca_file": str(good_file)}, stt={"ca_file": str(good_file)},
                            tts={"url": wrong.base, "ca_file": str(other_file), "retries": 0}) as server:
            async with talking(server) as client:
                await client.update(output_modalities=["text"])
                await client.say("안녕하세요.")
                response = (await client.wait_for("response.done"))["response"]
                assert response["output"][0]["content"][0]["text"] == GREETED
            error = await failed_turn(server)
            assert error["code"] == "tls_failed" and "tts" in error["message"]
            assert right.of(CHAT) and not wrong.requests


async def test_through_a_proxy():
    context, certificate = stand_ins.certificate_for("tts.example")
    with stand_ins.OpenAI() as plain, stand_ins.OpenAI(tls=context) as secure:
        leads = {"llm.example:80": ("127.0.0.1", plain.port), "tts.example:443": ("127.0.0.1", secure.port)}
        with stand_ins.Proxy(leads, login="someone:s3cr3t w0rd") as proxy:
            address = f"http://{LOGIN}@{proxy.host}"
            with provided.serve(plain, environment={"http_proxy": address, "HTTPS_PROXY": address, "no_proxy": "unused.example"},
                                llm={"url": "http://llm.example/v1"}, tts={"url": "https://tts.example/v1", "ca_file": str(certificate)}) as server:
                async with talking(server) as client:
                    await client.append(speech(hz=HZ))
                    await client.send("input_audio_buffer.commit")
                    await client.send("response.create")
                    assert (await client.wait_for("response.done"))["response"]["status"] == "completed"
                assert without_secrets(server.log())
            came = {(request.method, request.path) for request in proxy.requests}
            assert came == {("POST", "http://llm.example/v1/chat/completions"), ("CONNECT", "tts.example:443")}
            # This machine itself is never asked for through it.
            assert plain.of(TRANSCRIPTIONS) and secure.of(SPEECH)
            assert not any("proxy-authorization" in request.headers for request in plain.requests + secure.requests)
            assert not plain.broken and not secure.broken and not proxy.broken


async def test_a_key_does_not_go_where_it_was_not_meant_for():
    with stand_ins.OpenAI() as anyone:
        settings = {section: {"api_key": ""} for section in ("stt", "llm", "tts")}
        with provided.serve(anyone, environment={"OPENAI_API_KEY": provided.API_KEY}, **settings) as server:
            await good_turn(server)
        assert anyone.requests and not any("authorization" in request.headers for request in anyone.requests)


def test_introductions_by_the_configured_voice(openai, tmp_path):
    made = repartee.run("introductions", "--data-dir", str(tmp_path), environment=provided.settings(openai), timeout=300)
    assert made.returncode == 0, made.stdout + made.stderr
    assert without_secrets(made.stdout + made.stderr)
    bodies = [request.json() for request in openai.of(SPEECH)]
    assert len({body["voice"] for body in bodies}) >= 3 and all(body["speed"] == 0.95 for body in bodies)
    assert len(list(tmp_path.glob("audio/*_intro.mp3"))) == 6


def test_the_effective_chain_is_shown_without_keys(openai):
    shown = repartee.run("check", environment=provided.settings(openai, llm_2={"provider": "ollama", "model": "llama"}))
    assert shown.returncode == 0, shown.stderr
    assert without_secrets(shown.stdout + shown.stderr) and "ollama" in shown.stdout


@pytest.mark.parametrize("wrong, words", [
    ({"llm": {"model": ""}}, ["llm.model"]),
    ({"llm": {"url": "ftp://x"}}, ["llm.url"]),
    ({"llm": {"extra": "[]"}}, ["llm.extra"]),
    ({"llm_3": {"provider": "ollama", "model": "m"}}, ["llm_3", "llm_2"]),
    ({"tts": {"provider": "sovits"}}, ["voices_file"]),
    ({"tts": {"ca_file": "/nonexistent/ca.pem"}}, ["/nonexistent/ca.pem"]),
], ids=lambda value: "" if isinstance(value, list) else next(iter(value)))
def test_wrong_settings_are_named(openai, wrong, words):
    shown = repartee.run("check", environment=provided.settings(openai, **wrong))
    assert shown.returncode == 2
    for word in words:
        assert word in shown.stderr, shown.stderr


def test_a_character_that_there_is_not(openai, tmp_path):
    settings = provided.settings(openai, voice_chat={"character": "nobody"})
    shown = repartee.run("serve", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path), environment=settings)
    assert shown.returncode == 1
    assert "voice_chat.character" in shown.stderr and "nobody" in shown.stderr


def test_the_snippet_of_the_readme_is_understood(tmp_path):
    text = README.read_text()
    (tmp_path / "repartee.toml").write_text(re.search(r"```toml\n(.*?)```", text, re.S)[1])
    (tmp_path / "voices.json").write_text(re.search(r"```json\n(.*?)```", text, re.S)[1])
    binary = pathlib.Path(repartee.BINARY).resolve()
    shown = subprocess.run([binary, "check", "--config", "repartee.toml"], cwd=tmp_path, capture_output=True, text=True, timeout=60,
                           env=repartee.clean_environment({"OPENAI_API_KEY": provided.API_KEY}))
    assert shown.returncode == 0, shown.stderr
    assert without_secrets(shown.stdout)
