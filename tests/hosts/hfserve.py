"""Emulates hf-serve 0.2's server for `--task custom`: what it takes, hands over, refuses and sends back.

    python tests/hosts/hfserve.py --model-dir FOLDER [--port 0]

prints `port N` and serves on loopback until SIGTERM. The code is ours; the behaviour is from the table of facts about the
host, from its published source and from probing it: the cases of test_emulators.py run against this file and against the
real server, and hold for both. Alone in one file for the reason given in toolkit.py. Left out: every task but `custom`, and
the metrics.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import socket
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import uvicorn
from pydantic import RootModel
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

logger = logging.getLogger("hf-serve")


class HfServe:
    """One handler, called on the event loop: while it works, nothing else is answered, health checks included."""

    def __init__(self, handler: Callable[[Any], Any]) -> None:
        self.handler = handler

    def app(self) -> Starlette:
        routes = [
            Route("/health", self.health, methods=["GET"]),
            Route("/", self.predict, methods=["POST"]),
            Route("/predict", self.predict, methods=["POST"]),
        ]
        return Starlette(routes=routes, exception_handlers={HTTPException: _detail})

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def predict(self, request: Request) -> Response:
        body = await request.body()
        try:
            payload = _payload(body, request.headers.get("content-type", ""))
        except UnicodeDecodeError:
            raise HTTPException(HTTPStatus.BAD_REQUEST, "There was an error parsing the body") from None
        if not isinstance(payload, dict):
            # The refusal quotes the body. Bytes that are not text make that fail, which is then a 500.
            quoted = payload.decode() if isinstance(payload, bytes) else payload
            return JSONResponse({"detail": [{"loc": ["body"], "input": quoted}], "body": quoted}, 422)
        logger.info("Received request with: %s", payload)  # the whole recording, at INFO
        try:
            reply = self.handler(payload)
        except ValueError as error:
            raise HTTPException(HTTPStatus.BAD_REQUEST, str(error)) from error
        except Exception as error:  # every other failure is the server's, with the error's text in the reply
            raise HTTPException(HTTPStatus.INTERNAL_SERVER_ERROR, str(error)) from error
        # Out of reach of the lines above: what cannot be serialised is a bare 500.
        return Response(RootModel[Any](reply).model_dump_json(), media_type="application/json")


def load_handler(model_dir: str) -> Callable[[Any], Any]:
    """Nothing is put on `sys.path`, and the module `handler` is not put into `sys.modules`."""
    spec = importlib.util.spec_from_file_location("handler", Path(model_dir, "handler.py"))
    if spec is None or spec.loader is None:
        raise ImportError("there is no handler.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    handler: Callable[[Any], Any] = module.EndpointHandler(model_dir)
    return handler


def _payload(body: bytes, content_type: str) -> Any:
    """The JSON value of a body that is declared as JSON (its text, if that is no JSON), else its bytes; None for no body."""
    kind, _, subtype = content_type.split(";")[0].strip().lower().partition("/")
    if not body:
        return None
    if kind != "application" or not (subtype == "json" or subtype.endswith("+json")):
        return body
    try:
        return json.loads(body)
    except json.JSONDecodeError:
        return body.decode(errors="ignore")


async def _detail(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"detail": error.detail}, error.status_code)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model-dir", required=True)
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    arguments = parser.parse_args()

    logging.basicConfig(level=logging.INFO)
    app = HfServe(load_handler(arguments.model_dir)).app()
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", arguments.port))
        print("port", bound.getsockname()[1], flush=True)
        uvicorn.Server(uvicorn.Config(app, access_log=False)).run(sockets=[bound])


if __name__ == "__main__":
    main()
