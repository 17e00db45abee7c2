"""The service is changed on schedule, or for good: rotations that nobody hears, and ends that everybody can read."""
import asyncio

import pytest

from lasting import Client
from lasting_plan import Turn, calm
from lasting_service import ServiceThread, meet, numbers, serve
from scripted_upstream import Reply


@pytest.fixture(scope="module")
def service():
    with ServiceThread() as started:
        yield started


async def test_a_conversation_crosses_rotations_and_the_client_hears_nothing_of_it(service):
    with serve(service, recovery={"rotate_age_ms": 400, "rotate_force_age_ms": 60_000}) as server:
        kinds = ("spoken", "typed", "tool", "spoken", "typed", "spoken", "tool", "spoken")
        turns = [Turn(kind, 160, Reply(ms=300, calls=kind == "tool")) for kind in kinds]
        outcome = await meet(service, server, calm(next(numbers), turns, pause_ms=250))
        assert not outcome.wrong, outcome.text
        assert outcome.rotations >= 3 and outcome.recoveries == 0, outcome.text
        assert not any(sound.gaps for sound in outcome.client.sounds.values() if max((gap for gap, _ in sound.gaps), default=0) > 5), outcome.text
        # Each new session is told all that was said before, in its order.
        for told in outcome.record["told"]:
            own = [item for item in told["items"] if item["own"] and item["role"] in ("user", "assistant") and item["text"]]
            assert len({item["id"] for item in own}) == len(own)
        last = [item for item in outcome.record["told"][-1]["items"] if item["own"]]
        assert sum(item["role"] == "user" for item in last) >= 5, outcome.text
        assert sum(item["type"] == "function_call" for item in last) == sum(item["type"] == "function_call_output" for item in last), outcome.text


async def test_a_forced_rotation_leaves_what_plays_alone(service):
    with serve(service, recovery={"rotate_age_ms": 500, "rotate_force_age_ms": 600}) as server:
        outcome = await meet(service, server, calm(next(numbers), [Turn("typed", 0, Reply(ms=2000, gap_ms=5)), Turn("spoken", 200, Reply(ms=200))]))
        assert not outcome.wrong, outcome.text
        assert outcome.rotations >= 1
        assert outcome.rotation_gap_ms == [0.0] * outcome.rotations, outcome.text


async def test_a_forced_rotation_while_the_user_speaks_loses_no_sample(service):
    with serve(service, recovery={"rotate_age_ms": 300, "rotate_force_age_ms": 500}) as server:
        client = await Client(server.url, next(numbers)).start()
        client.voice(1, 0, 100)
        await client.until_goes_on(lambda: client.has("input_audio_buffer.speech_started"), "speech_started")
        for begin in range(100, 1500, 40):
            client.voice(1, begin, begin + 40)
            await asyncio.sleep(0.04)  # as a microphone does
        client.silence(200)
        await client.until_goes_on(lambda: client.answered(1), "the answer")
        assert any(reason == "rotation" for reason, *_ in client.upstream_changes), client.log
        await client.close()
        record = await service.record_of(client.number)
        shown = {event["item_id"] for event in client.events if event["type"] == "input_audio_buffer.committed"}
        committed = [entry for entry in record["committed"] if entry["item"] in shown]
        assert [[tuple(run) for run in entry["runs"]] for entry in committed] == [[(client.number, 1, 0, 1500 * 24)]], committed
        assert not client.wrong, client.wrong


async def test_when_no_service_is_left_the_client_is_told_so(service):
    with ServiceThread() as mortal:
        with serve(mortal, recovery={"attempts_max": 3, "limit_ms": 2000}, realtime={"warm_connections": 0}) as server:
            client = await Client(server.url, next(numbers)).start()
            client.type_turn(1)
            await client.until_goes_on(lambda: client.answered(1), "the answer")
            mortal.loop.call_soon_threadsafe(mortal.service.server.close)
            await mortal.end_connections(client.number, "reset")
            await client.until(lambda: client.closed, "the end")
            assert client.recovering >= 1
            assert client.errors and client.errors[-1]["code"] in ("upstream_unavailable", "connection_closed", "timeout"), client.errors
            assert client.closed[0] == 1013, client.closed


async def test_the_next_service_takes_over_when_the_first_refuses(service):
    with ServiceThread() as second:
        other = {"url": second.url, "api_key": "sk-other", "ca_file": str(second.certificate)}
        with serve(service, realtime_2=other, realtime={"warm_connections": 0}) as server:
            client = await Client(server.url, next(numbers)).start()
            client.type_turn(1)
            await client.until_goes_on(lambda: client.answered(1), "the answer")
            assert await service.end_connections(client.number, "close4000") == 1
            client.type_turn(2)
            await client.until_goes_on(lambda: client.answered(2), "the second service's answer")
            await client.close()
            told = (await second.record_of(client.number))["told"][0]["items"]
            assert [item["role"] for item in told if item["role"] != "system"][:2] == ["user", "assistant"], told
            assert not client.wrong, client.wrong
