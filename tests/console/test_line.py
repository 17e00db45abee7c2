"""Doors that are closed."""
from conftest import STATE, console
import repartee


async def test_a_server_that_wants_a_key(recording):
    with repartee.Server(environment={"REPARTEE_SERVER__API_KEYS": "open-sesame"}) as locked:
        assert locked.get("/api/v1/status")[0] == 401
        assert locked.get_json("/api/v1/status", headers={"Authorization": "Bearer open-sesame"})[1]["keys_wanted"] is True
        async with console(locked.url, speech=recording(120), own=["401", "WebSocket connection"]) as page:
            await page.click(".card[data-id=park_jihoon] h2 a")
            await page.click(".notice .button")
            await page.until("document.activeElement.id === 'key'")
            await page.type("open-sesame")
            await page.key("Enter")
            await page.until(f"{STATE} === 'listening'")
            assert await page.run("localStorage.length && JSON.stringify(localStorage).includes('sesame')") is False
            await page.click(".under")
            await page.click("#tab-code")
            assert await page.run("document.querySelector('.snippet').textContent.includes('sesame')") is False
            await page.run("location.hash = '#/server'")
            await page.until("document.querySelector('.verdict').dataset.level === 'good'")


async def test_an_unknown_character_and_a_fresh_page(server, recording):
    async with console(server.url, speech=recording(120), own=["404"]) as page:
        await page.run("location.hash = '#/talk/nobody'")
        await page.until("document.querySelector('.lonely')")
    # Without a click there is no sound, so a page that opens right here offers to begin.
    async with console(server.url, speech=recording(120)) as page:
        await page.open(server.url + "/?fresh#/talk/park_jihoon")
        await page.until("document.querySelector('.offer') || document.querySelector('.dock')")
        if await page.run("!!document.querySelector('.offer')"):
            await page.click(".offer .button")
        await page.until(f"{STATE} === 'listening'")
