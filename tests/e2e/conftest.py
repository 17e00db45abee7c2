import asyncio
import contextlib
import inspect
import sys
import pathlib

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import provided  # noqa: E402
import repartee  # noqa: E402
import stand_ins  # noqa: E402


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Coroutine tests run on an event loop of their own."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    asyncio.run(asyncio.wait_for(pyfuncitem.obj(**wanted), 240))
    return True


@contextlib.contextmanager
def relayed_pair(*arguments):
    """A Repartee whose upstream is another Repartee over verified TLS: pool, TLS, framing and truncation at work."""
    with repartee.Server(tls=True) as far:
        host = far.tls_url.replace("https", "wss", 1)
        with repartee.Server(*arguments, environment={
            "REPARTEE_REALTIME__UPSTREAM": "openai",
            "REPARTEE_REALTIME__URL": f"{host}/v1/realtime",
            "REPARTEE_REALTIME__CA_FILE": str(far.certificate),
            "REPARTEE_REALTIME__MODEL": "repartee-local",
        }) as near:
            near.far = far
            yield near


@pytest.fixture(scope="module")
def openai():
    """Ears, brain and voice of OpenAI's kind; one for the tests of a file, well again before each of them."""
    with stand_ins.OpenAI(api_key=provided.API_KEY) as service:
        yield service
        assert not service.broken, service.broken


SERVICES, SERVERS = ("openai", "ears", "ollama", "sovits"), ("server", "doubled", "local_models")


@pytest.fixture
def well(request):
    """All services of the module are well, and nothing is remembered of the test before."""
    def used(names):
        return [request.getfixturevalue(name) for name in names if name in request.fixturenames]

    # What a client left behind may still be asking for something.
    for server in used(SERVERS):
        repartee.eventually(lambda: server.metric("repartee_sessions_active") == 0)
    for service in used(SERVICES):
        service.settle()
        service.well()


@pytest.fixture(scope="module")
def local():
    """One server with the embedded defaults, shared by the tests of a file."""
    with repartee.Server() as server:
        yield server


@pytest.fixture(scope="module", params=["local", "relayed"])
def server(request):
    """The same conversation in process and through a second server."""
    with (repartee.Server() if request.param == "local" else relayed_pair()) as started:
        yield started
