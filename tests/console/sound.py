"""What the pretended microphone says, and what really leaves the page for the loudspeaker."""
import asyncio
import base64
import wave

import numpy

import speech

RECORDING_HZ = 48000

# Stands between the page and the loudspeaker and keeps what passes.
TAP = """
class Tap extends AudioWorkletProcessor {
  #parts = [];
  process([[input]]) {
    this.#parts.push(input ? input.slice() : new Float32Array(128));
    if (this.#parts.length === 8) this.port.postMessage({ parts: this.#parts.splice(0), end: currentTime + 128 / sampleRate });
    return true;
  }
}
registerProcessor("tap", Tap);
"""

PROBE = """
window.probe = { rate: 0, heard: [], end: 0, clock: Infinity, events: [], received: [] };
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (to, ...rest) {
  const result = connect.call(this, to, ...rest);
  if (!(to instanceof AudioDestinationNode)) return result;
  const context = this.context;
  probe.rate = context.sampleRate;
  context.audioWorklet.addModule("/web/tap.js").then(() => {
    const tap = new AudioWorkletNode(context, "tap", { numberOfOutputs: 0 });
    tap.port.onmessage = ({ data }) => {
      probe.heard.push(...data.parts);
      probe.end = data.end;
      // The smallest difference is the one least delayed on its way here.
      probe.clock = Math.min(probe.clock, performance.now() - data.end * 1000);
    };
    connect.call(this, tap);
  });
  return result;
};
const Native = WebSocket;
window.WebSocket = class extends Native {
  constructor(...given) {
    super(...given);
    probe.socket = this;
    this.addEventListener("message", ({ data }) => {
      if (data instanceof ArrayBuffer) probe.received.push(data.slice(0));
      else probe.events.push({ at: performance.now(), heard: probe.received.length, ...JSON.parse(data) });
    });
  }
};
function text_of(parts) {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(new Uint8Array(part.buffer ?? part), at);
    at += part.byteLength;
  }
  let text = "";
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return btoa(text);
}
"""


async def tap(page):
    """Before the page is opened: `probe` in it then knows every event, every received byte, every sample that was played."""
    async def answer(request):
        await page.send("Fetch.fulfillRequest", requestId=request, responseCode=200, body=base64.b64encode(TAP.encode()).decode(),
                        responseHeaders=[{"name": "Content-Type", "value": "text/javascript"}])

    tasks = set()

    def paused(params):
        task = asyncio.ensure_future(answer(params["requestId"]))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    page.on("Fetch.requestPaused", paused)
    await page.send("Fetch.enable", patterns=[{"urlPattern": "*/web/tap.js"}])
    await page.send("Page.addScriptToEvaluateOnNewDocument", source=PROBE)


async def heard(page):
    """(samples from -1 to 1, performance.now() of the first of them, Hz)."""
    got = await page.run("({ text: text_of(probe.heard), end: probe.end, clock: probe.clock, rate: probe.rate })")
    samples = numpy.frombuffer(base64.b64decode(got["text"]), dtype="<f4")
    return samples, got["clock"] + got["end"] * 1000 - len(samples) * 1000 / got["rate"], got["rate"]


async def received(page, first=0):
    """The PCM that came over the socket from that frame on, from -1 to 1."""
    text = await page.run(f"text_of(probe.received.slice({first}))")
    return numpy.frombuffer(base64.b64decode(text), dtype="<i2").astype("<f4") / 32768


def find(needle, haystack, start):
    """Where `needle` stands in `haystack` sample for sample, from `start` on; None when nowhere."""
    loudest = int(numpy.argmax(numpy.abs(needle)))
    for place in numpy.flatnonzero(numpy.abs(haystack[start + loudest:len(haystack) - len(needle) + loudest] - needle[loudest]) < 1e-6):
        if numpy.allclose(haystack[start + place:start + place + len(needle)], needle, atol=1e-6):
            return start + int(place)
    return None


async def items(page):
    """{item_id: samples} of all that came, each sample where `offset_ms` says that it belongs in its item; what came twice counts as it came first."""
    starts = await page.run("probe.events.filter((event) => event.type === 'audio.start').map((event) => [event.item_id, event.offset_ms ?? 0, event.heard])")
    ends = [heard for _, _, heard in starts[1:]] + [await page.run("probe.received.length")]
    sizes = await page.run("probe.received.map((part) => part.byteLength / 2)")
    hz = await page.run("probe.rate")
    samples = await received(page)
    found = {}
    for (item, offset_ms, first), end in zip(starts, ends):
        came = samples[sum(sizes[:first]):sum(sizes[:end])]
        whole = found.get(item, samples[:0])
        place = round(offset_ms * hz / 1000)
        assert place <= len(whole), f"{place - len(whole)} samples of {item} did not come"
        found[item] = numpy.concatenate([whole, came[len(whole) - place:]])
    return found


def gaps(sent, played, hz, window=480):
    """Plays `sent` through `played` sample for sample: [(from, to)] in `played` where something else was heard in its midst."""
    voiced = int(numpy.flatnonzero(numpy.abs(sent) > 0.01)[0])
    place = find(sent[voiced:voiced + window], played, 0)
    assert place is not None, "the reply was not played"
    at, found = voiced, []
    while at < len(sent):
        count = min(len(sent) - at, len(played) - place)
        assert count > 0, f"{len(sent) - at} samples were not played"
        differ = numpy.flatnonzero(numpy.abs(sent[at:at + count] - played[place:place + count]) > 1e-6)
        if len(differ) == 0:
            assert at + count == len(sent), f"{len(sent) - at - count} samples were not played"
            return found
        at, place = at + int(differ[0]), place + int(differ[0])
        again = find(sent[at:at + window], played, place)
        assert again is not None, f"the reply breaks off after {at / hz:.2f} s"
        found.append((place, again))
        place = again
    return found


def longest_gap_ms(sent, played, hz):
    return max((to - start for start, to in gaps(sent, played, hz)), default=0) * 1000 / hz


def recording(path, *parts, hz=RECORDING_HZ):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(hz)
        for part in parts:
            file.writeframes(speech.speech(part, hz=hz) if isinstance(part, str) else speech.silence(int(part * 1000), hz))
    return str(path)
