"""What only time brings about: the longest turn, a silence, the last words."""
import repartee
from conversation import Conversation
from lasting_service import ServiceThread, environment
from speech import rms, speech


async def test_a_turn_that_does_not_end_is_ended_and_answered():
    with repartee.Server("--set", "turn_taking.turn_ms_max=600", "--set", "turn_taking.warning_ms=300") as server:
        async with Conversation(server, query="pacing=off") as talk:
            # No silence follows, and no more audio: the service goes on waiting for the end of the turn.
            await talk.send_audio(speech())
            began = await talk.wait_for("input_audio_buffer.speech_started")
            warned = await talk.wait_for("session.warning")
            assert warned["limit"] == "turn" and 0 < warned["remaining_ms"] <= 300
            committed = await talk.wait_for("input_audio_buffer.committed")
            assert committed["item_id"] == began["item_id"]
            done = await talk.wait_for("response.done")
            assert done["response"]["status"] == "completed"
            assert rms(b"".join(talk.audio.values())) > 100


async def hear_out(talk):
    """The next reply, played in no time."""
    ended = await talk.wait_for("audio.end")
    await talk.send("playback", item_id=ended["item_id"], played_ms=ended["audio_ms"])
    assert rms(talk.audio[ended["item_id"]]) > 100


async def test_the_character_speaks_into_a_silence_so_many_times():
    with repartee.Server("--set", "turn_taking.idle_prompt_ms=200", "--set", "turn_taking.idle_prompts_max=2") as server:
        async with Conversation(server, query="pacing=off") as talk:
            for line in ("안녕하세요", "듣고 있어요"):
                await talk.say(line)
                for _ in range(3):  # the answer, and twice of its own accord
                    await hear_out(talk)
            assert len([event for event in talk.events if event["type"] == "response.created"]) == 6


async def test_a_conversation_that_cannot_be_saved_ends_with_a_spoken_line():
    with ServiceThread() as service, repartee.Server(environment=environment(service, recovery={"spoken_line": True})) as server:
        async with Conversation(server, query="pacing=off") as talk:
            await talk.wait_for("session.created")
            await service.on_its_loop(lambda: [connection.end("close4000") for connection in list(service.service.connections)])
            said = await talk.wait_for("response.output_audio_transcript.done")
            error = (await talk.wait_for("error"))["error"]
            assert error["code"] == "upstream_rejected"
            assert await talk.wait_close() == (1011, "upstream_rejected")
            assert said["transcript"] and rms(talk.audio[said["item_id"]]) > 100
