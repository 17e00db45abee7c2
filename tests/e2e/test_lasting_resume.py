"""A client that loses its connection and comes back with its token: nothing is missed, nothing is heard twice."""
import asyncio
import json

import pytest

from lasting import Client, fetch
from lasting_plan import Loss, Turn, calm
from lasting_service import ServiceThread, meet, numbers, serve
from scripted_upstream import Fault, Reply


@pytest.fixture(scope="module")
def service():
    with ServiceThread() as started:
        yield started


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def server(request, service):
    """With two workers a client may come back to another one than its conversation's."""
    with serve(service, server={"threads": request.param}) as started:
        yield started


async def started(server, **more):
    return await Client(server.url, next(numbers), **more).start()


def refusal_of(client):
    status, body = client.line.refusal
    return status, json.loads(body)["error"]["code"]


@pytest.mark.parametrize("away_ms", [0, 150])
@pytest.mark.parametrize("way", ["fin", "reset", "silent"])
@pytest.mark.parametrize("when", ["speaking", "thinking", "replying", "idle"])
async def test_a_client_comes_back_at_any_moment(service, server, when, way, away_ms):
    if when in ("speaking", "thinking") and (way == "reset" or way == "silent" and away_ms == 0):
        pytest.skip("what of the user's voice is on its way to the server is lost with the connection")
    long = Reply(ms=900, gap_ms=5, first_ms=30)
    lossy = Turn("spoken", 300, long, losses=[Loss(when, way, away_ms)])
    made = calm(next(numbers), [Turn("spoken", 120, Reply(ms=400)), lossy, Turn("typed", 0, long)])
    outcome = await meet(service, server, made)
    assert not outcome.wrong, outcome.text
    assert len(outcome.client.resumes_ms) == 1
    told = outcome.client.resumed
    assert told["events_lost"] == 0, told


@pytest.mark.parametrize("paced", [True, False])
async def test_a_client_comes_back_again_and_again(service, server, paced):
    losses = [Loss("replying", "fin", 20), Loss("replying", "silent", 0), Loss("replying", "reset", 60)]
    made = calm(next(numbers), [Turn("spoken", 120, Reply(ms=1200, gap_ms=5), losses=losses)], paced=paced, at_once=not paced)
    outcome = await meet(service, server, made)
    assert not outcome.wrong, outcome.text
    assert len(outcome.client.resumes_ms) == 3


@pytest.mark.parametrize("state", ["speaking", "committed", "thinking", "replying", "generated"])
async def test_both_connections_are_lost_at_once(service, server, state):
    when = {"speaking": "speaking", "generated": "replying", "replying": "replying"}.get(state, "thinking")
    fault = Fault("reset", 2 if state == "replying" else 0)
    turn = Turn("spoken", 300, Reply(ms=700, gap_ms=10), faults=[(state, fault)], losses=[Loss(when, "fin", 80)])
    outcome = await meet(service, server, calm(next(numbers), [Turn("typed", 0, Reply(ms=100)), turn, Turn("typed", 0, Reply(ms=100))]))
    assert not outcome.wrong, outcome.text
    assert outcome.recoveries == 1 and len(outcome.client.resumes_ms) == 1, outcome.text


async def test_a_token_is_good_once(server):
    client = await started(server)
    used = client.token
    assert len(used) >= 22, "128 bits or more"
    client.lose("fin")
    assert await client.come_back()
    assert client.token != used
    second = Client(server.url, client.number)
    second.token = used
    assert not await second.come_back()
    assert refusal_of(second) == (410, "resume_refused")
    client.type_turn(1)
    await client.until_goes_on(lambda: client.answered(1), "the first client's answer")
    await client.close()


async def test_a_token_that_was_never_given_is_refused(server):
    for token in ("", "x", "A" * 22, "A" * 5000, "%00%ff", "../../etc"):
        client = Client(server.url, next(numbers))
        client.token = token
        assert not await client.come_back()
        assert client.line.refusal[0] in (400, 410), (token[:20], client.line.refusal)


async def test_a_token_is_good_for_its_own_character_only(server):
    client = await started(server)
    client.lose("fin")
    other = Client(server.url, client.number, character="oh_kyungmi")
    other.token = client.token
    assert not await other.come_back()
    assert refusal_of(other) == (410, "resume_refused")
    assert await client.come_back(), "the wrong door does not spend the token"
    await client.close()


async def test_a_client_that_ended_the_conversation_does_not_come_back(server):
    client = await started(server)
    await client.close()
    client.lose("fin")
    assert not await client.come_back()
    assert refusal_of(client) == (410, "resume_refused")


async def test_two_clients_with_one_token_at_the_same_time(server):
    client = await started(server)
    client.lose("fin")
    others = [Client(server.url, client.number) for _ in range(8)]
    for other in others:
        other.token = client.token
    came = await asyncio.gather(*(other.come_back() for other in others))
    assert sum(came) == 1, came
    await asyncio.gather(*(other.close() for other, back in zip(others, came) if back))


async def test_nobody_waits_longer_than_the_window(service):
    with serve(service, resume={"window_ms": 200}) as server:
        client = await started(server)
        session = client.session_id
        client.lose("reset")
        until = asyncio.get_running_loop().time() + 10
        while True:
            _, body = await fetch(server.url, "/metrics")
            if b"\nrepartee_sessions_active 0\n" in body:
                break
            assert asyncio.get_running_loop().time() < until
            await asyncio.sleep(0.02)
        assert not await client.come_back()
        assert refusal_of(client) == (410, "resume_refused")
        status, body = await fetch(server.url, f"/api/v1/sessions/{session}/transcript")
        assert status == 200 and json.loads(body)["ended_unix_ms"]


async def test_without_a_window_there_is_no_token(service):
    with serve(service, resume={"window_ms": 0}) as server:
        client = await started(server)
        assert client.token is None
        await client.close()


async def test_what_is_kept_for_a_client_is_bounded_and_it_is_told_what_it_missed(service):
    with serve(service, resume={"events_max": 8}) as server:
        client = await started(server)
        client.type_turn(1)
        await client.until_goes_on(lambda: client.answered(1), "the first answer")
        line = client.lose("silent")
        line.client.note("!", "deaf")
        # What goes on without it: the service is asked by another way than this client's.
        line.send_event({"type": "response.create"})
        
        deadline = asyncio.get_running_loop().time() + 10
        while True:
            _, body = await fetch(server.url, f"/api/v1/sessions/{client.session_id}/transcript")
            lines = json.loads(body).get("lines", [])
            if sum(line["role"] == "assistant" and len(line["text"].split()) == 4 for line in lines) >= 2:
                break
            assert asyncio.get_running_loop().time() < deadline, lines
            await asyncio.sleep(0.05)
        assert await client.come_back()
        assert client.resumed["events_lost"] > 0, client.resumed
        client.type_turn(2)
        await client.until_goes_on(lambda: client.answered(2), "another answer")
        await client.close()
