import asyncio
import contextlib
import inspect
import json
import os
import pathlib
import sys

import pytest

here = pathlib.Path(__file__).parent
sys.path[:0] = [str(here), str(here.parent / "e2e")]
import browser  # noqa: E402
import repartee  # noqa: E402
import sound  # noqa: E402

TEST_LIMIT_S = 180


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Coroutine tests run on an event loop of their own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    asyncio.run(asyncio.wait_for(pyfuncitem.obj(**wanted), TEST_LIMIT_S))
    return True


@pytest.fixture(scope="session")
def server():
    """One server with introductions, shared by all tests."""
    assert browser.PROGRAM, "Chromium is missing: scripts/setup --test installs it"
    with repartee.Server() as started:
        made = repartee.run("introductions", "--data-dir", str(started.data_dir), timeout=300)
        assert made.returncode == 0, made.stdout + made.stderr
        repartee.eventually(lambda: started.get_json("/api/v1/characters/park_jihoon/introduction")[1]["audio_url"])
        yield started


@pytest.fixture
def recording(tmp_path):
    """recording(1.5, "speech", 60): a WAV file for the pretended microphone, silences in seconds."""
    return lambda *parts: sound.recording(tmp_path / "microphone.wav", *parts)


async def permit_microphone(chromium, url, setting):
    await chromium.send("Browser.setPermission", {"permission": {"name": "microphone"}, "setting": setting, "origin": url})


@contextlib.asynccontextmanager
async def console(url, speech=None, microphone="granted", tapped=False, preferences=None, own=None, **size):
    """A page on `url`, watched: at the end it must have logged no error and asked nobody but the server."""
    async with browser.Browser(speech=speech, microphone=microphone == "granted", arguments=["--host-resolver-rules=MAP insecure.test 127.0.0.1"]) as chromium:
        page = await chromium.page(**size)
        if "127.0.0.1" in url:  # elsewhere there is nothing to permit
            await permit_microphone(chromium, url, microphone)
        if tapped:
            await sound.tap(page)
        chosen = {"language": "ko", "greeting": False} | (preferences or {})
        for name, value in chosen.items():
            script = f"try {{ localStorage.getItem('repartee.{name}') ?? localStorage.setItem('repartee.{name}', {json.dumps(json.dumps(value))}) }} catch {{}}"
            await page.send("Page.addScriptToEvaluateOnNewDocument", source=script)
        await page.open(url + "/")
        yield page
        allowed = (url, url.replace("http", "ws", 1))
        assert [asked for asked in page.requests + page.sockets if not asked.startswith(allowed) and asked != "about:blank"] == []
        assert [problem for problem in page.problems if not any(word in problem for word in own or [])] == []


async def talk_to(page, character):
    """From the gallery, as a visitor would: a click, so that the page may make sound."""
    await page.click(f".card[data-id={character}] h2 a")
    await page.until("document.querySelector('.dock')")
    await page.until("!['waiting', 'connecting'].includes(document.querySelector('.stage').dataset.state)")


async def say(page, text):
    await page.click("#say")
    await page.type(text)
    await page.key("Enter")


async def give(page, **event):
    """As if the server had sent it; the page is `tapped`."""
    await page.run(f"probe.socket.dispatchEvent(new MessageEvent('message', {{ data: {json.dumps(json.dumps(event))} }})); 0")


STATE = "document.querySelector('.stage').dataset.state"
LINES = "[...document.querySelectorAll('.line')].map((line) => [line.classList[1], line.querySelector('.words').innerText])"


@pytest.fixture(scope="session")
def axe():
    path = os.environ.get("CONSOLE_AXE")
    if not path:
        pytest.skip("axe-core is not installed: tests/console/run.sh fetches it")
    return pathlib.Path(path).read_text()
