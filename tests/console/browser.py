"""Chromium without a window, driven through the DevTools protocol."""
import asyncio
import base64
import contextlib
import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import websockets

PROGRAM = next((found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None)
START_LIMIT_S = 60


class Page:
    """One tab. What it asked for, logged as an error, and threw is kept for the test to look at."""

    def __init__(self, browser, session):
        self.browser, self._session = browser, session
        self.requests, self.problems, self.sockets = [], [], []
        self._watchers = []

    async def send(self, method, **params):
        return await self.browser.send(method, params, self._session)

    def on(self, method, what):
        self._watchers.append((method, what))

    def hear(self, method, params):
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Network.webSocketCreated":
            self.sockets.append(params["url"])
        elif method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.problems.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.problems.append(" ".join(str(a.get("value", a.get("description"))) for a in params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.problems.append(params["entry"]["text"] + " " + params["entry"].get("url", ""))
        for wanted, what in self._watchers:
            if wanted == method:
                what(params)

    async def open(self, url):
        loaded = asyncio.get_running_loop().create_future()
        watcher = ("Page.loadEventFired", lambda _: loaded.done() or loaded.set_result(None))
        self._watchers.append(watcher)
        answer = await self.send("Page.navigate", url=url)
        assert "errorText" not in answer, f"{url}: {answer['errorText']}"
        if "loaderId" in answer:  # else only what stands behind the # has changed
            await asyncio.wait_for(loaded, 30)
        self._watchers.remove(watcher)

    async def run(self, expression):
        """The value of a JavaScript expression; a promise is awaited."""
        answer = await self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise AssertionError(f"{expression}: " + (details.get("exception", {}).get("description") or details["text"]))
        return answer["result"].get("value")

    async def until(self, expression, limit_s=20):
        """Waits for the expression to be true; answers with its value."""
        end = asyncio.get_running_loop().time() + limit_s
        while True:
            with contextlib.suppress(AssertionError, ConnectionError):
                value = await self.run(expression)
                if value not in (None, False, 0, ""):  # an element arrives as {}
                    return value
            assert asyncio.get_running_loop().time() < end, f"it did not happen in {limit_s} s: {expression}; problems: {self.problems}"
            await asyncio.sleep(0.03)

    async def place(self, selector):
        """The middle of an element, scrolled to, once it can be seen."""
        return await self.until(f"""(() => {{
          const found = document.querySelector({json.dumps(selector)});
          if (!found) return null;
          found.scrollIntoView({{block: 'nearest', behavior: 'instant'}});
          const box = found.getBoundingClientRect();
          return box.width && box.height ? {{x: box.x + box.width / 2, y: box.y + box.height / 2}} : null;
        }})()""")

    async def click(self, selector):
        at = await self.place(selector)
        await self.mouse("mousePressed", at)
        await self.mouse("mouseReleased", at)

    async def mouse(self, kind, at):
        await self.send("Input.dispatchMouseEvent", type=kind, x=at["x"], y=at["y"], button="left", clickCount=1)

    async def type(self, text):
        await self.send("Input.insertText", text=text)

    async def key(self, name, kind=None):
        codes = {"Enter": ("Enter", 13, "\r"), "Tab": ("Tab", 9, ""), "Escape": ("Escape", 27, ""), " ": ("Space", 32, " ")}
        code, number, text = codes[name]
        for step in [kind] if kind else ["keyDown", "keyUp"]:
            await self.send("Input.dispatchKeyEvent", type=step, key=name, code=code, windowsVirtualKeyCode=number,
                            **({"text": text} if text and step == "keyDown" else {}))

    async def size(self, width, height, touch=False, scale=1):
        await self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=touch)

    async def media(self, **features):
        """E.g. prefers_color_scheme="dark"."""
        listed = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        await self.send("Emulation.setEmulatedMedia", features=listed)

    async def picture(self, path):
        shot = await self.send("Page.captureScreenshot", format="png")
        pathlib.Path(path).write_bytes(base64.b64decode(shot["data"]))

    async def close(self):
        await self.browser.send("Target.closeTarget", {"targetId": self.target})


class Browser:
    """`async with Browser(speech="question.wav") as browser: page = await browser.page()`"""

    def __init__(self, speech=None, microphone=True, arguments=()):
        self._folder = tempfile.TemporaryDirectory(prefix="repartee-browser-", ignore_cleanup_errors=True)
        self._arguments = [
            PROGRAM, "--headless=new", f"--user-data-dir={self._folder.name}", "--remote-debugging-port=0", "--no-first-run", "--disable-gpu",
            "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--mute-audio",
            "--disable-dev-shm-usage", "--use-fake-device-for-media-stream", "--lang=ko-KR", "--accept-lang=ko-KR", *arguments,
        ]
        if microphone:
            self._arguments.append("--use-fake-ui-for-media-stream")
        if speech:
            self._arguments.append(f"--use-file-for-fake-audio-capture={speech}%noloop")
        if os.geteuid() == 0:
            self._arguments.append("--no-sandbox")
        self._arguments.append("about:blank")
        self._numbers = itertools.count(1)
        self._answers, self._pages = {}, {}

    async def __aenter__(self):
        self._process = subprocess.Popen(self._arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)
        address = await asyncio.wait_for(asyncio.to_thread(self._address), START_LIMIT_S)
        # Its later messages must not fill the pipe.
        self._drain = asyncio.create_task(asyncio.to_thread(self._process.stderr.read))
        self._socket = await websockets.connect(address, max_size=None, ping_interval=None)
        self._reader = asyncio.create_task(self._read())
        return self

    def _address(self):
        for line in self._process.stderr:
            if found := re.search(r"DevTools listening on (\S+)", line):
                return found[1]
        raise RuntimeError("Chromium did not start")

    async def __aexit__(self, *_):
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self.send("Browser.close", {}), 10)
        try:
            await asyncio.to_thread(self._process.wait, 20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.cancel()
        with contextlib.suppress(Exception):
            await self._socket.close()
        await self._drain
        self._process.stderr.close()
        self._folder.cleanup()

    async def _read(self):
        async for text in self._socket:
            message = json.loads(text)
            if "id" in message:
                answer = self._answers.pop(message["id"], None)
                if answer and not answer.done():
                    answer.set_result(message)
            elif page := self._pages.get(message.get("sessionId")):
                page.hear(message["method"], message["params"])

    async def send(self, method, params, session=None):
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps({"id": number, "method": method, "params": params} | ({"sessionId": session} if session else {})))
        message = await asyncio.wait_for(answer, 120)
        if "error" in message:
            raise ConnectionError(f"{method}: {message['error']['message']}")
        return message["result"]

    async def page(self, width=1440, height=900, **media):
        target = (await self.send("Target.createTarget", {"url": "about:blank"}))["targetId"]
        session = (await self.send("Target.attachToTarget", {"targetId": target, "flatten": True}))["sessionId"]
        page = self._pages[session] = Page(self, session)
        page.target = target
        for domain in ("Page", "Runtime", "Network", "Log"):
            await page.send(f"{domain}.enable")
        await page.size(width, height)
        if media:
            await page.media(**media)
        return page
