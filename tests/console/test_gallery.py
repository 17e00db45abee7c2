"""What a newcomer sees first."""
import asyncio

from conftest import console

NAMES = ["최현우", "정유진", "이수진", "오경미", "박은서", "박지훈"]
SHOWN = "[...document.querySelectorAll('.card h2 a')].map((link) => link.textContent)"


async def test_all_characters_with_their_portraits(server):
    async with console(server.url) as page:
        await page.until("document.querySelectorAll('.card').length === 6")
        assert await page.run(SHOWN) == NAMES
        await page.until("[...document.querySelectorAll('img.portrait')].filter((picture) => picture.complete && picture.naturalWidth).length === 6")
        assert "불면증" in await page.run("document.querySelector('.card[data-id=choi_hyunwoo] .helps').textContent")


async def test_search_and_category(server):
    async with console(server.url) as page:
        await page.until("document.querySelectorAll('.card').length === 6")
        await page.click("#search")
        await page.until("document.activeElement.id === 'search'")
        await page.type("불면")
        await page.until("document.querySelectorAll('.card').length === 1")
        assert await page.run(SHOWN) == ["최현우"]
        await page.run("document.getElementById('search').value = ''")
        await page.type("vaccination")
        await page.until("document.querySelector('.card').dataset.id === 'park_eunseo'")
        await page.run("document.getElementById('search').select()")
        await page.type("없는 사람")
        await page.until("document.querySelectorAll('.card').length === 0")
        assert "맞는 상담사가 없어요" in await page.run("document.querySelector('.found').textContent")
        await page.run("document.getElementById('search').select()")
        await page.type(" ")
        await page.click(".chip[data-category='건강 상담']")
        await page.until("document.querySelectorAll('.card').length === 6")


async def test_english_and_the_dark_theme_are_a_click_away_and_are_remembered(server):
    async with console(server.url, prefers_color_scheme="light") as page:
        await page.until("document.querySelectorAll('.card').length === 6")
        background = "getComputedStyle(document.body).backgroundColor"
        light = await page.run(background)
        await page.click("#tools .text-button")
        await page.until("document.querySelector('.card[data-id=lee_soojin] h2 a').textContent === 'Lee Soojin'")
        assert await page.run("document.documentElement.lang") == "en"
        await page.click("#tools .icon-button")
        await page.until(f"{background} !== {light!r}")
        await page.open(server.url + "/")
        await page.until("document.querySelector('h1').textContent === 'Who would you like to talk to?'")
        assert await page.run(background) != light


async def test_an_introduction_plays_and_shows_its_words(server):
    async with console(server.url) as page:
        await page.click(".card[data-id=oh_kyungmi] .play")
        await page.until("Number(document.querySelector('.card[data-id=oh_kyungmi] .play').style.getPropertyValue('--done')) > 0.005")
        assert "오경미" in await page.run("document.querySelector('.card[data-id=oh_kyungmi] .spoken').innerText")
        # Another one takes its place.
        await page.click(".card[data-id=park_jihoon] .play")
        await page.until("document.querySelectorAll('.play.playing').length === 1")
        await page.until("document.querySelector('.card[data-id=park_jihoon] .play').classList.contains('playing')")
        await page.click(".card[data-id=park_jihoon] .play")
        await page.until("!document.querySelector('.play.playing')")
        assert await page.run("location.hash") == ""


async def test_the_keyboard_reaches_everything(server):
    async with console(server.url) as page:
        await page.until("document.querySelectorAll('.card').length === 6")
        reached = set()
        for _ in range(26):
            await page.key("Tab")
            reached.add(await page.run("document.activeElement.className || document.activeElement.tagName"))
        assert {"skip", "brand", "search", "chip", "play"} <= reached
        await page.run("document.querySelector('.card[data-id=jung_yujin] h2 a').focus()")
        await page.key("Enter")
        await page.until("document.querySelector('.stage')")
        await asyncio.sleep(0.3)
