"""Whole turns: pretended speech in, what leaves for the loudspeaker measured."""
import asyncio

import numpy

import sound
from conftest import LINES, STATE, console, say, talk_to

QUESTION = "안녕하세요. 요즘 잠을 잘 못 자서 걱정이에요."


async def test_a_spoken_turn_is_heard_without_a_gap(server, recording):
    async with console(server.url, speech=recording(1.5, QUESTION, 120), tapped=True) as page:
        await talk_to(page, "choi_hyunwoo")
        await page.until("probe.events.some((event) => event.type === 'input_audio_buffer.speech_started')")
        await page.until(f"{STATE} === 'speaking'", 40)
        await page.until("probe.events.some((event) => event.type === 'audio.end')", 60)
        await page.until(f"{STATE} === 'listening'", 60)
        await asyncio.sleep(0.3)

        sent = await sound.received(page)
        played, _, hz = await sound.heard(page)
        assert f"input_rate={hz}&output_rate={hz}" in page.sockets[0]
        assert len(sent) > 2 * hz
        assert numpy.sqrt(numpy.mean(sent**2)) > 0.01
        assert sound.longest_gap_ms(sent, played, hz) <= 5

        who = [line[0] for line in await page.run(LINES)]
        assert who == ["user", "character"], "the person's line stands before the reply, though it is written down later"


async def test_an_interruption_is_silence_at_once_and_leaves_its_mark(server, recording):
    async with console(server.url, speech=recording(1.5, QUESTION, 4, "잠깐만요. 그게 아니라 다른 이야기를 하고 싶어요.", 120), tapped=True) as page:
        await talk_to(page, "oh_kyungmi")
        await page.until("probe.events.some((event) => event.type === 'audio.clear')", 60)
        await asyncio.sleep(0.4)
        cleared = await page.run("probe.events.find((event) => event.type === 'audio.clear')")
        started = await page.run("probe.events.filter((event) => event.type === 'input_audio_buffer.speech_started')[1].at")
        played, from_ms, hz = await sound.heard(page)
        loud = numpy.flatnonzero(numpy.abs(played) > 1e-4)
        silent_at_ms = from_ms + loud[-1] * 1000 / hz
        assert silent_at_ms - min(cleared["at"], started) < 150
        assert cleared["audio_end_ms"] > 500

        lines = await page.run(LINES)
        assert "끊김" in lines[1][1]
        # The new turn is answered.
        await page.until("document.querySelectorAll('.line.character').length === 2", 40)
        assert [line[0] for line in await page.run(LINES)] == ["user", "character", "user", "character"]
        # What the page says it played is what the server took.
        assert await page.run("document.querySelectorAll('.cut-mark').length") == 1


async def test_typed_words_are_answered_aloud(server, recording):
    async with console(server.url, speech=recording(120), tapped=True) as page:
        await talk_to(page, "park_eunseo")
        await page.until(f"{STATE} === 'listening'")
        assert await page.run("document.querySelector('.opener button').textContent.length > 5")
        await page.click(".round")
        await page.until(f"{STATE} === 'muted'")
        await say(page, "안녕하세요, 선생님.")
        await page.until(f"{STATE} === 'speaking'")
        lines = await page.run(LINES)
        assert not await page.run("!!document.querySelector('.opener')")
        assert lines[0] == ["user", "안녕하세요, 선생님."]
        assert lines[1][0] == "character"
        await asyncio.sleep(1)
        played, _, _ = await sound.heard(page)
        assert numpy.max(numpy.abs(played)) > 0.05
        # The stop button ends the reply.
        await page.click(".dock-tools .icon-button")
        await page.until("document.querySelector('.cut-mark')")
        await page.until(f"{STATE} === 'muted'")


async def test_press_to_talk_with_the_space_bar(server, recording):
    async with console(server.url, speech=recording(QUESTION, 0.2, QUESTION, 0.2, QUESTION, 120), preferences={"mode": "push"}, tapped=True) as page:
        await talk_to(page, "jung_yujin")
        assert "turn_detection=none" in page.sockets[0]
        await page.until(f"{STATE} === 'ready'")
        await page.run("document.activeElement.blur()")
        await page.key(" ", "keyDown")
        await page.until(f"{STATE} === 'hearing'")
        await asyncio.sleep(2.5)
        await page.key(" ", "keyUp")
        await page.until(f"{STATE} === 'speaking'")
        types = await page.run("probe.events.map((event) => event.type)")
        assert "input_audio_buffer.committed" in types and "error" not in types
        assert [line[0] for line in await page.run(LINES)] == ["user", "character"]
        # Pressing again interrupts.
        await asyncio.sleep(0.7)
        await page.key(" ", "keyDown")
        await page.until("document.querySelector('.cut-mark')")
        await page.key(" ", "keyUp")


async def test_the_greeting_the_devices_and_the_end(server, recording):
    async with console(server.url, speech=recording(120), preferences={"greeting": True}) as page:
        await talk_to(page, "lee_soojin")
        await page.until(f"{STATE} === 'speaking'")
        assert [line[0] for line in await page.run(LINES)] == ["character"]
        await page.click("[data-tl='talk.settings']")
        await page.until("document.querySelectorAll('#device-microphone option').length > 1")
        device = await page.run("document.querySelector('#device-microphone').options[1].value")
        await page.run(f"(() => {{ const select = document.querySelector('#device-microphone'); select.value = '{device}'; select.onchange(); }})()")
        await page.key("Escape")
        await page.until("!document.querySelector('dialog')")
        await page.until("localStorage.getItem('repartee.microphone').length > 4")
        await page.click("[data-tl='talk.end']")
        await page.until(f"{STATE} === 'ended'")
        await page.until("document.querySelector('.notice .button')")
        await page.click(".notice .button")
        await page.until(f"{STATE} === 'speaking'")
