"""PCM16 whose every sample says where it belongs: what was heard, sent again, or lost is read from the samples alone.

Samples come in groups of four. The top two bits of a sample are its place in the group; the fourteen below are, in turn, the conversation,
the low and the high half of the group's number, and the number of the sound within the conversation. Zero is silence.
"""
import array
import dataclasses
import functools

HZ = 24000
SAMPLES_A_MS = HZ // 1000
SAMPLE_BYTES = 2
GROUPS_MAX = 1 << 16
NUMBER_MAX = (1 << 14) - 1
_PART_BITS = 14
_PART_MASK = (1 << _PART_BITS) - 1


def bytes_of(ms):
    return ms * SAMPLES_A_MS * SAMPLE_BYTES


def ms_of(pcm_bytes):
    return pcm_bytes / SAMPLE_BYTES / SAMPLES_A_MS


@functools.cache
def _counted():
    """Groups as they are without conversation and number, as one large integer a length of bytes at a time is cut from."""
    groups = array.array("H", bytes(GROUPS_MAX * 8))
    groups[0::4] = array.array("H", [0]) * GROUPS_MAX
    groups[1::4] = array.array("H", (1 << _PART_BITS | group & _PART_MASK for group in range(GROUPS_MAX)))
    groups[2::4] = array.array("H", (2 << _PART_BITS | group >> _PART_BITS for group in range(GROUPS_MAX)))
    groups[3::4] = array.array("H", [3 << _PART_BITS]) * GROUPS_MAX
    return groups.tobytes()


def sound(conversation, number, samples, begin=0):
    """`samples` of that sound from sample `begin` on."""
    assert 1 <= conversation <= NUMBER_MAX and 1 <= number <= NUMBER_MAX
    first, last = begin // 4, -(-(begin + samples) // 4)
    assert last <= GROUPS_MAX, "longer than positions can be told"
    plain = _counted()[first * 8:last * 8]
    mark = array.array("H", [conversation, 0, 0, number]).tobytes() * (last - first)
    whole = (int.from_bytes(plain, "little") ^ int.from_bytes(mark, "little")).to_bytes(len(plain), "little")
    offset = (begin - first * 4) * SAMPLE_BYTES
    return whole[offset:offset + samples * SAMPLE_BYTES]


@dataclasses.dataclass
class Run:
    """Samples that follow each other: of one sound, of silence (conversation 0), or nothing we made (conversation -1)."""
    conversation: int
    number: int
    begin: int
    samples: int

    @property
    def end(self):
        return self.begin + self.samples


def _equal_bytes(one, other):
    """How long both are alike."""
    length = min(len(one), len(other))
    if one[:length] == other[:length]:
        return length
    low, high = 0, length  # alike up to low, not up to high
    while high - low > 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low


def _run_at(pcm, at):
    rest = memoryview(pcm)[at:]
    head = array.array("H", bytes(rest[:16]))
    if head[0] == 0:
        silent = len(rest) - len(bytes(rest).lstrip(b"\0"))
        return Run(0, 0, 0, silent // SAMPLE_BYTES)
    to_group = -(head[0] >> _PART_BITS) % 4
    parts = head[to_group:to_group + 4]
    if len(parts) == 4 and [part >> _PART_BITS for part in parts] == [0, 1, 2, 3]:
        conversation, low, high, number = (part & _PART_MASK for part in parts)
        begin = (high << _PART_BITS | low) * 4 - to_group
        if conversation and number and begin >= 0:
            samples = min(len(rest) // SAMPLE_BYTES, GROUPS_MAX * 4 - begin)
            alike = _equal_bytes(bytes(rest), sound(conversation, number, samples, begin)) // SAMPLE_BYTES
            if alike >= to_group + 4:
                return Run(conversation, number, begin, alike)
    return Run(-1, 0, 0, 1)


def runs(pcm):
    """What these samples are, in their order."""
    found, at = [], 0
    while at + 1 < len(pcm):
        run = _run_at(pcm, at)
        before = found[-1] if found else None
        is_same = before and (before.conversation, before.number) == (run.conversation, run.number)
        goes_on = is_same and (run.conversation <= 0 or before.end == run.begin)
        if goes_on:
            before.samples += run.samples
        else:
            found.append(run)
        at += run.samples * SAMPLE_BYTES
    return found


def voiced(pcm):
    """The same without silence."""
    return [run for run in runs(pcm) if run.conversation != 0]
