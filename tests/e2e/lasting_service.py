"""The scripted service and a server before it, as the tests of lasting conversations start them."""
import asyncio
import itertools
import threading

import repartee
from lasting_plan import VAD_SILENCE_MS, PlannedScript
from lasting_run import one
from scripted_upstream import Service
from stand_ins.certificates import certificate_for

numbers = itertools.count(1)


class ServiceThread:
    """A scripted service on an event loop of its own."""

    def __enter__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        context, self.certificate = certificate_for("localhost")
        self.service = Service(PlannedScript(None), context)
        self._do(self.service.__aenter__())
        return self

    def __exit__(self, *_):
        self._do(self.service.__aexit__())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()
        assert not self.service.broken, self.service.broken

    def _do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    @property
    def url(self):
        return self.service.url

    async def on_its_loop(self, what):
        """The value of what(), called where the service lives."""
        async def call():
            return what()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call(), self.loop))

    async def record_of(self, number):
        def take():
            record = self.service.records.pop(number, None)
            return record and record.plain()
        return await self.on_its_loop(take)

    async def end_connections(self, number, kind):
        """Ends what a conversation has of connections, in that way; how many."""
        def end():
            open_ones = self.service.of(number)
            for connection in open_ones:
                connection.end(kind)
            return len(open_ones)
        return await self.on_its_loop(end)


def environment(service, **more):
    wanted = {
        "server": {"threads": 1},
        "realtime": {"upstream": "openai", "url": service.url, "ca_file": service.certificate, "api_key": "sk-scripted", "model": "scripted",
                     "warm_connections": 2, "backoff_min_ms": 5, "backoff_max_ms": 50, "breaker_failures": 1000},
        "conversation": {"vad_silence_duration_ms": VAD_SILENCE_MS},
        "recovery": {"backoff_min_ms": 5, "backoff_max_ms": 50, "spoken_line": False},
        # A service that hangs is noticed by its silence.
        "limits": {"ping_interval_ms": 150, "idle_limit_ms": 600},
    }
    for section, members in more.items():
        wanted[section] = {**wanted.get(section, {}), **members}
    return repartee.settings(**wanted)


def serve(service, *arguments, **sections):
    return repartee.Server(*arguments, environment=environment(service, **sections))


async def meet(service, server, made):
    """That conversation, to its end or the service's."""
    service.service.script.give(made)
    outcome = await one(server.url, service.record_of, made, limit_s=40)
    assert service.service.broken == []
    return outcome
