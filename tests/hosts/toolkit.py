"""Emulates huggingface-inference-toolkit's server for custom handlers: what it takes, hands over, refuses and sends back.

    python tests/hosts/toolkit.py --model-dir FOLDER [--generation 2025|2026] [--task custom] [--port 0]

prints `port N` and serves on loopback until SIGTERM. The code is ours. The behaviour is from the table of facts about the
host, and where that is silent, from reading its published source; each point has a case in test_emulators.py, but none was
compared with the running server here. Alone in one file, because a sibling that it imported would have to be on `sys.path`,
where the handler could find it too. Left out: everything that a custom handler never meets (pipelines, downloads, images,
load shedding, idle unloading, Vertex AI).
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import importlib.util
import logging
import math
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

logger = logging.getLogger("toolkit")

JSON_TYPE = "application/json"
AUDIO_TYPES = frozenset(
    "audio/" + name
    for name in (
        *("flac", "x-flac", "mpeg", "x-mpeg-3", "wav", "wave", "x-wav", "ogg", "webm", "webm;codecs=opus"),
        *("m4a", "x-m4a", "amr", "AMR", "AMR-WB", "AMR-WB+", "x-audio"),
    )
)
AUDIO_TASKS = frozenset({"automatic-speech-recognition", "audio-classification"})


class Toolkit2025:
    """Version 0.5.6. Content types are matched letter by letter."""

    def __init__(self, model_dir: str, task: str) -> None:
        self.model_dir = model_dir
        self.task = task
        self.handler: Callable[[Any], Any]
        self.one_at_a_time = asyncio.Semaphore(1)

    def app(self) -> Starlette:
        routes = [
            Route("/", self.health, methods=["GET"]),
            Route("/health", self.health, methods=["GET"]),
            Route("/", self.predict, methods=["POST"]),
            Route("/predict", self.predict, methods=["POST"]),
        ]
        return Starlette(routes=routes, lifespan=self.lifespan)

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        # On the event loop, before the first connection is accepted: who is connected to finds a handler that is loaded.
        self.handler = load_handler(self.model_dir)
        yield

    async def health(self, request: Request) -> Response:
        return PlainTextResponse("Ok")

    async def predict(self, request: Request) -> Response:
        try:
            return await self.answer(request)
        except Exception as error:  # whatever it is, it is the caller's fault: this is the contract
            logger.error(error)
            return Response(orjson.dumps({"error": str(error)}), 400, media_type=JSON_TYPE)

    async def answer(self, request: Request) -> Response:
        deserialize = self.deserializer(request.headers.get("content-type"))
        data = deserialize(await request.body())
        if "inputs" not in data and "instances" not in data:
            raise ValueError(f"no inputs key in the body: {orjson.dumps(data)!r}")  # the whole body, and logged as well
        self.decode_inputs(data)
        if request.query_params and "parameters" not in data:
            data["parameters"] = {name: self.coerce(value) for name, value in request.query_params.items()}
        async with self.one_at_a_time:
            reply = await asyncio.to_thread(self.handler, data)
        return self.respond(reply, request.headers.get("accept"))

    def deserializer(self, content_type: str | None) -> Callable[[bytes], Any]:
        if content_type in (JSON_TYPE, f"{JSON_TYPE}; charset=UTF-8"):
            return _json_body
        if content_type in AUDIO_TYPES:
            return _audio_body
        if content_type == "text/plain":  # listed there, with nothing behind it
            raise AttributeError("'NoneType' object has no attribute 'deserialize'")
        raise ValueError(f'Content type "{content_type}" not supported.')

    def decode_inputs(self, data: dict[str, Any]) -> None:
        """With one of two audio tasks and `parameters` in the body, the handler gets bytes instead of base64."""
        if self.task in AUDIO_TASKS and "parameters" in data:
            data["inputs"] = base64.b64decode(data["inputs"], validate=True)

    def coerce(self, value: str) -> int | float | bool | str:
        if value.isnumeric():  # true of "²" as well, which int() refuses
            return int(value)
        return value == "true" if value in ("true", "false") else value

    def respond(self, reply: Any, accept: str | None) -> Response:
        if accept not in (None, "*/*", JSON_TYPE):
            raise ValueError(_not_producible(accept in AUDIO_TYPES))
        return _json_response(reply)


class Toolkit2026(Toolkit2025):
    """Its successor: case and parameters of a content type no longer matter, numbers are read as numbers, None is a 204."""

    def deserializer(self, content_type: str | None) -> Callable[[bytes], Any]:
        media_type = _bare(content_type or os.environ.get("DEFAULT_CONTENT_TYPE", ""))
        if media_type == "application/octet-stream" and ("audio" in self.task or "speech" in self.task):
            return _audio_body
        if media_type in _BARE_AUDIO_TYPES:
            return _audio_body
        if media_type == JSON_TYPE:
            return _json_body
        raise ValueError(f'Content type "{content_type}" not supported.')

    def decode_inputs(self, data: dict[str, Any]) -> None:
        """With an audio task, a string is base64 and becomes bytes, with or without `parameters`."""
        if self.task in AUDIO_TASKS and isinstance(data.get("inputs"), str):
            data["inputs"] = base64.b64decode(data["inputs"], validate=True)

    def coerce(self, value: str) -> int | float | bool | str:
        if value in ("true", "false"):
            return value == "true"
        for number in (int, float):
            try:
                converted = number(value)
            except ValueError:
                continue
            return converted if math.isfinite(converted) else value
        return value

    def respond(self, reply: Any, accept: str | None) -> Response:
        if reply is None:
            return Response(status_code=204)
        wanted = [JSON_TYPE] if accept in (None, "*/*") else [_bare(entry) for entry in str(accept).split(",")]
        first = next((entry for entry in wanted if entry == JSON_TYPE or entry in _BARE_AUDIO_TYPES), None)
        if first != JSON_TYPE:
            raise ValueError(_not_producible(first is not None))
        return _json_response(reply)


GENERATIONS: dict[str, type[Toolkit2025]] = {"2025": Toolkit2025, "2026": Toolkit2026}


def load_handler(model_dir: str) -> Callable[[Any], Any]:
    """The folder goes to the front of `sys.path`, and the module gets a dotted name of which no parent exists."""
    sys.path.insert(0, model_dir)
    name = "handler.EndpointHandler"
    spec = importlib.util.spec_from_file_location(name, Path(model_dir, "handler.py"))
    if spec is None or spec.loader is None:
        raise ImportError("there is no handler.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    handler: Callable[[Any], Any] = module.EndpointHandler(model_dir)
    return handler


def _json_body(body: bytes) -> Any:
    return orjson.loads(body)


def _audio_body(body: bytes) -> dict[str, Any]:
    return {"inputs": body}


def _json_response(reply: Any) -> Response:
    return Response(orjson.dumps(reply, option=orjson.OPT_SERIALIZE_NUMPY), media_type=JSON_TYPE)


def _not_producible(audio: bool) -> str:
    return "Audio serialization not implemented" if audio else "Accept type not supported."


def _bare(media_type: str) -> str:
    return media_type.split(";")[0].strip().lower()


_BARE_AUDIO_TYPES = frozenset(map(_bare, AUDIO_TYPES))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model-dir", required=True)
    parser.add_argument("--generation", choices=GENERATIONS, default="2025")
    parser.add_argument("--task", default="custom", help="what HF_TASK would say")
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    arguments = parser.parse_args()

    logging.basicConfig(level=logging.INFO)
    app = GENERATIONS[arguments.generation](arguments.model_dir, arguments.task).app()
    # Bound now, so that the number is known; uvicorn listens on it once the handler is loaded.
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", arguments.port))
        print("port", bound.getsockname()[1], flush=True)
        uvicorn.Server(uvicorn.Config(app, access_log=False)).run(sockets=[bound])


if __name__ == "__main__":
    main()
