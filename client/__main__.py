"""`python -m client URL RECORDING…`: what was said, on stdout; waiting and errors on stderr. The token is HF_TOKEN."""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Sequence
from typing import Literal

from client.clients import Client
from client.errors import ClientError
from client.retry import Waiting

_EPILOG = """\
exit codes: 0 all done, 1 some recording failed, 2 the command line is wrong, 130 interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, send the recordings one after the other, return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m client", description=__doc__, epilog=_EPILOG)
    parser.add_argument("url", metavar="URL", help="the endpoint's")
    parser.add_argument("recordings", metavar="RECORDING", nargs="+", help="a file")
    parser.add_argument("--format", default="txt", help="a response_format (default: txt); every json one is printed whole")
    parser.add_argument(
        "-p", dest="parameters", metavar="NAME=VALUE", action="append", default=[], help="a parameter, such as num_speakers=2"
    )
    parser.add_argument("--raw", action="store_true", help="send the file as it is, not as base64 (not to hf-serve)")
    parser.add_argument("--no-token", action="store_true", help="send no token, though HF_TOKEN has one")
    parser.add_argument(
        "--allow-plain-http", action="store_true", help="send the token without TLS, where others on the way can read it"
    )
    options = parser.parse_args(arguments)
    if not all("=" in given for given in options.parameters):
        parser.error("-p: must be NAME=VALUE")
    parameters = dict(given.partition("=")[::2] for given in options.parameters) | {"response_format": options.format}
    try:
        token: Literal[False] | None = False if options.no_token else None
        client = Client(options.url, token=token, allow_plain_http=options.allow_plain_http, on_wait=_tell)
    except ClientError as error:
        parser.error(str(error))
    failed = False
    with client:
        for place, recording in enumerate(options.recordings, 1):
            try:
                reply = client.transcribe(recording, parameters, send_as="raw" if options.raw else "base64")
            except ClientError as error:
                print(f"recording {place}: {error}", file=sys.stderr)
                failed = True
            else:
                print(
                    json.dumps(reply.raw, indent=1) if options.format.endswith("json") else reply.text.rstrip("\n"), flush=True
                )
    return int(failed)


def _tell(waiting: Waiting) -> None:
    print(f"{waiting.reason.replace('_', ' ')}: {waiting.elapsed_s:.0f} s, next in {waiting.wait_s:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what was said may be in no encoding of this terminal
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
