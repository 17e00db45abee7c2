"""What happens at the edges: bad input, limits, keys, origins, shutdown, reload."""
import asyncio
import json
import shutil
import signal
import socket
import threading
import urllib.parse

import pytest
import websockets

import repartee
from conversation import Conversation
from speech import duration_ms, rms, silence, speech


@pytest.mark.parametrize("path, status, code", [
    ("/ws/conversations/nobody", 404, "character_not_found"),
    ("/ws/conversations/park_jihoon?input_rate=11025", 400, "invalid_value"),
    ("/ws/conversations/park_jihoon?output_rate=x", 400, "invalid_value"),
    ("/ws/conversations/park_jihoon?pacing=maybe", 400, "invalid_value"),
    ("/ws/conversations/park_jihoon?turn_detection=psychic", 400, "invalid_value"),
    ("/ws/conversations/park_jihoon?voice=darth", 400, "invalid_value"),
    ("/v1/realtime?character=nobody", 404, "character_not_found"),
])
async def test_a_wrong_address_is_refused_before_the_upgrade(local, path, status, code):
    with pytest.raises(websockets.InvalidStatusCode) as refused:
        await websockets.connect(local.ws_url + path)
    assert refused.value.status_code == status
    answer_status, answer = local.get_json(path)
    assert (answer_status, answer["error"]["code"]) == (status, code)
    assert answer["error"]["message"]


@pytest.mark.parametrize("message, code", [
    ("{", "invalid_json"),
    ('{"no":"type"}', "invalid_event"),
    ('{"type":"make.coffee","event_id":"mine"}', "invalid_value"),
    ('{"type":"input_audio_buffer.append","audio":"###"}', "invalid_audio"),
    ('{"type":"input_audio_buffer.commit","event_id":"mine"}', "input_audio_buffer_commit_empty"),
    ('{"type":"conversation.item.retrieve","item_id":"item_none","event_id":"mine"}', "item_not_found"),
    (b"\x01", "invalid_audio"),
])
async def test_a_mistake_is_named_and_the_session_goes_on(local, message, code):
    async with Conversation(local, query="pacing=off") as talk:
        await talk.wait_for("session.created")
        await talk.socket.send(message)
        error = (await talk.wait_for("error"))["error"]
        assert error["code"] == code
        assert error["message"]
        if b"mine" in (message if isinstance(message, bytes) else message.encode()):
            assert error["event_id"] == "mine"
        await talk.say("아직 들리세요?")
        await talk.wait_for("audio.end")


async def test_an_odd_byte_is_dropped_and_the_rest_is_heard(local):
    async with Conversation(local, query="pacing=off") as talk:
        await talk.wait_for("session.created")
        pcm = speech() + silence(900)
        await talk.socket.send(pcm + b"\x7f")
        assert (await talk.wait_for("error"))["error"]["code"] == "invalid_audio"
        await talk.wait_for("input_audio_buffer.speech_stopped")


async def test_an_oversize_frame_closes_with_1009():
    with repartee.Server("--set", "limits.client_message_bytes_max=65536") as server:
        async with Conversation(server) as talk:
            await talk.wait_for("session.created")
            await talk.socket.send(bytes(70000))
            code, _ = await talk.wait_close()
            assert code == 1009


async def test_beyond_the_session_cap_503_says_when_to_come_back():
    with repartee.Server("--set", "server.sessions_max=1") as server:
        async with Conversation(server) as talk:
            await talk.wait_for("session.created")
            with pytest.raises(websockets.InvalidStatusCode) as refused:
                await websockets.connect(f"{server.ws_url}/ws/conversations/park_jihoon")
            assert refused.value.status_code == 503
            assert int(refused.value.headers["Retry-After"]) > 0
        # The place is free again as soon as the server has seen the end of the first.
        repartee.eventually(lambda: server.get_json("/health")[1]["sessions"] == 0)
        async with Conversation(server) as talk:
            await talk.wait_for("session.created")


async def test_beyond_the_connection_cap_503():
    with repartee.Server("--set", "server.connections_max=1") as server:
        async with Conversation(server) as talk:
            await talk.wait_for("session.created")
            status, headers, _ = server.get("/health")
            assert status == 503
            assert headers["Retry-After"]


async def test_a_silent_client_is_pinged_and_then_given_up():
    with repartee.Server("--set", "limits.ping_interval_ms=100", "--set", "limits.idle_limit_ms=1000") as server:
        reader, writer = await asyncio.open_connection(*server.url[7:].split(":"))
        writer.write(b"GET /ws/conversations/park_jihoon HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
        everything = await asyncio.wait_for(reader.read(), 30)  # to the end of the stream
        assert b"\x89\x00" in everything, "no ping"
        assert b"idle_timeout" in everything[-64:], everything[-64:]
        writer.close()


async def test_keys_by_header_and_subprotocol():
    with repartee.Server(environment={"REPARTEE_SERVER__API_KEYS": "sesame, other"}) as server:
        url = f"{server.ws_url}/ws/conversations/park_jihoon"
        for wrong in ({}, {"extra_headers": {"Authorization": "Bearer wrong"}}, {"subprotocols": ["realtime", "openai-insecure-api-key.wrong"]}):
            with pytest.raises(websockets.InvalidStatusCode) as refused:
                await websockets.connect(url, **wrong)
            assert refused.value.status_code == 401
        for right in ({"extra_headers": {"Authorization": "Bearer sesame"}}, {"subprotocols": ["realtime", "openai-insecure-api-key.other"]}):
            async with Conversation(server, **right) as talk:
                await talk.wait_for("session.created")
                assert talk.socket.subprotocol == ("realtime" if "subprotocols" in right else None)
        assert "sesame" not in server.log() and "wrong" not in server.log()


async def test_pages_of_foreign_origins_are_refused():
    with repartee.Server("--set", "server.allowed_origins=https://game.example") as server:
        url = f"{server.ws_url}/ws/conversations/park_jihoon"
        with pytest.raises(websockets.InvalidStatusCode) as refused:
            await websockets.connect(url, origin="https://evil.example")
        assert refused.value.status_code == 403
        for origin in (server.url, "https://game.example", None):
            async with Conversation(server, origin=origin) as talk:
                await talk.wait_for("session.created")


async def test_sigterm_lets_the_reply_finish_and_refuses_new_sessions():
    with repartee.Server() as server:
        async with Conversation(server) as talk:
            await talk.wait_for("session.created")
            await talk.say("안녕하세요")
            begin = await talk.wait_for("audio.start")
            server.process.send_signal(signal.SIGTERM)
            repartee.eventually(lambda: server.get("/readyz")[0] == 503)
            with pytest.raises(websockets.InvalidStatusCode) as refused:
                await websockets.connect(f"{server.ws_url}/ws/conversations/park_jihoon")
            assert refused.value.status_code == 503
            end = await talk.wait_for("audio.end")
            assert abs(duration_ms(talk.audio[begin["item_id"]], 24000) - end["audio_ms"]) <= 1
            code, reason = await talk.wait_close()
            assert (code, reason) == (1001, "going_away")


async def test_a_second_signal_ends_at_once():
    with repartee.Server() as server:
        async with Conversation(server) as talk:
            await talk.wait_for("session.created")
            await talk.say("안녕하세요")
            await talk.wait_for("audio.start")
            server.process.send_signal(signal.SIGTERM)
            repartee.eventually(lambda: server.get("/readyz")[0] == 503)
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(30) == 0


async def test_characters_are_read_again_on_change_and_on_sighup(tmp_path):
    source = tmp_path / "characters"
    shutil.copytree("assets/characters", source)
    with repartee.Server("--set", f"characters.dir={source}", "--set", "characters.reload_interval_ms=50") as server:
        edited = json.loads((source / "oh_kyungmi.json").read_text())
        edited["specialty"] = "임상영양 상담"
        (source / "oh_kyungmi.json").write_text(json.dumps(edited, ensure_ascii=False))
        (source / "lee_soojin.json").write_text("{ broken")
        repartee.eventually(lambda: server.get_json("/api/v1/characters/oh_kyungmi")[1]["specialty"] == "임상영양 상담")
        repartee.eventually(lambda: "lee_soojin" in server.log())
        # A broken file is named in the log, and the character stays as it was.
        assert server.get_json("/api/v1/characters/lee_soojin")[0] == 200
    with repartee.Server("--set", f"characters.dir={source}", "--set", "characters.reload_interval_ms=0") as server:
        edited["specialty"] = "영양"
        (source / "oh_kyungmi.json").write_text(json.dumps(edited, ensure_ascii=False))
        server.process.send_signal(signal.SIGHUP)
        repartee.eventually(lambda: server.get_json("/api/v1/characters/oh_kyungmi")[1]["specialty"] == "영양")


async def test_upstream_faults_are_typed_errors():
    """Nobody listens at the upstream: the client learns it at once, and the breaker keeps the server from hammering."""
    environment = {"REPARTEE_REALTIME__UPSTREAM": "openai", "REPARTEE_REALTIME__URL": "ws://127.0.0.1:9/v1/realtime", "REPARTEE_REALTIME__WARM_CONNECTIONS": "0",
                   "REPARTEE_SERVER__THREADS": "1"}
    with repartee.Server(environment=environment) as server:
        for _ in range(8):
            async with Conversation(server) as talk:
                error = (await talk.wait_for("error"))["error"]
                assert error["code"] == "upstream_unavailable"
                code, reason = await talk.wait_close()
                assert (code, reason) == (1013, "upstream_unavailable")
        assert server.metric("repartee_upstream_connects_total") == 5
        assert server.get("/readyz")[0] == 503


async def test_a_refused_key_is_fatal_and_not_retried():
    """The service takes the connection and refuses the key in band, as OpenAI does."""
    connects = 0

    async def refuse(socket):
        nonlocal connects
        connects += 1
        await socket.send(json.dumps({"type": "error", "event_id": "e", "error": {
            "type": "invalid_request_error", "code": "invalid_api_key", "message": "Incorrect API key provided: sk-secret.", "param": None, "event_id": None}}))
        await socket.close(3000, "invalid_request_error.invalid_api_key")

    async with websockets.serve(refuse, "127.0.0.1", 0) as upstream:
        port = upstream.sockets[0].getsockname()[1]
        environment = {"OPENAI_API_KEY": "sk-secret", "REPARTEE_REALTIME__URL": f"ws://127.0.0.1:{port}/v1/realtime", "REPARTEE_SERVER__THREADS": "1",
                       "REPARTEE_REALTIME__WARM_CONNECTIONS": "0"}
        loop = asyncio.get_running_loop()
        server = await loop.run_in_executor(None, repartee.Server(environment=environment).__enter__)
        for _ in range(3):
            async with Conversation(server) as talk:
                error = (await talk.wait_for("error"))["error"]
                assert error["code"] == "invalid_api_key"
                assert "OPENAI_API_KEY" in error["message"]
                assert (await talk.wait_close())[0] == 1011
        assert connects == 1
        assert "sk-secret" not in server.log()
        await loop.run_in_executor(None, server.__exit__, None, None, None)


async def test_the_smallest_buffers_the_settings_accept_let_sound_through():
    with repartee.Server("--set", "limits.uplink_buffer_ms=500", "--set", "limits.downlink_buffer_ms=6000") as server:
        async with Conversation(server, query="pacing=off") as talk:
            await talk.wait_for("session.created")
            await talk.send_audio(speech() + silence(900))
            begin = await talk.wait_for("audio.start")
            await talk.wait_for("audio.end")
            assert rms(talk.audio[begin["item_id"]]) > 300


def test_a_client_that_floods_does_not_keep_the_server_from_others():
    """Pings cost the server most and the client least. The others are answered while the flood goes on."""
    pings = bytes([0x89, 0x80, 0, 0, 0, 0]) * 100_000
    answered, broken = threading.Event(), []

    def drain(client):
        try:
            while client.recv(1 << 16):
                pass
        except OSError as error:
            broken.append(error)

    def flood(host, port):
        with socket.create_connection((host, port)) as client:
            client.sendall(f"GET /ws/conversations/oh_kyungmi HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
            reader = threading.Thread(target=drain, args=(client,))
            reader.start()
            try:
                while not answered.is_set():
                    client.sendall(pings)
                client.shutdown(socket.SHUT_RDWR)
            except OSError as error:
                broken.append(error)
            reader.join()

    with repartee.Server("--set", "server.threads=1") as server:
        address = urllib.parse.urlsplit(server.url)
        flooding = threading.Thread(target=flood, args=(address.hostname, address.port))
        flooding.start()
        repartee.eventually(lambda: server.metric("repartee_sessions_active") == 1)
        for _ in range(20):
            assert server.get("/healthz")[0] == 200
        assert not broken, "they were answered only when the flood was over"
        answered.set()
        flooding.join()
