"""Running the server: a socket, a model that is loaded behind it, and an end that lets texts end."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from ..engines.local.engine import LocalEngine
from ..errors import SpecificationError
from ..palette.palette import Palette
from .app import Service, create_app
from .desk import Desk
from .limits import Limits
from .roster import Roster

_LOCAL = ("localhost", "127.0.0.1", "::1")
_TICK = 0.05


@dataclass(frozen=True)
class Address:
    """Where a server listens; port 0 is any that is free."""

    host: str = "127.0.0.1"
    port: int = 8000

    @property
    def local(self) -> bool:
        return self.host in _LOCAL

    @property
    def hosts(self) -> frozenset[str]:
        """What a request has to name as its host where this machine alone may ask; else any will do."""
        return frozenset({*_LOCAL, "[::1]"}) if self.local else frozenset()

    def listen(self) -> socket.socket:
        """A socket; :class:`SpecificationError` where the address cannot be had."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        try:
            return socket.create_server((self.host, self.port), family=family, backlog=512)
        except (OSError, OverflowError) as error:
            raise SpecificationError(
                f"Nobody can listen at {self.host}, port {self.port}: {error}; choose another --port or "
                "--host."
            ) from None


def serve(
    open_engine: Callable[[], LocalEngine],
    library: Path | None = None,
    *,
    address: Address = Address(),
    key: str = "",
    limits: Limits = Limits(),  # noqa: B008
    palette: Palette | None = None,
    on_listening: Callable[[str], None] = lambda url: None,
    on_ready: Callable[[Desk], None] = lambda desk: None,
) -> int | None:
    """Serve until SIGINT or SIGTERM; returns the signal that ended it.

    Parameters
    ----------
    open_engine : loads the model, in a thread, while requests are told to come again (503)
    library : the folder of the experts, which is looked at again for every request
    address : where it listens; on this machine alone unless told otherwise
    palette : whose colours the library holds: it is a model of its own, which weighs them by its gate
    key : what requests have to bring as ``Authorization: Bearer KEY``
    on_listening : is told the address when the server answers, ``on_ready`` the desk when it is loaded

    Raises
    ------
    SpecificationError
        The address cannot be had.
    ModelError
        The model cannot be loaded.
    """
    listening = address.listen()
    service = Service(limits, key, address.hosts)
    server = _Server(service)
    on_listening(_url_of(listening))
    engine: LocalEngine | None = None

    async def run() -> None:
        nonlocal engine
        serving = asyncio.ensure_future(server.serve(sockets=[listening]))
        loading = _in_thread(open_engine)
        try:
            await asyncio.wait((serving, loading), return_when=asyncio.FIRST_COMPLETED)
            if not loading.done():  # stopped before there was a model
                return
            engine = loading.result()
            service.desk = Desk(engine, Roster(library, engine.info), limits, palette)
            await asyncio.to_thread(service.desk.roster.experts)
            on_ready(service.desk)
        except BaseException:
            server.should_exit = True
            await serving
            raise
        await serving

    try:
        asyncio.run(run())
    finally:
        if engine is not None:
            engine.close()
        listening.close()
    return server.ended_by


def _url_of(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _in_thread(job: Callable[[], LocalEngine]) -> asyncio.Future[LocalEngine]:
    """The result of ``job()``, for which the end of the process does not wait."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[LocalEngine] = loop.create_future()

    def tell(engine: LocalEngine | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        elif engine is not None:
            future.set_result(engine)

    def work() -> None:
        engine: LocalEngine | None = None
        error: BaseException | None = None
        try:
            engine = job()
        except BaseException as caught:
            error = caught
        with suppress(RuntimeError):  # the loop is closed, and nobody waits
            loop.call_soon_threadsafe(tell, engine, error)

    threading.Thread(target=work, daemon=True, name="loading").start()
    return future


class _Server(uvicorn.Server):
    """Says 503 while texts under way come to their end, then closes; a second signal does not wait."""

    def __init__(self, service: Service) -> None:
        config = uvicorn.Config(
            create_app(service),
            log_config=None,
            log_level="critical",
            access_log=False,
            lifespan="off",
            ws="none",
            http="h11",
            server_header=False,
            timeout_graceful_shutdown=max(1, round(service.limits.grace)),
        )
        super().__init__(config)
        self._service = service
        self.ended_by: int | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self.handle_exit)
                  for number in (signal.SIGINT, signal.SIGTERM)}  # fmt: skip
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: Any) -> None:
        if self._service.closing:
            self.force_exit = True
        self.ended_by, self._service.closing = sig, True
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._service.closing = True
        desk, waited = self._service.desk, 0.0
        while desk is not None and desk.rows and waited < self._service.limits.grace:
            if self.force_exit:
                break
            await asyncio.sleep(_TICK)
            waited += _TICK
        await super().shutdown(sockets)
