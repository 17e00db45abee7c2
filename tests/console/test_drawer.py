"""What developers see under a conversation."""
import asyncio
import json
import re
import shutil
import subprocess

import sound
from conftest import STATE, console, talk_to

QUESTION = "안녕하세요. 요즘 잠을 잘 못 자서 걱정이에요."
TYPES = "[...document.querySelectorAll('.event .type')].map((one) => one.textContent)"


async def test_events_latency_audio_and_usage_of_a_turn(server, recording):
    async with console(server.url, speech=recording(1.5, QUESTION, 120), preferences={"drawer": "events"}) as page:
        await talk_to(page, "park_jihoon")
        await page.click(".under")
        await page.until(f"{STATE} === 'speaking'", 40)
        await page.until(f"{TYPES}.includes('response.done')")
        types = await page.run(TYPES)
        assert {"session.created", "input_audio_buffer.speech_started", "audio.start"} <= set(types) and "playback" not in types
        await page.click("#event-audio")
        await page.until(f"{TYPES}.includes('playback') && {TYPES}.some((type) => type.startsWith('소리 ×'))")
        await page.click("#event-audio")
        await page.click("#event-filter")
        await page.type("speech_st")
        await page.until(f"{TYPES}.length === 2")
        await page.click(".event summary")
        assert "audio_start_ms" in await page.until("document.querySelector('.event pre')?.textContent")
        await page.click("#tab-latency")
        await page.until("document.querySelector('.bars .stage-created') && document.querySelector('.bars .stage-sound')")
        assert 0 < await page.run("Number(document.querySelector('.figure strong').textContent)") < 5000
        await page.click("#tab-traffic")
        await page.until("/[1-9].* kB\\/s/.test(document.querySelector('.tiles strong').textContent)")
        await page.click("#tab-usage")
        await page.until("document.querySelector('.usage tbody td').textContent !== '0'")
        # A price of one's own counts at once.
        await page.run("(() => { const price = document.querySelectorAll('.usage input')[5]; price.value = '1000'; price.oninput(); })()")
        assert await page.run("!document.querySelector('.figure strong').textContent.startsWith('$0.0000')")


async def test_turn_detection_changes_while_one_talks(server, recording):
    async with console(server.url, speech=recording(120), preferences={"drawer": "tuning"}, tapped=True) as page:
        await talk_to(page, "park_jihoon")
        await page.click(".under")
        await page.until("document.querySelector('#slider-silence_duration_ms')")
        await page.run("(() => { const slider = document.querySelector('#slider-silence_duration_ms'); slider.value = 250; slider.oninput(); })()")
        updated = "probe.events.findLast((event) => event.type === 'session.updated')?.session.audio.input.turn_detection"
        await page.until(f"{updated}?.silence_duration_ms === 250")
        await page.click("[data-kind=semantic_vad]")
        await page.until(f"{updated}?.type === 'semantic_vad'")
        await page.until("document.querySelector('#eagerness')")
        await page.click("[data-kind=none]")
        await page.until(f"{updated} === null")
        await page.until(f"{STATE} === 'ready'")
        # The talk view's own switch follows, and leads back.
        assert await page.run("document.querySelector('[data-mode=push]').ariaPressed") == "true"
        await page.click("[data-mode=hands_free]")
        await page.until(f"{updated}?.type === 'server_vad'")


async def test_the_copied_programs_open_this_session(server, recording, tmp_path):
    async with console(server.url, speech=recording(120), preferences={"drawer": "code"}) as page:
        await talk_to(page, "lee_soojin")
        await page.click(".under")
        await page.until("document.querySelector('.snippet').textContent.includes('turn_detection')")
        texts = {}
        for name in ("curl", "javascript", "python", "unreal"):
            await page.click(f".segments [data-id={name}]")
            await page.until(f"document.querySelector('[data-id={name}]').ariaPressed === 'true'")
            texts[name] = await page.run("document.querySelector('.snippet').textContent")
        address = page.sockets[0]
        hz = int(re.search(r"input_rate=(\d+)", address)[1])
    for text in texts.values():
        assert address.split("://")[1] in text

    said = await asyncio.to_thread(subprocess.run, ["bash", "-c", texts["curl"]], capture_output=True, timeout=30)
    assert b'"type":"session.created"' in said.stdout.replace(b" ", b"")

    sound.recording(tmp_path / "question.wav", QUESTION, hz=hz)
    (tmp_path / "talk.py").write_text(texts["python"])
    ran = await asyncio.to_thread(subprocess.run, ["/usr/bin/python3", "talk.py"], cwd=tmp_path, capture_output=True, text=True, timeout=90)
    assert ran.returncode == 0, ran.stderr
    assert len(ran.stdout) > 10 and (tmp_path / "answer.wav").stat().st_size > 100_000

    if node := shutil.which("node"):
        (tmp_path / "talk.mjs").write_text(texts["javascript"])
        subprocess.run([node, "--check", "talk.mjs"], cwd=tmp_path, check=True, timeout=30)
    start = texts["unreal"].index('R"(') + 3
    assert json.loads(texts["unreal"][start:texts["unreal"].index(')"', start)])["type"] == "session.update"
