"""Several Realtime services in an order, each a Repartee behind verified TLS: who is asked, who takes over, and what the client is told."""
import asyncio
import contextlib
import json
import socket
import time

import websockets

import repartee
from conversation import Conversation

FALLBACKS = "repartee_upstream_fallbacks_total"
QUIET = {"warm_connections": 0, "transcription_model": ""}


def service(far, **more):
    return {"url": far.tls_url.replace("https", "wss", 1) + "/v1/realtime", "ca_file": far.certificate, **more}


def near(*more, realtime, **sections):
    """A server whose services are those. Its first must not be told from the surroundings by mistake: always named in full."""
    first = {"upstream": "openai", "model": "first-model", **QUIET, **realtime}
    return repartee.Server("--set", "server.threads=1", *more, environment=repartee.settings(realtime=first, **sections))


@contextlib.contextmanager
def nobody():
    """An address where nothing listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, never listening: nobody else gets the port, and connections are refused
        yield f"wss://127.0.0.1:{held.getsockname()[1]}/v1/realtime"


@contextlib.contextmanager
def hanging():
    """An address where connections are taken, and then nothing happens."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        yield f"wss://127.0.0.1:{held.getsockname()[1]}/v1/realtime"


async def model_of_a_talk(server):
    """One whole turn; the model that answered."""
    async with Conversation(server, query="pacing=off") as talk:
        model = (await talk.wait_for("session.created"))["session"]["model"]
        await talk.say("안녕하세요")
        assert (await talk.wait_for("response.done"))["response"]["status"] == "completed"
        return model


async def refusal(server):
    """(code, close code) that a client is told."""
    async with Conversation(server) as talk:
        code = (await talk.wait_for("error"))["error"]["code"]
        return code, (await talk.wait_close())[0]


async def test_the_second_service_takes_over_when_nothing_listens_at_the_first():
    with repartee.Server(tls=True) as second, nobody() as dead, \
            near(realtime={"url": dead}, realtime_2=service(second, model="second-model")) as server:
        assert await model_of_a_talk(server) == "second-model"
        assert second.metric("repartee_sessions_total") == 1
        assert server.metric(FALLBACKS) == 1
        line = next(line for line in server.log().splitlines() if "upstream.fallback" in line)
        assert "from=realtime " in line and "to=realtime_2 " in line and "code=upstream_unavailable" in line
        assert server.get("/readyz")[0] == 200


async def test_a_service_that_refuses_the_key_is_passed_over():
    locked = repartee.Server("--set", "server.api_keys=right", tls=True)
    with locked, repartee.Server(tls=True) as third:
        # The same service with another key, then another service.
        with near(realtime=service(locked, api_key="wrong"), realtime_2={"api_key": "right", "model": "second-model"},
                  realtime_3=service(third)) as server:
            assert await model_of_a_talk(server) == "second-model"
        assert locked.metric("repartee_sessions_total") == 1
        with near(realtime=service(locked, api_key="wrong"), realtime_2={"api_key": "wrong too"},
                  realtime_3=service(third, model="third-model")) as server:
            assert await model_of_a_talk(server) == "third-model"
            assert server.metric(FALLBACKS) == 2
        assert "wrong" not in server.last_log and "right" not in server.last_log


async def test_a_first_service_that_hangs_is_waited_for_once():
    with repartee.Server(tls=True) as second, hanging() as silent, \
            near("--set", "realtime.connect_limit_ms=1500", realtime={"url": silent}, realtime_2=service(second)) as server:
        began = time.monotonic()
        assert await model_of_a_talk(server) == "first-model"  # [realtime_2] names none of its own
        assert time.monotonic() - began > 1.4
        began = time.monotonic()
        await model_of_a_talk(server)
        assert time.monotonic() - began < 1.4, "the next conversation waited for the dead service again"


async def test_when_all_fail_the_client_is_told_whether_to_come_again():
    locked = repartee.Server("--set", "server.api_keys=right", tls=True)
    with locked, nobody() as dead:
        with near(realtime=service(locked, api_key="wrong"), realtime_2={"url": dead}) as server:
            assert await refusal(server) == ("upstream_unavailable", 1013)
        with near(realtime=service(locked, api_key="wrong"), realtime_2={"api_key": "wrong too"}) as server:
            assert await refusal(server) == ("invalid_api_key", 1011)
            status, _, body = server.get("/readyz")
            assert status == 503 and json.loads(body)["error"]["code"] == "upstream_unavailable"


async def test_the_engine_built_in_is_the_last_resort_when_allowed():
    with nobody() as dead, near("--set", "recovery.local_last=true", realtime={"url": dead},
                                realtime_2={"url": dead.replace("/v1", "/v2")}) as server:
        assert await model_of_a_talk(server) == "repartee-local"
        assert server.metric(FALLBACKS) == 2
        assert server.get("/readyz")[0] == 200


async def test_no_service_gets_the_key_of_another_and_the_first_is_asked_again_when_it_is_back():
    heard = []

    async def realtime(connection):
        heard.append((connection.path, connection.request_headers.get("Authorization"), connection.request_headers.get("OpenAI-Organization")))
        await connection.send(json.dumps({"type": "session.created", "event_id": "e", "session": {"type": "realtime", "model": connection.path}}))
        await connection.wait_closed()

    async def ask(server):
        async with websockets.connect(f"{server.ws_url}/v1/realtime") as client:
            assert json.loads(await client.recv())["type"] == "session.created"
        return heard[-1]

    loop = asyncio.get_running_loop()
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        async with websockets.serve(realtime, "127.0.0.1", 0) as other:
            there = f"ws://127.0.0.1:{other.sockets[0].getsockname()[1]}/v1/realtime"
            server = near(realtime={"url": f"ws://127.0.0.1:{port}/v1/realtime", "api_key": "first-key", "organization": "first-org"},
                          realtime_2={"url": there})
            await loop.run_in_executor(None, server.__enter__)
            try:
                assert await ask(server) == ("/v1/realtime?model=first-model", None, None)
                held.close()
                async with websockets.serve(realtime, "127.0.0.1", port):
                    assert await ask(server) == ("/v1/realtime?model=first-model", "Bearer first-key", "first-org")
                assert server.metric(FALLBACKS) == 1
            finally:
                await loop.run_in_executor(None, server.__exit__, None, None, None)


def test_check_shows_the_order_and_refuses_what_does_not_fit():
    environment = repartee.settings(realtime={"url": "wss://one.example/v1", "api_key": "sk-one"},
                                    realtime_2={"url": "wss://two.example/v1", "api_key": "sk-two"}, recovery={"local_last": True})
    shown = repartee.run("check", environment=environment)
    assert shown.returncode == 0
    assert "realtime_2 (gpt-realtime-2.1 at two.example), then the engine built in" in shown.stdout
    assert "sk-" not in shown.stdout + shown.stderr
    refused = repartee.run("check", "--set", "recovery.rotate_age_ms=3500000", "--set", "realtime_3.url=wss://three.example/")
    assert refused.returncode != 0
    assert "recovery.rotate_force_age_ms" in refused.stderr and "[realtime_2]" in refused.stderr
