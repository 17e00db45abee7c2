"""Live progress: one line that updates on a terminal, a plain line a step elsewhere."""
import shutil
import sys
import time


class Progress:
    """Told of each step's begin, of what happens in it, and of its end."""

    def __init__(self, steps, stream=sys.stderr):
        self._stream = stream
        self._live = stream.isatty()
        self._planned_s = [step.planned_s for step in steps]
        self._done = 0
        self._began = time.monotonic()
        self._label = ""

    def start(self):
        """The first step is about to begin: what came before does not count for the time that is left."""
        self._began = time.monotonic()

    def begin(self, step):
        self._label = step.label
        self._number = self._done + 1
        self._step_began = time.monotonic()
        self._show("starting")

    def load_event(self, event):
        """A line of progress of the load generator."""
        state = "" if event["in_window"] else " (warming up)"
        self._show(f"{event['sessions']} sessions, {event['frames_per_s']} frames/s back, p50 {event['p50_us'] / 1000:.2f} ms, p99 {event['p99_us'] / 1000:.2f} ms{state}")

    def end(self, text, failed=False):
        self._done += 1
        took = time.monotonic() - self._step_began
        mark = self._coloured("✗", 31) if failed else self._coloured("✓", 32)
        self._line(f"{mark} {self._count()} {self._label:<62} {text}  {self._dim(f'{took:.0f} s')}")

    def note(self, text):
        """A line that stays."""
        self._line(text)

    def _show(self, text):
        if not self._live:
            return
        width = shutil.get_terminal_size().columns - 1
        line = f"… {self._count()} {self._label} · {text} · {self._left()}"
        self._stream.write("\r\033[K" + line[:width])
        self._stream.flush()

    def _line(self, text):
        self._stream.write(("\r\033[K" if self._live else "") + text + "\n")
        self._stream.flush()

    def _count(self):
        width = len(str(len(self._planned_s)))
        return f"[{self._number:{width}}/{len(self._planned_s)}]"

    def _left(self):
        """Time left: what was planned for the steps to come, corrected by how the plan has held so far."""
        planned_before = sum(self._planned_s[:self._done])
        spent = time.monotonic() - self._began
        pace = spent / planned_before if self._done > 2 else 1.0
        left = max(0.0, (sum(self._planned_s) * pace) - spent)
        return f"{left / 60:.0f} min left" if left > 90 else f"{left:.0f} s left"

    def _coloured(self, text, colour):
        return f"\033[{colour}m{text}\033[0m" if self._live else text

    def _dim(self, text):
        return f"\033[2m{text}\033[0m" if self._live else text
