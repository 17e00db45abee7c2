"""The pool of upstream connections, against a second Repartee over TLS."""
import asyncio
import json

import websockets

import repartee
from conftest import relayed_pair
from conversation import Conversation


async def test_a_session_starts_on_a_warm_connection_and_the_pool_is_filled_again():
    with relayed_pair("--set", "server.threads=1", "--set", "realtime.warm_connections=2") as near:
        repartee.eventually(lambda: near.metric("repartee_upstream_warm_connections") == 2)
        async with Conversation(near) as talk:
            await talk.wait_for("session.created")
        assert near.metric('repartee_upstream_leases_total{kind="warm"}') == 1
        assert near.metric('repartee_upstream_leases_total{kind="cold"}') == 0
        repartee.eventually(lambda: near.metric("repartee_upstream_warm_connections") == 2)
        assert near.metric("repartee_tls_resumed_total") > 0, "no TLS session was used again"


async def test_old_warm_connections_are_replaced():
    with relayed_pair("--set", "server.threads=1", "--set", "realtime.warm_age_ms=1000") as near:
        repartee.eventually(lambda: near.metric("repartee_upstream_connects_total") >= 3)
        async with Conversation(near) as talk:
            await talk.wait_for("session.created")


async def test_warm_connections_that_the_service_drops_are_opened_again():
    with relayed_pair("--set", "server.threads=1") as near:
        repartee.eventually(lambda: near.metric("repartee_upstream_warm_connections") == 1)
        near.far.process.kill()
        near.far.process.wait()
        near.far.expected_exit = -9
        repartee.eventually(lambda: near.metric("repartee_upstream_warm_connections") == 0)
        async with Conversation(near) as talk:
            assert (await talk.wait_for("error"))["error"]["code"] == "upstream_unavailable"


async def test_a_certificate_that_nobody_vouches_for_is_refused():
    with repartee.Server(tls=True) as far:
        environment = {"REPARTEE_REALTIME__UPSTREAM": "openai", "REPARTEE_REALTIME__URL": far.tls_url.replace("https", "wss", 1) + "/v1/realtime"}
        with repartee.Server(environment=environment) as near:
            async with Conversation(near) as talk:
                error = (await talk.wait_for("error"))["error"]
                assert error["code"] == "tls_failed"
                assert "certificate" in error["message"]
                assert (await talk.wait_close())[0] == 1013


async def test_a_certificate_for_another_host_is_refused():
    """The self-signed certificate is for localhost and 127.0.0.1, not for 127.0.0.2."""
    with repartee.Server("--tls-listen", "127.0.0.2:0") as far:
        environment = {"REPARTEE_REALTIME__UPSTREAM": "openai", "REPARTEE_REALTIME__URL": far.tls_url.replace("https", "wss", 1) + "/v1/realtime",
                       "REPARTEE_REALTIME__CA_FILE": str(far.certificate)}
        with repartee.Server(environment=environment) as near:
            async with Conversation(near) as talk:
                assert (await talk.wait_for("error"))["error"]["code"] == "tls_failed"


async def test_a_model_that_the_service_does_not_know_harms_nobody_else():
    """A client's own choice of model goes on a connection of its own, and its refusal closes no door."""

    async def service(socket):
        if "model=nonsense" in socket.path:
            await socket.send(json.dumps({"type": "error", "event_id": "e", "error": {"type": "invalid_request_error", "code": "model_not_found", "message": "No such model."}}))
            return await socket.close(4004, "invalid_request_error.model_not_found")
        await socket.send(json.dumps({"type": "session.created", "event_id": "e", "session": {"type": "realtime", "model": "good"}}))
        await socket.wait_closed()

    async with websockets.serve(service, "127.0.0.1", 0) as upstream:
        port = upstream.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        server = repartee.Server("--set", f"realtime.url=ws://127.0.0.1:{port}/v1/realtime", "--set", "server.threads=1", "--set", "realtime.warm_connections=0")
        await loop.run_in_executor(None, server.__enter__)
        try:
            async with websockets.connect(f"{server.ws_url}/v1/realtime?model=nonsense") as socket:
                assert json.loads(await socket.recv())["error"]["code"] == "model_not_found"
            async with websockets.connect(f"{server.ws_url}/v1/realtime") as socket:
                assert json.loads(await socket.recv())["type"] == "session.created"
        finally:
            await loop.run_in_executor(None, server.__exit__, None, None, None)
