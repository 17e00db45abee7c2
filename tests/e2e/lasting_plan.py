"""What happens in a conversation of the randomised run: a pure function of the seed and the conversation's number, known to both ends."""
import dataclasses
import random

from scripted_upstream import Fault, Reply, Script

ENDS = ("reset", "fin", "close1001", "close1011", "close1012")
VAD_SILENCE_MS = 60
CHARACTERS = ("park_jihoon", "choi_hyunwoo", "oh_kyungmi", "lee_soojin", "park_eunseo", "jung_yujin")


@dataclasses.dataclass
class Loss:
    """The client's connection goes, and it returns."""
    when: str           # speaking, thinking, replying, idle
    way: str            # fin, reset, silent
    away_ms: int
    tells: bool = True  # the last event and what it has played


@dataclasses.dataclass
class Turn:
    kind: str           # spoken, typed, tool
    voice_ms: int
    reply: Reply
    interrupted_ms: int | None = None  # the next turn begins when so much of the reply has been played
    faults: list = dataclasses.field(default_factory=list)  # (state, Fault)
    losses: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Plan:
    number: int
    character: str
    own_model: bool     # a connection of its own instead of one from the pool
    pushed: bool        # push-to-talk
    paced: bool
    at_once: bool       # the client is no loudspeaker, but a file
    reports_ms: int
    opening_faults: list  # (state, number of the connection in this conversation, Fault); only with own_model
    turns: list
    patient: bool = False  # lets each reply play to its end before the next turn
    pause_ms: int = 0      # and waits so long

    def describe(self):
        lines = [f"conversation {self.number}: {self.character}, {'own model' if self.own_model else 'pool'}, "
                 f"{'push-to-talk' if self.pushed else 'server_vad'}, {'paced' if self.paced else 'unpaced'}, "
                 f"{'a file' if self.at_once else 'a loudspeaker'}, reports every {self.reports_ms} ms"]
        lines += [f"  opening: {state} of connection {connection}: {fault}" for state, connection, fault in self.opening_faults]
        for number, turn in enumerate(self.turns, 1):
            lines.append(f"  turn {number}: {turn.kind}, voice {turn.voice_ms} ms, {turn.reply}, interrupted at {turn.interrupted_ms}")
            lines += [f"    fault {state}: {fault}" for state, fault in turn.faults] + [f"    {loss}" for loss in turn.losses]
        return "\n".join(lines)


def _fault(rng, state, reply):
    kind = rng.choices((*ENDS, "late", "repeat", "reorder", "flood"), (6, 3, 2, 2, 2, 1, 1, 1, 0.3))[0]
    if state in ("replaying",):
        kind = rng.choice(ENDS)
    after = {"speaking": rng.choice((0, 40, 120)), "replying": rng.randrange(0, max(1, reply.ms // reply.chunk_ms) + 1),
             "calling": rng.randrange(2), "replaying": rng.randrange(1, 4)}.get(state, 0)
    return Fault(kind, after, ms=rng.choice((20, 80, 200)))


def _turn(rng, plan, clean, first):
    kind = rng.choices(("spoken", "typed", "tool"), (6, 2, 1))[0]
    gap_ms = rng.choice((0, 0, 10, 40))
    reply = Reply(ms=rng.choice((60, 200, 340, 500, 800, 1200)), chunk_ms=rng.choice((50, 100, 200)), gap_ms=gap_ms, first_ms=rng.choice((0, 0, 30)),
                  calls=kind == "tool", transcript_last=rng.random() < 0.2)
    turn = Turn(kind, rng.choice((80, 160, 300, 600)), reply)
    if clean:
        return turn
    if rng.random() < 0.45:
        states = ["committed", "thinking", "replying", "generated", "asked"] + (["speaking"] * 2 if kind == "spoken" else [])
        states += ["calling"] * 2 if kind == "tool" else []
        states += [] if first else ["listening"]
        state = rng.choice(states)
        turn.faults.append((state, _fault(rng, state, reply)))
        if rng.random() < 0.15:
            turn.faults.append(("replaying", _fault(rng, "replaying", reply)))
    if rng.random() < 0.3:
        when = rng.choice(("thinking", "replying", "idle", *(("speaking",) if kind == "spoken" and not plan.pushed else ())))
        way = rng.choice(("fin", "reset", "silent") if when in ("replying", "idle") else ("fin",))
        turn.losses.append(Loss(when, way, rng.choice((0, 5, 50, 200, 400)), way == "silent" or rng.random() < 0.9))
    return turn


def calm(number, turns, **more):
    """A conversation of those turns, in which nothing happens by chance."""
    usual = {"character": CHARACTERS[0], "own_model": False, "pushed": False, "paced": True, "at_once": False, "reports_ms": 20, "opening_faults": [],
             "patient": True}
    return Plan(number=number, turns=turns, **{**usual, **more})


def measured(what, number):
    """Conversations whose times are measured, one at a time."""
    short, long = Reply(ms=200), Reply(ms=1200, gap_ms=10)
    if what == "recovery":
        state = ("listening", "speaking", "committed", "thinking", "replying", "generated")[number % 6]
        fault = Fault("reset", 2 if state == "replying" else 0)
        hit = Turn("spoken", 200, Reply(ms=600, gap_ms=10), faults=[(state, fault)])
        return calm(number, [Turn("spoken", 200, short), hit, Turn("typed", 0, short)])
    if what == "resume":
        return calm(number, [Turn("spoken", 200, long, losses=[Loss("replying", ("fin", "reset", "silent")[number % 3], 50)])])
    if what == "rotation":
        return calm(number, [Turn("typed", 0, Reply(ms=1400, gap_ms=20)), Turn("typed", 0, Reply(ms=1400, gap_ms=20))])
    assert what in ("interruption, reports", "interruption, no reports")
    return calm(number, [Turn("typed", 0, long, interrupted_ms=150 + number * 7 % 300), Turn("spoken", 200, short)],
                reports_ms=100 if what == "interruption, reports" else 0)


def plan(seed, number):
    if isinstance(seed, str) and seed.startswith("measure:"):
        return measured(seed.removeprefix("measure:"), number)
    rng = random.Random(f"{seed}/{number}")
    clean = rng.random() < 0.1
    paced = rng.random() < 0.6
    at_once = not paced and rng.random() < 0.7
    reports_ms = rng.choice((0, 20, 100)) if not at_once else 20
    made = Plan(number, rng.choice(CHARACTERS), rng.random() < 0.3, rng.random() < 0.15, paced, at_once, reports_ms, [], [])
    for turn_number in range(rng.choice((1, 2, 2, 3, 3, 4))):
        made.turns.append(_turn(rng, made, clean, turn_number == 0))
    made.patient = rng.random() < 0.3
    for turn, following in zip(made.turns, made.turns[1:]):
        if paced and not made.pushed and turn.reply.ms >= 500 and following.kind == "spoken" and rng.random() < 0.4:
            turn.interrupted_ms = rng.choice((60, 150, 300))
            turn.losses = [loss for loss in turn.losses if loss.when in ("speaking", "thinking")]
    if made.own_model and not clean:
        if rng.random() < 0.3:
            made.opening_faults.append(("created", 1, Fault(rng.choice(("late", "reset", "close1012")), ms=80)))
        if rng.random() < 0.4:
            made.opening_faults.append((rng.choice(("opening", "created")), 2, Fault(rng.choice(ENDS))))
    return made


class PlannedScript(Script):
    """The service's side of all conversations of a run. Without a seed only those that are given have plans."""

    def __init__(self, seed):
        super().__init__()
        self.seed = seed
        self.plans = {}

    def give(self, made):
        """This plan instead of the seed's."""
        self._keep(made.number, made)

    def plan(self, conversation):
        if conversation not in self.plans:
            self._keep(conversation, calm(conversation, []) if self.seed is None else plan(self.seed, conversation))
        return self.plans[conversation]

    def _keep(self, conversation, made):
        left = [(state, turn_number, None, fault) for turn_number, turn in enumerate(made.turns, 1) for state, fault in turn.faults]
        left += [(state, None, connection, fault) for state, connection, fault in made.opening_faults]
        self.plans[conversation] = (made, left)

    def forget(self, conversation):
        self.plans.pop(conversation, None)

    def reply(self, conversation, turn):
        if not conversation:
            return self.default_reply
        turns = self.plan(conversation)[0].turns
        return turns[turn - 1].reply if 1 <= turn <= len(turns) else self.default_reply

    def fault(self, state, conversation, turn, count, connections):
        if not conversation:
            return None
        left = self.plan(conversation)[1]
        # While listening, the turn that is to come is meant.
        turn += state == "listening"
        for entry in left:
            of_state, of_turn, of_connection, fault = entry
            if of_state == state and of_turn in (None, turn) and of_connection in (None, connections) and count >= fault.after:
                left.remove(entry)
                return fault
        return None
