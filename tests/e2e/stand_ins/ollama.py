"""Ollama's own chat protocol: one JSON object a line."""
import json

from .messages import Answer
from .openai import Reply, compact, tokens_of
from .server import StandIn

CHAT, TAGS = "/api/chat", "/api/tags"


class Ollama(StandIn):
    """`models`: what has been pulled. `think`: a function of the request's body that gives what the model says."""

    def __init__(self, tls=None, models=("llama",)):
        super().__init__(tls)
        self.models = list(models)
        self.routes = {CHAT: self._chat, TAGS: self._tags}
        self.well()

    def well(self):
        super().well()
        self.think = lambda body: Reply("네, 여기서 바로 대답합니다. 무엇을 도와 드릴까요?")

    def refusal(self, path, status, message, code):
        return json.dumps({"error": message}).encode()

    async def _tags(self, request):
        models = [{"name": name, "model": name, "size": 1, "digest": "d"} for name in self.models]
        return Answer([compact({"models": models}).encode()], streamed=False)

    async def _chat(self, request):
        body = request.json()
        if body.get("model") not in self.models:
            return self.refuse(request.path, 404, f"model '{body.get('model')}' not found")
        for message in body.get("messages", []):
            if message["role"] not in ("system", "user", "assistant", "tool") or not isinstance(message.get("content", ""), str):
                return self.refuse(request.path, 400, "invalid message")
            for call in message.get("tool_calls", []):
                if not isinstance(call["function"]["arguments"], dict):
                    return self.refuse(request.path, 400, "arguments have to be an object")
        reply = self.think(body)
        if body.get("think") and not reply.reasoning:
            reply.reasoning = "Hmm."
        model = body["model"]
        lines = [_line(model, {"role": "assistant", "content": "", "thinking": token}) for token in tokens_of(reply.reasoning)]
        lines += [_line(model, {"role": "assistant", "content": token}) for token in tokens_of(reply.text)]
        calls = [{"function": {"name": name, "arguments": json.loads(arguments)}} for name, arguments in reply.calls]
        if calls:
            lines.append(_line(model, {"role": "assistant", "content": "", "tool_calls": calls}))
        end = _line(model, {"role": "assistant", "content": ""}, done=True, done_reason=reply.finish or "stop", total_duration=4883583458,
                    load_duration=1334875, prompt_eval_count=reply.usage[0], prompt_eval_duration=342546000, eval_count=reply.usage[1],
                    eval_duration=4535599000)
        return Answer(lines + [end], "application/x-ndjson", error=b'{"error":"the model runner has gone"}\n',
                      filler=_line(model, {"role": "assistant", "content": "아 "}))


def _line(model, message, done=False, **more):
    return (compact({"model": model, "created_at": "2026-11-21T07:00:00.1Z", "message": message, "done": done, **more}) + "\n").encode()
