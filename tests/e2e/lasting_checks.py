"""What must be true of a conversation when it is over, whatever went wrong on the way: read from both sides' records and the kept transcript."""
import collections
import re

import lasting_audio as exact
from scripted_upstream import WHO, WORD_MS

WORD = re.compile(r"r(\d+)w(\d+)")
# Events of the service that a client gets as they are, from a connection that was not lost.
PASSED = {"response.created", "response.done", "response.output_audio_transcript.done", "input_audio_buffer.committed",
          "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "conversation.item.input_audio_transcription.completed"}
# What a service must never have cause to say.
NEVER = {"conversation_already_has_active_response", "input_audio_buffer_commit_empty", "item_create_duplicate_id", "item_not_found",
         "missing_required_parameter", "invalid_value", "invalid_event"}
# Where the server believes a loudspeaker that reports nothing, when everything here is busy.
BELIEF_ERROR_MS = 250
ON_ITS_WAY_S = 0.25  # what the service says so shortly before the client leaves may come too late
TRANSCRIBED = "conversation.item.input_audio_transcription.completed"


def words_in(text):
    """(number of the sound, how many words), and whether they are its first words in order; None when it is something else."""
    found = [(int(number), int(word)) for number, word in WORD.findall(text)]
    if not found:
        return None
    numbers = {number for number, _ in found}
    return found[0][0], len(found), len(numbers) == 1 and [word for _, word in found] == list(range(len(found)))


def lost_connections(record):
    """Numbers of the connections that ended by a fault."""
    return {fault["connection"] for fault in record["faults"] if fault["kind"] not in ("late", "repeat", "reorder", "flood")}


def check_turns_heard_by_the_service(plan, client, record):
    # A turn that was committed and must be heard anew by the next service is deleted first.
    deleted = {event["item_id"] for event in client.events if event["type"] == "conversation.item.deleted"}
    seen = [event["item_id"] for event in client.events if event["type"] == "input_audio_buffer.committed" and event["item_id"] not in deleted]
    told_audio = {item["id"]: item["runs"] for told in record["told"] for item in told["items"]}
    for number, turn in enumerate(plan.turns, 1):
        if turn.kind != "spoken" or number > client.turns_taken:
            continue
        whole = [(plan.number, number, 0, turn.voice_ms * exact.SAMPLES_A_MS)]
        committed = [entry for entry in record["committed"] if entry["turn"] == number]
        shown = [entry for entry in committed if entry["item"] in seen]
        if len(shown) != 1:
            yield "user audio", f"turn {number} was committed {len(committed)} times, the client saw {len(shown)} of them"
        for entry in committed:
            runs = [tuple(run) for run in entry["runs"]]
            if runs != whole and (entry in shown or entry["connection"] not in lost_connections(record)):
                yield "user audio", f"turn {number} came as {runs}, not {whole}"
            again = told_audio.get(entry["item"])
            if again and [tuple(run) for run in again] != whole:
                yield "user audio", f"turn {number} was told again as {again}"


def check_user_transcripts(plan, client):
    by_item = collections.Counter()
    by_turn = collections.Counter()
    for event in client.events:
        if event["type"] == TRANSCRIBED:
            by_item[event["item_id"]] += 1
            by_turn[int(WHO.search(event["transcript"])[2])] += 1
    for item, count in by_item.items():
        if count > 1:
            yield "events", f"the transcript of {item} came {count} times"


def check_replies(plan, client, record):
    lost = lost_connections(record)
    by_item = {reply["item"]: reply for reply in record["replies"]}
    for sound in client.sounds.values():
        reply = by_item.get(sound.item)
        if reply is None:
            yield "reply audio", f"{sound.item} was never said"
            continue
        if sound.cut_ms is None and sound.ended_ms is None:
            yield "reply audio", f"{sound.item} has neither ended nor been cut: {sound.came} samples came"
        whole = reply["status"] == "completed" and reply["connection"] not in lost
        if sound.cut_ms is None and sound.ended_ms is not None and whole and sound.ended_ms != reply["ms"]:
            yield "reply audio", f"{sound.item}: {sound.ended_ms} of {reply['ms']} ms were heard, and nobody cut it"
        if sound.ended_ms is not None and sound.ended_ms > reply["sent_ms"]:
            yield "reply audio", f"{sound.item}: {sound.ended_ms} ms were heard, {reply['sent_ms']} ms were said"
    for response in client.running:
        yield "events", f"{response} began and never ended"


def check_events(client, record):
    lost = lost_connections(record)
    came = [event["event_id"] for event in client.events]
    place = {event_id: index for index, event_id in enumerate(came)}
    for connection, events in record["events"].items():
        wanted = [(kind, event_id) for kind, event_id, at in events if kind in PASSED and at < client.ended_at - ON_ITS_WAY_S]
        missing = [(kind, event_id) for kind, event_id in wanted if event_id not in place]
        # One that was replaced may have said something that counts no more: it is said again by the next.
        is_last = record["connections"] and int(connection) == record["connections"][-1]["number"]
        if missing and is_last and int(connection) not in lost and client.closed is None:
            yield "events", f"never came: {missing[:4]}"
        # speech_started and audio.clear may overtake; within a response and a turn order must be kept.
        order = [place[event_id] for kind, event_id in wanted if event_id in place]
        if order != sorted(order) and not client.came_back_blind:
            yield "events", f"events of connection {connection} came in another order"


def check_answers(plan, client):
    for number, turn in enumerate(plan.turns[:client.turns_taken], 1):
        if number in client.heard_out | client.interrupted | client.finished_as_heard or client.answered(number):
            continue
        yield "answers", f"turn {number} was never answered whole"


def _heard_words_max(sound, client):
    """Words that can have been heard of it at most: a word counts when it has begun."""
    # Of a client that reports nothing the server only believes something.
    if not client.reports_sent or not sound.was_reported:
        return sound.ms
    heard = sound.stopped_at if sound.stopped_at is not None else sound.came
    return -(-heard // (WORD_MS * exact.SAMPLES_A_MS))


def check_told(plan, client, record):
    """What a new service was told: each turn once, in order, and of replies no more than was heard."""
    by_number = {sound.number: sound for sound in client.sounds.values()}
    for told in record["told"]:
        last, seen = 0, collections.Counter()
        for item in (item for item in told["items"] if item["own"]):
            seen[item["id"]] += 1
            words = words_in(item["text"])
            if words and item["role"] == "assistant":
                number, count, in_order = words
                sound = by_number.get(number)
                turn = sound.turn if sound else 0
                if not in_order:
                    yield "history", f"connection {told['connection']} was told {item['text']!r}"
                elif sound is None:
                    yield "history", f"connection {told['connection']} was told of reply {number}, of which nothing was heard"
                elif count > _heard_words_max(sound, client) and (sound.cut_at is None or item["at"] > sound.cut_at):
                    heard_max = _heard_words_max(sound, client)
                    yield "history", f"connection {told['connection']} was told {count} words of {sound.item}, {heard_max} can have been heard"
            elif item["role"] == "user" and (found := WHO.search(item["text"])):
                turn = int(found[2])
            elif item["role"] == "user" and item["runs"]:
                turn = item["runs"][0][1]
            else:
                continue
            # One that is told anew, shortened to what was heard, takes its old place.
            if turn < last and seen[item["id"]] == 1:
                yield "history", f"connection {told['connection']} was told turn {turn} behind turn {last}"
            last = max(last, turn)
        deleted = collections.Counter(gone["item"] for gone in record["deleted"] if gone["connection"] == told["connection"])
        for item, count in seen.items():
            if count - deleted[item] > 1:
                yield "history", f"connection {told['connection']} was told {item} {count} times"


def check_refusals(record):
    for refused in record["refused"]:
        if refused["code"] in NEVER:
            yield "refused", f"{refused['code']}: {refused['message']} ({refused['event']} {refused['event_id']})"


def check_transcript(plan, client, record, lines):
    turns, sounds = collections.Counter(), collections.Counter()
    last_turn, last_number = 0, 0
    lost = lost_connections(record)
    broken_off = {reply["item"] for reply in record["replies"] if reply["status"] != "completed" or reply["connection"] in lost}
    by_number = {sound.number: sound for sound in client.sounds.values()}
    # Or by a rotation that waits no longer: the service may have said more than the client got.
    broken_off |= set(client.sounds) - {event["item_id"] for event in client.events if event["type"] == "response.output_audio.done"}
    for line in lines:
        if line["role"] == "user":
            found = WHO.search(line["text"])
            if not found:
                turns["?"] += 1
                continue
            turn = int(found[2])
            turns[turn] += 1
            if turn < last_turn:
                yield "transcript", f"turn {turn} stands behind turn {last_turn}"
            last_turn = max(last_turn, turn)
        elif line["role"] == "assistant":
            words = words_in(line["text"])
            if not words:
                continue
            number, count, in_order = words
            sounds[number] += 1
            if not in_order:
                yield "transcript", f"a line says {line['text']!r}"
            if number < last_number:
                yield "transcript", f"reply {number} stands behind reply {last_number}"
            last_number = max(last_number, number)
            sound = by_number.get(number)
            heard = words_in(line["heard"])
            if sound and heard and heard[1] > _heard_words_max(sound, client):
                yield "transcript", f"{heard[1]} words of {sound.item} count as heard, {_heard_words_max(sound, client)} at most were"
            was_whole = sound and sound.item not in broken_off and sound.ended_ms == sound.ms and sound.cut_ms is None
            if was_whole and (line["cut"] or not heard or heard[1] != -(-sound.ms // WORD_MS)):
                yield "transcript", f"{sound.item} was heard whole, its line says cut={line['cut']}, heard {line['heard']!r}"
            unheard_ms = sound.ms - sound.stopped_at // exact.SAMPLES_A_MS if sound and sound.cut_ms is not None else 0
            if unheard_ms > 0 and not line["cut"] and (client.reports_sent and sound.was_reported or unheard_ms > BELIEF_ERROR_MS):
                yield "transcript", f"{sound.item} was cut, its line does not say so"
    for number, turn in enumerate(plan.turns[:client.turns_taken], 1):
        if turns[number] > 1:
            yield "transcript", f"turn {number} has {turns[number]} lines"
        # What was said is not known when the conversation ends before its transcript comes.
        if turns[number] == 0 and not (turn.kind == "spoken" and not client.has_transcript(number)):
            yield "transcript", f"turn {number} has no line"
    for sound in client.sounds.values():
        if sounds[sound.number] > 1:
            yield "transcript", f"{sound.item} has {sounds[sound.number]} lines"
        if sounds[sound.number] == 0 and sound.came > 0:
            yield "transcript", f"{sound.item} was heard and has no line"


def check(plan, client, record, lines):
    """All that is wrong: [(kind, what)]."""
    found = [("client", what) for what in client.wrong]
    found += [("errors", f"{error['code']}: {error['message']}") for error in client.errors]
    found += [("errors", f"closed with {client.closed}")] if client.closed else []
    for one in (check_turns_heard_by_the_service(plan, client, record), check_user_transcripts(plan, client), check_replies(plan, client, record),
                check_events(client, record), check_answers(plan, client), check_told(plan, client, record), check_refusals(record),
                check_transcript(plan, client, record, lines) if lines is not None else ()):
        found += one
    return found
