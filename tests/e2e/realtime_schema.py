"""The server events of OpenAI Realtime (GA) as a checker: names, types and words of every member; what is not named is a mistake.

A shape is one of
  str, int, float, bool   a JSON value of that type (float: any number; int: a whole one)
  dict                    any object
  {"a", "b"}              one of these words
  {"name": shape}         an object with exactly these members; "name?" may be left out, but is never null
  [shape]                 a list
  Map(shape)              an object with free names
  Range(low, high)        a whole number within limits
  OneOf(shape, ...)       any of these; None stands for null
"""

Map = type("Map", (tuple,), {"__new__": lambda cls, shape: tuple.__new__(cls, (shape,))})
Range = type("Range", (tuple,), {"__new__": lambda cls, low, high: tuple.__new__(cls, (low, high))})
OneOf = type("OneOf", (tuple,), {"__new__": lambda cls, *shapes: tuple.__new__(cls, shapes)})

COUNT = Range(0, 2**53)
TEXT_OR_NULL = OneOf(str, None)

# ── conversation items ───────────────────────────────────────────────────────────────────────────────────────────────

STATUS = {"completed", "incomplete", "in_progress"}
COMMON = {"id": str, "object?": {"realtime.item"}, "status": STATUS}
MESSAGE = {**COMMON, "type": {"message"}}

INPUT_TEXT = {"type": {"input_text"}, "text": str}
# The official agents SDK throws on a user's audio without a transcript; "" until it is known.
INPUT_AUDIO = {"type": {"input_audio"}, "audio?": str, "transcript": str}
INPUT_IMAGE = {"type": {"input_image"}, "image_url": str, "detail?": {"auto", "low", "high"}}
OUTPUT_TEXT = {"type": {"output_text"}, "text": str}
OUTPUT_AUDIO = {"type": {"output_audio"}, "audio?": str, "transcript?": str}

MCP_ERROR = OneOf({"type": {"protocol_error"}, "code": int, "message": str},
                  {"type": {"tool_execution_error"}, "message": str},
                  {"type": {"http_error"}, "code": int, "message": str})
MCP_TOOL = {"name": str, "description?": TEXT_OR_NULL, "input_schema": dict, "annotations?": OneOf(dict, None)}

ITEM = OneOf(
    {**MESSAGE, "role": {"system"}, "content": [INPUT_TEXT]},
    {**MESSAGE, "role": {"user"}, "content": [OneOf(INPUT_TEXT, INPUT_AUDIO, INPUT_IMAGE)]},
    {**MESSAGE, "role": {"assistant"}, "content": [OneOf(OUTPUT_TEXT, OUTPUT_AUDIO)]},
    {**COMMON, "type": {"function_call"}, "call_id": str, "name": str, "arguments": str},
    {**COMMON, "type": {"function_call_output"}, "call_id": str, "output": str},
    {"type": {"mcp_list_tools"}, "id": str, "server_label": str, "tools": [MCP_TOOL]},
    {"type": {"mcp_call"}, "id": str, "server_label": str, "name": str, "arguments": str, "approval_request_id?": TEXT_OR_NULL,
     "output?": TEXT_OR_NULL, "error?": OneOf(MCP_ERROR, None)},
    {"type": {"mcp_approval_request"}, "id": str, "server_label": str, "name": str, "arguments": str},
    {"type": {"mcp_approval_response"}, "id": str, "approval_request_id": str, "approve": bool, "reason?": TEXT_OR_NULL},
)

# ── session ──────────────────────────────────────────────────────────────────────────────────────────────────────────

FORMAT = OneOf({"type": {"audio/pcm"}, "rate": Range(24000, 24000)}, {"type": {"audio/pcmu"}}, {"type": {"audio/pcma"}})
MODALITIES = [{"text", "audio"}]
OUTPUT_TOKENS = OneOf(Range(1, 4096), {"inf"})

SERVER_VAD = {"type": {"server_vad"}, "threshold": float, "prefix_padding_ms": COUNT, "silence_duration_ms": COUNT,
              "idle_timeout_ms?": OneOf(Range(5000, 30000), None), "create_response": bool, "interrupt_response": bool}
SEMANTIC_VAD = {"type": {"semantic_vad"}, "eagerness": {"low", "medium", "high", "auto"}, "create_response": bool, "interrupt_response": bool}
TRANSCRIPTION = {"model?": str, "language?": str, "languages?": [str], "prompt?": str}
NOISE_REDUCTION = {"type": {"near_field", "far_field"}}
LOGPROBS = [{"item.input_audio_transcription.logprobs"}]

TOOL_FILTER = {"tool_names?": [str], "read_only?": bool}
FUNCTION_TOOL = {"type": {"function"}, "name": str, "description?": str, "parameters?": dict}
MCP_SERVER = {"type": {"mcp"}, "server_label": str, "server_url?": str, "connector_id?": str, "authorization?": str, "server_description?": str,
              "headers?": OneOf(Map(str), None), "allowed_tools?": OneOf([str], TOOL_FILTER, None),
              "require_approval?": OneOf({"always", "never"}, {"always?": TOOL_FILTER, "never?": TOOL_FILTER}, None)}
TOOL_CHOICE = OneOf({"auto", "none", "required"}, {"type": {"function"}, "name": str},
                    {"type": {"mcp"}, "server_label": str, "name?": TEXT_OR_NULL})
TRUNCATION = OneOf({"auto", "disabled"},
                   {"type": {"retention_ratio"}, "retention_ratio": float, "token_limits?": {"post_instructions?": COUNT}})
TRACING = OneOf({"auto"}, {"workflow_name?": str, "group_id?": str, "metadata?": dict}, None)
PROMPT = OneOf({"id": str, "version?": TEXT_OR_NULL, "variables?": OneOf(Map(OneOf(str, dict)), None)}, None)


def realtime_session(input_format, output_format, **more):
    return {
        "type": {"realtime"}, "object": {"realtime.session"}, "id": str, "model": str, "expires_at": COUNT, "output_modalities": MODALITIES,
        "instructions": str, "tools": [OneOf(FUNCTION_TOOL, MCP_SERVER)], "tool_choice": TOOL_CHOICE, "max_output_tokens": OUTPUT_TOKENS,
        "audio": {"input": {"format": input_format, "transcription?": TRANSCRIPTION, "noise_reduction?": NOISE_REDUCTION,
                            "turn_detection": OneOf(SERVER_VAD, SEMANTIC_VAD, None)},
                  "output": {"format": output_format, "voice": str, "speed": float}},
        "include?": LOGPROBS, "tracing?": TRACING, "reasoning?": {"effort?": {"minimal", "low", "medium", "high", "xhigh"}},
        "truncation?": TRUNCATION, "prompt?": PROMPT, **more}


TRANSCRIPTION_SESSION = {
    "type": {"transcription"}, "object": {"realtime.transcription_session"}, "id": str, "expires_at": COUNT, "include?": LOGPROBS,
    "audio": {"input": {"format": FORMAT, "transcription?": TRANSCRIPTION, "noise_reduction?": NOISE_REDUCTION,
                        "turn_detection": OneOf({"type": {"server_vad", "semantic_vad"}, "threshold?": float, "prefix_padding_ms?": COUNT,
                                                 "silence_duration_ms?": COUNT}, None)}}}

# ── responses ────────────────────────────────────────────────────────────────────────────────────────────────────────

BY_MODALITY = {"text_tokens": COUNT, "audio_tokens": COUNT, "image_tokens?": COUNT}
USAGE = {"total_tokens": COUNT, "input_tokens": COUNT, "output_tokens": COUNT,
         "input_token_details": {**BY_MODALITY, "cached_tokens": COUNT, "cached_tokens_details?": BY_MODALITY},
         "output_token_details": {"text_tokens": COUNT, "audio_tokens": COUNT}}
TRANSCRIPTION_USAGE = OneOf({"type": {"tokens"}, "total_tokens": COUNT, "input_tokens": COUNT, "output_tokens": COUNT,
                             "input_token_details": {"text_tokens": COUNT, "audio_tokens": COUNT}},
                            {"type": {"duration"}, "seconds": float})
# `message` of a failure is in no published schema, but on the wire.
STATUS_DETAILS = OneOf({"type": {"completed"}},
                       {"type": {"cancelled"}, "reason": {"turn_detected", "client_cancelled"}},
                       {"type": {"incomplete"}, "reason": {"max_output_tokens", "content_filter"}},
                       {"type": {"failed"}, "error?": {"type?": str, "code?": str, "message?": str}})
RESPONSE = {"id": str, "object": {"realtime.response"}, "output": [ITEM], "conversation_id?": str, "output_modalities": MODALITIES,
            "max_output_tokens": OUTPUT_TOKENS, "audio?": {"output": {"format": FORMAT, "voice": str}}, "metadata?": OneOf(Map(str), None)}
BEGUN = {**RESPONSE, "status": {"in_progress"}}
ENDED = OneOf({**RESPONSE, "status": {"completed"}, "usage": USAGE, "status_details?": STATUS_DETAILS},
              {**RESPONSE, "status": {"cancelled", "incomplete", "failed"}, "usage": USAGE, "status_details": STATUS_DETAILS})

# ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────────

IN_RESPONSE = {"response_id": str, "item_id": str, "output_index": COUNT}
IDS = {**IN_RESPONSE, "content_index": COUNT}
PART = {"part": OneOf({"type": {"audio"}, "transcript?": str, "audio?": str}, {"type": {"text"}, "text?": str})}
PLACED_ITEM = {"previous_item_id": TEXT_OR_NULL, "item": ITEM}
LOGPROB = OneOf([{"token": str, "logprob": float, "bytes": [int]}], None)
# What a client needs to come back to its session: ours.
RESUME = {"token": str, "window_ms": COUNT}
CREATED_SESSION = {"session": OneOf(realtime_session(FORMAT, FORMAT, **{"resume?": RESUME}), {**TRANSCRIPTION_SESSION, "resume?": RESUME})}
SESSION = {"session": OneOf(realtime_session(FORMAT, FORMAT), TRANSCRIPTION_SESSION)}
TRANSCRIBED = "conversation.item.input_audio_transcription."

EVENTS = {
    "session.created": CREATED_SESSION,
    "session.updated": SESSION,
    "error": {"error": {"type": str, "code?": TEXT_OR_NULL, "message": str, "param?": TEXT_OR_NULL, "event_id?": TEXT_OR_NULL}},
    "conversation.item.added": PLACED_ITEM,
    "conversation.item.done": PLACED_ITEM,
    "conversation.item.retrieved": {"item": ITEM},
    "conversation.item.truncated": {"item_id": str, "content_index": COUNT, "audio_end_ms": COUNT},
    "conversation.item.deleted": {"item_id": str},
    TRANSCRIBED + "delta": {"item_id": str, "content_index?": COUNT, "delta?": str, "logprobs?": LOGPROB},
    TRANSCRIBED + "completed": {"item_id": str, "content_index": COUNT, "transcript": str, "languages?": [{"code": str}], "logprobs?": LOGPROB,
                                "usage": TRANSCRIPTION_USAGE},
    TRANSCRIBED + "segment": {"item_id": str, "content_index": COUNT, "text": str, "id": str, "speaker": str, "start": float, "end": float},
    TRANSCRIBED + "failed": {"item_id": str, "content_index": COUNT, "error": {"type?": str, "code?": str, "message?": str, "param?": str}},
    "input_audio_buffer.committed": {"previous_item_id": TEXT_OR_NULL, "item_id": str},
    "input_audio_buffer.cleared": {},
    "input_audio_buffer.speech_started": {"audio_start_ms": COUNT, "item_id": str},
    "input_audio_buffer.speech_stopped": {"audio_end_ms": COUNT, "item_id": str},
    "input_audio_buffer.timeout_triggered": {"audio_start_ms": COUNT, "audio_end_ms": COUNT, "item_id": str},
    "output_audio_buffer.started": {"response_id": str},
    "output_audio_buffer.stopped": {"response_id": str},
    "output_audio_buffer.cleared": {"response_id": str},
    "response.created": {"response": BEGUN},
    "response.done": {"response": ENDED},
    "response.output_item.added": {"response_id": str, "output_index": COUNT, "item": ITEM},
    "response.output_item.done": {"response_id": str, "output_index": COUNT, "item": ITEM},
    "response.content_part.added": {**IDS, **PART},
    "response.content_part.done": {**IDS, **PART},
    "response.output_text.delta": {**IDS, "delta": str},
    "response.output_text.done": {**IDS, "text": str},
    "response.output_audio_transcript.delta": {**IDS, "delta": str},
    "response.output_audio_transcript.done": {**IDS, "transcript": str},
    "response.output_audio.delta": {**IDS, "delta": str},
    "response.output_audio.done": IDS,
    "response.function_call_arguments.delta": {**IN_RESPONSE, "call_id": str, "delta": str},
    "response.function_call_arguments.done": {**IN_RESPONSE, "call_id": str, "name": str, "arguments": str},
    "response.mcp_call_arguments.delta": {**IN_RESPONSE, "delta": str, "obfuscation": str},
    "response.mcp_call_arguments.done": {**IN_RESPONSE, "arguments": str},
    "response.mcp_call.in_progress": {"output_index": COUNT, "item_id": str},
    "response.mcp_call.completed": {"output_index": COUNT, "item_id": str},
    "response.mcp_call.failed": {"output_index": COUNT, "item_id": str},
    "mcp_list_tools.in_progress": {"item_id": str},
    "mcp_list_tools.completed": {"item_id": str},
    "mcp_list_tools.failed": {"item_id": str},
    "session.resumed": {"session": {"type": {"realtime"}, "id?": str, "character_id?": str, "model?": str, "resume": RESUME}, "events_again": COUNT,
                        "events_lost": COUNT, "audio_ms_again?": COUNT},
    "rate_limits.updated": {"rate_limits": [{"name": {"tokens", "requests"}, "limit": COUNT, "remaining": COUNT, "reset_seconds": float}]},
}

# ── /ws/conversations ────────────────────────────────────────────────────────────────────────────────────────────────

RATES = (8000, 16000, 24000, 44100, 48000)
ANY_RATE = OneOf(*({"type": {"audio/pcm"}, "rate": Range(hz, hz)} for hz in RATES))
CONVERSATION_SESSION = {"session": realtime_session(ANY_RATE, ANY_RATE, character_id=str, voice=str,
                                                    pacing=OneOf({"enabled": bool, "lead_ms": COUNT}, {"enabled": bool}), **{"resume?": RESUME})}
CONVERSATION_EVENTS = {
    **EVENTS,
    "session.created": CONVERSATION_SESSION,
    "session.updated": CONVERSATION_SESSION,
    "session.recovering": {"code": str, "message": str, "attempt": COUNT},
    "session.upstream_changed": {"reason": {"rotation", "recovery"}, "ms": COUNT, "model": str},
    "session.warning": {"limit": {"session", "turn"}, "remaining_ms": COUNT},
    "audio.start": {"item_id": str, "response_id": str, "content_index": COUNT, "output_rate": OneOf(*(Range(hz, hz) for hz in RATES)),
                    "offset_ms?": COUNT},
    "audio.end": {"item_id": str, "audio_ms": COUNT},
    "audio.clear": {"item_id": TEXT_OR_NULL, "audio_end_ms": COUNT, "reason": {"turn_detected", "client_cancelled", "upstream_lost", "session_ending"}},
}
del CONVERSATION_EVENTS["response.output_audio.delta"]  # its audio comes as binary frames


def check_server_event(event, events=EVENTS):
    """Raises AssertionError naming the path of the first mistake. `events`: EVENTS of /v1/realtime, or CONVERSATION_EVENTS."""
    assert isinstance(event, dict), f"an event is an object, not {_shown(event)}"
    event_type = event.get("type")
    assert event_type in events, f"there is no server event of type {_shown(event_type)}"
    mistake = _mistake(event, {"type": {event_type}, "event_id": str, **events[event_type]}, event_type)
    assert mistake is None, f"{mistake}\nin {_shown(event, 2000)}"


def _shown(value, limit=120):
    text = repr(value)
    return text if len(text) <= limit else text[:limit] + "…"


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_whole(value):
    return _is_number(value) and value == int(value)


_PLAIN = {str: lambda v: isinstance(v, str), bool: lambda v: isinstance(v, bool), dict: lambda v: isinstance(v, dict),
          float: _is_number, int: _is_whole}


def _mistake(value, shape, path):
    """What is wrong with `value`, or None."""
    if shape is None:
        return None if value is None else f"{path}: {_shown(value)} where null belongs"
    if isinstance(shape, type):
        return None if _PLAIN[shape](value) else f"{path}: {_shown(value)} is no {shape.__name__}"
    if isinstance(shape, set):
        return None if isinstance(value, str) and value in shape else f"{path}: {_shown(value)} is none of {sorted(shape)}"
    if isinstance(shape, Range):
        fits = _is_whole(value) and shape[0] <= value <= shape[1]
        return None if fits else f"{path}: {_shown(value)} is no whole number from {shape[0]} to {shape[1]}"
    if isinstance(shape, OneOf):
        return _mistake_in_all(value, shape, path)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{path}: {_shown(value)} is no list"
        return _first(_mistake(element, shape[0], f"{path}[{i}]") for i, element in enumerate(value))
    if not isinstance(value, dict):
        return f"{path}: {_shown(value)} is no object"
    if isinstance(shape, Map):
        return _first(_mistake(member, shape[0], f"{path}.{name}") for name, member in value.items())
    return _mistake_in_object(value, shape, path)


def _first(mistakes):
    return next((mistake for mistake in mistakes if mistake), None)


def _mistake_in_object(value, shape, path):
    known = {name.rstrip("?") for name in shape}
    unknown = sorted(set(value) - known)
    if unknown:
        return f"{path}.{unknown[0]}: unknown"
    missing = [name for name in shape if not name.endswith("?") and name not in value]
    if missing:
        return f"{path}.{missing[0]}: missing"
    members = ((name.rstrip("?"), member) for name, member in shape.items())
    return _first(_mistake(value[name], member, f"{path}.{name}") for name, member in members if name in value)


def _mistake_in_all(value, shapes, path):
    mistakes = []
    for shape in shapes:
        mistake = _mistake(value, shape, path)
        if mistake is None:
            return None
        mistakes.append((_kinship(value, shape), mistake))
    return max(mistakes, key=lambda kin_and_mistake: kin_and_mistake[0])[1]


def _kinship(value, shape):
    """How surely `shape` is what `value` was meant to be: by its words (type, role, status), else by its kind."""
    if not isinstance(value, dict) or not isinstance(shape, dict):
        return -1 if isinstance(value, dict) or isinstance(shape, dict) else 0
    return sum(1 if value.get(name) in words else -4 for name, words in shape.items() if isinstance(words, set) and isinstance(value.get(name), str))
