"""The plainest host: a Python program that imports handler.py and calls it, several requests at once if it likes.

    python tests/hosts/plain.py --model-dir FOLDER

reads one JSON list of requests a line and answers each line with one list of `{"reply"}` or `{"error", "callers_fault"}`.
A request is what the handler is called with; `{"bytes": "<base64>"}` in place of `inputs` stands for raw bytes.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model-dir", required=True)
    arguments = parser.parse_args()

    sys.path.insert(0, arguments.model_dir)
    from handler import EndpointHandler  # the import under test, which no earlier line may forestall

    handler = EndpointHandler(arguments.model_dir)
    print("ready", flush=True)
    with ThreadPoolExecutor(4) as pool:
        for line in sys.stdin:
            answers = pool.map(lambda request: call(handler, request), json.loads(line))
            print(json.dumps(list(answers)), flush=True)


def call(handler: Callable[[Any], Any], request: dict[str, Any]) -> dict[str, Any]:
    if "bytes" in request:
        request["inputs"] = base64.b64decode(request.pop("bytes"))
    try:
        reply = handler(request)
        if json.loads(json.dumps(reply, allow_nan=False)) != reply:
            raise TypeError("the reply is not made of plain JSON types: it comes back changed")
        return {"reply": reply}
    except Exception as error:  # a host: it reports whatever a handler may raise
        return {"error": str(error), "callers_fault": isinstance(error, ValueError)}


if __name__ == "__main__":
    main()
