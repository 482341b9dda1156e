"""The routes: OpenAI's API over a desk, the page, and who is let in."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from .asked import Asked, of_chat, of_completion
from .bodies import AskBody, Body, ChatBody, CompletionBody, read_body
from .desk import Desk, Writing
from .limits import Limits
from .page import PAGE, POLICY
from .question import answer
from .refusals import Refusal, refusal_of
from .replies import Form, usage
from .roster import BASE

_log = logging.getLogger("blackbox_align")
_DISCARDED = (
    16  # times the size that a body may have: read to the end, so that the refusal is heard
)
T = TypeVar("T")
Written = TypeVar("Written", ChatBody, CompletionBody)


@dataclass
class Service:
    """What the routes share. There is no ``desk`` while the model is loaded, and ``closing`` is the end."""

    limits: Limits
    key: str = ""
    hosts: frozenset[str] = (
        frozenset()
    )  # names under which it may be called; any where there are none
    desk: Desk | None = None
    closing: bool = False
    rng: np.random.Generator = field(default_factory=np.random.default_rng)

    @property
    def status(self) -> str:
        return "shutting down" if self.closing else "loading" if self.desk is None else "ok"


def create_app(service: Service) -> FastAPI:
    """The application over a service."""
    app = FastAPI(title="blackbox_align", docs_url=None, redoc_url=None, openapi_url=None)
    _refuse_in_sentences(app)

    @app.get("/")
    async def page(request: Request) -> Response:
        _check_host(service, request)
        headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}
        return Response(PAGE, media_type="text/html; charset=utf-8", headers=headers)

    @app.get("/health")
    async def health(request: Request) -> Response:
        _check_host(service, request)
        rows = service.desk.rows if service.desk is not None else 0
        code = 200 if service.status == "ok" else 503
        return JSONResponse({"status": service.status, "rows": rows}, code)

    @app.get("/v1/models")
    async def models(request: Request) -> Response:
        desk = admitted(service, request)
        return JSONResponse({"object": "list", "data": await asyncio.to_thread(_models, desk)})

    @app.get("/v1/models/{name}")
    async def model(name: str, request: Request) -> Response:
        desk = admitted(service, request)
        for one in await asyncio.to_thread(_models, desk):
            if one["id"] == name:
                return JSONResponse(one)
        raise Refusal(404, f"There is no model {name!r}; see /v1/models.", code="model_not_found")

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:
        return await _completed(service, request, ChatBody, of_chat)

    @app.post("/v1/completions")
    async def completions(request: Request) -> Response:
        return await _completed(service, request, CompletionBody, of_completion)

    @app.post("/v1/ask")
    async def ask(request: Request) -> Response:
        desk = admitted(service, request)
        body = await _body(AskBody, request, service.limits)
        return JSONResponse(await _unless_hung_up(request, answer(body, desk)))

    return app


def _refuse_in_sentences(app: FastAPI) -> None:
    """Whatever goes wrong is told in the API's own form."""

    @app.exception_handler(Refusal)
    async def refuse(request: Request, error: Refusal) -> Response:
        return _refused(error)

    @app.exception_handler(HTTPException)
    async def refuse_route(request: Request, error: HTTPException) -> Response:
        message = f"{request.method} {request.url.path} is not served here."
        return _refused(Refusal(error.status_code, message))

    @app.exception_handler(Exception)
    async def fail(request: Request, error: Exception) -> Response:
        _log.exception("A request failed", exc_info=error)
        return _refused(refusal_of(error))


def _refused(error: Refusal) -> Response:
    headers = {"Retry-After": "1"} if error.status in (429, 503) else {}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(error.to_dict(), error.status, headers)


# -- who is let in ---------------------------------------------------------------------------------


def admitted(service: Service, request: Request) -> Desk:
    """The desk, for whoever may come to it; :class:`Refusal` for all others."""
    _check_host(service, request)
    if service.key:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode(), service.key.encode())
        if scheme.lower() != "bearer" or not right:
            raise Refusal(401, "The API key is missing or wrong.", code="invalid_api_key")
    if service.closing:
        raise Refusal(503, "The server is shutting down.", code="shutting_down")
    if service.desk is None:
        raise Refusal(503, "The model is still being loaded; ask again soon.", code="loading")
    return service.desk


def _check_host(service: Service, request: Request) -> None:
    """A page from elsewhere whose name was made to lead here is no caller of this machine."""
    host = request.headers.get("host", "")
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    if service.hosts and name.lower() not in service.hosts:
        raise Refusal(403, f"This server is not called {name[:100]!r}.", code="wrong_host")


async def _body(kind: type[Body], request: Request, limits: Limits) -> Body:
    """The body of a request. It has to say that it is JSON, which no page from elsewhere can."""
    content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if content_type != "application/json":
        raise Refusal(415, "The body has to be application/json, and to say so.")
    try:
        content, size = await asyncio.wait_for(_read(request, limits.size), limits.seconds)
    except (asyncio.TimeoutError, TimeoutError):
        raise Refusal(408, "The body did not come to its end in time.") from None
    if size > limits.size:
        raise Refusal(
            413, f"The body has more than {limits.size:,} bytes, which is the most that is read here.",
            code="too_large",
        )  # fmt: skip
    return read_body(kind, content)


async def _read(request: Request, most: int) -> tuple[bytes, int]:
    """The body up to ``most`` bytes, and its size."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size <= most:
            parts.append(part)
        elif size > _DISCARDED * most:
            break
    return b"".join(parts), size


# -- what is served --------------------------------------------------------------------------------


_FORMS = ["pooled", "parts", "sample"]
_COMPOSED = "/v1/ask answers as 'composed' too: texts one after another, so no stream of tokens."


def _models(desk: Desk) -> list[dict[str, Any]]:
    info, experts = desk.engine.info, desk.roster.experts()
    common = {"object": "model", "created": 0, "owned_by": "blackbox_align"}
    about = [
        {"id": name, **common, "root": info.name, "population": e.country, "name": e.card.name,
         "placement": e.parts.placement if e.parts and e.parts.shape else None}
        for name, e in experts.items()
    ]  # fmt: skip
    known = [{"id": BASE, **common, "root": info.name}]
    if experts:
        known += [
            {
                "id": name,
                **common,
                "root": info.name,
                "experts": list(experts),
                "as": _FORMS,
                "note": _COMPOSED,
            }
            for name in desk.mixtures
        ]
    return known + about


async def _completed(
    service: Service,
    request: Request,
    kind: type[Written],
    read: Callable[[Written, Desk, np.random.Generator], Asked],
) -> Response:
    """A completion of one of the two kinds, at once or piece by piece."""
    desk = admitted(service, request)
    body = await _body(kind, request, service.limits)
    rng = service.rng.spawn(1)[0]
    try:
        asked = await asyncio.to_thread(read, body, desk, rng)
    except Exception as error:
        raise refusal_of(error) from error
    form = Form.of(body, asked, desk.engine.spell, desk.engine.info.revision)
    writing = await Writing.begin(desk, asked.requests, by_piece=bool(body.stream))
    if body.stream:
        return Events(writing, _chunks(form, writing, body.with_usage))
    with closing(writing):
        return JSONResponse(form.whole(await _unless_hung_up(request, writing.texts())))


async def _unless_hung_up(request: Request, work: Awaitable[T]) -> T:
    """What ``work`` gives; it is left when the client hangs up."""
    return await _first(asyncio.ensure_future(work), request.receive)


async def _first(work: asyncio.Future[T], receive: Receive) -> T:
    async def hung_up() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    watch = asyncio.ensure_future(hung_up())
    try:
        either: set[asyncio.Future[Any]] = {work, watch}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise Refusal(499, "The client has hung up.")
        return work.result()
    finally:
        for task in (work, watch):
            if not task.done():
                task.cancel()
        await asyncio.gather(work, watch, return_exceptions=True)


async def _chunks(form: Form, writing: Writing, with_usage: bool) -> AsyncIterator[dict[str, Any]]:
    """Piece by piece of all choices, as they come."""
    count = len(writing.replies)
    seen = [[0, 0] for _ in range(count)]
    texts: dict[int, Any] = {}
    more = {"usage": None} if with_usage else {}
    for number in range(count):
        yield {**form.chunk([form.opening(number)]), **more, **(form.why() if not number else {})}
    before: dict[int, int] = {} if form.echo else dict.fromkeys(range(count), 0)
    while len(texts) < count:
        for number in (n for n in range(count) if n not in texts):
            piece = writing.since(number, *seen[number])
            if not (piece.text or piece.tokens or piece.whole):
                continue
            if number not in before:
                choice = form.prompt(number, writing.replies[number].read)
                before[number] = len(choice["text"])
                yield {**form.chunk([choice]), **more}
            seen[number][0] += len(piece.text)
            seen[number][1] += len(piece.tokens)
            yield {**form.chunk([form.piece(number, piece, before[number])]), **more}
            if piece.whole is not None:
                texts[number] = piece.whole
        if len(texts) < count:
            await writing.changed()
    if with_usage:
        told = usage([texts[number] for number in range(count)], form.asked)
        yield {**form.chunk([]), "usage": told}


class Events(Response):
    """Server-sent events; when the client hangs up, or the server ends, what is written is cancelled."""

    def __init__(self, writing: Writing, chunks: AsyncIterator[dict[str, Any]]) -> None:
        super().__init__(media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        self._writing, self._chunks = writing, chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with closing(self._writing):
            headers = [pair for pair in self.raw_headers if pair[0] != b"content-length"]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            try:
                await _first(asyncio.ensure_future(self._pump(send)), receive)
            except Refusal:  # hung up: nobody hears it
                return
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pump(self, send: Send) -> None:
        async def event(data: str) -> None:
            body = f"data: {data}\n\n".encode()
            await send({"type": "http.response.body", "body": body, "more_body": True})

        try:
            async for chunk in self._chunks:
                await event(json.dumps(chunk, ensure_ascii=False))
        except Refusal as error:
            await event(json.dumps(error.to_dict()))
        await event("[DONE]")
