"""Weight, speed, strictness, accessibility."""
import asyncio
import json
import statistics
import urllib.request

import pytest

import browser
from conftest import STATE, console, give, say, talk_to

WEIGHT_MAX_BYTES = 150_000
FIRST_PAINT_MAX_MS = 200


def test_clients_get_json_and_browsers_a_strict_page(server):
    status, headers, body = server.get("/", headers={"Accept": "application/json"})
    assert status == 200 and json.loads(body)["version"]
    status, headers, body = server.get("/", headers={"Accept": "text/html,application/xhtml+xml"})
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "*" not in policy and "http" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert b"<script>" not in body and b" style=" not in body and b"onclick" not in body
    again, headers, _ = server.get("/", headers={"Accept": "text/html", "If-None-Match": headers["ETag"]})
    assert again == 304
    assert server.get("/web/app.js.gz")[0] == 404 and server.get("/web/nowhere/app.js")[0] == 404


def test_compressed_and_plain_are_the_same(server):
    import gzip
    plain = server.get("/web/talk/conversation.js")[2]
    _, headers, packed = server.get("/web/talk/conversation.js", headers={"Accept-Encoding": "gzip"})
    assert headers["Content-Encoding"] == "gzip" and headers["Content-Type"].startswith("text/javascript")
    assert gzip.decompress(packed) == plain


async def test_everything_together_weighs_little(server, recording):
    async with browser.Browser(speech=recording(60)) as chromium:
        page = await chromium.page()
        of, bytes_of = {}, {}
        page.on("Network.responseReceived", lambda event: of.update({event["requestId"]: event["response"]["url"]}))
        page.on("Network.loadingFinished", lambda event: bytes_of.update({event["requestId"]: event["encodedDataLength"]}))
        await page.open(server.url + "/")
        await talk_to(page, "park_jihoon")
        await page.click(".under")
        await page.until("document.querySelector('.tabs')")
        await page.run("location.hash = '#/server'")
        await page.until("document.querySelector('.latency')")
        files = {url: bytes_of.get(request, 0) for request, url in of.items() if "/portraits/" not in url and "/api/" not in url and "/metrics" not in url}
    assert len(files) > 30
    assert sum(files.values()) < WEIGHT_MAX_BYTES, files


async def test_first_paint(server):
    times = []
    async with browser.Browser() as chromium:
        for _ in range(5):
            page = await chromium.page()
            await page.open(server.url + "/")
            times.append(await page.until("performance.getEntriesByType('paint').find((entry) => entry.name === 'first-contentful-paint')?.startTime"))
            await page.close()
    assert statistics.median(times) < FIRST_PAINT_MAX_MS, times


async def violations(page, axe):
    await page.run(axe + "; 0")
    found = await page.run("axe.run(document, { resultTypes: ['violations'] }).then((result) => result.violations.map((one) => [one.id, one.help, one.nodes.map((node) => node.html.slice(0, 200) + ' ' + (node.any[0]?.message ?? ''))]))")
    return found


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
async def test_axe_finds_nothing(server, recording, axe, theme, width):
    async with console(server.url, speech=recording(120), width=width, height=900, prefers_color_scheme=theme, prefers_reduced_motion="reduce", tapped=True) as page:
        await page.until("document.querySelectorAll('.card').length === 6")
        assert await violations(page, axe) == []
        await talk_to(page, "oh_kyungmi")
        await say(page, "안녕하세요.")
        await page.until(f"{STATE} === 'speaking'")
        await give(page, type="session.warning", event_id="event_warning", limit="session", remaining_ms=60_000)
        await asyncio.sleep(0.5)
        assert await violations(page, axe) == []
        await page.click(".under")
        for tab in ("events", "latency", "traffic", "usage", "tuning", "code"):
            await page.click(f"#tab-{tab}")
            await asyncio.sleep(0.2)
            assert await violations(page, axe) == [], tab
        await page.click(".drawer-head .icon-button")
        await page.click("[data-tl='talk.settings']")
        await page.until("document.querySelector('dialog[open]')")
        assert await violations(page, axe) == []
        await page.key("Escape")
        await page.run("location.hash = '#/server'")
        await page.until("document.querySelectorAll('.latency').length >= 5")
        assert await violations(page, axe) == []
