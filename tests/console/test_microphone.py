"""When there is no microphone to be had."""
from conftest import LINES, STATE, console, permit_microphone, say, talk_to


async def test_denied_it_says_how_to_allow_it_and_typing_goes_on(server):
    async with console(server.url, microphone="denied") as page:
        await talk_to(page, "park_jihoon")
        await page.until("document.querySelector('.notice[role=alert]')")
        text = await page.run("document.querySelector('.notice').innerText")
        assert "마이크가 막혀 있어요" in text and "허용" in text
        await page.until(f"{STATE} === 'typing'")
        await say(page, "안녕하세요.")
        await page.until(f"{STATE} === 'speaking'")
        # Allowed afterwards, the same conversation hears.
        await permit_microphone(page.browser, server.url, "granted")
        await page.click(".notice .button")
        await page.until("!document.querySelector('.notice')")
        assert await page.run("!document.querySelector('.round').disabled")


async def test_an_insecure_address_says_so_and_answers_in_writing(server):
    async with console(server.url.replace("127.0.0.1", "insecure.test")) as page:
        await talk_to(page, "park_jihoon")
        text = await page.until("document.querySelector('.notice[role=alert]')?.innerText")
        assert "HTTPS" in text and "--tls-listen" in text
        await say(page, "안녕하세요.")
        await page.until("document.querySelector('.line.character .words')?.innerText.length > 10")
        assert [line[0] for line in await page.run(LINES)] == ["user", "character"]
