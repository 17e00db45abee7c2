"""A client whose conversation outlives its connections: exact sound both ways, a loudspeaker in real time, and the return with a resume token.

Everything that is not as it must be goes into `wrong`; what was seen is in `log`.
"""
import asyncio
import dataclasses
import json
import re
import time
import urllib.parse

import lasting_audio as exact
from lasting_socket import ClientSocket

LIMIT_S = 30
LOG_MAX = 4000
FRAME_MS = 40
REPORT_ARRIVES_S = 0.1
REPLY_ITEM = re.compile(r"^item_r_(\d+)_(\d+)_\d+_\d+_(\d+)_(\d+)$")


class Ended(AssertionError):
    """The conversation is over before what was waited for."""


@dataclasses.dataclass
class Sound:
    """One item's audio at the client; all in samples."""
    item: str
    number: int
    turn: int
    ms: int                     # what the service means to say
    came: int = 0               # the position the next sample has
    begin: int = 0              # in the loudspeaker's count, of its first sample
    ended_ms: int | None = None
    cut_ms: int | None = None
    stopped_at: int | None = None  # where the loudspeaker really was at audio.clear
    cut_at: float | None = None    # when
    reported_ms: int | None = None
    reported_at: float | None = None  # first
    was_reported: bool = True      # when it was cut: the server had a report of it, and need not have gone by its model
    is_known: bool = True          # after a return nothing is said of it before its audio has come again
    gaps: list = dataclasses.field(default_factory=list)   # (ms of silence, when) amid the item
    again: list = dataclasses.field(default_factory=list)  # (where it stood, where it went on)


class Loudspeaker:
    """Plays in real time from the first sample on; `at_once`: everything the moment it comes."""

    def __init__(self, at_once=False):
        self.at_once = at_once
        self.total = 0
        self.anchor = 0
        self.anchor_at = 0.0

    def played(self, now=None):
        if self.at_once:
            return self.total
        now = time.monotonic() if now is None else now
        return min(self.total, self.anchor + int((now - self.anchor_at) * exact.HZ))

    def take(self, samples, now):
        """How long it had been silent, in ms."""
        silent_ms = 0.0
        if not self.at_once and self.played(now) == self.total:
            ran_out_at = self.anchor_at + (self.total - self.anchor) / exact.HZ
            silent_ms = (now - ran_out_at) * 1000
            self.anchor, self.anchor_at = self.total, now
        self.total += samples
        return silent_ms

    def stop(self, now):
        self.total = self.played(now)
        self.anchor, self.anchor_at = self.total, now


class _Line(ClientSocket):
    """One connection of a Client."""

    def __init__(self, client, number, path):
        super().__init__(client.host, path)
        self.client, self.number = client, number
        self.left = False     # the client no longer listens to it
        self.closing = False  # the client ends the conversation
        self.began = time.monotonic()

    def on_text(self, text):
        if not self.left:
            self.client.on_event(self, json.loads(text))

    def on_binary(self, payload):
        if not self.left:
            self.client.on_audio(self, payload)

    def on_end(self):
        self.client.on_line_end(self)


class Client:
    """`number`: the conversation's, in its sounds. `at_once`: no real-time loudspeaker. `reports`: every so many
    ms it tells what it has played; 0: never."""

    def __init__(self, server_url, number, character="park_jihoon", at_once=False, reports=0, **query):
        self.host = urllib.parse.urlsplit(server_url).netloc
        self.number, self.character, self.reports = number, character, reports
        self.query = {"input_rate": exact.HZ, "output_rate": exact.HZ, **query}
        self.line = None
        self.lines = 0
        self.token = self.session_id = None
        self.last_event = None
        self.events = []
        self.event_ids = set()
        self.sounds = {}
        self.playing = None
        self.loudspeaker = Loudspeaker(at_once)
        self.running = {}            # responses that began and have not ended
        self.responses_done = []
        self.errors = []
        self.wrong = []
        self.log = []
        self.upstream_changes = []   # (reason, ms, when)
        self.resumes_ms = []
        self.resumed = None
        self.recovering = 0
        self.closed = None
        self.ended_at = float("inf")  # when the client left for good
        self.waiters = []
        self.input_ms = 0
        self.report_task = None
        self.told_played = None
        self.reports_sent = 0
        self.first_report_at = None
        self.server_knew_reports = False  # when the connection was lost
        self.tells_played = True          # when it came back; else the server goes by its model where it has no report yet
        self.audio_to_come_again = False
        self.forgives_repeats = False
        self.after_event = None  # what an event brings about, once it is noted

    # --- connections

    async def connect(self, **more):
        query = urllib.parse.urlencode({**self.query, **more})
        self.lines += 1
        line = _Line(self, self.lines, f"/ws/conversations/{self.character}?{query}")
        self.note("!", "connect", " ".join(more))
        host, port = self.host.rsplit(":", 1)
        self.line = line
        await asyncio.get_running_loop().create_connection(lambda: line, host, int(port))
        return line

    async def start(self):
        line = await self.connect()
        await self.until(lambda: self.token is not None or line.refusal or line.gone or self.has("session.created"), "session.created")
        if line.refusal:
            raise Ended(f"refused: {line.refusal}")
        if self.reports:
            self.report_task = asyncio.get_running_loop().create_task(self._report())
        return self

    def lose(self, way):
        """The connection is lost: fin, reset, or silent (it stays open and nobody listens)."""
        self.note("!", "lose", way)
        line, self.line = self.line, None
        # Before it has a report the server goes by its own model, and lets go of what it believes heard.
        self.server_knew_reports = self.first_report_at is not None and time.monotonic() - self.first_report_at > REPORT_ARRIVES_S
        line.left = True
        if way == "reset":
            line.reset()
        elif way == "fin":
            line.transport.close()
        return line

    async def come_back(self, tells_event=True, tells_played=True):
        """With the token, as the protocol says. True when the conversation goes on."""
        more = {"resume": self.token}
        if tells_event and self.last_event:
            more["last_event"] = self.last_event
        now = time.monotonic()
        self.told_played = None
        if tells_played and (sound := self.sound_that_plays(now) or next(reversed(self.sounds.values()), None)):
            self.told_played = (sound.item, self._position(sound, now) // exact.SAMPLES_A_MS)
            more["played"] = f"{self.told_played[0]}:{self.told_played[1]}"
        # What waits in the loudspeaker comes again from there.
        self.tells_played = tells_played
        self.loudspeaker.stop(now)
        for sound in self.sounds.values():
            sound.is_known = False
        self.forgives_repeats = self.forgives_repeats or not tells_event
        self.resumed = None
        used = self.token
        line = await self.connect(**more)
        await self.until(lambda: self.resumed is not None or line.refusal or line.gone, "session.resumed")
        if line.refusal or self.resumed is None:
            self.note("!", "not resumed", str(line.refusal))
            return False
        self.resumes_ms.append((self.resumed_at - line.began) * 1000)
        if self.token == used:
            self.wrong.append("the resume token is the same after it was used")
        return True

    async def close(self):
        if self.report_task:
            self.report_task.cancel()
        if self.line:
            line = self.line
            line.closing = True
            self.ended_at = time.monotonic()
            line.close(1000)
            try:
                await self.until(lambda: line.gone, "the end of the connection", 10)
            finally:
                line.transport.abort()

    # --- what comes

    def note(self, way, kind, brief=""):
        if len(self.log) < LOG_MAX:
            self.log.append((time.monotonic(), self.lines, way, kind, brief))

    def has(self, kind, **members):
        return any(event["type"] == kind and all(event.get(key) == value for key, value in members.items()) for event in self.events)

    def on_line_end(self, line):
        self.note("!", "closed", f"{line.close_code} {line.close_reason}")
        if not line.left and not line.closing:
            self.closed = (line.close_code, line.close_reason)
        self._wake()

    def on_event(self, line, event):
        kind, now = event["type"], time.monotonic()
        identity = event.get("item_id") or (event.get("item") or {}).get("id") or (event.get("response") or {}).get("id") or ""
        more = {name: event[name] for name in ("offset_ms", "audio_ms", "audio_end_ms", "reason", "ms", "code") if name in event}
        self.note("<", kind, f"{event.get('event_id')} {identity} {more or ''}".rstrip())
        event_id = event.get("event_id")
        if event_id in self.event_ids and not self.forgives_repeats:
            self.wrong.append(f"event {event_id} ({kind}) came twice")
        elif event_id in self.event_ids:
            return
        self.event_ids.add(event_id)
        self.last_event = event_id
        self.events.append(event)
        handler = getattr(self, "_on_" + kind.replace(".", "_"), None)
        if handler:
            handler(event, now)
        if kind in ("session.created", "session.resumed"):
            resume = (event.get("session") or {}).get("resume") or event.get("resume") or {}
            self.token = resume.get("token")
            self.session_id = event["session"]["id"]
        if kind == "session.resumed":
            self.resumed, self.resumed_at = event, now
            self.audio_to_come_again = event["audio_ms_again"] > 0
        if self.after_event:
            work, self.after_event = self.after_event, None
            work()
        self._wake()

    def _on_error(self, event, _):
        self.errors.append(event["error"])

    def _on_session_recovering(self, *_):
        self.recovering += 1

    def _on_session_upstream_changed(self, event, now):
        self.upstream_changes.append((event["reason"], event["ms"], now))

    def _on_response_created(self, event, _):
        response = event["response"]["id"]
        if response in self.running or response in self.responses_done:
            self.wrong.append(f"{response} began twice")
        self.running[response] = event

    def _on_response_done(self, event, _):
        response = event["response"]["id"]
        if response not in self.running:
            self.wrong.append(f"{response} ended, but was not running")
        self.running.pop(response, None)
        self.responses_done.append(response)

    def _on_audio_start(self, event, now):
        item = event["item_id"]
        self.audio_to_come_again = False
        offset = event.get("offset_ms", 0) * exact.SAMPLES_A_MS
        sound = self.sounds.get(item)
        if sound is None:
            found = REPLY_ITEM.match(item)
            if not found:
                self.wrong.append(f"audio of an item that nobody said: {item}")
                return
            sound = self.sounds[item] = Sound(item, int(found[3]), int(found[2]), int(found[4]))
            if int(found[1]) != self.number:
                self.wrong.append(f"audio of conversation {found[1]}")
            if offset and self.server_knew_reports and self.tells_played:
                self.wrong.append(f"{item} begins at {offset} samples")
        else:
            self._goes_on(sound, offset, now)
        sound.is_known = True
        sound.begin = self.loudspeaker.total - offset
        sound.came = offset
        self.playing = item

    def _goes_on(self, sound, offset, now):
        """The item's audio comes again from somewhere: after a return, or after a false interruption."""
        stood = self._position(sound, now)
        sound.again.append((stood, offset))
        told = self.told_played
        if offset > sound.came and self.server_knew_reports:
            self.wrong.append(f"{sound.item}: {offset - sound.came} samples are missing before {offset}")
        elif told and told[0] == sound.item and sound.cut_ms is None:
            # A place told in whole ms is up to 1 ms old.
            if abs(offset // exact.SAMPLES_A_MS - told[1]) > 1 and self.server_knew_reports:
                self.wrong.append(f"{sound.item}: had been played to {told[1]} ms, goes on at {offset // exact.SAMPLES_A_MS} ms")
        self.told_played = None
        # The loudspeaker was emptied when the line was lost or the user spoke: what it has now is of the items before.
        sound.cut_ms = sound.stopped_at = sound.ended_ms = None

    def on_audio(self, line, payload):
        now = time.monotonic()
        sound = self.sounds.get(self.playing)
        if sound is None or len(payload) % 2:
            self.wrong.append(f"{len(payload)} bytes of audio of {self.playing}")
            return
        samples = len(payload) // 2
        self.note("<", "binary", f"{sound.item} {sound.came}+{samples}")
        if sound.cut_ms is not None or sound.ended_ms is not None:
            self.wrong.append(f"{samples} samples of {sound.item} behind its {'cut' if sound.cut_ms is not None else 'end'}")
        if payload != exact.sound(self.number, sound.number, samples, sound.came):
            self.wrong.append(f"{sound.item} at {sound.came}: {exact.runs(payload)[:6]}")
        began = sound.came == 0 or sound.begin + sound.came == 0
        silent_ms = self.loudspeaker.take(samples, now)
        if silent_ms > 0 and not began and sound.came > 0 and not (sound.again and sound.again[-1][1] == sound.came):
            sound.gaps.append((silent_ms, now))
        sound.came += samples
        if self.loudspeaker.at_once and self.reports:
            self.report()
        self._wake()

    def _on_audio_end(self, event, _):
        sound = self.sounds.get(event["item_id"])
        if sound is None:
            self.wrong.append(f"the end of {event['item_id']}, which never began")
            return
        sound.ended_ms = event["audio_ms"]
        if self.lines > 1 and not self.server_knew_reports and sound.came // exact.SAMPLES_A_MS < sound.ended_ms:
            # The rest counts as heard while this client was gone: it had not said that it heard less.
            sound.came = sound.ended_ms * exact.SAMPLES_A_MS
        if sound.came // exact.SAMPLES_A_MS != sound.ended_ms:
            self.wrong.append(f"{sound.item} ended at {sound.ended_ms} ms, but {sound.came / exact.SAMPLES_A_MS} ms came")

    def _on_audio_clear(self, event, now):
        self.audio_to_come_again = False
        played = {item: self._position(sound, now) for item, sound in self.sounds.items()}
        self.loudspeaker.stop(now)
        first = self.sounds.get(event["item_id"])
        for sound in self.sounds.values():
            if sound is first or sound.ended_ms is None and sound.cut_ms is None or played[sound.item] < sound.came and sound.cut_ms is None:
                sound.cut_ms = event["audio_end_ms"] if sound is first else 0
                sound.stopped_at, sound.cut_at = played[sound.item], now
                sound.was_reported = sound.reported_at is not None and now - sound.reported_at > REPORT_ARRIVES_S

    def sound_that_plays(self, now):
        """The oldest item that is neither cut nor heard to its end."""
        for sound in self.sounds.values():
            if sound.cut_ms is None and (sound.ended_ms is None or self._position(sound, now) < sound.came):
                return sound
        return None

    def _position(self, sound, now):
        """How much of it the loudspeaker has played, in samples."""
        if sound.stopped_at is not None:
            return sound.stopped_at
        return max(0, min(sound.came, self.loudspeaker.played(now) - sound.begin))

    # --- waiting

    def _wake(self):
        for waiter in list(self.waiters):
            predicate, future = waiter
            if not future.done():
                try:
                    if predicate():
                        future.set_result(True)
                except Exception as error:
                    future.set_exception(error)

    async def until(self, predicate, what, limit_s=LIMIT_S):
        """Waits until it is so; looks whenever something has come."""
        if predicate():
            return
        future = asyncio.get_running_loop().create_future()
        waiter = (predicate, future)
        self.waiters.append(waiter)
        try:
            await asyncio.wait_for(future, limit_s)
        except asyncio.TimeoutError:
            raise AssertionError(f"{what} did not come within {limit_s} s") from None
        finally:
            self.waiters.remove(waiter)

    async def until_event(self, kind, limit_s=LIMIT_S, **members):
        def there():
            if self.closed and not self.has(kind, **members):
                raise Ended(f"closed with {self.closed} before {kind}; errors: {self.errors}")
            return self.has(kind, **members)
        await self.until(there, f"{kind} {members}", limit_s)
        return next(event for event in self.events if event["type"] == kind and all(event.get(key) == value for key, value in members.items()))

    async def until_goes_on(self, predicate, what, limit_s=LIMIT_S):
        """until(), but an end of the conversation ends the wait."""
        def there():
            if predicate():
                return True
            if self.closed:
                raise Ended(f"closed with {self.closed} before {what}; errors: {self.errors}")
            return False
        await self.until(there, what, limit_s)

    # --- talking

    def send(self, kind, **members):
        if self.line:
            self.note(">", kind, f"{members.get('item_id', '')} {members.get('played_ms', '')}".strip())
            self.line.send_event({"type": kind, **members})

    def send_audio(self, pcm):
        if self.line:
            self.note(">", "binary", f"{len(pcm) // 2} samples")
            self.line.send_binary(pcm)

    def voice(self, turn, begin_ms, end_ms):
        """The user's voice in a turn, from ms to ms."""
        self.send_audio(exact.sound(self.number, turn, (end_ms - begin_ms) * exact.SAMPLES_A_MS, begin_ms * exact.SAMPLES_A_MS))

    def silence(self, ms):
        self.send_audio(bytes(exact.bytes_of(ms)))

    def type_turn(self, turn):
        self.send("conversation.item.create", item={"type": "message", "role": "user", "content": [{"type": "input_text",
                                                                                                    "text": f"c{self.number} t{turn}"}]})
        self.send("response.create")

    def sounds_of(self, turn):
        return [sound for sound in self.sounds.values() if sound.turn == turn]

    def answered(self, turn):
        """A whole reply to the turn has come."""
        return any(sound.ended_ms == sound.ms for sound in self.sounds_of(turn))

    def report(self):
        """Tells what the loudspeaker has played of the items that are not over."""
        now = time.monotonic()
        for sound in self.sounds.values():
            if sound.cut_ms is not None or self.line is None or not sound.is_known:
                continue
            played_ms = self._position(sound, now) // exact.SAMPLES_A_MS
            if played_ms > (sound.reported_ms or 0):
                sound.reported_ms = played_ms
                sound.reported_at = sound.reported_at or now
                self.reports_sent += 1
                self.first_report_at = self.first_report_at or now
                self.send("playback", item_id=sound.item, played_ms=played_ms)

    async def _report(self):
        while True:
            await asyncio.sleep(self.reports / 1000)
            self.report()


def shown(client, record=None, last=400):
    """Both sides' logs in one order, to be read."""
    lines = [(at, f"client {number}", way, kind, brief) for at, number, way, kind, brief in client.log]
    if record:
        lines += [(at, f"service {number}", way, kind, brief) for at, number, way, kind, brief in record["log"]]
    lines.sort(key=lambda line: line[0])
    begin = lines[0][0] if lines else 0
    return "\n".join(f"{(at - begin) * 1000:9.1f} {who:<12} {way} {kind} {brief}" for at, who, way, kind, brief in lines[-last:])


async def fetch(server_url, path, method="GET"):
    """(status, body) of an HTTP request, on the event loop."""
    host = urllib.parse.urlsplit(server_url).netloc
    reader, writer = await asyncio.open_connection(*host.rsplit(":", 1))
    try:
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        whole = await asyncio.wait_for(reader.read(), LIMIT_S)
    finally:
        writer.close()
    head, _, body = whole.partition(b"\r\n\r\n")
    return int(head.split()[1]), body
