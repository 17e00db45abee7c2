"""/v1/realtime as any OpenAI client sees it: in process, and through a second Repartee over verified TLS. Every event is checked by the client."""
import asyncio
import base64
import contextlib
import json
import os
import pathlib
import shutil
import signal
import time

import pytest
import websockets

import repartee
from realtime_client import HZ, RealtimeClient
from speech import duration_ms, rms, silence, speech

SPOKEN_ORDER = [
    "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "input_audio_buffer.committed", "conversation.item.added",
    "conversation.item.done", "response.created", "response.output_item.added", "conversation.item.added", "response.content_part.added",
]
AUDIO_END = ["response.output_audio.done", "response.output_audio_transcript.done", "response.content_part.done", "conversation.item.done",
             "response.output_item.done", "response.done"]
TEXT_ORDER = [
    "response.created", "response.output_item.added", "conversation.item.added", "response.content_part.added", "response.output_text.delta",
    "response.output_text.done", "response.content_part.done", "conversation.item.done", "response.output_item.done", "response.done",
    "rate_limits.updated",
]
TOOL = {"type": "function", "name": "set_light", "description": "Switch a lamp.",
        "parameters": {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"]}}
# The pause between two sentences is no end of the turn (the default of 200 ms takes it for one).
ONE_TURN = {"type": "server_vad", "silence_duration_ms": 500}
CHARACTER = json.loads(pathlib.Path("assets/characters/park_jihoon.json").read_text())
HELD_WORD = "잠깐만"


def spoken(ms_of_silence=900):
    return speech(hz=HZ) + silence(ms_of_silence, HZ)


def types(events):
    return [event["type"] for event in events]


def without_transcription(events):
    return [event for event in events if "input_audio_transcription" not in event["type"]]


@contextlib.contextmanager
def held_voice(folder):
    """A voice that, after a sentence with HELD_WORD in it, waits for release(): the reply stays under way as long as a test needs."""
    fifo = folder / "release"
    os.mkfifo(fifo)
    program = folder / "held-voice"
    program.write_text(f"""#!/bin/sh
text=$(cat)
printf %s "$text" | {shutil.which("espeak-ng")} "$@"
case "$text" in *{HELD_WORD}*) read released < {fifo};; esac
""")
    program.chmod(0o755)
    yield f"local.espeak_program={program}", lambda: fifo.write_text("\n")


@pytest.fixture(scope="module", params=["local", "relayed"])
def held(request, tmp_path_factory):
    with held_voice(tmp_path_factory.mktemp("voice")) as (setting, release), contextlib.ExitStack() as servers:
        started = servers.enter_context(repartee.Server("--set", setting, "--set", "local.speech_limit_ms=600000", tls=True))
        if request.param == "relayed":
            started = servers.enter_context(repartee.Server(environment={
                "REPARTEE_REALTIME__UPSTREAM": "openai",
                "REPARTEE_REALTIME__URL": started.tls_url.replace("https", "wss", 1) + "/v1/realtime",
                "REPARTEE_REALTIME__CA_FILE": str(started.certificate),
                "REPARTEE_REALTIME__MODEL": "repartee-local",
            }))
        started.release = release
        yield started


async def begin_held_reply(client, turn_detection=None):
    """A reply whose first sentence has been spoken and whose second waits."""
    await client.wait_for("session.created")
    await client.update(audio={"input": {"turn_detection": turn_detection}})
    await client.say(f"{HELD_WORD} 기다려 주세요")
    created = await client.wait_for("response.created")
    item = (await client.wait_for("response.output_item.added"))["item"]["id"]
    while duration_ms(client.audio[item], HZ) < 600:
        await client.receive()
    return created["response"]["id"], item


# ── 7.1 start ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_session_comes_first_and_is_changed_in_part(server):
    async with RealtimeClient(server) as client:
        created = await client.receive()
        session = created["session"]
        assert created["type"] == "session.created"
        assert session["id"].startswith("sess_")
        assert session["model"] == "repartee-local"
        assert session["output_modalities"] == ["audio"]
        assert session["expires_at"] > time.time() + 1800
        assert session["audio"]["input"]["format"] == session["audio"]["output"]["format"] == {"type": "audio/pcm", "rate": 24000}
        assert session["audio"]["output"]["voice"] == "alloy"
        detection = {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 200, "idle_timeout_ms": None,
                     "create_response": True, "interrupt_response": True}
        assert session["audio"]["input"]["turn_detection"] == detection

        updated = await client.update(instructions="Be brief.", tools=[TOOL], tool_choice="required", max_output_tokens=200,
                                      audio={"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 400},
                                                       "noise_reduction": {"type": "near_field"}, "transcription": None},
                                             "output": {"voice": "Cedar", "speed": 1.25}})
        detection["silence_duration_ms"] = 400
        assert updated["audio"]["input"]["turn_detection"] == detection
        assert updated["audio"]["input"]["noise_reduction"] == {"type": "near_field"}
        assert (updated["audio"]["output"]["voice"], updated["audio"]["output"]["speed"]) == ("cedar", 1.25)
        assert (updated["instructions"], updated["tools"]) == ("Be brief.", [TOOL])
        assert (updated["tool_choice"], updated["max_output_tokens"]) == ("required", 200)
        assert (updated["id"], updated["model"], updated["expires_at"]) == (session["id"], session["model"], session["expires_at"])

        again = await client.update(instructions="")
        assert again == {**updated, "instructions": ""}


async def test_semantic_turn_detection_is_echoed(server):
    async with RealtimeClient(server) as client:
        await client.wait_for("session.created")
        session = await client.update(audio={"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "high"}}})
        assert session["audio"]["input"]["turn_detection"] == {
            "type": "semantic_vad", "eagerness": "high", "create_response": True, "interrupt_response": True}


async def test_the_model_of_the_url_is_the_models_name(server):
    async with RealtimeClient(server, "model=some-model") as client:
        assert (await client.wait_for("session.created"))["session"]["model"] == "some-model"
    async with RealtimeClient(server, "") as client:
        assert (await client.wait_for("session.created"))["session"]["model"] == "repartee-local"


async def test_a_refused_update_changes_nothing(server):
    async with RealtimeClient(server) as client:
        session = (await client.wait_for("session.created"))["session"]
        del session["resume"]
        for wrong, code, param in (
            ({"instructions": "no type"}, "missing_required_parameter", "session.type"),
            ({"type": "realtime", "instructions": "x", "voice": "alloy"}, "unknown_parameter", "session.voice"),
            ({"type": "realtime", "instructions": "x", "audio": {"output": {"speed": 9}}}, "invalid_value", "session.audio.output.speed"),
            ({"type": "realtime", "instructions": "x", "output_modalities": ["audio", "text"]}, "invalid_value", "session.output_modalities"),
        ):
            await client.send("session.update", event_id="u1", session=wrong)
            error = await client.error()
            assert (error["type"], error["code"], error["param"], error["event_id"]) == ("invalid_request_error", code, param, "u1")
        assert await client.update() == session


# ── 7.2 spoken turn ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_spoken_turn_in_the_order_of_the_service(server):
    async with RealtimeClient(server) as client:
        await client.wait_for("session.created")
        await client.update(audio={"input": {"turn_detection": ONE_TURN}})
        await client.append(spoken())
        events = without_transcription(await client.collect("rate_limits.updated"))
        order = types(events)
        assert order[:len(SPOKEN_ORDER)] == SPOKEN_ORDER
        deltas = {"response.output_audio_transcript.delta", "response.output_audio.delta"}
        assert set(order[len(SPOKEN_ORDER):-7]) == deltas
        assert order[-7:] == AUDIO_END + ["rate_limits.updated"]

        started, stopped, committed, user_added, user_done, created, output_added, added, part_added = events[:9]
        user, reply, response = started["item_id"], output_added["item"]["id"], created["response"]["id"]
        assert started["audio_start_ms"] < stopped["audio_end_ms"] <= duration_ms(spoken(), HZ)
        assert stopped["item_id"] == committed["item_id"] == user_added["item"]["id"] == user_done["item"]["id"] == user
        assert committed["previous_item_id"] is user_added["previous_item_id"] is None
        assert user_added["item"]["role"] == "user" and user_added["item"]["status"] == "completed"
        assert [part["type"] for part in user_added["item"]["content"]] == ["input_audio"]
        assert added["previous_item_id"] == user
        assert added["item"] == output_added["item"] and added["item"]["content"] == [] and added["item"]["status"] == "in_progress"
        assert part_added["part"] == {"type": "audio", "transcript": ""}

        said = client.transcripts[reply]
        assert len(said) > 10
        audio_done, transcript_done, part_done, item_done, output_done, done, _ = events[-7:]
        for event in (part_added, audio_done, transcript_done, part_done):
            assert (event["response_id"], event["item_id"], event["output_index"], event["content_index"]) == (response, reply, 0, 0)
        assert transcript_done["transcript"] == part_done["part"]["transcript"] == said
        assert item_done["item"] == output_done["item"] == done["response"]["output"][0]
        assert item_done["item"]["status"] == "completed" and item_done["item"]["content"] == [{"type": "output_audio", "transcript": said}]
        assert item_done["previous_item_id"] == user

        assert (done["response"]["id"], done["response"]["status"]) == (response, "completed")
        assert rms(client.audio[reply]) > 300
        usage = done["response"]["usage"]
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        for total, details in (("input_tokens", "input_token_details"), ("output_tokens", "output_token_details")):
            assert usage[total] == usage[details]["text_tokens"] + usage[details]["audio_tokens"]
            assert usage[details]["audio_tokens"] > 0


async def test_turn_detection_that_creates_no_response(server):
    async with RealtimeClient(server) as client:
        await client.wait_for("session.created")
        await client.update(audio={"input": {"turn_detection": {**ONE_TURN, "create_response": False}}})
        await client.append(spoken())
        user = (await client.wait_for("conversation.item.done"))["item"]["id"]
        await client.send("conversation.item.retrieve", item_id=user)
        assert (await client.receive())["type"] == "conversation.item.retrieved", "a response nobody asked for"


async def test_a_transcript_that_nobody_can_write_is_reported_as_failed(server):
    """The engine built in has no recogniser; the turn is answered all the same."""
    async with RealtimeClient(server) as client:
        await client.wait_for("session.created")
        await client.update(audio={"input": {"turn_detection": ONE_TURN, "transcription": {"model": "gpt-4o-mini-transcribe", "language": "ko"}}})
        await client.append(spoken())
        await client.wait_for("response.done")
        failed = [e for e in client.events if e["type"] == "conversation.item.input_audio_transcription.failed"]
        assert len(failed) == 1 and failed[0]["error"]["message"]
        assert failed[0]["item_id"] == [e for e in client.events if e["type"] == "input_audio_buffer.committed"][0]["item_id"]


@pytest.mark.parametrize("kind", ["audio/pcmu", "audio/pcma"])
async def test_telephone_formats_both_ways(server, kind):
    async with RealtimeClient(server) as client:
        await client.wait_for("session.created")
        session = await client.update(audio={"input": {"format": {"type": kind}, "turn_detection": None}, "output": {"format": {"type": kind}}})
        assert session["audio"]["input"]["format"] == session["audio"]["output"]["format"] == {"type": kind}
        spoken_bytes = bytes(range(256)) * 8
        await client.append(spoken_bytes)
        await client.send("input_audio_buffer.commit")
        user = (await client.wait_for("input_audio_buffer.committed"))["item_id"]
        await client.send("response.create")
        reply = (await client.wait_for("response.done"))["response"]["output"][0]["id"]
        # Converting to 24 kHz and back takes a few ms off.
        heard, _ = await client.retrieve_audio(user)
        assert abs(len(heard) - len(spoken_bytes)) <= 10 * 8
        replied, _ = await client.retrieve_audio(reply)
        assert len(replied) > 8000
        assert abs(len(replied) - len(client.audio[reply])) <= 10 * 8


# ── 7.3 push-to-talk ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_push_to_talk(server):
    async with RealtimeClient(server) as client:
        await client.wait_for("session.created")
        session = await client.update(audio={"input": {"turn_detection": None}})
        assert session["audio"]["input"]["turn_detection"] is None
        await client.append(silence(500, HZ))
        await client.send("input_audio_buffer.clear")
        await client.wait_for("input_audio_buffer.cleared")
        await client.send("input_audio_buffer.commit", event_id="too soon")
        error = await client.error()
        assert (error["code"], error["event_id"]) == ("input_audio_buffer_commit_empty", "too soon")

        pcm = spoken()
        await client.append(pcm)
        await client.send("input_audio_buffer.commit")
        committed, added, done = [await client.receive() for _ in range(3)]
        assert types([committed, added, done]) == ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]
        heard, _ = await client.retrieve_audio(committed["item_id"])
        assert heard == pcm, "what was sent before the clear, or not all that was sent after it"

        await client.send("response.create")
        events = await client.collect("rate_limits.updated")
        assert types(events)[:4] == ["response.created", "response.output_item.added", "conversation.item.added", "response.content_part.added"]
        assert types(events)[-7:-1] == AUDIO_END
        reply = events[1]["item"]["id"]
        replied, part = await client.retrieve_audio(reply)
        assert replied == client.audio[reply]
        assert part["transcript"] == client.transcripts[reply]
        assert "input_audio_buffer.speech_started" not in types(client.events)


# ── 7.4 text turn ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("asked_in", ["session", "response"])
async def test_a_text_turn_answered_in_text(server, asked_in):
    async with RealtimeClient(server) as client:
        await client.wait_for("session.created")
        if asked_in == "session":
            await client.update(output_modalities=["text"])
        await client.say("오늘은 어떤가요?", **({"output_modalities": ["text"]} if asked_in == "response" else {}))
        added, done = await client.receive(), await client.receive()
        assert types([added, done]) == ["conversation.item.added", "conversation.item.done"]
        assert added["item"] == done["item"]
        assert added["item"]["content"] == [{"type": "input_text", "text": "오늘은 어떤가요?"}]

        events = await client.collect("rate_limits.updated")
        assert types(events) == TEXT_ORDER
        created, output_added, item_added, part_added, _, text_done, part_done, item_done, output_done, response_done, _ = events
        item = output_added["item"]["id"]
        said = client.transcripts[item]
        assert created["response"]["output_modalities"] == ["text"]
        assert item_added["previous_item_id"] == added["item"]["id"]
        assert part_added["part"] == {"type": "text", "text": ""}
        assert text_done["text"] == part_done["part"]["text"] == said and len(said) > 10
        assert item_done["item"] == output_done["item"]
        assert item_done["item"]["content"] == [{"type": "output_text", "text": said}]
        assert response_done["response"]["usage"]["output_token_details"]["audio_tokens"] == 0
        assert not client.audio


async def test_a_text_turn_answered_by_voice(server):
    async with RealtimeClient(server) as client:
        await client.wait_for("session.created")
        await client.say("오늘은 어떤가요?")
        reply = (await client.wait_for("response.done"))["response"]["output"][0]
        assert reply["content"] == [{"type": "output_audio", "transcript": client.transcripts[reply["id"]]}]
        assert rms(client.audio[reply["id"]]) > 300


# ── 7.5 interruption, truncation, cancellation ───────────────────────────────────────────────────────────────────────


async def test_speech_interrupts_the_reply_and_the_client_reports_what_was_heard(held):
    async with RealtimeClient(held) as client:
        response, reply = await begin_held_reply(client, ONE_TURN)
        await client.append(spoken())
        await client.wait_for("input_audio_buffer.speech_started")
        ending = await client.collect("response.done")
        assert types(ending) == AUDIO_END
        assert ending[-2]["item"]["id"] == reply and ending[-2]["item"]["status"] == "incomplete"
        done = ending[-1]["response"]
        assert (done["id"], done["status"], done["status_details"]) == (response, "cancelled", {"type": "cancelled", "reason": "turn_detected"})
        assert done["usage"]["output_token_details"]["audio_tokens"] > 0, "what was generated is billed"
        sent = client.audio[reply]

        await client.send("conversation.item.truncate", item_id=reply, content_index=0, audio_end_ms=350)
        truncated = await client.wait_for("conversation.item.truncated")
        assert (truncated["item_id"], truncated["content_index"], truncated["audio_end_ms"]) == (reply, 0, 350)
        await client.wait_for("response.done")
        assert client.audio[reply] == sent, "audio of the cancelled response after its response.done"
        kept, part = await client.retrieve_audio(reply)
        assert kept == sent[:350 * HZ // 1000 * 2]
        assert "transcript" not in part, "the transcript says more than was heard"


async def test_speech_that_may_not_interrupt(held):
    async with RealtimeClient(held) as client:
        await client.wait_for("session.created")
        await client.update(audio={"input": {"turn_detection": {**ONE_TURN, "interrupt_response": False}}})
        await client.say(f"{HELD_WORD} 기다려 주세요")
        response = (await client.wait_for("response.created"))["response"]["id"]
        await client.wait_for("response.output_audio.delta")
        await client.append(spoken())
        error = await client.error()
        assert error["code"] == "conversation_already_has_active_response" and response in error["message"]
        assert "response.done" not in types(client.events)
        held.release()
        assert (await client.wait_for("response.done"))["response"]["status"] == "completed"


async def test_the_client_cancels(held):
    async with RealtimeClient(held) as client:
        response, reply = await begin_held_reply(client)
        await client.send("response.create", event_id="c1")
        error = await client.error()
        assert (error["code"], error["event_id"]) == ("conversation_already_has_active_response", "c1") and response in error["message"]
        await client.send("response.cancel", event_id="c2", response_id="resp_other")
        assert (await client.error())["event_id"] == "c2"

        await client.send("response.cancel", response_id=response)
        ending = await client.collect("response.done")
        assert [t for t in types(ending) if not t.endswith(".delta")] == AUDIO_END, "only deltas that were on their way may precede the end"
        assert ending[-1]["response"]["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
        await client.send("response.cancel", event_id="c3")
        error = await client.error()
        assert (error["code"], error["event_id"]) == ("response_cancel_not_active", "c3")
        await client.say("계속해 주세요")
        assert (await client.wait_for("response.done"))["response"]["status"] == "completed"


async def test_a_reply_without_another_word_goes_out_of_the_conversation_while_it_is_spoken(held):
    """A client may delete the item of a running response: no conversation.item.done follows for it."""
    async with RealtimeClient(held) as client:
        response, reply = await begin_held_reply(client)
        await client.send("conversation.item.delete", item_id=reply)
        await client.wait_for("conversation.item.deleted")
        await client.send("response.cancel")
        ending = await client.collect("response.done")
        assert ending[-1]["response"]["id"] == response
        assert "conversation.item.done" not in types(ending)


async def test_truncation_is_checked(server):
    async with RealtimeClient(server) as client:
        await client.wait_for("session.created")
        await client.say("이야기해 주세요")
        reply = (await client.wait_for("response.done"))["response"]["output"][0]["id"]
        whole = client.audio[reply]
        length_ms = int(duration_ms(whole, HZ))
        user = next(e["item"]["id"] for e in client.events if e["type"] == "conversation.item.added")

        async def refused(code, **members):
            await client.send("conversation.item.truncate", event_id="t1", **{"item_id": reply, "content_index": 0, "audio_end_ms": 10, **members})
            error = await client.error()
            assert (error["type"], error["code"], error["event_id"]) == ("invalid_request_error", code, "t1")
            return error["message"]

        message = await refused("invalid_value", audio_end_ms=length_ms + 1)
        assert message == f"Audio content of {length_ms}ms is already shorter than {length_ms + 1}ms"
        await refused("invalid_value", audio_end_ms=-1)
        await refused("invalid_value", audio_end_ms=12.5)
        await refused("invalid_value", content_index=1)
        await refused("unsupported_content_type", item_id=user)
        await refused("item_not_found", item_id="item_none")
        assert (await client.retrieve_audio(reply))[0] == whole

        await client.send("conversation.item.truncate", item_id=reply, content_index=0, audio_end_ms=500)
        await client.wait_for("conversation.item.truncated")
        assert (await client.retrieve_audio(reply))[0] == whole[:500 * 48]
        await refused("invalid_value", audio_end_ms=501)


# ── 7.6 function calls ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_function_calls_as_context(server):
    async with RealtimeClient(server) as client:
        await client.wait_for("session.created")
        await client.update(tools=[TOOL], output_modalities=["text"])
        await client.send("conversation.item.create",
                          item={"type": "function_call", "call_id": "call_1", "name": "set_light", "arguments": '{"on":true}'})
        call = (await client.wait_for("conversation.item.added"))["item"]
        assert (call["call_id"], call["name"], call["arguments"], call["status"]) == ("call_1", "set_light", '{"on":true}', "completed")
        assert (await client.wait_for("conversation.item.done"))["item"] == call
        await client.send("conversation.item.create", item={"type": "function_call_output", "call_id": "call_1", "output": '{"ok":true}'})
        output = await client.wait_for("conversation.item.added")
        assert output["previous_item_id"] == call["id"]
        assert (output["item"]["call_id"], output["item"]["output"]) == ("call_1", '{"ok":true}')
        await client.send("response.create")
        assert (await client.wait_for("response.done"))["response"]["status"] == "completed"


async def test_a_function_call_of_the_service_reaches_the_client_as_it_is():
    """The engine built in calls no functions, so a scripted service does: a relay must not touch a byte of it."""
    ids = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0}
    call = {"id": "item_1", "type": "function_call", "status": "in_progress", "name": "set_light", "call_id": "call_1", "arguments": ""}
    whole = {**call, "status": "completed", "arguments": '{"on": true}'}
    response = {"id": "resp_1", "object": "realtime.response", "status": "in_progress", "output": [],
                "output_modalities": ["audio"], "max_output_tokens": "inf"}
    usage = {"total_tokens": 2, "input_tokens": 1, "output_tokens": 1,
             "input_token_details": {"text_tokens": 1, "audio_tokens": 0, "cached_tokens": 0},
             "output_token_details": {"text_tokens": 1, "audio_tokens": 0}}
    script = [
        {"type": "response.created", "response": response},
        {"type": "response.output_item.added", "response_id": "resp_1", "output_index": 0, "item": call},
        {"type": "conversation.item.added", "previous_item_id": None, "item": call},
        {"type": "response.function_call_arguments.delta", **ids, "call_id": "call_1", "delta": '{"on": '},
        {"type": "response.function_call_arguments.done", **ids, "call_id": "call_1", "name": "set_light", "arguments": '{"on": true}'},
        {"type": "conversation.item.done", "previous_item_id": None, "item": whole},
        {"type": "response.output_item.done", "response_id": "resp_1", "output_index": 0, "item": whole},
        {"type": "response.done", "response": {**response, "status": "completed", "output": [whole], "usage": usage}},
    ]
    frames = [json.dumps({**event, "event_id": f"event_{i}"}, indent=1 if i % 2 else None) for i, event in enumerate(script)]
    received = []

    async def serve(socket):
        async with RealtimeClient(template) as other:
            session = (await other.receive())["session"]
        await socket.send(json.dumps({"type": "session.created", "event_id": "event_s", "session": session}))
        async for message in socket:
            received.append(message)
            if json.loads(message)["type"] == "response.create":
                for frame in frames:
                    await socket.send(frame)

    loop = asyncio.get_running_loop()
    with repartee.Server() as template:
        async with websockets.serve(serve, "127.0.0.1", 0) as upstream:
            environment = {"REPARTEE_REALTIME__UPSTREAM": "openai", "REPARTEE_REALTIME__WARM_CONNECTIONS": "0",
                           "REPARTEE_REALTIME__URL": f"ws://127.0.0.1:{upstream.sockets[0].getsockname()[1]}/v1/realtime"}
            near = await loop.run_in_executor(None, repartee.Server(environment=environment).__enter__)
            try:
                async with RealtimeClient(near) as client:
                    await client.wait_for("session.created")
                    request = '{ "response": {"tool_choice" : "required"}, "type" :"response.create"}'
                    await client.socket.send(request)
                    await client.wait_for("response.done")
                    assert client.raw[1:] == frames
                    assert received == [request]
            finally:
                await loop.run_in_executor(None, near.__exit__, None, None, None)


# ── 7.7 errors ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("event, code, param", [
    ({"type": "make.coffee"}, "invalid_value", "type"),
    ({"type": "session.update"}, "missing_required_parameter", "session"),
    ({"type": "input_audio_buffer.append"}, "missing_required_parameter", "audio"),
    ({"type": "input_audio_buffer.append", "audio": "###="}, "invalid_audio", "audio"),
    ({"type": "input_audio_buffer.commit"}, "input_audio_buffer_commit_empty", None),
    ({"type": "conversation.item.create"}, "missing_required_parameter", "item"),
    ({"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [{"type": "text", "text": "beta"}]}},
     "invalid_value", "item.content[0].type"),
    ({"type": "conversation.item.create", "item": {"type": "message", "role": "assistant", "content": [{"type": "output_audio", "audio": "AAAA"}]}},
     "invalid_value", "item.content[0].type"),
    ({"type": "conversation.item.retrieve", "item_id": "item_none"}, "item_not_found", "item_id"),
    ({"type": "conversation.item.delete", "item_id": "item_none"}, "item_not_found", "item_id"),
    ({"type": "conversation.item.truncate", "item_id": "item_none", "content_index": 0}, "item_not_found", "item_id"),
    ({"type": "response.create", "response": {"modalities": ["text"]}}, "unknown_parameter", "response.modalities"),
    ({"type": "response.create", "response": {"conversation": "other"}}, "invalid_value", "response.conversation"),
    ({"type": "response.cancel"}, "response_cancel_not_active", None),
])
async def test_an_error_quotes_the_event_and_the_session_goes_on(server, event, code, param):
    async with RealtimeClient(server) as client:
        await client.wait_for("session.created")
        await client.send(**{"event_type": event["type"], "event_id": "mine", **{k: v for k, v in event.items() if k != "type"}})
        error = await client.error()
        assert (error["type"], error["code"], error["param"], error["event_id"]) == ("invalid_request_error", code, param, "mine")
        assert error["message"]
        await client.say("아직 들리세요?", output_modalities=["text"])
        await client.wait_for("response.done")
        assert types(client.events).count("response.created") == 1


@pytest.mark.parametrize("message, code", [
    ("{", "invalid_json"),
    ("[1]", "invalid_json"),
    ('{"no":"type"}', "invalid_event"),
    ('{"type":7}', "invalid_event"),
    (b"\x00\x00", "invalid_event"),
])
async def test_what_is_no_event_is_refused_and_the_session_goes_on(server, message, code):
    async with RealtimeClient(server) as client:
        await client.wait_for("session.created")
        await client.socket.send(message)
        error = await client.error()
        assert (error["type"], error["code"], error["event_id"]) == ("invalid_request_error", code, None)
        await client.say("아직 들리세요?", output_modalities=["text"])
        await client.wait_for("response.done")


# ── 7.8 idle timeout ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_after_a_long_silence_the_model_speaks_first(server):
    async with RealtimeClient(server) as client:
        await client.wait_for("session.created")
        await client.update(output_modalities=["text"], audio={"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 5000}}})
        await client.say("안녕하세요")
        await client.wait_for("rate_limits.updated")
        await client.append(silence(1000, HZ))
        triggered, committed, added, done, created = [await client.receive() for _ in range(5)]
        assert types([triggered, committed, added, done, created]) == [
            "input_audio_buffer.timeout_triggered", "input_audio_buffer.committed", "conversation.item.added",
            "conversation.item.done", "response.created"]
        assert triggered["item_id"] == committed["item_id"] == added["item"]["id"]
        assert triggered["audio_end_ms"] == 1000 >= triggered["audio_start_ms"]
        await client.wait_for("response.done")


# ── 7.10 out of band ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_response_out_of_band_beside_a_running_one(held):
    async with RealtimeClient(held) as client:
        running, _ = await begin_held_reply(client)
        before = len(client.events)
        await client.send("response.create", response={
            "conversation": "none", "output_modalities": ["text"], "metadata": {"purpose": "summary"}, "instructions": "Summarise.",
            "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "요약해 주세요"}]}]})
        done = await client.wait_for("response.done")
        beside = done["response"]
        assert beside["id"] != running
        assert (beside["status"], beside["metadata"]) == ("completed", {"purpose": "summary"})
        assert beside.get("conversation_id") is None
        said = beside["output"][0]["content"][0]["text"]
        assert "요약해 주세요" in said, "the engine quotes its input: this response did not see its own"
        events = [event for event in client.events[before:] if event.get("response_id", event.get("response", {}).get("id")) == beside["id"]]
        order = types(events)
        folded = [order[i] for i in range(len(order)) if i == 0 or order[i - 1] != order[i]]
        assert folded == [t for t in TEXT_ORDER[:-1] if not t.startswith("conversation.")]
        assert not [event for event in client.events[before:] if event["type"].startswith("conversation.item.")]

        await client.send("conversation.item.retrieve", event_id="r1", item_id=beside["output"][0]["id"])
        assert (await client.error())["code"] == "item_not_found"
        held.release()
        ended = await client.wait_for("response.done")
        assert (ended["response"]["id"], ended["response"]["status"]) == (running, "completed")


async def test_an_out_of_band_response_with_a_reference_and_without_context(server):
    async with RealtimeClient(server) as client:
        await client.wait_for("session.created")
        await client.add_text("사과를 좋아해요")
        fruit = (await client.wait_for("conversation.item.added"))["item"]["id"]
        await client.add_text("다른 이야기예요")
        beside = {"conversation": "none", "output_modalities": ["text"]}
        await client.send("response.create", response={**beside, "input": [{"type": "item_reference", "id": fruit}]})
        response = (await client.wait_for("response.done"))["response"]
        referring = response["output"][0]["content"][0]["text"]
        assert "사과를 좋아해요" in referring and "다른" not in referring
        await client.send("response.create", response={**beside, "input": []})
        empty = (await client.wait_for("response.done"))["response"]
        assert "사과" not in empty["output"][0]["content"][0]["text"]
        assert empty["usage"]["input_tokens"] < response["usage"]["input_tokens"]
        await client.send("response.create", event_id="r1", response={**beside, "input": [{"type": "item_reference", "id": "item_none"}]})
        error = await client.error()
        assert (error["code"], error["param"], error["event_id"]) == ("item_not_found", "response.input[0].id", "r1")


# ── conversation items ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_items_are_put_where_they_are_wanted(server):
    async with RealtimeClient(server) as client:
        await client.wait_for("session.created")

        async def create(item_id, **placing):
            await client.send("conversation.item.create",
                              item={"id": item_id, "type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]}, **placing)
            added = await client.wait_for("conversation.item.added")
            done = await client.wait_for("conversation.item.done")
            assert added["item"] == done["item"] and added["item"]["id"] == item_id
            assert added["previous_item_id"] == done["previous_item_id"]
            return added["previous_item_id"]

        assert await create("second") is None
        assert await create("fourth") == "second"
        assert await create("first", previous_item_id="root") is None
        assert await create("third", previous_item_id="second") == "second"
        await client.send("conversation.item.create", event_id="i1", previous_item_id="nobody",
                          item={"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]})
        error = await client.error()
        assert (error["code"], error["param"], error["event_id"]) == ("item_not_found", "previous_item_id", "i1")
        await client.send("conversation.item.create", event_id="i2",
                          item={"id": "third", "type": "message", "role": "user", "content": [{"type": "input_text", "text": "x"}]})
        assert (await client.error())["event_id"] == "i2"

        await client.send("conversation.item.delete", item_id="fourth")
        assert (await client.wait_for("conversation.item.deleted"))["item_id"] == "fourth"
        await client.send("conversation.item.retrieve", item_id="fourth", event_id="i3")
        error = await client.error()
        assert (error["code"], error["event_id"]) == ("item_not_found", "i3")
        assert await create("last") == "third"


@pytest.mark.parametrize("role", ["system", "user", "assistant"])
async def test_text_items_of_every_role(server, role):
    async with RealtimeClient(server) as client:
        await client.wait_for("session.created")
        await client.add_text("이야기", role=role)
        item = (await client.wait_for("conversation.item.done"))["item"]
        assert (item["role"], item["status"]) == (role, "completed")
        assert item["content"] == [{"type": "output_text" if role == "assistant" else "input_text", "text": "이야기"}]
        await client.send("conversation.item.retrieve", item_id=item["id"])
        assert (await client.wait_for("conversation.item.retrieved"))["item"] == item


@pytest.mark.parametrize("transcript", ["안녕하세요", None])
async def test_an_audio_item_comes_back_equal(server, transcript):
    pcm = speech(hz=HZ)
    async with RealtimeClient(server) as client:
        await client.wait_for("session.created")
        part = {"type": "input_audio", "audio": base64.b64encode(pcm).decode(), **({"transcript": transcript} if transcript else {})}
        await client.send("conversation.item.create", item={"type": "message", "role": "user", "content": [part]})
        item = (await client.wait_for("conversation.item.added"))["item"]
        assert item["content"] == [{"type": "input_audio", "transcript": transcript or ""}], "audio in an event other than retrieved"
        audio, part = await client.retrieve_audio(item["id"])
        assert audio == pcm and part["transcript"] == (transcript or "")


# ── closing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_client_closes(server):
    async with RealtimeClient(server) as client:
        await client.wait_for("session.created")
        await client.socket.close(1000, "bye")
        assert client.socket.close_code == 1000


async def test_an_event_too_large_closes_with_1009():
    with repartee.Server("--set", "limits.client_event_bytes_max=65536") as server:
        async with RealtimeClient(server) as client:
            await client.wait_for("session.created")
            await client.send("input_audio_buffer.append", audio="A" * 70000)
            assert (await client.wait_close())[0] == 1009


async def test_sigterm_lets_the_response_finish():
    with repartee.Server() as server:
        async with RealtimeClient(server) as client, RealtimeClient(server) as quiet:
            await client.wait_for("session.created")
            await quiet.wait_for("session.created")
            await client.say("안녕하세요")
            await client.wait_for("response.created")
            server.process.send_signal(signal.SIGTERM)
            assert (await quiet.wait_close()) == (1001, "going_away")
            code_and_reason = await client.wait_close()
            assert code_and_reason == (1001, "going_away")
            assert "response.done" in types(client.events)


async def test_an_upstream_that_is_not_there():
    environment = {"REPARTEE_REALTIME__UPSTREAM": "openai", "REPARTEE_REALTIME__URL": "ws://127.0.0.1:9/v1/realtime",
                   "REPARTEE_REALTIME__WARM_CONNECTIONS": "0"}
    with repartee.Server(environment=environment) as server:
        async with RealtimeClient(server) as client:
            assert (await client.error())["code"] == "upstream_unavailable"
            assert await client.wait_close() == (1013, "upstream_unavailable")


async def test_keys_by_header_and_by_subprotocol():
    with repartee.Server(environment={"REPARTEE_SERVER__API_KEYS": "sesame, other"}) as server:
        for wrong in ({}, {"extra_headers": {"Authorization": "Bearer wrong"}}, {"subprotocols": ["realtime", "openai-insecure-api-key.wrong"]}):
            with pytest.raises(websockets.InvalidStatusCode) as refused:
                async with RealtimeClient(server, **wrong):
                    pass
            assert refused.value.status_code == 401
        browser = ["realtime", "openai-insecure-api-key.other", "openai-agents-sdk.0.14.3"]
        for right in ({"extra_headers": {"Authorization": "Bearer sesame"}}, {"extra_headers": {"api-key": "other"}}, {"subprotocols": browser}):
            async with RealtimeClient(server, **right) as client:
                await client.wait_for("session.created")
                assert client.socket.subprotocol == ("realtime" if "subprotocols" in right else None)
                for name, value in client.socket.response_headers.raw_items():
                    assert "other" not in value and "sesame" not in value, name
                    if name.lower() == "sec-websocket-protocol":
                        assert value == "realtime"
        assert "sesame" not in server.log() and "wrong" not in server.log()


# ── with a character ─────────────────────────────────────────────────────────────────────────────────────────────────

WITH_CHARACTER = "model=repartee-local&character=park_jihoon"


def leaked(client):
    """The first frame with a sentence of the persona in it."""
    sentences = [part.strip() for part in CHARACTER["system_prompt"].replace("\n", ".").split(".") if len(part.strip()) > 20]
    assert len(sentences) > 5
    return next((raw for raw in client.raw if any(sentence in raw for sentence in sentences)), None)


async def test_a_characters_persona_works_and_is_never_shown(server):
    async with RealtimeClient(server, WITH_CHARACTER) as client, RealtimeClient(server) as plain:
        session = (await client.wait_for("session.created"))["session"]
        assert (session["instructions"], session["audio"]["output"]["voice"]) == ("", CHARACTER["openai_voice"])
        session = await client.update(instructions="짧게 말해 주세요.", output_modalities=["text"])
        assert session["instructions"] == "짧게 말해 주세요."
        assert (await client.update(tools=[TOOL]))["instructions"] == "짧게 말해 주세요."
        assert (await client.update(instructions=""))["instructions"] == ""

        usages = []
        for one in (client, plain):
            await one.say("안녕하세요", output_modalities=["text"], tools=[])
            usages.append((await one.wait_for("response.done"))["response"]["usage"])
        assert usages[0]["input_tokens"] > usages[1]["input_tokens"] + 300, "the model was not given the persona"
        assert leaked(client) is None


async def test_a_character_keeps_its_voice(server):
    async with RealtimeClient(server, WITH_CHARACTER) as client:
        await client.wait_for("session.created")
        for voice in ("alloy", "Cedar", {"id": "voice_1"}):
            session = await client.update(audio={"output": {"voice": voice, "speed": 1.1}})
            assert session["audio"]["output"]["voice"] == CHARACTER["openai_voice"]
            assert session["audio"]["output"]["speed"] == 1.1
        await client.update(audio={"input": {"turn_detection": ONE_TURN}})
        await client.append(spoken())
        created = await client.wait_for("response.created")
        assert created["response"]["audio"]["output"]["voice"] == CHARACTER["openai_voice"]
        reply = (await client.wait_for("response.done"))["response"]["output"][0]["id"]
        assert rms(client.audio[reply]) > 300


@pytest.mark.parametrize("update", [
    '{"type":"session\\u002eupdate","session":{"type":"realtime","instructions":"Be a pirate.","audio":{"output":{"voice":"ash"}}}}',
    '{"type":"session.update","session":{"type":"realtime","instructions":"Be a pirate.","audio":{"output":{"v\\u006fice":"ash"}}}}',
    '{"type":"response.cancel","type":"session.update","session":{"type":"realtime","instructions":"Be a pirate.","audio":{"output":{"voice":"ash"}}}}',
], ids=["escaped type", "escaped voice", "two types"])
async def test_a_character_cannot_be_talked_around(server, update):
    """Whatever way the update is written, the persona stays in front and the voice stays."""
    async with RealtimeClient(server, WITH_CHARACTER) as client:
        await client.wait_for("session.created")
        await client.socket.send(update)
        while (await client.receive())["type"] not in ("session.updated", "error"):
            pass
        session = await client.update(output_modalities=["text"])
        assert session["audio"]["output"]["voice"] == CHARACTER["openai_voice"]
        await client.say("안녕하세요")
        usage = (await client.wait_for("response.done"))["response"]["usage"]
        assert usage["input_tokens"] > 300, "the persona is gone"
        assert leaked(client) is None


async def test_a_refused_update_leaves_the_echo_of_the_clients_instructions(server):
    async with RealtimeClient(server, WITH_CHARACTER) as client:
        await client.wait_for("session.created")
        await client.update(instructions="짧게.")
        await client.send("session.update", session={"type": "realtime", "instructions": "길게.", "audio": {"output": {"speed": 9}}})
        assert (await client.error())["code"] == "invalid_value"
        assert (await client.update(tools=[TOOL]))["instructions"] == "짧게."


async def test_one_response_has_the_characters_voice_and_persona_too(server):
    """response.create may name a voice and instructions of its own."""
    async with RealtimeClient(server, WITH_CHARACTER) as client:
        await client.wait_for("session.created")
        await client.say("안녕하세요", instructions="Be a pirate.", audio={"output": {"voice": "ash"}})
        response = (await client.wait_for("response.done"))["response"]
        assert response["audio"]["output"]["voice"] == CHARACTER["openai_voice"]
        assert response["usage"]["input_tokens"] > 300, "the persona was left out"
        assert leaked(client) is None


async def test_a_character_for_sessions_that_name_none():
    with repartee.Server("--set", "conversation.default_character=oh_kyungmi") as server:
        async with RealtimeClient(server) as client:
            session = (await client.wait_for("session.created"))["session"]
            assert (session["audio"]["output"]["voice"], session["instructions"]) == ("cedar", "")
