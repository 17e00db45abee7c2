"""The three HTTP services of OpenAI, as strict as the original where a wrong request is easily made."""
import asyncio
import collections
import dataclasses
import functools
import io
import json
import re
import struct
import subprocess
import wave

from speech import speech

from .messages import Answer, Malformed
from .server import StandIn

TRANSCRIPTIONS, CHAT, SPEECH, MODELS = "/v1/audio/transcriptions", "/v1/chat/completions", "/v1/audio/speech", "/v1/models"
VOICES = {"alloy", "ash", "coral", "echo", "fable", "onyx", "nova", "sage", "shimmer"}  # of tts-1
HZ = 24000
SIGNATURES = {"wav": lambda b: b[:4] == b"RIFF" and b[8:12] == b"WAVE",
              "webm": lambda b: b[:4] == b"\x1a\x45\xdf\xa3", "ogg": lambda b: b[:4] == b"OggS",
              "mp3": lambda b: b[:3] == b"ID3" or b[:1] == b"\xff" and b[1] & 0xe0 == 0xe0, "m4a": lambda b: b[4:8] == b"ftyp",
              "mp4": lambda b: b[4:8] == b"ftyp", "flac": lambda b: b[:4] == b"fLaC"}
CLASSIFIER_TOKENS_MAX = 40
GREETED = "네, 말씀 잘 들었습니다. 오늘은 물을 자주 드시고, 일찍 주무세요."


@dataclasses.dataclass
class Reply:
    """What the model says next."""
    text: str = ""
    calls: list = dataclasses.field(default_factory=list)  # (name, arguments as JSON text)
    usage: tuple = (21, 12)
    reasoning: str = ""  # in reasoning_content, never to be spoken
    whole_calls: bool = False  # one chunk a call, without its index, as some servers do
    finish: str | None = None


@dataclasses.dataclass
class Heard:
    """A recording that came to be transcribed."""
    file_name: str
    content_type: str
    content: bytes
    fields: dict
    seconds: float = 0.0  # WAV only
    hz: int = 0


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def tokens_of(text):
    """As models give it: a few characters at a time."""
    return re.findall(r"\s*\S{1,3}|\s+$", text)


@functools.lru_cache(maxsize=256)
def spoken(text, hz=HZ):
    return speech(text, "ko" if re.search("[가-힣]", text) else "en", hz)


def streamed_wav(pcm, hz, length):
    """A WAV whose header was written before its length was known."""
    riff_length = length + 36 if 0 < length < 0xFFFFFFFF else length
    shape = struct.pack("<IHHIIHH", 16, 1, 1, hz, hz * 2, 2, 16)
    return b"RIFF" + struct.pack("<I", riff_length) + b"WAVEfmt " + shape + b"data" + struct.pack("<I", length) + pcm


def in_pieces(content, size=4800):
    return [content[at:at + size] for at in range(0, len(content), size)] or [b""]


class OpenAI(StandIn):
    """Scripts: `texts` (what is heard next), `replies` (what the model says next; else `think`, a function of the request's body), `sounds`
    (text → PCM at 24 kHz)."""

    def __init__(self, tls=None, api_key=None):
        super().__init__(tls)
        self.api_key = api_key
        self.routes = {TRANSCRIPTIONS: self._transcribe, CHAT: self._chat, SPEECH: self._speak, MODELS: self._models}
        self.sounds = {}
        self.well()

    def well(self):
        super().well()
        self.texts, self.text = collections.deque(), "요즘 잠을 잘 못 자요."
        self.replies, self.think = collections.deque(), lambda body: Reply(GREETED)
        self.heard = []
        self.request_class = "general_question"
        self.no_speech = 0.01  # how sure it is that nobody spoke (verbose_json)

    @property
    def base(self):
        return self.url + "/v1"

    def prompts(self):
        """The messages of every conversation turn that was asked for; questions of a classifier are left out."""
        bodies = [request.json() for request in self.of(CHAT)]
        return [body["messages"] for body in bodies if not _is_classifier(body)]

    def spoken_texts(self, of=None):
        """As they were asked for; with `of` (the whole text) in its order: of two that are asked for at once either may come first."""
        texts = [request.json()["input"] for request in self.of(SPEECH)]
        return sorted(texts, key=of.index) if of else texts

    def _refused_key(self, request):
        if self.api_key and request.headers.get("authorization") != f"Bearer {self.api_key}":
            return self.refuse(request.path, 401, "Incorrect API key provided.", "invalid_api_key")
        return None

    # --- speech to text

    async def _transcribe(self, request):
        if refused := self._refused_key(request):
            return refused
        try:
            parts = request.form()
            heard = _heard(parts)
        except (Malformed, KeyError, wave.Error, EOFError) as error:
            return self.refuse(request.path, 400, f"Invalid file format. {error}", "invalid_value")
        fields = heard.fields
        if not fields.get("model"):
            return self.refuse(request.path, 400, "you must provide a model parameter", "missing_required_parameter")
        self.heard.append(heard)
        text = self.texts.popleft() if self.texts else self.text
        text = text(heard) if callable(text) else text
        usage = {"type": "tokens", "input_tokens": 14, "input_token_details": {"text_tokens": 0, "audio_tokens": 14}, "output_tokens": 45,
                 "total_tokens": 59}
        response_format = fields.get("response_format", "json")
        if response_format == "text":
            return Answer([(text + "\n").encode()], "text/plain; charset=utf-8", streamed=False)
        if response_format == "verbose_json":
            segment = {"id": 0, "seek": 0, "start": 0.0, "end": heard.seconds, "text": text, "tokens": [1], "temperature": 0,
                       "avg_logprob": -1.4 if self.no_speech > 0.5 else -0.2, "compression_ratio": 1.0, "no_speech_prob": self.no_speech}
            body = {"task": "transcribe", "language": "korean", "duration": heard.seconds, "text": text, "segments": [segment], "usage": usage}
            return Answer([compact(body).encode()], streamed=False)
        if fields.get("stream") == "true":
            deltas = [{"type": "transcript.text.delta", "delta": token} for token in tokens_of(text)]
            events = [f"data: {compact(event)}\n\n".encode() for event in deltas + [{"type": "transcript.text.done", "text": text, "usage": usage}]]
            return Answer(events, "text/event-stream", error=b'data: {"error":{"message":"The server had an error.","type":"server_error"}}\n\n',
                          filler='data: {"type":"transcript.text.delta","delta":"아 "}\n\n'.encode())
        return Answer([compact({"text": text, "usage": usage}).encode()], streamed=False)

    # --- language model

    async def _chat(self, request):
        if refused := self._refused_key(request):
            return refused
        body = request.json()
        if mistake := _mistake(body):
            return self.refuse(request.path, 400, mistake, "invalid_request_error")
        if _is_classifier(body):
            reply = Reply(self.request_class, usage=(5, 2))
        else:
            reply = self.replies.popleft() if self.replies else self.think(body)
        reply = Reply(reply) if isinstance(reply, str) else reply
        if not body.get("stream"):
            message = {"role": "assistant", "content": reply.text or None, "tool_calls": _calls(reply.calls)} if reply.calls else {
                "role": "assistant", "content": reply.text}
            choice = {"index": 0, "message": message, "finish_reason": _finish(reply)}
            whole = {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice], "usage": _usage(reply)}
            return Answer([compact(whole).encode()], streamed=False)
        with_usage = bool(body.get("stream_options", {}).get("include_usage"))
        return Answer([f"data: {event}\n\n".encode() for event in _chunks(reply, body["model"], with_usage)], "text/event-stream; charset=utf-8",
                      error=b'data: {"error":{"message":"The model overheated.","type":"server_error","code":"overloaded"}}\n\n',
                      filler=f"data: {_chunk(body['model'], {'content': '아 '})}\n\n".encode())

    # --- text to speech

    async def _speak(self, request):
        if refused := self._refused_key(request):
            return refused
        body = request.json()
        text, voice = body.get("input", ""), body.get("voice")
        if not 0 < len(text) <= 4096:
            return self.refuse(request.path, 400, "input has to have 1 to 4096 characters", "string_too_long")
        if not body.get("model") or voice not in VOICES:
            return self.refuse(request.path, 400, f"Input should be one of the voices, not {voice!r}", "invalid_value")
        if body["model"].startswith("tts-1") and "instructions" in body:
            return self.refuse(request.path, 400, "instructions are not supported by this model", "invalid_value")
        pcm = await self.sound(text)
        answered_format = body.get("response_format", "mp3")
        if answered_format == "pcm":
            return Answer(in_pieces(pcm), "audio/pcm", filler=pcm[:4800] or bytes(4800))
        if answered_format == "wav":
            return Answer(in_pieces(streamed_wav(pcm, HZ, 0xFFFFFFFF)), "audio/wav", filler=pcm[:4800])
        return Answer(in_pieces(await asyncio.to_thread(mp3, pcm)), "audio/mpeg")

    async def sound(self, text, hz=HZ):
        """What speaking it gives, as PCM16."""
        return self.sounds[text] if text in self.sounds else await asyncio.to_thread(spoken, text, hz)

    async def _models(self, request):
        model = {"id": "m", "object": "model", "created": 1790000000, "owned_by": "o"}
        return Answer([compact({"object": "list", "data": [model]}).encode()], streamed=False)


@functools.lru_cache(maxsize=64)
def mp3(pcm, hz=HZ):
    return subprocess.run(["ffmpeg", "-v", "error", "-f", "s16le", "-ar", str(hz), "-ac", "1", "-i", "pipe:0", "-b:a", "64k", "-f", "mp3", "pipe:1"],
                          input=pcm, capture_output=True, check=True).stdout


def _heard(parts):
    file = parts["file"]
    extension = (file.file_name or "").rpartition(".")[2]
    if extension not in SIGNATURES:
        raise Malformed(f"a file name without a known extension: {file.file_name!r}")
    if not SIGNATURES[extension](file.content):
        raise Malformed(f"{file.file_name} begins with {file.content[:12]!r}")
    if not file.content_type.startswith(("audio/", "video/")):
        raise Malformed(f"a recording of type {file.content_type!r}")
    fields = {name: part.content.decode() for name, part in parts.items() if part.file_name is None}
    heard = Heard(file.file_name, file.content_type, file.content, fields)
    if extension == "wav":
        with wave.open(io.BytesIO(file.content)) as recording:
            if (recording.getnchannels(), recording.getsampwidth()) != (1, 2):
                raise Malformed("a WAV that is not PCM16 mono")
            heard.hz, heard.seconds = recording.getframerate(), recording.getnframes() / recording.getframerate()
    return heard


def _is_classifier(body):
    most = body.get("max_completion_tokens") or body.get("max_tokens") or body.get("options", {}).get("num_predict")
    return bool(most) and most <= CLASSIFIER_TOKENS_MAX


def _mistake(body):
    """What a strict chat server has against the request, or None."""
    if not body.get("model"):
        return "you must provide a model parameter"
    if "stream_options" in body and not body.get("stream"):
        return "stream_options only with stream"
    messages = body.get("messages") or []
    if not any(message["role"] == "user" for message in messages):
        return "there is no message of the user"
    for tool in body.get("tools", []):
        if tool.get("type") != "function" or not tool.get("function", {}).get("name"):
            return "tools[].function is missing"
    open_calls = []
    for message in messages:
        if message["role"] not in ("system", "developer", "user", "assistant", "tool"):
            return f"unknown role {message['role']!r}"
        if message["role"] == "tool":
            if message.get("tool_call_id") not in open_calls:
                return "a tool message must follow the tool_calls it answers"
            open_calls.remove(message["tool_call_id"])
        elif open_calls:
            return f"tool_call_ids without an answer: {open_calls}"
        else:
            open_calls = [call["id"] for call in message.get("tool_calls", [])]
        if not isinstance(message.get("content"), str) and not message.get("tool_calls"):
            return f"a {message['role']} message without content"
    return f"tool_call_ids without an answer: {open_calls}" if open_calls else None


def _finish(reply):
    return reply.finish or ("tool_calls" if reply.calls else "stop")


def _usage(reply):
    return {"prompt_tokens": reply.usage[0], "completion_tokens": reply.usage[1], "total_tokens": sum(reply.usage)}


def _calls(calls):
    return [{"id": f"call_{i}", "type": "function", "function": {"name": name, "arguments": arguments}} for i, (name, arguments) in enumerate(calls)]


def _chunk(model, delta, finish=None, **more):
    return compact({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1790000000, "model": model,
                    "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more})


def _chunks(reply, model, with_usage):
    more = {"usage": None} if with_usage else {}
    yield _chunk(model, {"role": "assistant", "content": None if reply.calls else ""}, **more)
    for token in tokens_of(reply.reasoning):
        yield _chunk(model, {"reasoning_content": token, "content": None}, **more)
    for token in tokens_of(reply.text):
        yield _chunk(model, {"content": token}, obfuscation="a8", **more)
    for i, call in enumerate(_calls(reply.calls)):
        if reply.whole_calls:
            yield _chunk(model, {"tool_calls": [call]}, **more)
            continue
        arguments = call["function"]["arguments"]
        yield _chunk(model, {"tool_calls": [{**call, "index": i, "function": {"name": call["function"]["name"], "arguments": ""}}]}, **more)
        for at in range(0, len(arguments), 5):
            yield _chunk(model, {"tool_calls": [{"index": i, "function": {"arguments": arguments[at:at + 5]}}]}, **more)
    yield _chunk(model, {}, _finish(reply), **more)
    if with_usage:
        yield compact({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1790000000, "model": model, "choices": [],
                       "usage": _usage(reply)})
    yield "[DONE]"
