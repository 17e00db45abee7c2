"""What a conversation leaves behind: its lines in the database, with what was heard of them, its sound in a stereo file; and how it is deleted."""
import asyncio
import io
import json
import pathlib
import sqlite3
import stat
import wave

import numpy
import pytest

import provided
import repartee
from conversation import Conversation
from speech import duration_ms, resample, rms, silence, speech
from stand_ins.openai import GREETED, Reply

pytestmark = pytest.mark.usefixtures("well")
HEARD = "요즘 잠을 잘 못 자서 걱정이에요."
LONG = "첫 번째 문장을 천천히 말합니다. 두 번째 문장은 조금 더 깁니다. 세 번째 문장이 이어집니다. 그리고 마지막 문장입니다."
HZ = 24000


def serve(openai, **sections):
    return provided.serve(openai, **{"recording": {"enabled": True}, **sections})


@pytest.fixture(scope="module")
def server(openai):
    with serve(openai) as started:
        yield started


def session_path(session, what=""):
    return f"/api/v1/sessions/{session}" + (f"/{what}" if what else "")


def every_door(session, user):
    return [(session_path(session, "transcript"), "GET"), (session_path(session, "recording"), "GET"), (session_path(session), "DELETE"),
            (f"/api/v1/sessions?user={user}", "DELETE")]


async def ask(server, path, **words):
    """Beside the event loop: the sockets of the test go on meanwhile."""
    return await asyncio.to_thread(server.get, path, **words)


async def transcript(server, session, ready=lambda kept: True):
    """Once it is as wanted: it is written behind."""
    kept = None
    for _ in range(100):
        status, headers, body = await ask(server, session_path(session, "transcript"))
        assert status == 200, body
        assert headers["Content-Type"] == "application/json; charset=utf-8" and headers["Cache-Control"] == "no-store"
        kept = json.loads(body)
        if ready(kept):
            return kept
        await asyncio.sleep(0.1)
    raise AssertionError(f"not as wanted: {kept}")


def ended(kept):
    return kept["ended_unix_ms"] is not None


async def recording(server, session):
    """(left, right) as samples."""
    status, headers, body = await ask(server, session_path(session, "recording"))
    assert (status, headers["Content-Type"]) == (200, "audio/wav"), body[:300]
    return channels(body)


def channels(content):
    with wave.open(io.BytesIO(content)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, HZ)
        assert 44 + file.getnframes() * 4 == len(content)
        both = numpy.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)
    return both[:, 0], both[:, 1]


async def begin(talk):
    return (await talk.wait_for("session.created"))["session"]["id"]


async def speak(talk, pcm, hz=16000):
    """As a microphone does."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    for at in range(0, len(pcm), hz // 50 * 2):
        await talk.socket.send(pcm[at:at + hz // 50 * 2])
        await asyncio.sleep(max(0, start + (at / 2 + hz // 50) / hz - loop.time()))


def place_of(wanted, within):
    """(sample, how alike from 0 to 1) where `wanted` fits best."""
    wanted, within = (numpy.asarray(signal, dtype=float) for signal in (wanted, within))
    size = 1 << (len(wanted) + len(within)).bit_length()
    product = numpy.fft.irfft(numpy.fft.rfft(within, size) * numpy.conj(numpy.fft.rfft(wanted, size)), size)[:len(within)]
    at = int(product.argmax())
    part = within[at:at + len(wanted)]
    likeness = product[at] / (numpy.linalg.norm(wanted) * numpy.linalg.norm(part) + 1e-9)
    return at, float(likeness)


def exact_place(wanted, within):
    """The sample from which `within` holds `wanted` to the last bit."""
    wanted, within = numpy.asarray(wanted), numpy.asarray(within)
    first = wanted[:240].tobytes()
    content, at = within.tobytes(), -1
    while (at := content.find(first, at + 1)) >= 0:
        if at % 2 == 0 and within[at // 2:at // 2 + len(wanted)].tobytes() == wanted.tobytes():
            return at // 2
    raise AssertionError("it is not there")


async def test_a_conversation_is_kept(server, openai):
    openai.texts.append(HEARD)
    async with Conversation(server, "oh_kyungmi", "user=kim%40example") as talk:
        session = await begin(talk)
        said = speech()
        loop = asyncio.get_running_loop()
        began = loop.time()
        speaking = asyncio.create_task(speak(talk, said + silence(1500)))
        item = (await talk.wait_for("audio.start"))["item_id"]
        answered_after_s = loop.time() - began
        await talk.seen("audio.end", item_id=item)
        await speaking
        await asyncio.sleep(1)  # what the loudspeaker has is still heard
    kept = await transcript(server, session, ended)
    assert (kept["session_id"], kept["character_id"], kept["user"]) == (session, "oh_kyungmi", "kim@example")
    assert 1_700_000_000_000 < kept["started_unix_ms"] < kept["ended_unix_ms"]
    user, character = kept["lines"]
    assert (user["role"], user["text"], user["heard"], user["cut"]) == ("user", HEARD, HEARD, False)
    assert (character["role"], character["text"], character["heard"], character["cut"]) == ("assistant", GREETED, GREETED, False)
    assert character["item_id"] == item and character["number"] > user["number"]
    assert character["audio_ms"] == pytest.approx(duration_ms(talk.audio[item], HZ), abs=2)
    assert kept["started_unix_ms"] <= user["unix_ms"] <= kept["ended_unix_ms"]

    status, headers, text = await ask(server, session_path(session, "transcript?format=text"))
    assert (status, headers["Content-Type"]) == (200, "text/plain; charset=utf-8")
    head, empty, *lines = text.decode().splitlines()
    assert session in head and "kim@example" in head and empty == ""
    assert [line.split("] ", 1)[1] for line in lines] == [f"user: {HEARD}", f"oh_kyungmi: {GREETED}"]

    assert kept["recording_url"] == session_path(session, "recording")
    left, right = await recording(server, session)
    assert len(left) / HZ == pytest.approx((kept["ended_unix_ms"] - kept["started_unix_ms"]) / 1000, abs=1)
    spoken_at, likeness = place_of(resample(numpy.frombuffer(said, dtype="<i2"), 16000, HZ), left)
    assert likeness > 0.9 and spoken_at / HZ < 1
    heard_at = exact_place(numpy.frombuffer(talk.audio[item], dtype="<i2"), right)
    assert (heard_at - spoken_at) / HZ == pytest.approx(answered_after_s, abs=0.5)
    assert not right[:heard_at].any() and not right[heard_at + len(talk.audio[item]) // 2:].any()


async def test_an_interrupted_reply_is_kept_as_it_was_heard(server, openai):
    openai.replies.append(Reply(LONG))
    openai.texts.append("잠깐만요.")
    async with Conversation(server) as talk:
        session = await begin(talk)
        await talk.say("이야기를 길게 해 주세요.")
        item = (await talk.wait_for("audio.start"))["item_id"]
        while duration_ms(talk.audio[item], HZ) < 2500:
            await talk.receive()
        await speak(talk, speech() + silence(900))
        clear = await talk.wait_for("audio.clear")
        assert clear["item_id"] == item
        following = (await talk.wait_for("audio.start"))["item_id"]
        await talk.seen("audio.end", item_id=following)
        await asyncio.sleep(1)
    kept = await transcript(server, session, ended)
    by_item = {line["item_id"]: line for line in kept["lines"]}
    line = by_item[item]
    assert line["cut"] and line["heard_ms"] == clear["audio_end_ms"]
    assert line["text"].startswith(line["heard"].strip()) and len(line["heard"]) < len(line["text"])
    assert line["heard"].strip(), "over two seconds were heard"
    assert not by_item[following]["cut"]
    assert [entry["role"] for entry in kept["lines"]] == ["user", "assistant", "user", "assistant"]
    assert [entry["text"] for entry in kept["lines"]][::2] == ["이야기를 길게 해 주세요.", "잠깐만요."]
    text = (await ask(server, session_path(session, "transcript?format=text")))[2].decode()
    cut_line = next(part for part in text.splitlines() if "cut off" in part)
    assert f"{line['heard'].strip()} … [cut off after {clear['audio_end_ms'] / 1000:.1f} s]" in cut_line

    _, right = await recording(server, session)
    heard = numpy.frombuffer(talk.audio[item], dtype="<i2")[:clear["audio_end_ms"] * HZ // 1000]
    begins = exact_place(heard[:len(heard) - HZ // 10], right)
    next_begins = exact_place(numpy.frombuffer(talk.audio[following], dtype="<i2")[:HZ // 2], right)
    ends = begins + len(heard)
    assert ends < next_begins
    assert not right[ends + HZ // 10:next_begins].any(), "sound that nobody heard"


async def test_a_running_conversation_can_be_read_and_heard(server, openai):
    async with Conversation(server) as talk:
        session = await begin(talk)
        await talk.say("안녕하세요.")
        item = (await talk.wait_for("audio.start"))["item_id"]
        await talk.seen("audio.end", item_id=item)
        await speak(talk, silence(3000))
        kept = await transcript(server, session, lambda so_far: len(so_far["lines"]) == 2)
        assert kept["ended_unix_ms"] is None and kept["user"] is None
        _, right = await recording(server, session)
        assert rms(right.tobytes()) > 100


async def test_parts_of_a_recording(server, openai):
    async with Conversation(server) as talk:
        session = await begin(talk)
        await speak(talk, speech()[:32000])
    await transcript(server, session, ended)
    whole = (await ask(server, session_path(session, "recording")))[2]
    channels(whole)
    path = session_path(session, "recording")
    status, headers, part = await ask(server, path, headers={"Range": "bytes=44-1043"})
    assert (status, part, headers["Content-Range"]) == (206, whole[44:1044], f"bytes 44-1043/{len(whole)}")
    status, headers, part = await ask(server, path, headers={"Range": "bytes=-100"})
    assert (status, part) == (206, whole[-100:])
    status, headers, _ = await ask(server, path, headers={"Range": f"bytes={len(whole)}-"})
    assert (status, headers["Content-Range"]) == (416, f"bytes */{len(whole)}")
    status, headers, body = await ask(server, path, method="HEAD")
    assert (status, headers["Content-Length"], headers["Accept-Ranges"], body) == (200, str(len(whole)), "bytes", b"")
    file = pathlib.Path(server.data_dir) / "recordings" / f"{session}.wav"
    assert file.read_bytes() == whole
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and stat.S_IMODE(file.parent.stat().st_mode) == 0o700


async def test_deleted_while_it_runs(server, openai):
    async with Conversation(server, query="user=mallory") as talk:
        session = await begin(talk)
        await talk.say("비밀이에요.")
        item = (await talk.wait_for("audio.start"))["item_id"]
        await talk.seen("audio.end", item_id=item)
        await transcript(server, session, lambda kept: len(kept["lines"]) == 2)
        assert (await ask(server, session_path(session), method="DELETE"))[::2] == (204, b"")
        await talk.say("비밀이 또 있어요.")
        following = (await talk.wait_for("audio.start"))["item_id"]
        await talk.seen("audio.end", item_id=following)
        await speak(talk, silence(2500))
    await asyncio.to_thread(repartee.eventually, lambda: server.metric("repartee_sessions_active") == 0)
    for what in ("transcript", "recording"):
        assert (await ask(server, session_path(session, what)))[0] == 404
    assert (await ask(server, session_path(session), method="DELETE"))[0] == 404
    assert json.loads((await ask(server, "/api/v1/sessions?user=mallory", method="DELETE"))[2]) == {"deleted": 0}
    assert not (pathlib.Path(server.data_dir) / "recordings" / f"{session}.wav").exists()
    assert "비밀" not in "".join(sqlite_texts(server))


def sqlite_texts(server):
    with sqlite3.connect(f"file:{server.data_dir / 'repartee.db'}?mode=ro", uri=True) as database:
        return [row[0] for row in database.execute("SELECT text FROM lines")]


async def test_all_of_a_user_at_once(server, openai):
    sessions = {}
    for user in ("kim", "kim", "lee", None):
        async with Conversation(server, query=f"user={user}" if user else "") as talk:
            session = await begin(talk)
            await talk.say("안녕하세요.")
            await talk.wait_for("response.done")
        sessions.setdefault(user, []).append(session)
        await transcript(server, session, ended)
    status, _, body = await ask(server, "/api/v1/sessions?user=kim", method="DELETE")
    assert (status, json.loads(body)) == (200, {"deleted": 2})
    for user, of_user in sessions.items():
        for session in of_user:
            status = (await ask(server, session_path(session, "transcript")))[0]
            assert status == (404 if user == "kim" else 200)
            # Files are removed behind the answer.
            if user == "kim":
                path = session_path(session, "recording")
                await asyncio.to_thread(repartee.eventually, lambda path=path: server.get(path)[0] == 404)
    # Nobody's conversations are not everybody's.
    for query in ("", "?user="):
        assert (await ask(server, f"/api/v1/sessions{query}", method="DELETE"))[0] == 400


@pytest.mark.parametrize("session", ["sess_nobody", "..%2F..%2Frepartee.db", "a.b", "x" * 65, "%00"])
async def test_what_is_not_there(server, session):
    for path, method in every_door(session, "nobody")[:3]:
        status, _, body = await ask(server, path, method=method)
        assert status in (400, 404), path
        if session != "%00":
            assert json.loads(body)["error"]["code"] == "not_found"


async def test_what_is_asked_wrongly(server):
    status, _, body = await ask(server, session_path("sess_nobody", "transcript?format=xml"))
    assert status == 400 and "json or text" in json.loads(body)["error"]["message"]
    for user in ("x" * 129, "%FF", "a%0Ab", ""):
        status, _, body = await ask(server, f"/ws/conversations/oh_kyungmi?user={user}")
        assert status == 400 and json.loads(body)["error"]["param"] == "user", user
    assert (await ask(server, session_path("sess_nobody"), method="POST"))[0] == 405


async def test_keys_are_asked_for(openai):
    key = "k-5up3r-53cr37"
    with serve(openai, server={"api_keys": key}) as server:
        for path, method in every_door("a", "a"):
            assert (await ask(server, path, method=method))[0] == 401
        assert (await ask(server, "/api/v1/sessions?user=a", method="DELETE", headers={"Authorization": f"Bearer {key}"}))[0] == 200


async def test_switched_off_nothing_is_kept(openai):
    with serve(openai, recording={"enabled": False}, transcripts={"enabled": False}) as server:
        async with Conversation(server, query="user=kim") as talk:
            session = await begin(talk)
            await talk.say("안녕하세요.")
            await talk.wait_for("response.done")
        for path, method in every_door(session, "kim"):
            status, _, body = await ask(server, path, method=method)
            assert status == 404 and "transcripts.enabled" in json.loads(body)["error"]["message"]
        assert not (server.data_dir / "recordings").exists()
        assert sqlite_texts(server) == []


async def test_transcripts_are_kept_without_sound_by_default(openai):
    with provided.serve(openai) as server:
        async with Conversation(server) as talk:
            session = await begin(talk)
            await talk.say("안녕하세요.")
            await talk.wait_for("response.done")
        assert (await transcript(server, session, ended))["recording_url"] is None
        assert (await ask(server, session_path(session, "recording")))[0] == 404
        assert not (server.data_dir / "recordings").exists()


async def test_they_survive_a_crash(openai, tmp_path):
    with serve(openai, server_words={"data_dir": tmp_path}) as server:
        server.expected_exit = -9
        async with Conversation(server) as talk:
            session = await begin(talk)
            await talk.say("안녕하세요.")
            item = (await talk.wait_for("audio.start"))["item_id"]
            await talk.seen("audio.end", item_id=item)
            await speak(talk, speech())
            await transcript(server, session, lambda kept: len(kept["lines"]) >= 2)
            server.process.kill()
    with serve(openai, server_words={"data_dir": tmp_path}) as server:
        kept = await transcript(server, session)
        assert ended(kept) and kept["ended_unix_ms"] == max(line["unix_ms"] for line in kept["lines"])
        left, right = await recording(server, session)
        assert len(left) > 2 * HZ and rms(left.tobytes()) > 100 and rms(right.tobytes()) > 100


async def test_the_oldest_go(openai):
    with serve(openai, transcripts={"sessions_max": 2}, recording={"enabled": True, "file_bytes_max": 180_000, "total_bytes_max": 400_000}) as server:
        sessions = []
        for _ in range(4):
            async with Conversation(server) as talk:
                sessions.append(await begin(talk))
                await speak(talk, speech()[:48000])  # 1.5 s: 144 kB of recording
            await transcript(server, sessions[-1], ended)
        await transcript(server, sessions[3])
        assert (await ask(server, session_path(sessions[0], "transcript")))[0] == 404
        assert (await ask(server, session_path(sessions[1], "transcript")))[0] == 404
        await transcript(server, sessions[2])

        def kept_files():
            return sorted(file.stem for file in (server.data_dir / "recordings").glob("*.wav"))
        await asyncio.to_thread(repartee.eventually, lambda: kept_files() == sorted(sessions[2:]))
