"""The Realtime protocol with a brain of HTTP services behind it: what is said is heard, thought about, and spoken as the words come."""
import asyncio
import json

import pytest

import provided
from conversation import Conversation
from realtime_client import HZ, RealtimeClient
from speech import rms, silence, speech
from stand_ins import faults
from stand_ins.openai import CHAT, GREETED, SPEECH, Reply, spoken

pytestmark = pytest.mark.usefixtures("well")
HEARD = "요즘 잠을 잘 못 자서 걱정이에요."
TRANSCRIPTION = {"model": "gpt-transcribe", "language": "ko"}
# Nothing but commit ends a turn.
BY_HAND = {"input": {"turn_detection": None, "transcription": TRANSCRIPTION}}
ONE_TURN = {"input": {"turn_detection": {"type": "server_vad", "silence_duration_ms": 500}, "transcription": TRANSCRIPTION}}
SENTENCES = ["첫 번째 문장을 천천히 말합니다. ", "두 번째 문장입니다. ", "마지막 문장입니다."]
TOOLS = [{"type": "function", "name": name, "description": "Does it.", "parameters": {"type": "object", "properties": {"on": {"type": "boolean"}}}}
         for name in ("set_light", "set_heating")]


@pytest.fixture(scope="module")
def server(openai):
    with provided.serve(openai) as started:
        yield started


async def begun(client, audio=None):
    await client.wait_for("session.created")
    await client.update(audio=audio or BY_HAND)


async def done(client):
    return (await client.wait_for("response.done"))["response"]


def types(events):
    return [event["type"] for event in events]


def spoken_sound(texts):
    return b"".join(spoken(text) for text in texts)


async def test_a_spoken_turn(server, openai):
    openai.texts.append(HEARD)
    async with RealtimeClient(server) as client:
        await begun(client, ONE_TURN)
        await client.update(instructions="짧게 대답하세요.")
        await client.append(speech(hz=HZ) + silence(900, HZ))
        events = [event for event in await client.collect("response.done")]
        order = types(events)
        asked = events[order.index("input_audio_buffer.committed")]["item_id"]
        completed = next(event for event in events if event["type"].endswith("transcription.completed"))
        assert (completed["item_id"], completed["transcript"]) == (asked, HEARD)
        assert completed["usage"]["type"] == "tokens" and (completed["usage"]["input_tokens"], completed["usage"]["output_tokens"]) == (14, 45)
        deltas = [event["delta"] for event in client.events if event["type"].endswith("transcription.delta")]
        assert "".join(deltas).strip() == HEARD and len(deltas) > 1
        # The order of the service.
        wanted = ["input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "input_audio_buffer.committed", "response.created",
                  "response.output_item.added", "response.content_part.added", "response.output_audio.delta", "response.output_audio.done",
                  "response.output_audio_transcript.done", "response.content_part.done", "response.output_item.done", "response.done"]
        assert [order.index(event_type) for event_type in wanted] == sorted(order.index(event_type) for event_type in wanted)
        response = events[-1]["response"]
        item = response["output"][0]["id"]
        assert response["status"] == "completed"
        assert client.transcripts[item] == GREETED
        assert client.audio[item] == spoken_sound(openai.spoken_texts(of=GREETED)) and rms(client.audio[item]) > 300

    assert (openai.heard[0].hz, openai.heard[0].fields["language"], openai.heard[0].fields["model"]) == (16000, "ko", "gpt-transcribe")
    assert openai.heard[0].seconds == pytest.approx(len(speech(hz=HZ)) / 2 / HZ, abs=1.2)
    prompt = openai.prompts()[0]
    assert prompt[0]["role"] == "system" and "짧게 대답하세요." in prompt[0]["content"]
    assert prompt[1:] == [{"role": "user", "content": HEARD}]
    request = openai.of(CHAT)[0]
    assert request.json()["model"] == provided.MODEL and request.json()["stream"] is True
    assert request.headers["authorization"] == f"Bearer {provided.API_KEY}"


async def test_a_game_talks_to_a_character(server, openai):
    openai.texts.append(HEARD)
    async with Conversation(server, "choi_hyunwoo", "pacing=off") as talk:
        await talk.wait_for("session.created")
        await talk.send_audio(speech() + silence(900))
        item = (await talk.wait_for("audio.start"))["item_id"]
        assert (await talk.wait_for("response.output_audio_transcript.done"))["transcript"] == GREETED
        # Which of the two is the first is open.
        await talk.seen("audio.end", item_id=item)
        assert talk.audio[item] == spoken_sound(openai.spoken_texts(of=GREETED))
        heard = [event["transcript"] for event in talk.events if event["type"] == "conversation.item.input_audio_transcription.completed"]
        assert heard == [HEARD]
    assert "최현우" in openai.prompts()[0][0]["content"]
    assert {request.json()["voice"] for request in openai.of(SPEECH)} == {"echo"}


async def test_the_first_sound_comes_before_the_models_last_word(server, openai):
    openai.replies.append(Reply("".join(SENTENCES)))
    held = faults.held(pieces=12)  # amid the second sentence
    openai.then(CHAT, held)
    async with RealtimeClient(server) as client:
        await begun(client)
        await client.say("이야기해 주세요.")
        await client.wait_for("response.output_audio.delta")
        assert not openai.of(CHAT)[0].ended
        held.release()
        response = await done(client)
        item = response["output"][0]["id"]
        assert client.transcripts[item] == "".join(SENTENCES)
        assert client.audio[item] == spoken_sound(openai.spoken_texts(of="".join(SENTENCES)))
        assert len(openai.spoken_texts()) >= 3


async def test_sentences_stay_in_order_when_a_later_one_is_made_sooner(server, openai):
    openai.replies.append(Reply("".join(SENTENCES)))
    model, first = faults.held(pieces=12), faults.held(bytes=4801)  # amid the second sentence; amid the sound of the first one
    openai.then(CHAT, model)
    openai.then(SPEECH, first, faults.ok(chunk=1001))
    async with RealtimeClient(server) as client:
        await begun(client)
        await client.say("이야기해 주세요.")
        await openai.until(first.reached.is_set, "the first sentence")
        model.release()
        # The second was made beside the first, and is done before it.
        await openai.until(lambda: len(openai.of(SPEECH)) >= 2 and openai.of(SPEECH)[1].ended, "the second sentence")
        assert len(openai.of(SPEECH)) == 2, "more than one sentence ahead"
        assert not openai.of(SPEECH)[0].ended
        first.release()
        item = (await done(client))["output"][0]["id"]
        assert client.audio[item] == spoken_sound(openai.spoken_texts(of="".join(SENTENCES)))
        assert client.transcripts[item] == "".join(SENTENCES)


async def test_an_interruption_ends_the_requests_and_the_model_knows_what_was_heard(server, openai):
    openai.texts.append("잠깐만요.")
    openai.replies.append(Reply("".join(SENTENCES) * 6))
    model, voice = faults.held(pieces=20), faults.held(bytes=60000)
    openai.then(CHAT, model)
    openai.then(SPEECH, voice)
    async with RealtimeClient(server) as client:
        await begun(client, ONE_TURN)
        await client.say("긴 이야기를 해 주세요.")
        item = (await client.wait_for("response.output_item.added"))["item"]["id"]
        while len(client.audio[item]) < 48000:
            await client.receive()
        thinking, speaking = openai.of(CHAT)[0], openai.of(SPEECH)[0]
        assert not thinking.ended and not speaking.ended
        await client.append(speech("잠깐만요.", hz=HZ))
        await client.wait_for("input_audio_buffer.speech_started")
        # As players do it: at once, long before the person has finished.
        await client.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=700)
        await client.append(silence(900, HZ))
        await openai.until(lambda: thinking.aborted and speaking.aborted, "the end of both requests")
        # Both went with the interruption, not one behind the other's limit.
        assert abs(thinking.aborted - speaking.aborted) < 5
        response = await done(client)
        assert (response["status"], response["status_details"]["reason"]) == ("cancelled", "turn_detected")
        assert (await done(client))["status"] == "completed"
    prompt = openai.prompts()[1]
    assert [message["role"] for message in prompt[-3:]] == ["user", "assistant", "user"]
    heard = prompt[-2]["content"].strip()
    assert heard and SENTENCES[0].startswith(heard) and len(heard) < len(SENTENCES[0].strip())
    assert prompt[-1]["content"] == "잠깐만요."


@pytest.mark.parametrize("whole_calls", [False, True], ids=["in pieces", "whole"])
async def test_two_functions_are_called_and_their_results_told(server, openai, whole_calls):
    calls = [("set_light", '{"on":true}'), ("set_heating", '{"on":false}')]
    openai.replies.append(Reply("네, 하겠습니다.", calls=calls, whole_calls=whole_calls))
    async with RealtimeClient(server) as client:
        await begun(client)
        await client.update(tools=TOOLS, tool_choice="auto")
        await client.say("불을 켜고 난방을 꺼 주세요.")
        response = await done(client)
        assert [item["type"] for item in response["output"]] == ["message", "function_call", "function_call"]
        made = response["output"][1:]
        assert [(item["name"], json.loads(item["arguments"])) for item in made] == [(name, json.loads(arguments)) for name, arguments in calls]
        arguments_done = [event for event in client.events if event["type"] == "response.function_call_arguments.done"]
        assert [(event["call_id"], event["name"]) for event in arguments_done] == [(item["call_id"], item["name"]) for item in made]
        for item, output in zip(made, ("켜짐", "꺼짐")):
            await client.send("conversation.item.create", item={"type": "function_call_output", "call_id": item["call_id"], "output": output})
        await client.send("response.create")
        assert (await done(client))["status"] == "completed"
    first, second = (request.json() for request in openai.of(CHAT))
    assert [tool["function"]["name"] for tool in first["tools"]] == ["set_light", "set_heating"]
    assert all(tool["type"] == "function" and tool["function"]["parameters"] for tool in first["tools"])
    told = second["messages"][-3:]
    assert [message["role"] for message in told] == ["assistant", "tool", "tool"]
    assert [call["function"]["name"] for call in told[0]["tool_calls"]] == ["set_light", "set_heating"]
    assert [(message["tool_call_id"], message["content"]) for message in told[1:]] == list(
        zip([call["id"] for call in told[0]["tool_calls"]], ("켜짐", "꺼짐")))


async def test_the_usage_is_the_models_own(server, openai):
    openai.replies.append(Reply("네, 그렇습니다.", usage=(1234, 56)))
    async with RealtimeClient(server) as client:
        await begun(client)
        await client.say("그런가요?")
        usage = (await done(client))["usage"]
        assert (usage["input_token_details"]["text_tokens"], usage["output_token_details"]["text_tokens"]) == (1234, 56)
        assert usage["output_token_details"]["audio_tokens"] > 0
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


async def test_marks_are_written_but_not_spoken(server, openai):
    text = "**좋아요!** 😊 물을 드세요. 자세한 것은 `도움말`에 있어요."
    openai.replies.append(Reply(text, reasoning="The user is thirsty."))
    async with RealtimeClient(server) as client:
        await begun(client)
        await client.say("목이 말라요.")
        item = (await done(client))["output"][0]["id"]
        assert client.transcripts[item] == text
    said = "".join(openai.spoken_texts())
    assert "좋아요" in said and "도움말" in said
    assert not set("*`😊") & set(said) and "thirsty" not in said


async def test_text_only_needs_no_voice(server, openai):
    async with RealtimeClient(server) as client:
        await begun(client)
        await client.update(output_modalities=["text"])
        await client.say("글로 답해 주세요.")
        response = await done(client)
        assert response["output"][0]["content"] == [{"type": "output_text", "text": GREETED}]
    assert not openai.of(SPEECH)


async def test_nothing_understood_is_no_turn_of_the_model(server, openai):
    openai.texts.append("")
    async with RealtimeClient(server) as client:
        await begun(client)
        await client.append(speech(hz=HZ))
        await client.send("input_audio_buffer.commit")
        await client.send("response.create")
        response = await done(client)
        assert (response["status"], response["output"]) == ("completed", [])
    assert not openai.of(CHAT)


async def test_nobody_guesses_the_language(server, openai):
    async with RealtimeClient(server) as client:
        await begun(client, {"input": {"turn_detection": None, "transcription": {"model": "gpt-transcribe"}}})
        await client.append(speech(hz=HZ))
        await client.send("input_audio_buffer.commit")
        await client.wait_for("conversation.item.input_audio_transcription.completed")
    # There is no character, and the session does not say it: the service finds out.
    assert "language" not in openai.heard[0].fields


async def test_the_character_speaks_first(server, openai):
    async with Conversation(server, "choi_hyunwoo", "greeting=on&pacing=off") as talk:
        assert (await talk.wait_for("response.output_audio_transcript.done"))["transcript"] == GREETED
    assert [message["role"] for message in openai.prompts()[0]] == ["system", "user"]


async def test_two_sessions_do_not_hear_each_other(server, openai):
    openai.think = lambda body: Reply(f"{body['messages'][-1]['content']}라고 하셨습니다.")

    async def talk(word):
        async with RealtimeClient(server) as client:
            await begun(client)
            for turn in range(2):
                await client.say(f"{word} {turn}")
                item = (await done(client))["output"][0]["id"]
                assert client.transcripts[item] == f"{word} {turn}라고 하셨습니다."
                assert rms(client.audio[item]) > 300

    await asyncio.gather(talk("사과"), talk("바나나"))
    for prompt in openai.prompts():
        words = {word for word in ("사과", "바나나") for message in prompt if word in message["content"]}
        assert len(words) == 1


async def test_a_client_that_leaves_takes_the_requests_with_it(server, openai):
    openai.then(CHAT, faults.held(pieces=8))
    openai.then(SPEECH, faults.held(bytes=9600))
    async with RealtimeClient(server) as client:
        await begun(client)
        await client.say("안녕하세요.")
        await client.wait_for("response.output_audio.delta")
    await openai.until(lambda: openai.of(CHAT)[0].aborted and openai.of(SPEECH)[0].aborted, "the end of both requests")
