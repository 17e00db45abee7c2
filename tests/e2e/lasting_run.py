"""The randomised run: many conversations at once, in which everything fails that can, and what is true of each of them afterwards."""
import argparse
import asyncio
import collections
import contextlib
import dataclasses
import json
import os
import resource
import statistics
import subprocess
import sys
import time

import repartee
from lasting import Client, Ended, fetch, shown
from lasting_checks import check
from lasting_plan import VAD_SILENCE_MS, PlannedScript, plan
from scripted_upstream import Record, Service
from stand_ins.certificates import certificate_for

LIMIT_S = 60
FIRST_VOICE_MS = 80
DECISION_S = 1.0   # after a recovery a reply that was heard to its end need not come again: how long silence must last to count as that
ROTATE_AGE_MS = 600
ROTATE_FORCE_AGE_MS = 5000  # longer than any reply takes: one that is cut and asked for anew each time would never end
WARM_UP_FROM = 16_000  # numbers of conversations that only warm the server up


# ── the service, in a process of its own ─────────────────────────────────────────────────────────────────────────────


async def serve(seed):
    """Prints its ports; answers {"record": NUMBER} and {"state": true} on the second until its input ends."""
    context, certificate = certificate_for("localhost")
    script = PlannedScript(seed)

    async def control(reader, writer):
        while line := await reader.readline():
            asked = json.loads(line)
            if "record" in asked:
                number = asked["record"]
                answer = service.records.pop(number).plain() if number in service.records else None
                script.forget(number)
            else:
                answer = {"open": len(service.connections), "accepted": service.accepted, "broken": service.broken[:20]}
            writer.write(json.dumps(answer).encode() + b"\n")

    async with Service(script, context) as service:
        controls = await asyncio.start_server(control, "127.0.0.1", 0)
        print(json.dumps({"port": service.port, "control": controls.sockets[0].getsockname()[1], "certificate": str(certificate)}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


class ServiceProcess:
    def __init__(self, seed):
        self.seed = seed

    async def __aenter__(self):
        command = [sys.executable, __file__, "--serve", str(self.seed)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        told = json.loads(await asyncio.get_running_loop().run_in_executor(None, self.process.stdout.readline))
        self.url, self.certificate = f"wss://localhost:{told['port']}/v1/realtime", told["certificate"]
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", told["control"], limit=64 << 20)
        self.asking = asyncio.Lock()
        return self

    async def __aexit__(self, *_):
        self.writer.close()
        self.process.stdin.close()
        await asyncio.get_running_loop().run_in_executor(None, self.process.wait)
        self.process.stdout.close()

    async def ask(self, **what):
        async with self.asking:
            self.writer.write(json.dumps(what).encode() + b"\n")
            return json.loads(await self.reader.readline())


# ── one conversation ─────────────────────────────────────────────────────────────────────────────────────────────────


class Talker(Client):
    """A client that follows a plan."""

    def __init__(self, server_url, made):
        query = {"pacing": "on" if made.paced else "off", "user": f"u{made.number}"}
        if made.own_model:
            query["model"] = f"scripted-c{made.number}"
        if made.pushed:
            query["turn_detection"] = "none"
        super().__init__(server_url, made.number, made.character, at_once=made.at_once, reports=made.reports_ms, **query)
        self.plan = made
        self.turns_taken = 0
        self.interrupted, self.finished_as_heard, self.heard_out = set(), set(), set()
        self.came_back_blind = False
        self.calls_answered = set()
        self.interruptions_ms = []
        # A service that says everything twice is passed on as it is; it must only have no effect twice.
        self.forgives_repeats = any(fault.kind == "repeat" for _, _, fault in made.opening_faults) or any(
            fault.kind == "repeat" for turn in made.turns for _, fault in turn.faults)

    def has_transcript(self, turn):
        return any(event["type"].endswith("transcription.completed") and f"t{turn} " in event["transcript"] for event in self.events)

    def _on_event_of_turn(self, kind, turn):
        prefix = f"item_u_{self.number}_{turn}_"
        return any(event["type"] == kind and event["item_id"].startswith(prefix) for event in self.events)

    def _has_arrived(self, number, turn):
        if turn.kind == "spoken":
            return self._on_event_of_turn("input_audio_buffer.committed", number)
        return any(f"c{self.number} t{number}" in json.dumps(event["item"]) for event in self.events if event["type"] == "conversation.item.added")

    async def talk(self):
        await self.start()
        for number, turn in enumerate(self.plan.turns, 1):
            self.turns_taken = number
            await self._take(number, turn)
        await self.until_goes_on(self._quiet, "the end of everything")
        await self._let_play()

    async def _let_play(self):
        """So that what was sent has been heard."""
        while (left := self.loudspeaker.total - self.loudspeaker.played()) > 0:
            await asyncio.sleep(left / 24000)
        if self.reports:
            self.report()

    async def _take(self, number, turn):
        if not self.plan.pushed:
            self.silence(VAD_SILENCE_MS)
        if turn.kind == "spoken":
            await self._speak(number, turn)
        else:
            self.type_turn(number)
        if any(loss.when == "thinking" for loss in turn.losses):
            # What is on its way to the server may be lost with the connection, and nobody would say how much.
            await self.until_goes_on(lambda: self._has_arrived(number, turn), f"a sign that turn {number} has arrived")
        await self._lose_when(turn, "thinking")
        if any(loss.when == "replying" for loss in turn.losses):
            await self.until_goes_on(lambda: any(sound.came for sound in self.sounds_of(number)) or self._over(number), f"a sound in turn {number}")
            await self._lose_when(turn, "replying")
        if turn.interrupted_ms is not None:
            await self._interrupt(number, turn)
        else:
            await self._hear_out(number, turn)
            if self.answered(number):
                self.heard_out.add(number)
            if self.plan.patient:
                await self._let_play()
                await asyncio.sleep(self.plan.pause_ms / 1000)
        await self._lose_when(turn, "idle")

    async def _speak(self, number, turn):
        before = min(FIRST_VOICE_MS, turn.voice_ms)
        self.voice(number, 0, before)
        if not self.plan.pushed:
            await self.until_goes_on(lambda: self._on_event_of_turn("input_audio_buffer.speech_started", number), f"speech_started of turn {number}")
            self._note_interruption()
        await self._lose_when(turn, "speaking")
        if before < turn.voice_ms:
            self.voice(number, before, turn.voice_ms)
        if self.plan.pushed:
            self.send("input_audio_buffer.commit")
            self.send("response.create")
        else:
            self.silence(2 * VAD_SILENCE_MS)

    async def _lose_when(self, turn, when):
        for loss in (loss for loss in turn.losses if loss.when == when):
            self.lose(loss.way)
            await asyncio.sleep(loss.away_ms / 1000)
            self.came_back_blind = self.came_back_blind or not loss.tells
            if not await self.come_back(loss.tells, loss.tells):
                raise Ended(f"did not come back: {self.line.refusal or self.line.close_code}")
            self._answer_calls()

    async def _interrupt(self, number, turn):
        """Waits until so much of the reply has been played; what follows is the next turn's voice."""
        def played():
            return max((self._position(sound, time.monotonic()) for sound in self.sounds_of(number)), default=0)
        wanted = turn.interrupted_ms * 24
        def came():
            return any(sound.came >= wanted for sound in self.sounds_of(number)) or self._over(number)
        await self.until_goes_on(came, f"audio of turn {number}")
        while (left := wanted - played()) > 0 and not self._over(number):
            await asyncio.sleep(left / 24000)
        self.interrupted.add(number)
        if self.reports:
            self.report()

    def _note_interruption(self):
        for sound in self.sounds.values():
            if sound.stopped_at and sound.cut_ms and sound.turn in self.interrupted and not hasattr(sound, "noted"):
                sound.noted = True
                self.interruptions_ms.append(sound.cut_ms - sound.stopped_at / 24)

    def _quiet(self):
        all_over = all(sound.ended_ms is not None or sound.cut_ms is not None for sound in self.sounds.values())
        return all_over and not self.running and not self.audio_to_come_again

    def _open_calls(self):
        calls = [event for event in self.events if event["type"] == "response.function_call_arguments.done"]
        return [call for call in calls if call["call_id"] not in self.calls_answered and call["response_id"] in self.responses_done]

    def _over(self, number):
        return self.answered(number) and self._quiet()

    def _on_response_done(self, event, now):
        super()._on_response_done(event, now)
        self.after_event = self._answer_calls

    def _on_response_function_call_arguments_done(self, *_):
        self.after_event = self._answer_calls

    def _answer_calls(self):
        """All calls of a response that is over, then one response.create."""
        calls = self._open_calls() if self.line else []
        for call in calls:
            self.calls_answered.add(call["call_id"])
            self.send("conversation.item.create", item={"type": "function_call_output", "call_id": call["call_id"], "output": "done"})
        if calls:
            self.send("response.create")

    async def _hear_out(self, number, turn):
        """Until the turn has its answer."""
        while not self._over(number):
            await self.until_goes_on(lambda: self._over(number) or self._perhaps_finished(number), f"the answer to turn {number}")
            if self._over(number):
                return
            with contextlib.suppress(AssertionError):
                await self.until_goes_on(lambda: self._over(number) or not self._quiet(), "anything more", DECISION_S)
                continue
            if self.closed:
                raise Ended(f"closed with {self.closed} in turn {number}; errors: {self.errors}")
            self.finished_as_heard.add(number)
            return

    def _perhaps_finished(self, number):
        """The service was changed, and of this turn's answer something was heard."""
        return self.upstream_changes and self._quiet() and any(sound.came for sound in self.sounds_of(number))


@dataclasses.dataclass
class Outcome:
    number: int
    wrong: list
    text: str = ""           # what to read when something is wrong
    recovery_ms: list = dataclasses.field(default_factory=list)
    rotation_gap_ms: list = dataclasses.field(default_factory=list)
    rotations: int = 0
    recoveries: int = 0
    resumes_ms: list = dataclasses.field(default_factory=list)
    interruptions_reported_ms: list = dataclasses.field(default_factory=list)
    interruptions_believed_ms: list = dataclasses.field(default_factory=list)
    finished_as_heard: int = 0
    faults: list = dataclasses.field(default_factory=list)
    losses: int = 0
    seconds: float = 0.0
    client: Client | None = None
    record: dict | None = None
    lines: list | None = None

    def forget(self):
        """What takes memory and is read already."""
        self.client = self.record = self.lines = None


def recovery_times(client, record):
    """From a fault of the service to what the client is told when the next one is ready."""
    changes = [when for reason, _, when in client.upstream_changes if reason == "recovery"]
    faults = [fault["at"] for fault in record["faults"] if fault["kind"] not in ("late", "repeat", "reorder", "flood")]
    for when in changes:
        before = [at for at in faults if at < when]
        # Two faults in a row are one outage.
        if before and len([at for at in faults if when - 5 < at < when]) == 1:
            yield (when - before[-1]) * 1000


def rotation_gaps(client):
    """Silences in a reply that was being played while the service was changed on schedule."""
    for reason, _, when in client.upstream_changes:
        if reason == "rotation":
            yield max((gap for sound in client.sounds.values() for gap, at in sound.gaps if abs(at - when) < 1), default=0.0)


async def transcript_of(server_url, client):
    """The lines that were kept: written behind, so asked for until the conversation has its end there."""
    until = time.monotonic() + 10
    while True:
        status, body = await fetch(server_url, f"/api/v1/sessions/{client.session_id}/transcript")
        if status == 200:
            kept = json.loads(body)
            if kept["ended_unix_ms"] is not None:
                return kept["lines"]
        if time.monotonic() > until:
            raise AssertionError(f"no finished transcript: {status} {body[:200]!r}")
        await asyncio.sleep(0.05)


NOTHING_RECORDED = dataclasses.asdict(Record())


async def one(server_url, record_of, made, verbose=False, limit_s=None):
    """Talks as planned, and says what was wrong. `record_of`: the service's record of a conversation, a coroutine function."""
    client = Talker(server_url, made)
    wrong, lines, limit_s = [], None, limit_s or LIMIT_S
    began = time.monotonic()
    try:
        await asyncio.wait_for(client.talk(), limit_s)
        await client.close()
        lines = await transcript_of(server_url, client)
    except asyncio.TimeoutError:
        wrong.append(("time", f"not over after {limit_s} s, in turn {client.turns_taken}"))
    except (AssertionError, OSError) as error:
        wrong.append(("broke off", f"{type(error).__name__}: {error}"))
    finally:
        if client.report_task:
            client.report_task.cancel()
        if client.line and client.line.transport:
            client.line.closing = True
            client.line.transport.abort()
    record = await record_of(made.number) or NOTHING_RECORDED
    wrong += check(made, client, record, lines)
    result = Outcome(made.number, wrong, seconds=time.monotonic() - began)
    result.client, result.record, result.lines = client, record, lines
    result.recovery_ms = list(recovery_times(client, record))
    result.rotation_gap_ms = list(rotation_gaps(client))
    result.rotations = sum(reason == "rotation" for reason, *_ in client.upstream_changes)
    result.recoveries = len(client.upstream_changes) - result.rotations
    result.resumes_ms = client.resumes_ms
    (result.interruptions_reported_ms if made.reports_ms else result.interruptions_believed_ms).extend(client.interruptions_ms)
    result.finished_as_heard = len(client.finished_as_heard)
    result.faults = [(fault["state"], fault["kind"]) for fault in record["faults"]]
    result.losses = len(client.resumes_ms)
    if wrong or verbose:
        result.text = "\n".join([made.describe(), *(f"  WRONG {kind}: {what}" for kind, what in wrong), shown(client, record),
                                 *(f"  line {line}" for line in lines or ())])
    return result


# ── all of them ──────────────────────────────────────────────────────────────────────────────────────────────────────


def settings(service, **more):
    wanted = {
        "server": {"threads": 2, "sessions_max": 5000, "connections_max": 20000},
        "realtime": {"upstream": "openai", "url": service.url, "ca_file": service.certificate, "api_key": "sk-scripted", "model": "scripted",
                     "warm_connections": 8, "warm_age_ms": 1000, "backoff_min_ms": 5, "backoff_max_ms": 50, "breaker_failures": 1000},
        "conversation": {"vad_silence_duration_ms": VAD_SILENCE_MS},
        "recovery": {"rotate_age_ms": ROTATE_AGE_MS, "rotate_force_age_ms": ROTATE_FORCE_AGE_MS, "backoff_min_ms": 5, "backoff_max_ms": 50},
        "resume": {"window_ms": 10_000},
        "transcripts": {"sessions_max": 100_000},
        "log": {"level": "warn"},
    }
    for section, members in more.items():
        wanted[section] = {**wanted.get(section, {}), **members}
    return repartee.settings(**wanted)


class Process:
    """What the server holds, as the system sees it."""

    def __init__(self, server):
        self.pid = server.process.pid

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def rss_kib(self):
        with open(f"/proc/{self.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


@dataclasses.dataclass
class Run:
    seed: int
    conversations: int
    outcomes: list
    seconds: float
    descriptors: tuple      # before, after
    rss_kib: list           # after each tenth
    sessions_left: float
    connections_left: int   # at the service
    warm: float
    broken: list            # mistakes of the service's side

    def wrong(self):
        return [outcome for outcome in self.outcomes if outcome.wrong]


async def settle(server, limit_s=30):
    """Until the server has no sessions; what is left of them."""
    until = time.monotonic() + limit_s
    loop = asyncio.get_running_loop()
    while (left := await loop.run_in_executor(None, server.metric, "repartee_sessions_active")) > 0 and time.monotonic() < until:
        await asyncio.sleep(0.1)
    return left


async def run(conversations, at_once, seed, first=1, progress=None, verbose=False, **sections):
    loop = asyncio.get_running_loop()
    async with ServiceProcess(seed) as service:
        async def record_of(number):
            return await service.ask(record=number)

        server = repartee.Server(environment=settings(service, **sections))
        await loop.run_in_executor(None, server.__enter__)
        try:
            process = Process(server)
            await asyncio.gather(*(one(server.url, record_of, plan(seed, WARM_UP_FROM + number)) for number in range(min(8, max(1, conversations // 8)))))
            await settle(server)
            before, rss, outcomes = process.descriptors(), [], []
            gate, began = asyncio.Semaphore(at_once), time.monotonic()

            async def guarded(number):
                async with gate:
                    outcomes.append(await one(server.url, record_of, plan(seed, number), verbose))
                    outcomes[-1].forget()
                    if len(outcomes) % max(1, conversations // 10) == 0:
                        rss.append(process.rss_kib())
                    if progress:
                        progress(outcomes[-1], len(outcomes))

            await asyncio.gather(*(guarded(number) for number in range(first, first + conversations)))
            seconds = time.monotonic() - began
            sessions_left = await settle(server)
            # What a last request or a pool left open may still be closing.
            until = time.monotonic() + 5
            while True:
                state = await service.ask(state=True)
                warm = await loop.run_in_executor(None, server.metric, "repartee_upstream_warm_connections")
                after = process.descriptors()
                if after <= before and state["open"] <= warm or time.monotonic() > until:
                    break
                await asyncio.sleep(0.1)
        finally:
            await loop.run_in_executor(None, server.__exit__, None, None, None)
    outcomes.sort(key=lambda outcome: outcome.number)
    return Run(seed, conversations, outcomes, seconds, (before, after), rss, sessions_left, state["open"], warm, state["broken"])


MEASURED = ("recovery", "resume", "rotation", "interruption, reports", "interruption, no reports")


async def measure(what, conversations):
    """Times of conversations that talk alone, one behind the other: what the machine's load does not blur."""
    rotates = {"rotate_age_ms": 700, "rotate_force_age_ms": 800} if what == "rotation" else {"rotate_age_ms": 0, "rotate_force_age_ms": 0}
    # A connection that waited in the pool may be over that short age already.
    more = {"realtime": {"warm_connections": 0}} if what == "rotation" else {}
    return await run(conversations, 1, f"measure:{what}", recovery=rotates, **more)


def spread(values):
    """median, p95, worst; None without values."""
    if not values:
        return None
    values = sorted(values)
    return {"n": len(values), "median": statistics.median(values), "p95": values[min(len(values) - 1, int(len(values) * 0.95))], "max": values[-1]}


def summary(result):
    def of(name):
        return [value for outcome in result.outcomes for value in getattr(outcome, name)]
    kinds = collections.Counter(kind for outcome in result.outcomes for kind in {kind for kind, _ in outcome.wrong})
    return {
        "seed": result.seed, "conversations": result.conversations, "seconds": round(result.seconds, 1),
        "wrong": {"conversations": len(result.wrong()), "kinds": dict(kinds), "numbers": [outcome.number for outcome in result.wrong()][:50]},
        "faults": {f"{state}: {kind}": count for (state, kind), count in sorted(collections.Counter(of("faults")).items())},
        "rotations": sum(outcome.rotations for outcome in result.outcomes), "recoveries": sum(outcome.recoveries for outcome in result.outcomes),
        "returns": sum(outcome.losses for outcome in result.outcomes),
        "finished_as_heard": sum(outcome.finished_as_heard for outcome in result.outcomes),
        "recovery_ms": spread(of("recovery_ms")), "resume_ms": spread(of("resumes_ms")), "rotation_gap_ms": spread(of("rotation_gap_ms")),
        "interruption_error_reported_ms": spread([abs(value) for value in of("interruptions_reported_ms")]),
        "interruption_error_believed_ms": spread([abs(value) for value in of("interruptions_believed_ms")]),
        "descriptors": {"before": result.descriptors[0], "after": result.descriptors[1]}, "rss_kib": result.rss_kib,
        "sessions_left": result.sessions_left, "service_connections_left": result.connections_left, "warm": result.warm, "broken": result.broken,
    }


def raise_descriptor_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", metavar="SEED")
    raise_descriptor_limit()
    asyncio.run(serve(parser.parse_args().serve))
