"""Every state of a session × everything a service can do wrong there → what the client must meet. All over verified TLS."""
import pytest

import repartee
from lasting_plan import Turn, calm
from lasting_service import ServiceThread, meet, numbers, serve
from scripted_upstream import Fault, Reply

LOST = ("reset", "fin", "hang", "close1001", "close1011", "close1012")
REFUSED = {"close4000": {"upstream_rejected"}, "refuse": {"upstream_rejected", "invalid_api_key"}}
ODD = ("late", "repeat", "reorder", "flood")
STATES = ("created", "listening", "speaking", "committed", "thinking", "replying", "generated", "calling", "asked", "replaying")


@pytest.fixture(scope="module")
def service():
    with ServiceThread() as started:
        yield started


@pytest.fixture(scope="module")
def server(service):
    with serve(service) as started:
        yield started


def conversation(state, fault):
    """Three turns, of which the second meets the fault."""
    short = Reply(ms=200)
    kind = {"calling": "tool", "asked": "typed", "generated": "typed"}.get(state, "spoken")
    reply = Reply(ms=800, gap_ms=5, first_ms=20, calls=kind == "tool")
    faults = [(state, fault)]
    if state == "replaying":
        faults.insert(0, ("replying", Fault("reset", 2)))
    turns = [Turn("spoken", 120, short), Turn(kind, 300, reply, faults=[] if state == "created" else faults), Turn("typed", 0, short)]
    opening = [("created", 1, fault)] if state == "created" else []
    return calm(next(numbers), turns, own_model=state == "created", opening_faults=opening)


def place(state):
    return {"speaking": 100, "replying": 3, "calling": 1, "replaying": 1}.get(state, 0)


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize("state", STATES)
async def test_a_service_that_is_lost_is_replaced(service, server, state, kind):
    outcome = await meet(service, server, conversation(state, Fault(kind, place(state))))
    assert (state, kind) in outcome.faults, "the fault happened"
    assert not outcome.wrong, outcome.text
    # Before it was ready, the client has nothing to be told.
    assert outcome.recoveries >= (state != "created"), outcome.text


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("state", STATES)
async def test_an_odd_service_is_borne(service, server, state, kind):
    outcome = await meet(service, server, conversation(state, Fault(kind, place(state))))
    assert (state, kind) in outcome.faults, "the fault happened"
    assert not outcome.wrong, outcome.text
    assert outcome.recoveries == (1 if state == "replaying" else 0), outcome.text


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("state", STATES)
async def test_a_service_that_refuses_for_good_ends_the_conversation_with_a_typed_error(service, server, state, kind):
    outcome = await meet(service, server, conversation(state, Fault(kind, place(state))))
    assert (state, kind) in outcome.faults, "the fault happened"
    assert outcome.client.errors and outcome.client.errors[-1]["code"] in REFUSED[kind], outcome.text
    assert outcome.client.closed and outcome.client.closed[0] == 1011, outcome.text
    assert {what for what, _ in outcome.wrong} <= {"errors", "broke off", "answers", "reply audio", "events", "user audio"}, outcome.text


@pytest.mark.parametrize("kind", ("reset", "fin", "close1012", "late"))
async def test_the_first_connection_fails_before_it_says_anything(service, server, kind):
    """Nobody has begun to talk: a typed error, or another connection; never silence."""
    made = calm(next(numbers), [Turn("typed", 0, Reply(ms=200))], own_model=True, opening_faults=[("opening", 1, Fault(kind))])
    outcome = await meet(service, server, made)
    assert not outcome.wrong or outcome.client.errors and outcome.client.closed[0] == 1013, outcome.text
    assert kind != "late" or not outcome.wrong, outcome.text


async def test_nothing_is_left_behind(service, server):
    repartee.eventually(lambda: server.metric("repartee_sessions_active") == 0)
    # Those that hang do not hear that they were left.
    listening = lambda: [connection for connection in service.service.connections if not connection.deaf]  # noqa: E731
    repartee.eventually(lambda: len(listening()) <= server.metric("repartee_upstream_warm_connections"))
