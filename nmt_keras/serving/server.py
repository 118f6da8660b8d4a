"""A page and JSON endpoints for people, in front of exported models."""

import asyncio
import re
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib import resources
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from pydantic import AfterValidator, BaseModel, ConfigDict, FailFast, Field
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nmt_keras.errors import ConfigError
from nmt_keras.serving.batcher import Batcher, QueueFullError
from nmt_keras.serving.savedmodel import ExportedModel
from nmt_keras.serving.served_model import Attend, ServedModel, Translate
from nmt_keras.serving.source_text import BOUNDARY, ENDS

# Without looking behind, a long row of such characters would be searched from each of them; RE2 does no such thing.
_BOUNDARY = re.compile(f"(?<![{ENDS}]){BOUNDARY}")

# The page's own script and style, and nothing from elsewhere.
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


_LARGEST = 10**9  # seconds beyond that cannot be waited for, nor numbers be counted by all that count them


@dataclass(frozen=True)
class RequestLimits:
    """What the server takes.

    Args:
        max_bytes: of a request's body.
        max_sentences: of a request.
        max_characters: of a request's sentences together, and of what is computed at once.
        max_parts: that a request's sentences would have, were all of them split.
        max_batch: sentences computed at once.
        max_waiting: sentences that wait, for each model; beyond that the answer is 503.
        max_seconds: from a request to its answer; beyond that the answer is 504.
        reload_seconds: between looks at whether a model's reference means another.
    """

    max_bytes: int = 150_000
    max_sentences: int = 64
    max_characters: int = 10_000
    max_parts: int = 1000
    max_batch: int = 64
    max_waiting: int = 256
    max_seconds: float = 60.0
    reload_seconds: float = 30.0

    def __post_init__(self) -> None:
        faults = [
            f"{name} must be above 0 and at most {_LARGEST:,}. Received: {value}."
            for name, value in vars(self).items()
            if not 0 < value <= _LARGEST
        ]
        if self.max_waiting < self.max_sentences:  # else a request could be refused for ever
            faults.append(
                f"max_waiting must be at least {self.max_sentences}, the sentences that a request may have. "
                f"Received: {self.max_waiting}."
            )
        if faults:
            raise ConfigError("\n".join(faults))


def _encodable(text: str) -> str:
    """JSON can spell half a character ("\\ud800"), which no encoding can."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"text must hold no lone surrogate. Received: one at character {error.start}") from None
    return text


Sentence = Annotated[str, AfterValidator(_encodable)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class TranslationRequest(_Asked):
    """Sentences for POST /translate; `model` is a reference as given at the start, the first by default."""

    sentences: Annotated[list[Sentence], FailFast()]
    model: str | None = None
    beam_size: Annotated[int, Field(ge=0)] = 0
    n_best: Annotated[int, Field(ge=0)] = 0


class AttentionRequest(_Asked):
    """A sentence for POST /attention."""

    sentence: Sentence
    model: str | None = None


class _BodyLimit:
    """Stops reading a body that is too large."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        read = 0

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.max_bytes:
                raise HTTPException(413, f"A request must have at most {self.max_bytes} bytes.")
            return message

        await self.app(scope, limited, send)


class _Metrics:
    """What Prometheus is told."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "nmt_requests", "Answers, by path and status code", ["path", "code"], registry=self.registry
        )
        self.seconds = Histogram(
            "nmt_request_seconds",
            "Time to answer",
            ["path"],
            registry=self.registry,
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
        )
        ProcessCollector(registry=self.registry)
        self.open = Gauge("nmt_open_requests", "Requests that are being answered", registry=self.registry)
        self.sentences = Counter("nmt_sentences", "Sentences computed", ["model"], registry=self.registry)
        self.batch_sizes = Histogram(
            "nmt_batch_sentences",
            "Sentences of a batch",
            ["model"],
            registry=self.registry,
            buckets=(1, 2, 4, 8, 16, 32, 64),
        )
        self.reloads = Counter(
            "nmt_reloads", "Models that were replaced, or not", ["model", "result"], registry=self.registry
        )
        self.waiting = Gauge("nmt_waiting_sentences", "Sentences that wait", ["model"], registry=self.registry)


class _Service:
    """The models, each with its batcher, from the start of the server to its end."""

    def __init__(self, models: Sequence[ServedModel], limits: RequestLimits) -> None:
        self.models = {model.reference: model for model in models}
        self.limits = limits
        self.metrics = _Metrics()
        self._batchers: dict[str, Batcher] = {}
        self._stopped = threading.Event()

    @asynccontextmanager
    async def running(self, _: FastAPI) -> AsyncIterator[None]:
        """Starts the threads; at the end computes what was accepted."""
        for reference, model in self.models.items():
            batcher = Batcher(
                partial(self._compute, model),
                self.limits.max_batch,
                self.limits.max_waiting,
                self.limits.max_characters,
            )
            self._batchers[reference] = batcher
            self.metrics.waiting.labels(reference).set_function(partial(getattr, batcher, "waiting"))
        threading.Thread(target=self._watch, name="reload", daemon=True).start()
        yield
        self._stopped.set()
        for batcher in self._batchers.values():
            await asyncio.to_thread(batcher.close)

    def _compute(self, model: ServedModel, kind: Any, sentences: list[str]) -> list[dict[str, Any]]:
        exported, asked = kind
        answers = model.answer(exported, asked, sentences)
        self.metrics.sentences.labels(model.reference).inc(len(sentences))
        self.metrics.batch_sizes.labels(model.reference).observe(len(sentences))
        return answers

    def _watch(self) -> None:
        while not self._stopped.wait(self.limits.reload_seconds):
            for reference, model in self.models.items():
                try:
                    loaded = model.refresh()
                except Exception:  # such as a log that takes no more; the next look may fare better
                    loaded = False
                if loaded is not None:
                    self.metrics.reloads.labels(reference, "loaded" if loaded else "failed").inc()

    def chosen(self, reference: str | None) -> ServedModel:
        """The model of a request, by default the first."""
        if reference is None:
            return next(iter(self.models.values()))
        if reference not in self.models:
            raise HTTPException(422, f"model must be one of {', '.join(self.models)}.")
        return self.models[reference]

    async def ask(
        self,
        http: Request,
        model: ServedModel,
        exported: ExportedModel,
        asked: Translate | Attend,
        sentences: list[str],
    ) -> list[dict[str, Any]]:
        """The answers to a request, by the model that `model` was when it came."""
        limits = self.limits
        if len(sentences) > limits.max_sentences:
            raise HTTPException(
                422, f"A request must have at most {limits.max_sentences} sentences. Received: {len(sentences)}."
            )
        if (characters := sum(map(len, sentences))) > limits.max_characters:
            raise HTTPException(
                422,
                f"The sentences of a request must have at most {limits.max_characters} characters. "
                f"Received: {characters}.",
            )
        if (parts := sum(1 + len(_BOUNDARY.findall(sentence)) for sentence in sentences)) > limits.max_parts:
            raise HTTPException(
                422,
                f"A request must have at most {limits.max_parts} ends of sentences and lines. Received: {parts}.",
            )
        try:
            submitted = self._batchers[model.reference].submit((exported, asked), sentences)
        except QueueFullError:
            raise HTTPException(503, "Too many sentences wait. Try again.", {"Retry-After": "1"}) from None
        answers = asyncio.gather(*map(asyncio.wrap_future, submitted))
        answers.add_done_callback(lambda done: done.cancelled() or done.exception())  # else given up ones are told of
        gone = asyncio.ensure_future(http.receive())  # the body was read: only its sender's going can follow
        try:
            done, _ = await asyncio.wait(
                (answers, gone), timeout=limits.max_seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if answers in done:
                return list(answers.result())
            if gone in done:
                raise HTTPException(499, "The client has gone.")  # for the metrics: nobody reads it
            raise HTTPException(504, f"No answer after {limits.max_seconds:g} seconds.")
        finally:
            gone.cancel()
            answers.cancel()
            for answer in submitted:  # of a request that failed in part, the rest
                answer.cancel()


def create_app(models: Sequence[ServedModel], limits: RequestLimits) -> FastAPI:
    """The application: GET / (the page), /models, /healthz and /metrics; POST /translate and /attention.

    Args:
        models: to choose from, the first by default; no two of one reference.
        limits: what is taken.

    Returns:
        An ASGI application. Its shutdown answers what was accepted.
    """
    service = _Service(models, limits)
    app = FastAPI(title="nmt_keras", lifespan=service.running, docs_url=None, redoc_url=None)
    app.add_middleware(_BodyLimit, max_bytes=limits.max_bytes)
    page = resources.files("nmt_keras").joinpath("serving", "page.html").read_text(encoding="utf-8")

    @app.middleware("http")
    async def measured(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        began, code = time.perf_counter(), 500
        try:
            with service.metrics.open.track_inprogress():
                response = await call_next(request)
            code = response.status_code
            return response
        finally:
            path = getattr(request.scope.get("route"), "path", "other")
            service.metrics.requests.labels(path, code).inc()
            service.metrics.seconds.labels(path).observe(time.perf_counter() - began)

    @app.exception_handler(RequestValidationError)
    async def refuse(_: Request, error: RequestValidationError) -> JSONResponse:
        # What was sent is not repeated: it may be large, or not even be text.
        reasons = [f"{'.'.join(map(str, fault['loc'][1:])) or 'body'}: {fault['msg']}" for fault in error.errors()[:10]]
        return JSONResponse({"detail": [reason[:200].encode(errors="replace").decode() for reason in reasons]}, 422)

    @app.exception_handler(UnicodeError)
    async def refuse_surrogates(_: Request, __: UnicodeError) -> JSONResponse:
        return JSONResponse({"detail": ["body: text must hold no lone surrogate."]}, 422)

    @app.get("/", response_class=HTMLResponse)
    async def show_page() -> HTMLResponse:
        return HTMLResponse(page, headers=_PAGE_HEADERS)

    @app.get("/models")
    async def list_models() -> list[dict[str, Any]]:
        present = ((model.reference, model.exported) for model in models)
        return [{"model": name, "path": str(exported.path), "card": exported.card} for name, exported in present]

    @app.get("/healthz")
    async def is_healthy() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/metrics")
    async def tell_metrics() -> Response:
        return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @app.post("/translate")
    async def translate(request: TranslationRequest, http: Request) -> dict[str, Any]:
        model = service.chosen(request.model)
        exported = model.exported
        largest = exported.card["limits"]["max_beam_size"]
        if request.beam_size > largest or request.n_best > (request.beam_size or largest):
            raise HTTPException(
                422,
                f"beam_size must be at most {largest}, and n_best at most beam_size. "
                f"Received: beam_size={request.beam_size}, n_best={request.n_best}.",
            )
        asked = Translate(request.beam_size, request.n_best)
        answers = await service.ask(http, model, exported, asked, request.sentences)
        return {"model": model.reference, "translations": answers}

    @app.post("/attention")
    async def attention(request: AttentionRequest, http: Request) -> dict[str, Any]:
        model = service.chosen(request.model)
        exported = model.exported
        if "attention" not in exported.signatures:
            raise HTTPException(422, f"{model.reference} has no attention to show.")
        (answer,) = await service.ask(http, model, exported, Attend(), [request.sentence])
        return {"model": model.reference} | answer

    return app
