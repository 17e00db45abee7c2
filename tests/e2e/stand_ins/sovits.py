"""GPT-SoVITS api_v2: a voice from a reference recording, one request at a time."""
import asyncio
import json

from .messages import Answer
from .openai import in_pieces, spoken, streamed_wav
from .server import StandIn

TTS = "/tts"
LANGUAGES = {"zh", "en", "ja", "ko", "yue", "all_zh", "all_ja", "all_ko", "all_yue", "auto", "auto_yue"}


class SoVits(StandIn):
    """`hz`: 32000 as v1 and v2 of the model. `most_at_once`: how many requests were under way at the same time."""

    def __init__(self, tls=None, hz=32000):
        super().__init__(tls)
        self.hz = hz
        self.routes = {TTS: self._speak}
        self.at_once = self.most_at_once = 0
        self._turn = asyncio.Lock()

    def refusal(self, path, status, message, code):
        return json.dumps({"message": message}).encode()

    async def _answer(self, request, writer, gone):
        # The original works in its event loop: whoever asks meanwhile waits for the header.
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            async with self._turn:
                return await super()._answer(request, writer, gone)
        finally:
            self.at_once -= 1

    async def _speak(self, request):
        body = request.json()
        for name in ("text", "text_lang", "ref_audio_path", "prompt_lang"):
            if not body.get(name):
                return self.refuse(request.path, 400, f"{name} is required")
        for name in ("text_lang", "prompt_lang"):
            if body[name].lower() not in LANGUAGES:
                return self.refuse(request.path, 400, f"{name}: {body[name]} is not supported in version v2")
        mode, media = body.get("streaming_mode", 0), body.get("media_type", "wav")
        if mode not in (0, 1, 2, 3) or media not in ("wav", "raw", "ogg", "aac"):
            return self.refuse(request.path, 400, "streaming_mode must be 0, 1, 2, 3 and media_type wav, raw, ogg or aac")
        pcm = await asyncio.to_thread(spoken, body["text"], self.hz)
        if media == "raw":
            return Answer(in_pieces(pcm, 6000), "audio/raw", streamed=bool(mode), filler=pcm[:6400])
        if not mode:
            return Answer([streamed_wav(pcm, self.hz, len(pcm))], "audio/wav", streamed=False, filler=pcm[:6400])
        return Answer([streamed_wav(b"", self.hz, 0)] + in_pieces(pcm, 6000), "audio/wav", filler=pcm[:6400])
