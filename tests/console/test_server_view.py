"""The view of the server, and the route under it."""
from conftest import STATE, console, talk_to


def test_the_status_route(server):
    status, answer = server.get_json("/api/v1/status")
    assert status == 200
    assert answer["upstream"]["ready"] is True and answer["upstream"]["kind"] == "local"
    assert answer["sessions"]["max"] == 1000 and answer["characters"] == 6 and answer["cores"] >= 1
    assert 0 < answer["uptime_ms"] < 3_600_000


async def test_the_server_at_a_glance(server, recording):
    async with console(server.url, speech=recording(120)) as page:
        await talk_to(page, "park_jihoon")
        await page.until(f"{STATE} === 'listening'")
        other = await page.browser.page()
        await other.open(server.url + "/#/server")
        await other.until("document.querySelector('.verdict').dataset.level === 'good'")
        await other.until("Number(document.querySelector('.tile-value').textContent) >= 1")
        await other.until("/%/.test(document.querySelectorAll('.tile-value')[3].textContent)")
        assert await other.run("document.querySelectorAll('.latency').length") >= 5
        await other.until("document.querySelectorAll('.latency:not(.idle)').length >= 1")
        assert other.problems == []
