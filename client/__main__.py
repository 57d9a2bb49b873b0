"""`python -m client URL RECORDING…`: what was said, on stdout; waiting and errors on stderr. The token is HF_TOKEN."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Literal, TextIO

from client.clients import Client
from client.errors import ClientError
from client.retry import Waiting

_EPILOG = """\
exit codes: 0 all done, 1 some recording failed, 2 the command line, the environment or the output is wrong, 70 a fault of this
tool, 130 interrupted, 141 whoever read the output has stopped reading
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, send the recordings one after the other, return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m client", description=__doc__, epilog=_EPILOG)
    parser.add_argument("url", metavar="URL", help="the endpoint's")
    parser.add_argument("recordings", metavar="RECORDING", nargs="+", help="a file")
    parser.add_argument("--format", help="a response_format (default: txt); every json one is printed whole")
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
    parameters = {"response_format": "txt"} | dict(given.partition("=")[::2] for given in options.parameters)
    if options.format is not None:
        parameters["response_format"] = options.format
    whole = parameters["response_format"].endswith("json")
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
                print(json.dumps(reply.raw, indent=1) if whole else reply.text.rstrip("\n"), flush=True)
    return int(failed)


def _tell(waiting: Waiting) -> None:
    print(f"{waiting.reason.replace('_', ' ')}: {waiting.elapsed_s:.0f} s, next in {waiting.wait_s:.0f} s", file=sys.stderr)


def _run() -> int:
    """`main`, with an exit code and a line for whatever stops it: a traceback would quote what was said, and paths."""
    try:
        try:
            return main()
        finally:
            if sys.stdout is not None:  # None: it was closed before we began
                sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _give_up(sys.stdout, sys.stderr)
        return 141
    except OSError as error:  # a full disk: what a call itself may raise is a ClientError
        kind = os.strerror(error.errno) if error.errno is not None else type(error).__name__
        code, reason = 2, f"what was to be printed could not be written: {kind}"
        _give_up(sys.stdout)
    except Exception as error:
        code, reason = 70, f"a fault of this tool: {type(error).__name__}"
    with suppress(OSError):
        print(f"error: {reason}", file=sys.stderr)
    return code


def _give_up(*streams: TextIO | None) -> None:
    """What is still to be written goes nowhere: Python would write it at its end, and complain."""
    for stream in streams:
        with suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
            if stream is not None:
                os.dup2(nowhere.fileno(), stream.fileno())


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what was said may be in no encoding of this terminal
    sys.exit(_run())
