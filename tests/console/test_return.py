"""A line that breaks: the conversation goes on where it was, or, when the server does not have it any more, a new one begins."""
import asyncio
import urllib.parse

import numpy
import pytest

import repartee
import sound
import speech
from conftest import LINES, STATE, console, give, say, talk_to
from line import Line

# That a line broke is in the browser's log; it is what these tests do.
BROKEN = ["WebSocket connection", "ERR_"]
FADE_MS = 4
QUESTION = "안녕하세요. 요즘 잠을 잘 못 자서 걱정이에요."
STATUS = "document.querySelector('.status-line').textContent"
ERRORS = "document.querySelectorAll('.line.error').length"


def of_type(kind):
    return f"probe.events.filter((event) => event.type === '{kind}')"


async def watch_status(page):
    """`said` in the page: everything the status line has shown."""
    await page.run("window.said = []; new MutationObserver(() => said.push(document.querySelector('.status-line').textContent))"
                   ".observe(document.querySelector('.status-line'), { childList: true }); 0")


@pytest.mark.parametrize("away_s", [0, 2.5])
async def test_the_same_conversation_goes_on_and_every_sample_is_heard_once(server, recording, away_s):
    async with Line(server.url) as line:
        async with console(line.url, speech=recording(120), own=BROKEN, tapped=True) as page:
            await talk_to(page, "choi_hyunwoo")
            await watch_status(page)
            await say(page, "저는 민수라고 해요.")
            await page.until(f"{STATE} === 'speaking'")
            await asyncio.sleep(1.5)
            line.whole = away_s == 0
            line.pull()
            await page.until("said.some((text) => text.includes('연결이 끊겼어요'))")
            if away_s:
                await page.until(f"{STATE} === 'lost'")
            await asyncio.sleep(away_s)
            line.whole = True
            await page.until(f"{of_type('session.resumed')}.length === 1", 30)
            assert "다시 이어졌어요" in await page.until(STATUS)
            await page.until(f"{of_type('audio.end')}.length && {STATE} === 'listening'", 60)
            await asyncio.sleep(0.4)

            created, resumed = [(await page.run(f"{of_type(kind)}[0].session")) for kind in ("session.created", "session.resumed")]
            assert created["id"] == resumed["id"] and created["resume"]["token"] != resumed["resume"]["token"]
            told = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(page.sockets[-1]).query))
            assert told["resume"] == created["resume"]["token"] and set(told) == {"resume", "last_event", "played"}
            item, played_ms = told["played"].split(":")
            again = await page.run(f"{of_type('audio.start')}[1]")
            assert again["item_id"] == item and again["offset_ms"] == int(played_ms) > 1000

            sent = (await sound.items(page))[item]
            played, _, hz = await sound.heard(page)
            silences = sound.gaps(sent, played, hz)
            if away_s:
                assert len(silences) == 1, "one silence, as long as the line was away"
                (start, end), = silences
                assert 0.5 < (end - start) / hz < away_s + 6
                assert numpy.max(numpy.abs(played[start + FADE_MS * hz // 1000:end])) < 1e-3, "something else was heard meanwhile"
            else:
                assert silences == [], "back before anybody could hear that it was gone"

            assert [who for who, _ in await page.run(LINES)] == ["user", "character"]
            assert await page.run(f"document.querySelectorAll('.cut-mark').length + {ERRORS}") == 0
            await say(page, "계속 이야기해요.")
            await page.until(f"{STATE} === 'speaking'")
            assert [who for who, _ in await page.run(LINES)] == ["user", "character", "user", "character"]
            assert await page.run(f"{of_type('session.created')}.length") == 1


async def test_again_and_again(server, recording):
    async with Line(server.url) as line:
        async with console(line.url, speech=recording(120), own=BROKEN, tapped=True) as page:
            await talk_to(page, "choi_hyunwoo")
            await say(page, "저는 민수라고 해요.")
            await page.until(f"{STATE} === 'speaking'")
            for times in range(1, 5):
                await asyncio.sleep(0.7)
                line.pull()
                await page.until(f"{of_type('session.resumed')}.length === {times}")
            await page.until(f"{of_type('audio.end')}.length && {STATE} === 'listening'", 60)
            await asyncio.sleep(0.4)
            (sent,) = (await sound.items(page)).values()
            played, _, hz = await sound.heard(page)
            assert sound.longest_gap_ms(sent, played, hz) <= 5
            assert [who for who, _ in await page.run(LINES)] == ["user", "character"]


async def test_what_one_says_while_the_line_is_away_is_understood(server, recording):
    async with Line(server.url) as line:
        async with console(line.url, speech=recording(6, QUESTION, 120), own=BROKEN, tapped=True) as page:
            await talk_to(page, "choi_hyunwoo")
            await page.until("document.querySelector('.round').style.getPropertyValue('--level') > 0.05", 30)
            line.whole = False
            line.pull()
            await asyncio.sleep(1.5)
            line.whole = True
            await page.until(f"{of_type('session.resumed')}.length === 1")
            await page.until(f"{STATE} === 'speaking'", 40)
            begun, over = [await page.run(f"{of_type('input_audio_buffer.speech_' + what)}[0]") for what in ("started", "stopped")]
            said_ms = len(speech.speech(QUESTION, hz=16000)) / 32
            assert over["audio_end_ms"] - begun["audio_start_ms"] > said_ms - 300, f"of {said_ms} ms"
            assert [who for who, _ in await page.run(LINES)] == ["user", "character"]


async def test_when_the_server_does_not_know_it_any_more_a_new_one_begins(server, recording):
    with repartee.Server() as other:
        async with Line(server.url) as line:
            async with console(line.url, speech=recording(120), own=[*BROKEN, "410"], tapped=True) as page:
                await talk_to(page, "choi_hyunwoo")
                await say(page, "저는 민수라고 해요.")
                await page.until(f"{STATE} === 'speaking'")
                await asyncio.sleep(1)
                line.lead_to(other.url)
                line.pull()
                await page.until(f"{of_type('session.created')}.length === 2", 20)
                await page.until(f"{STATE} !== 'lost'")
                lines = await page.run(LINES)
                assert [who for who, _ in lines] == ["user", "character", "note", "note"]
                assert "끊김" in lines[1][1] and "연결이 끊겼어요" in lines[2][1] and "이어 갈 수 없어서 새로 시작했어요" in lines[3][1]
                assert await page.run(ERRORS) == 0 and await page.run(STATUS) == ""
                # Two tries to go on, then the new one, which is told what both had said.
                assert ["resume=" in address for address in page.sockets] == [False, True, True, False]
                added = "probe.events.filter((event) => event.type === 'conversation.item.added' && event.item.id.startsWith('memory_')).map((event) => event.item.role)"
                await page.until(f"{added}.length === 2")
                assert await page.run(added) == ["user", "assistant"]
                await say(page, "계속 이야기해요.")
                await page.until(f"{STATE} === 'speaking'")
                assert await page.run(f"{of_type('error')}.length") == 0


async def test_when_the_window_has_passed_a_new_one_begins(recording):
    with repartee.Server(environment=repartee.settings(resume={"window_ms": 1500})) as short:
        async with Line(short.url) as line:
            async with console(line.url, speech=recording(120), own=[*BROKEN, "410"], tapped=True) as page:
                await talk_to(page, "choi_hyunwoo")
                await page.until(f"{STATE} === 'listening'")
                line.whole = False
                line.pull()
                await page.until(f"{STATE} === 'lost'")
                await asyncio.sleep(3)
                line.whole = True
                await page.until(f"{STATE} === 'listening'", 30)
                assert "새로 시작했어요" in (await page.run(LINES))[-1][1]


async def test_without_a_window_a_new_one_begins_as_ever(recording):
    with repartee.Server(environment=repartee.settings(resume={"window_ms": 0})) as plain:
        async with Line(plain.url) as line:
            async with console(line.url, speech=recording(120), own=BROKEN, tapped=True) as page:
                await talk_to(page, "choi_hyunwoo")
                await page.until(f"{STATE} === 'listening'")
                line.pull()
                await page.until(f"{of_type('session.created')}.length === 2", 20)
                lines = await page.run(LINES)
                assert "연결이 끊겼어요" in lines[0][1] and "다시 이어졌어요" in lines[1][1]
                assert not any("resume=" in address for address in page.sockets)


async def test_a_service_that_is_lost_is_a_quiet_word_and_no_error(recording):
    with repartee.Server() as far:
        async with Line(far.url) as line:
            service = {"upstream": "openai", "url": line.url.replace("http", "ws", 1) + "/v1/realtime", "model": "repartee", "warm_connections": 0}
            near = await asyncio.to_thread(repartee.Server(environment=repartee.settings(realtime=service)).__enter__)
            try:
                async with console(near.url, speech=recording(120), tapped=True) as page:
                    await talk_to(page, "choi_hyunwoo")
                    await watch_status(page)
                    await page.until(f"{STATE} === 'listening'")
                    await say(page, "저는 민수라고 해요.")
                    await page.until(f"{STATE} === 'speaking'")
                    line.pull()
                    await page.until(f"{of_type('session.upstream_changed')}.length === 1", 20)
                    await page.until("said.some((text) => text.includes('음성 서비스와 다시 이어졌어요'))")
                    assert any("음성 서비스와 잠시 끊겼어요" in text for text in await page.run("said"))
                    await page.until(f"{STATE} === 'listening'", 60)
                    statuses = await page.run(f"{of_type('response.done')}.map((event) => [event.response.status, event.response.status_details?.error?.code ?? null])")
                    # Whether all of it had come when the service went is the voice's speed.
                    assert statuses in ([["completed", None]], [["failed", "upstream_lost"], ["completed", None]])
                    lines = await page.run(LINES)
                    assert await page.run(ERRORS) == 0 and set(who for who, _ in lines) == {"user", "character"}, lines
                    await page.until(f"{STATUS} === ''")
            finally:
                await asyncio.to_thread(near.__exit__)


async def test_the_end_is_told_before_it_comes_and_not_begun_anew(recording):
    with repartee.Server(environment=repartee.settings(conversation={"limit_ms": 9000, "warning_ms": 6000})) as short:
        async with console(short.url, speech=recording(120), tapped=True) as page:
            await talk_to(page, "choi_hyunwoo")
            await page.until(f"/^[65]초 뒤에 대화가 끝나요/.test({STATUS})")
            await page.until(f"/^[32]초 뒤에/.test({STATUS})")
            await page.until(f"{STATE} === 'ended'")
            assert "정해진 시간" in await page.until("document.querySelector('.notice[role=alert]').innerText")
            assert await page.run(STATUS) == "" and len(page.sockets) == 1


async def test_limits_and_deleted_lines(server, recording):
    async with console(server.url, speech=recording(120), tapped=True) as page:
        await talk_to(page, "choi_hyunwoo")
        await page.until(f"{STATE} === 'listening'")
        await give(page, type="input_audio_buffer.speech_started", event_id="e1", item_id="item_x", audio_start_ms=0)
        await give(page, type="session.warning", event_id="e2", limit="turn", remaining_ms=9500)
        assert "말씀이 길어요. 10초" in await page.run(STATUS)
        assert await page.run("document.querySelector('.middle > .hidden[role=status]').textContent") == await page.run(STATUS)
        await page.run("document.querySelector('#tools .text-button').click()")
        assert "You have spoken for long" in await page.run(STATUS)
        await give(page, type="input_audio_buffer.speech_stopped", event_id="e3", item_id="item_x", audio_end_ms=0)
        assert await page.run(STATUS) == ""
        assert [who for who, _ in await page.run(LINES)] == ["user"]
        await give(page, type="conversation.item.deleted", event_id="e4", item_id="item_x")
        assert await page.run(LINES) == []
        # Told again: it is known.
        await give(page, type="input_audio_buffer.speech_started", event_id="e1", item_id="item_x", audio_start_ms=0)
        assert await page.run(LINES) == []
        await give(page, type="session.warning", event_id="e5", limit="idle", remaining_ms=180_000)
        assert "3 min" in await page.run(STATUS)
        await page.click(".under")
        await page.click("#tab-events")
        await page.until("[...document.querySelectorAll('.event .type')].some((one) => one.textContent === 'session.warning')")
