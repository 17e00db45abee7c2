"""A Realtime service that does as it is told, and notes what it was told: exact sounds, and faults at every state of a session.

It hears what the samples say (lasting_audio), so its transcripts name what really came, and it speaks sounds of the same kind. Who talks it learns
from the sound, the text (`c12 t3`), the ids of items it gave out, or `?model=NAME-c12`. What goes wrong is asked of `script` at every state.
"""
import asyncio
import base64
import collections
import dataclasses
import itertools
import json
import re
import time
import urllib.parse

import lasting_audio as exact
from lasting_socket import Socket

STATES = ("opening", "created", "listening", "speaking", "committed", "thinking", "replying", "generated", "calling", "asked", "replaying")
WORD_MS = 100
REPLIES_FROM = 1000  # numbers of sounds: below it turns of the user
PREFIX_BYTES = exact.bytes_of(300)
LOG_MAX = 4000
WHO = re.compile(r"\bc(\d+)(?: t(\d+))?\b")
ITEM = re.compile(r"^item_[a-z]+_(\d+)_(\d+)")
CLOSE_REASONS = {1001: "Your session hit the maximum duration of 60 minutes.", 1011: "internal error", 1012: "service restart",
                 4000: "invalid_request_error.invalid_model"}


@dataclasses.dataclass
class Reply:
    """What is said to a turn: words of WORD_MS each."""
    ms: int = 400
    chunk_ms: int = 100
    gap_ms: int = 0        # between pieces
    first_ms: int = 0      # before the first
    calls: bool = False    # a function call first; the words when its output has come
    transcript_last: bool = False  # the user's transcript comes behind the reply


@dataclasses.dataclass
class Fault:
    """`kind`: reset, fin, hang, late, repeat, reorder, flood, close1001 … close4000, refuse (an error, then 3000). `after`: so many pieces of audio,
    or ms of the user's speech, or items told again; `ms`: how late."""
    kind: str
    after: int = 0
    ms: int = 200


ENDS = ("reset", "fin", "hang", "refuse")


class Script:
    """What a test or a run overrides. Each fault happens once."""

    def __init__(self, reply=None, faults=()):
        self.default_reply = reply or Reply()
        self.faults = list(faults)  # (state, turn or None, Fault)

    def reply(self, conversation, turn):
        return self.default_reply

    def fault(self, state, conversation, turn, count, connections):
        """`count`: how far the state has come, in units of Fault.after. `connections`: how many this conversation has had."""
        for entry in self.faults:
            if entry[0] == state and entry[1] in (None, turn) and count >= entry[2].after:
                self.faults.remove(entry)
                return entry[2]
        return None


@dataclasses.dataclass
class Record:
    """One conversation as the service saw it."""
    connections: list = dataclasses.field(default_factory=list)  # {number, began, ready, ended}
    committed: list = dataclasses.field(default_factory=list)    # {item, turn, runs, at, connection}
    replies: list = dataclasses.field(default_factory=list)      # {item, number, turn, ms, sent_ms, status, connection}
    told: list = dataclasses.field(default_factory=list)         # {connection, items: [{id, role, text, runs}]}
    truncated: list = dataclasses.field(default_factory=list)    # {item, ms}
    deleted: list = dataclasses.field(default_factory=list)
    faults: list = dataclasses.field(default_factory=list)       # {state, kind, turn, at, connection}
    refused: list = dataclasses.field(default_factory=list)      # {code, message, event}
    events: dict = dataclasses.field(default_factory=dict)       # what was sent, by connection: [type, id, when]
    log: list = dataclasses.field(default_factory=list)

    def plain(self):
        return dataclasses.asdict(self)


class _Over(Exception):
    """The connection has come to its end."""


class Connection(Socket):
    def __init__(self, service):
        super().__init__()
        self.service = service
        self.number = next(service.numbers)
        self.serials = itertools.count(1)
        self.conversation = None
        self.turn = 0
        self.began = time.monotonic()
        self.model = "scripted"
        self.session = None
        self.items = []              # {"id", "type", "role", "text", "runs", "ms"} in their order
        self.told = []
        self.input_bytes = 0         # of all that was appended
        self.buffer = bytearray()    # since the last commit
        self.buffer_begin = 0        # position of its first byte
        self.speaking_item = None
        self.spoken_from = 0
        self.response = None         # the running one: {"id", "task", "cancel"}
        self.repeats = 0
        self.reordered = False
        self.early_log = []
        self.came = collections.deque()
        self.some_came = asyncio.Event()
        self.ended = False
        self.task = None
        self.tasks = set()
        self.record_entry = None

    # --- life

    def on_open(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.head[0].split()[1]).query)
        self.model = query.get("model", ["scripted"])[0]
        self.service.connections.append(self)
        if found := re.search(r"-c(\d+)$", self.model):
            self.belongs_to(int(found[1]))
        self.task = asyncio.get_running_loop().create_task(self._live())

    def on_text(self, text):
        self.came.append(text)
        self.some_came.set()

    def on_binary(self, payload):
        self.refuse("invalid_event", "There are no binary frames here.", {})

    def on_end(self):
        for task in (self.task, *self.tasks):
            if task:
                task.cancel()
        if self in self.service.connections:
            self.service.connections.remove(self)
        if self.record_entry:
            self.record_entry["ended"] = time.monotonic()
            self.record_entry["close_code"] = self.close_code

    async def _live(self):
        try:
            await self.at("opening")
            self.send("session.created", session=self.shown_session())
            while True:
                while self.came:
                    await self._handle(json.loads(self.came.popleft()))
                self.some_came.clear()
                await self.some_came.wait()
        except _Over:
            pass
        except Exception as error:  # a mistake of this service must not look like a fault on purpose
            self.service.broken.append(f"connection {self.number}: {type(error).__name__}: {error}")
            self.transport.abort()
            raise

    # --- who this is, and what is noted

    @property
    def record(self):
        return self.service.records[self.conversation] if self.conversation else None

    def belongs_to(self, conversation, turn=None):
        if self.conversation is None:
            self.conversation = conversation
            record = self.record
            self.record_entry = {"number": self.number, "began": self.began, "ready": None, "ended": None, "model": self.model}
            record.connections.append(self.record_entry)
            record.log += self.early_log
            record.events[self.number] = [[kind, event_id, at] for at, _, way, kind, event_id in self.early_log if way == ">"]
            self.early_log = []
        elif conversation != self.conversation:
            self.service.broken.append(f"connection {self.number} of conversation {self.conversation} heard conversation {conversation}")
        if turn:
            self.turn = max(self.turn, turn)

    def note(self, way, kind, brief=""):
        entry = (time.monotonic(), self.number, way, kind, brief)
        log = self.record.log if self.conversation else self.early_log
        if len(log) < LOG_MAX:
            log.append(entry)

    def is_first(self):
        return self.conversation is None or len(self.record.connections) <= 1

    # --- faults

    async def at(self, state, count=0):
        if self.gone or self.ended:
            raise _Over
        connections = len(self.record.connections) if self.conversation else 0
        fault = self.service.script.fault(state, self.conversation, self.turn, count, connections)
        if not fault:
            return
        entry = {"state": state, "kind": fault.kind, "turn": self.turn, "at": time.monotonic(), "connection": self.number}
        self.service.faults.append(entry)
        if self.conversation:
            self.record.faults.append(entry)
        await self.suffer(fault)

    async def suffer(self, fault):
        kind = fault.kind
        if kind not in ENDS and not kind.startswith("close"):
            self.note("!", kind)
        if kind == "late":
            await asyncio.sleep(fault.ms / 1000)
        elif kind == "repeat":
            self.repeats = 12
        elif kind == "reorder":
            self.reordered = True
        elif kind == "flood":
            for number in range(500):
                self.send("rate_limits.updated", rate_limits=[{"name": "tokens", "limit": 500, "remaining": number, "reset_seconds": 0}])
        else:
            self.end(kind)
            raise _Over

    def end(self, kind):
        """Ends the connection in that way."""
        self.note("!", kind)
        for task in self.tasks:
            if task is not asyncio.current_task():
                task.cancel()
        if kind == "refuse":
            self.send("error", error={"type": "invalid_request_error", "code": "invalid_api_key", "message": "Incorrect API key provided.",
                                      "param": None, "event_id": None})
        self.ended = True
        if kind == "reset":
            self.reset()
        elif kind == "fin":
            self.half_close()
        elif kind == "hang":
            self.hang()
        elif kind == "refuse":
            self.close(3000, "invalid_request_error.invalid_api_key")
            self.transport.close()
        else:
            code = int(kind.removeprefix("close"))
            self.close(code, CLOSE_REASONS[code])
            self.transport.close()

    # --- sending

    def send(self, kind, **members):
        if self.gone or self.ended:
            raise _Over
        event_id = f"event_{self.number}_{next(self.serials)}"
        item = members.get("item_id") or (members.get("item") or {}).get("id") or (members.get("response") or {}).get("id") or ""
        self.note(">", kind, f"{event_id} {item}")
        if self.conversation:
            self.record.events.setdefault(self.number, []).append([kind, event_id, time.monotonic()])
        event = {"type": kind, "event_id": event_id, **members}
        self.send_event(event)
        if self.repeats > 0 and kind != "response.output_audio.delta" and not kind.endswith("transcript.delta"):
            self.repeats -= 1
            self.send_event(event)

    def refuse(self, code, message, event, param=None):
        refused = {"code": code, "message": message, "event": event.get("type"), "event_id": event.get("event_id"), "connection": self.number}
        if self.conversation:
            self.record.refused.append(refused)
        self.service.refused.append(refused)
        self.send("error", error={"type": "invalid_request_error", "code": code, "message": message, "param": param,
                                  "event_id": event.get("event_id")})

    def shown_session(self):
        shown = {"type": "realtime", "object": "realtime.session", "id": f"sess_{self.number}", "model": self.model,
                 "output_modalities": ["audio"], "instructions": "", "tools": [], "tool_choice": "auto", "max_output_tokens": "inf",
                 "tracing": None, "truncation": "auto", "prompt": None, "expires_at": int(time.time()) + 3600,
                 "audio": {"input": {"format": {"type": "audio/pcm", "rate": 24000}, "turn_detection": self.service.default_turn_detection()},
                           "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy", "speed": 1.0}}}
        for key, value in (self.session or {}).items():
            if key == "audio":
                for side in ("input", "output"):
                    shown["audio"][side].update(value.get(side) or {})
            else:
                shown[key] = value
        return shown

    # --- what clients say

    async def _handle(self, event):
        kind = event.get("type", "")
        if kind == "input_audio_buffer.append":
            pcm = base64.b64decode(event["audio"], validate=True)
            self.note("<", "audio", f"{len(pcm) // 2} samples{'' if pcm.strip(bytes(1)) else ' of silence'}")
            return await self._on_audio(pcm)
        self.note("<", kind, (event.get("item") or {}).get("id") or event.get("item_id") or event.get("event_id") or "")
        handler = {"session.update": self._on_update, "input_audio_buffer.commit": self._on_commit, "input_audio_buffer.clear": self._on_clear,
                   "conversation.item.create": self._on_item_create, "conversation.item.truncate": self._on_truncate,
                   "conversation.item.delete": self._on_delete, "conversation.item.retrieve": self._on_retrieve,
                   "response.create": self._on_response_create, "response.cancel": self._on_cancel}.get(kind)
        if handler is None:
            return self.refuse("invalid_value", f"Invalid value: {kind!r}.", event, "type")
        await handler(event)

    async def _on_update(self, event):
        given = event.get("session") or {}
        if given.get("type") != "realtime":
            return self.refuse("missing_required_parameter", "Missing required parameter: 'session.type'.", event, "session.type")
        await self.at("created")
        audio = {side: {**((self.session or {}).get("audio", {}).get(side) or {}), **((given.get("audio") or {}).get(side) or {})}
                 for side in ("input", "output")}
        self.session = {**(self.session or {}), **given, "audio": audio}
        self.send("session.updated", session=self.shown_session())

    def turn_detection(self):
        return self.shown_session()["audio"]["input"]["turn_detection"]

    async def _on_audio(self, pcm):
        if self.record_entry and self.record_entry["ready"] is None:
            self.record_entry["ready"] = time.monotonic()
        if self.speaking_item is None and self.response is None:
            await self.at("listening")
        self.input_bytes += len(pcm)
        self.buffer += pcm
        detection = self.turn_detection()
        if detection is None:
            self._recognise(self.buffer)
            if any(self.buffer):
                await self.at("speaking", self._buffer_ms())
            return
        silence = max(20, detection.get("silence_duration_ms") or 0)
        silent_bytes = bytes(exact.bytes_of(silence))
        while True:
            if self.speaking_item is None:
                rest = bytes(self.buffer).lstrip(b"\0")
                if not rest:
                    self._keep_prefix(len(self.buffer))
                    return
                start = (len(self.buffer) - len(rest)) // 2 * 2
                if len(rest) < 16:
                    return  # too little to tell whose it is
                start -= self._keep_prefix(start)
                await self._speech_started(start)
            found = bytes(self.buffer).find(silent_bytes, self.spoken_from)
            stop = -1 if found < 0 else found + found % 2
            await self.at("speaking", exact.ms_of((stop if stop >= 0 else len(self.buffer)) - self.spoken_from))
            if stop < 0 or stop + len(silent_bytes) > len(self.buffer):
                return
            await self._speech_stopped(stop + len(silent_bytes))

    def _buffer_ms(self):
        return exact.ms_of(len(self.buffer))

    def _keep_prefix(self, voiced_from):
        """Forgets what is older than the padding before `voiced_from`; how many bytes."""
        gone = max(0, voiced_from - PREFIX_BYTES)
        del self.buffer[:gone]
        self.buffer_begin += gone
        return gone

    def _recognise(self, pcm):
        for run in exact.voiced(bytes(pcm[-256:])):
            if run.conversation > 0:
                self.belongs_to(run.conversation, run.number if run.number < REPLIES_FROM else None)

    async def _speech_started(self, start):
        self.spoken_from = start
        for run in exact.voiced(bytes(self.buffer[start:start + 256])):
            if run.conversation > 0:
                self.belongs_to(run.conversation, run.number)
                break
        self.speaking_item = self.new_item("u")
        begin_ms = int(exact.ms_of(self.buffer_begin + start))
        self.send("input_audio_buffer.speech_started", audio_start_ms=max(0, begin_ms - 300), item_id=self.speaking_item)
        if self.response and self.turn_detection().get("interrupt_response", True):
            self._stop_response("turn_detected")

    async def _speech_stopped(self, stop):
        self.send("input_audio_buffer.speech_stopped", audio_end_ms=int(exact.ms_of(self.buffer_begin + stop)), item_id=self.speaking_item)
        committed, rest = bytes(self.buffer[:stop]), self.buffer[stop:]
        item, self.speaking_item = self.speaking_item, None
        self.buffer_begin += stop
        self.buffer = bytearray(rest)
        self.spoken_from = 0
        await self._commit(item, committed)
        if self.turn_detection().get("create_response", True):
            if self.response and self.response["cancel"]:
                await asyncio.wait([self.response["task"]])
            if not self.response:
                self._start_response({})

    async def _on_commit(self, event):
        if len(self.buffer) < exact.bytes_of(20):
            return self.refuse("input_audio_buffer_commit_empty", "Error committing input audio buffer: buffer too small.", event)
        self._recognise(self.buffer)
        committed, self.buffer = bytes(self.buffer), bytearray()
        self.buffer_begin += len(committed)
        await self._commit(self.speaking_item or self.new_item("u"), committed)
        self.speaking_item = None

    async def _commit(self, item_id, pcm):
        heard = exact.voiced(pcm)
        for run in heard:
            if run.conversation > 0:
                self.belongs_to(run.conversation, run.number)
        text = " ".join(["c%d t%d" % (self.conversation or 0, self.turn)] + [f"{run.number}:{run.begin}-{run.end}" for run in heard])
        previous = self.items[-1]["id"] if self.items else None
        transcript_last = self.service.script.reply(self.conversation, self.turn).transcript_last
        self.items.append({"id": item_id, "type": "message", "role": "user", "text": text, "untold": transcript_last})
        if self.conversation:
            self.record.committed.append({"item": item_id, "turn": self.turn, "runs": [dataclasses.astuple(run) for run in heard],
                                          "at": time.monotonic(), "connection": self.number, "text": text})
        shown = {"id": item_id, "type": "message", "status": "completed", "role": "user", "content": [{"type": "input_audio", "transcript": None}]}
        self.send("input_audio_buffer.committed", previous_item_id=previous, item_id=item_id)
        self.send("conversation.item.added", previous_item_id=previous, item=shown)
        self.send("conversation.item.done", previous_item_id=previous, item=shown)
        await self.at("committed")
        if not transcript_last:
            self._send_transcript(item_id, text)

    def _send_transcript(self, item_id, text):
        if (self.session or {}).get("audio", {}).get("input", {}).get("transcription") is None:
            return
        self.send("conversation.item.input_audio_transcription.completed", item_id=item_id, content_index=0, transcript=text,
                  usage={"type": "duration", "seconds": 1})

    async def _on_clear(self, _):
        self.buffer_begin += len(self.buffer)
        self.buffer = bytearray()
        self.speaking_item, self.spoken_from = None, 0
        self.send("input_audio_buffer.cleared")

    def new_item(self, kind, more=""):
        return f"item_{kind}_{self.conversation or 0}_{self.turn}_{self.number}_{next(self.service.item_numbers)}{more}"

    def item(self, item_id):
        return next((item for item in self.items if item["id"] == item_id), None)

    async def _on_item_create(self, event):
        item = dict(event.get("item") or {})
        if item.get("id") and self.item(item["id"]):
            return self.refuse("item_create_duplicate_id", f"Item {item['id']} exists.", event, "item.id")
        text, heard = item.get("output") or item.get("arguments") or "", []
        for part in item.get("content") or []:
            text += part.get("text") or part.get("transcript") or ""
            if part.get("audio"):
                heard += exact.voiced(base64.b64decode(part["audio"]))
        if item.get("role") == "assistant" and any(part.get("type") not in ("output_text", "text") for part in item.get("content") or []):
            return self.refuse("invalid_value", "Assistant messages are created with output_text.", event, "item.content")
        if item.get("role") == "user" and (found := WHO.search(text)):
            self.belongs_to(int(found[1]), int(found[2] or 0))
        for run in heard:
            if run.conversation > 0:
                self.belongs_to(run.conversation, run.number if run.number < REPLIES_FROM else None)
        item_id = item.get("id") or self.new_item("t")
        if found := ITEM.match(item_id):
            self.belongs_to(int(found[1]), int(found[2]) if item.get("role") == "user" else None)
        previous = event.get("previous_item_id")
        at = len(self.items)
        if previous == "root":
            at = 0
        elif previous is not None:
            known = self.item(previous)
            if not known:
                return self.refuse("item_not_found", f"There is no item {previous}.", event, "previous_item_id")
            at = self.items.index(known) + 1
        noted = {"id": item_id, "type": item.get("type"), "role": item.get("role") or item.get("type"), "text": text,
                 "runs": [dataclasses.astuple(run) for run in heard], "call_id": item.get("call_id")}
        self.items.insert(at, noted)
        self.told.append(noted)
        if self.conversation:
            told = self.record.told
            if not told or told[-1]["connection"] != self.number:
                told.append({"connection": self.number, "items": []})
            told[-1]["items"].append({**noted, "at": time.monotonic(), "own": str(event.get("event_id") or "").startswith("repartee_")})
        if not self.is_first():
            await self.at("replaying", len(self.told))
        content = [{key: value for key, value in part.items() if key != "audio"} for part in item.get("content") or []]
        shown = {**item, "id": item_id, "status": "completed", **({"content": content} if "content" in item else {})}
        before = self.items[at - 1]["id"] if at else None
        self.send("conversation.item.added", previous_item_id=before, item=shown)
        self.send("conversation.item.done", previous_item_id=before, item=shown)

    async def _on_truncate(self, event):
        item = self.item(event.get("item_id"))
        if not item:
            return self.refuse("item_truncate_invalid_item_id", f"Item {event.get('item_id')} is not there.", event, "item_id")
        if item["role"] != "assistant" or not item.get("sent_ms"):
            return self.refuse("unsupported_content_type", "Only model output audio messages can be truncated.", event)
        if event["audio_end_ms"] > item["sent_ms"]:
            return self.refuse("invalid_value", f"Audio content of {item['sent_ms']}ms is already shorter than {event['audio_end_ms']}ms.", event)
        item["text"] = ""
        if self.conversation:
            self.record.truncated.append({"item": item["id"], "ms": event["audio_end_ms"], "connection": self.number})
        self.send("conversation.item.truncated", item_id=item["id"], content_index=0, audio_end_ms=event["audio_end_ms"])

    async def _on_delete(self, event):
        item = self.item(event.get("item_id"))
        if not item:
            return self.refuse("item_delete_invalid_item_id", f"Item {event.get('item_id')} is not there.", event, "item_id")
        self.items.remove(item)
        if self.conversation:
            self.record.deleted.append({"item": item["id"], "connection": self.number})
        self.send("conversation.item.deleted", item_id=item["id"])

    async def _on_retrieve(self, event):
        self.refuse("item_retrieve_invalid_item_id", "Nothing is kept here.", event, "item_id")

    # --- replies

    async def _on_response_create(self, event):
        given = event.get("response") or {}
        if self.response and given.get("conversation") != "none":
            return self.refuse("conversation_already_has_active_response",
                               f"Conversation already has an active response in progress: {self.response['id']}.", event)
        if self.record_entry and self.record_entry["ready"] is None:
            self.record_entry["ready"] = time.monotonic()
        await self.at("asked")
        self._start_response(given)

    async def _on_cancel(self, event):
        if not self.response:
            return self.refuse("response_cancel_not_active", "Cancellation failed: no active response found", event)
        self._stop_response("client_cancelled")

    def _stop_response(self, reason):
        if self.response:
            self.response["cancel"] = reason
            self.response["wake"].set()

    def _start_response(self, given):
        response = {"id": f"resp_{self.conversation or 0}_{self.number}_{next(self.service.item_numbers)}", "cancel": None, "wake": asyncio.Event(),
                    "metadata": given.get("metadata")}
        self.response = response
        response["task"] = asyncio.get_running_loop().create_task(self._respond(response))
        self.tasks.add(response["task"])
        response["task"].add_done_callback(self.tasks.discard)

    async def _respond(self, response):
        try:
            script = self.service.script.reply(self.conversation, self.turn)
            answered = any(item["type"] == "function_call_output" for item in self._since_last_user_item())
            self.send("response.created", response=self._shown_response(response, "in_progress", []))
            await self.at("thinking")
            await self._pause(response, script.first_ms)
            if script.calls and not answered:
                await self._call(response)
            else:
                await self._speak(response, script)
            if script.transcript_last:
                for item in [item for item in self.items if item.pop("untold", False)]:
                    self._send_transcript(item["id"], item["text"])
            self.response = None
            await self.at("generated")
        except (_Over, asyncio.CancelledError):
            pass
        except Exception as error:
            self.service.broken.append(f"connection {self.number}: {type(error).__name__}: {error}")
            raise
        finally:
            if self.response is response:
                self.response = None

    def _since_last_user_item(self):
        last = max((place for place, item in enumerate(self.items) if item["role"] == "user"), default=-1)
        return self.items[last + 1:]

    async def _pause(self, response, ms):
        if ms <= 0:
            return await asyncio.sleep(0)
        try:
            await asyncio.wait_for(response["wake"].wait(), ms / 1000)
        except asyncio.TimeoutError:
            pass

    def _shown_response(self, response, status, output, reason=None):
        return {"id": response["id"], "object": "realtime.response", "status": status, "output": output, "conversation_id": "conv_1",
                "status_details": {"type": "cancelled", "reason": reason} if reason else None, "output_modalities": ["audio"],
                "max_output_tokens": "inf", "audio": {"output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy"}},
                "usage": None if status == "in_progress" else {
                    "total_tokens": 2, "input_tokens": 1, "output_tokens": 1,
                    "input_token_details": {"text_tokens": 1, "audio_tokens": 0, "cached_tokens": 0},
                    "output_token_details": {"text_tokens": 1, "audio_tokens": 0}}, "metadata": response["metadata"]}

    async def _speak(self, response, script):
        number = self.service.reply_numbers[self.conversation] + REPLIES_FROM
        self.service.reply_numbers[self.conversation] += 1
        item_id = self.new_item("r", f"_{number}_{script.ms}")
        ids = {"response_id": response["id"], "item_id": item_id, "output_index": 0, "content_index": 0}
        previous = self.items[-1]["id"] if self.items else None
        entry = {"item": item_id, "number": number, "turn": self.turn, "ms": script.ms, "sent_ms": 0, "status": "in_progress",
                 "connection": self.number}
        kept = {"id": item_id, "type": "message", "role": "assistant", "text": "", "sent_ms": 0}
        self.items.append(kept)
        if self.conversation:
            self.record.replies.append(entry)

        def shown(status, text=None):
            content = [] if text is None else [{"type": "output_audio", "transcript": text}]
            return {"id": item_id, "type": "message", "status": status, "role": "assistant", "content": content}

        self.send("response.output_item.added", response_id=response["id"], output_index=0, item=shown("in_progress"))
        self.send("conversation.item.added", previous_item_id=previous, item=shown("in_progress"))
        self.send("response.content_part.added", **ids, part={"type": "audio", "transcript": ""})
        text, said_words = "", 0
        for piece, begin in enumerate(range(0, script.ms, script.chunk_ms)):
            if response["cancel"]:
                break
            await self.at("replying", piece)
            ms = min(script.chunk_ms, script.ms - begin)
            while said_words * WORD_MS < begin + ms:
                delta = f"{' ' if text else ''}r{number}w{said_words}"
                text, said_words = text + delta, said_words + 1
                self.send("response.output_audio_transcript.delta", **ids, delta=delta)
            pcm = exact.sound(self.conversation or 1, number, ms * exact.SAMPLES_A_MS, begin * exact.SAMPLES_A_MS)
            self.send("response.output_audio.delta", **ids, delta=base64.b64encode(pcm).decode())
            entry["sent_ms"] = kept["sent_ms"] = begin + ms
            await self._pause(response, script.gap_ms)
        await self.at("replying", script.ms // script.chunk_ms + 1)
        status = "incomplete" if response["cancel"] else "completed"
        entry["status"] = "cancelled" if response["cancel"] else "completed"
        kept["text"] = text
        self._finish(response, [
            ("response.output_audio.done", ids),
            ("response.output_audio_transcript.done", {**ids, "transcript": text}),
            ("response.content_part.done", {**ids, "part": {"type": "audio", "transcript": text}}),
            ("conversation.item.done", {"previous_item_id": previous, "item": shown(status, text)}),
            ("response.output_item.done", {"response_id": response["id"], "output_index": 0, "item": shown(status, text)})], [shown(status, text)])

    def _finish(self, response, events, output):
        status = "cancelled" if response["cancel"] else "completed"
        last = ("response.done", {"response": self._shown_response(response, status, output, response["cancel"])})
        if self.reordered:
            self.reordered = False
            events = [*reversed(events[1:]), last, events[0]]
        else:
            events.append(last)
        for kind, members in events:
            self.send(kind, **members)

    async def _call(self, response):
        item_id, call_id = self.new_item("f"), f"call_{next(self.service.item_numbers)}"
        arguments = json.dumps({"turn": self.turn})
        previous = self.items[-1]["id"] if self.items else None
        self.items.append({"id": item_id, "type": "function_call", "role": "function_call", "text": arguments, "call_id": call_id})

        def shown(status, text):
            return {"id": item_id, "type": "function_call", "status": status, "call_id": call_id, "name": "look_up", "arguments": text}

        ids = {"response_id": response["id"], "item_id": item_id, "output_index": 0, "call_id": call_id}
        self.send("response.output_item.added", response_id=response["id"], output_index=0, item=shown("in_progress", ""))
        self.send("conversation.item.added", previous_item_id=previous, item=shown("in_progress", ""))
        self.send("response.function_call_arguments.delta", **ids, delta=arguments)
        await self.at("calling", 0)
        self._finish(response, [
            ("response.function_call_arguments.done", {**ids, "name": "look_up", "arguments": arguments}),
            ("conversation.item.done", {"previous_item_id": previous, "item": shown("completed", arguments)}),
            ("response.output_item.done", {"response_id": response["id"], "output_index": 0, "item": shown("completed", arguments)})],
            [shown("completed", arguments)])
        self.response = None
        await self.at("calling", 1)


class Service:
    """Listens, and keeps what all connections have in common."""

    def __init__(self, script=None, tls=None):
        self.script = script or Script()
        self.tls = tls
        self.connections = []   # those that are open
        self.numbers = itertools.count(1)
        self.item_numbers = itertools.count(1)
        self.reply_numbers = collections.Counter()
        self.records = collections.defaultdict(Record)
        self.faults, self.refused, self.broken = [], [], []
        self.accepted = 0

    @staticmethod
    def default_turn_detection():
        return {"type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 200, "idle_timeout_ms": None,
                "create_response": True, "interrupt_response": True}

    def _connection(self):
        self.accepted += 1
        return Connection(self)

    async def __aenter__(self):
        self.server = await asyncio.get_running_loop().create_server(self._connection, "127.0.0.1", 0, ssl=self.tls, backlog=1024)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for connection in list(self.connections):
            connection.transport.abort()
        await asyncio.sleep(0)

    @property
    def url(self):
        return f"{'wss' if self.tls else 'ws'}://localhost:{self.port}/v1/realtime"

    def of(self, conversation):
        """The connections of a conversation that are open, oldest first."""
        return [connection for connection in self.connections if connection.conversation == conversation]
