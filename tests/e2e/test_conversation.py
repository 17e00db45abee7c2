"""A person talks by voice with a character: in process, and through a second Repartee over verified TLS."""
import base64

import pytest

from conversation import Conversation
from speech import duration_ms, rms, silence, speech

RATES = [8000, 16000, 24000, 44100, 48000]


async def test_the_first_event_is_the_session_in_force(server):
    async with Conversation(server, "oh_kyungmi", "input_rate=48000&output_rate=8000") as talk:
        created = await talk.receive()
        session = created["session"]
        assert created["type"] == "session.created"
        assert session["id"].startswith("sess_")
        assert session["character_id"] == "oh_kyungmi"
        assert session["voice"] == "cedar"
        assert session["model"] == "repartee-local"
        assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 48000}
        assert session["audio"]["output"]["format"] == {"type": "audio/pcm", "rate": 8000}
        turn_detection = session["audio"]["input"]["turn_detection"]
        assert (turn_detection["type"], turn_detection["threshold"]) == ("server_vad", 0.5)
        assert (turn_detection["prefix_padding_ms"], turn_detection["silence_duration_ms"]) == (300, 500)
        assert session["instructions"] == ""


async def test_a_spoken_turn_is_answered_by_voice(server):
    async with Conversation(server, query="pacing=off") as talk:
        await talk.wait_for("session.created")
        await talk.send_audio(speech() + silence(900))
        started = await talk.wait_for("input_audio_buffer.speech_started")
        stopped = await talk.wait_for("input_audio_buffer.speech_stopped")
        assert stopped["audio_end_ms"] > started["audio_start_ms"]
        committed = await talk.wait_for("input_audio_buffer.committed")
        assert committed["item_id"] == started["item_id"] == stopped["item_id"]
        begin = await talk.wait_for("audio.start")
        end = await talk.wait_for("audio.end", item_id=begin["item_id"])
        if "response.done" not in talk.order:
            await talk.wait_for("response.done")
        pcm = talk.audio[begin["item_id"]]
        assert abs(duration_ms(pcm, 24000) - end["audio_ms"]) <= 1
        assert end["audio_ms"] > 1000
        assert rms(pcm) > 300

        transcripts = [e for e in talk.events if e["type"] == "response.output_audio_transcript.done"]
        assert transcripts and len(transcripts[0]["transcript"]) > 10
        done = [e for e in talk.events if e["type"] == "response.done"][0]["response"]
        assert done["status"] == "completed"
        assert done["usage"]["output_token_details"]["audio_tokens"] > 0

        expected = ["input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "input_audio_buffer.committed", "conversation.item.added",
                    "conversation.item.done", "response.created", "response.output_item.added", "conversation.item.added", "response.content_part.added"]
        types = [t for t in talk.types() if not t.startswith(("conversation.item.input_audio_transcription", "audio.", "session."))]
        assert types[:len(expected)] == expected


@pytest.mark.parametrize("input_rate", RATES)
async def test_every_rate_is_heard_and_spoken(server, input_rate):
    output_rate = RATES[-1 - RATES.index(input_rate)]
    async with Conversation(server, query=f"pacing=off&input_rate={input_rate}&output_rate={output_rate}") as talk:
        await talk.wait_for("session.created")
        await talk.send_audio(speech(hz=input_rate) + silence(900, input_rate), chunk=1234)
        begin = await talk.wait_for("audio.start")
        assert begin["output_rate"] == output_rate
        end = await talk.wait_for("audio.end")
        pcm = talk.audio[begin["item_id"]]
        assert abs(duration_ms(pcm, output_rate) - end["audio_ms"]) <= 2
        assert rms(pcm) > 300


async def test_a_whole_file_in_one_frame_is_heard_to_its_end(server):
    """Longer than limits.uplink_buffer_ms: the client is held back, nothing is dropped."""
    sentence = speech(hz=8000)
    spoken = sentence * (30 * 8000 * 2 // len(sentence))
    async with Conversation(server, query="pacing=off&turn_detection=none&input_rate=8000") as talk:
        await talk.wait_for("session.created")
        await talk.socket.send(spoken)
        await talk.send("input_audio_buffer.commit")
        committed = await talk.wait_for("input_audio_buffer.committed")
        await talk.send("conversation.item.retrieve", item_id=committed["item_id"])
        item = (await talk.wait_for("conversation.item.retrieved"))["item"]
        heard = base64.b64decode(item["content"][0]["audio"])
        assert abs(duration_ms(heard, 24000) - duration_ms(spoken, 8000)) <= 2


async def test_typed_text_is_answered_by_voice(server):
    async with Conversation(server, query="pacing=off") as talk:
        await talk.wait_for("session.created")
        await talk.say("요즘 물을 많이 마시는데 괜찮을까요?")
        begin = await talk.wait_for("audio.start")
        await talk.wait_for("audio.end", item_id=begin["item_id"])
        assert rms(talk.audio[begin["item_id"]]) > 300


async def test_push_to_talk(server):
    async with Conversation(server, query="pacing=off&turn_detection=none") as talk:
        created = await talk.wait_for("session.created")
        assert created["session"]["audio"]["input"]["turn_detection"] is None
        await talk.send("input_audio_buffer.clear")
        await talk.wait_for("input_audio_buffer.cleared")
        await talk.send_audio(speech())
        await talk.send("input_audio_buffer.commit")
        await talk.send("response.create")
        await talk.wait_for("input_audio_buffer.committed")
        await talk.wait_for("audio.end")
        assert "input_audio_buffer.speech_started" not in talk.types()


async def test_semantic_turn_detection(server):
    async with Conversation(server, query="pacing=off&turn_detection=semantic_vad") as talk:
        created = await talk.wait_for("session.created")
        assert created["session"]["audio"]["input"]["turn_detection"]["type"] == "semantic_vad"
        await talk.send_audio(speech() + silence(2500))
        await talk.wait_for("input_audio_buffer.speech_stopped")
        await talk.wait_for("audio.end")


async def test_audio_as_base64_events_is_heard_too(server):
    async with Conversation(server, query="pacing=off") as talk:
        await talk.wait_for("session.created")
        await talk.send("input_audio_buffer.append", audio=base64.b64encode(speech() + silence(900)).decode())
        await talk.wait_for("input_audio_buffer.speech_stopped")


async def begin_long_reply(talk):
    """A paced reply of some seconds of which a first part has come."""
    await talk.wait_for("session.created")
    await talk.say("이야기를 길게 해 주세요.")
    begin = await talk.wait_for("audio.start")
    while duration_ms(talk.audio[begin["item_id"]], 24000) < 600:
        await talk.receive()
    return begin["item_id"]


async def test_an_interruption_stops_the_voice_and_keeps_what_was_heard(server):
    async with Conversation(server) as talk:
        item = await begin_long_reply(talk)
        await talk.send_audio(speech() + silence(900))
        clear = await talk.wait_for("audio.clear")
        assert clear["item_id"] == item
        assert clear["reason"] == "turn_detected"
        sent_ms = duration_ms(talk.audio[item], 24000)
        assert 0 < clear["audio_end_ms"] <= sent_ms
        truncated = await talk.wait_for("conversation.item.truncated")
        assert truncated["item_id"] == item
        assert truncated["audio_end_ms"] == clear["audio_end_ms"]
        following = await talk.wait_for("audio.start")
        assert following["item_id"] != item
        assert duration_ms(talk.audio[item], 24000) == sent_ms, "audio of the interrupted item after audio.clear"


async def test_a_playback_report_decides_what_was_heard(server):
    async with Conversation(server) as talk:
        item = await begin_long_reply(talk)
        await talk.send("playback", item_id=item, played_ms=123)
        await talk.send_audio(speech() + silence(900))
        truncated = await talk.wait_for("conversation.item.truncated")
        assert (truncated["item_id"], truncated["audio_end_ms"]) == (item, 123)


async def test_a_reply_of_which_nothing_was_played_is_deleted(server):
    async with Conversation(server) as talk:
        item = await begin_long_reply(talk)
        await talk.send("playback", item_id=item, played_ms=0)
        await talk.send_audio(speech() + silence(900))
        deleted = await talk.wait_for("conversation.item.deleted")
        assert deleted["item_id"] == item


async def test_the_client_cancels(server):
    async with Conversation(server) as talk:
        item = await begin_long_reply(talk)
        await talk.send("response.cancel")
        clear = await talk.wait_for("audio.clear")
        assert (clear["item_id"], clear["reason"]) == (item, "client_cancelled")
        await talk.wait_for("conversation.item.truncated")


async def test_the_character_greets_first_when_asked_to(server):
    async with Conversation(server, query="greeting=on&pacing=off") as talk:
        await talk.wait_for("audio.end")
        assert talk.order[0] == "session.created"


async def test_turn_detection_changes_in_the_session(server):
    async with Conversation(server, query="pacing=off") as talk:
        await talk.wait_for("session.created")
        await talk.send("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        updated = await talk.wait_for("session.updated")
        assert updated["session"]["audio"]["input"]["turn_detection"] is None
        assert updated["session"]["audio"]["input"]["format"]["rate"] == 16000
        assert updated["session"]["instructions"] == ""
        await talk.send_audio(speech() + silence(900))
        await talk.send("input_audio_buffer.commit")
        await talk.wait_for("input_audio_buffer.committed")
        assert "input_audio_buffer.speech_started" not in talk.types()
