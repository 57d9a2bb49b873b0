"""A server under load: `python -m benchmarks.load URL` or `--host plain|toolkit|hf-serve` (`make bench-load`).

Requests come at random, at a given rate, whatever the server does (open loop): the next one never waits for a reply. So
latency is what callers see, from the moment at which a request was meant to be sent. Queueing is the part of it in which the
handler did not work on the request. What is not answered by the hard stop counts as unfinished, with its age.

load_arrivals.py     when requests come, and how long their recordings are
load_recordings.py   recordings of these lengths
load_requests.py     sends them, once each, and notes what came of them
load_server.py       a server that runs, or one that is started and ended; its memory
load_tables.py       figures to text, and the promises
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import load_tables
from benchmarks.load_arrivals import Arrival, poisson
from benchmarks.load_recordings import cut
from benchmarks.load_requests import send_all
from benchmarks.load_server import HOSTS, Server, host_named, is_loopback, resident_mb, served_at, started, watched
from benchmarks.outcome import add_options, command, publish
from client import ClientError
from client.parameters import SendAs
from evaluation.machine import ROOT, describe_machine
from evaluation.readers import ReadError
from tests.hosts.harness import HostError

MARKS = ("<!-- figures of benchmarks.load -->", "<!-- end of the load's figures -->")
MIX = "10:45,60:4,300:1"
SAMPLES = (ROOT / "samples" / "meeting.flac", ROOT / "samples" / "call.flac")
REMOTE = (
    "This URL is not this machine's: a load test of somebody else's server is an attack. If it is yours, add --allow-remote."
)
SAMPLE_EVERY_S = 1.0
SHORTEST_S, LONGEST_S = 0.1, 86400.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 measured (with --strict: and everything reached), 1 with --strict if anything fell short, 2 nothing
    measured: the command line is wrong, or the server did not start or did not answer the warm-up."""
    options = _options(arguments)
    arrivals = poisson(options.rate, options.duration, options.mix, options.seed)
    if not arrivals:
        print("No request comes in so short a time: raise --rate or --duration.", file=sys.stderr)
        return 2
    send_as: SendAs = "raw" if options.raw else "base64"
    figures: dict[str, Any] = {
        "machine": {
            **describe_machine(),
            "command": command("benchmarks.load", arguments),
            "load before": f"{os.getloadavg()[0]:.2f}",
        },
        "runs": [],
    }
    try:
        recordings = cut(options.recordings, options.mix)
        for name in options.host or [options.url]:
            print(f"{name}: starting" if options.host else name, file=sys.stderr, flush=True)
            limit_s = options.duration + options.drain + 1.0
            host = host_named(name) if options.host else None
            server = started(host, send_as, limit_s) if host else served_at(name, send_as, limit_s, options.pid)
            run = asyncio.run(measure(server, arrivals, recordings, options))
            about = {"rate_per_s": options.rate, "duration_s": options.duration, "seed": options.seed, "send_as": send_as}
            one_at_a_time = name == "hf-serve"
            figures["runs"].append({**about, "mix": options.mix, "one_at_a_time": one_at_a_time, **run})
    except ReadError as error:
        print(f"--recordings: {error}", file=sys.stderr)
        return 2
    except (ClientError, HostError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    return publish(options, figures, load_tables.text(figures), MARKS, load_tables.checks(figures))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("url", nargs="?", metavar="URL", help="a server that runs; its token: HF_TOKEN")
    parser.add_argument("--host", nargs="+", choices=HOSTS, metavar="HOST", help=f"start it: {', '.join(HOSTS)}")
    parser.add_argument("--rate", type=float, default=0.5, metavar="R", help="requests per second on average (default: 0.5)")
    parser.add_argument("--duration", type=float, default=120.0, metavar="S", help="how long requests come (default: 120)")
    parser.add_argument("--drain", type=float, default=60.0, metavar="S", help="hard stop so long after that (default: 60)")
    parser.add_argument("--seed", type=int, default=9, metavar="N", help="of times and lengths (default: 9)")
    parser.add_argument(
        "--mix", type=parse_mix, default=MIX, metavar="S:W,…", help=f"lengths in seconds and how often (default: {MIX})"
    )
    parser.add_argument(
        "--recordings", type=Path, nargs="+", default=SAMPLES, metavar="FILE", help="what they are cut from (default: samples/)"
    )
    parser.add_argument("--raw", action="store_true", help="send the bytes as they are, not as base64 in JSON")
    parser.add_argument("--warm-up", type=int, default=2, metavar="N", help="the shortest, before, not counted (default: 2)")
    parser.add_argument("--pid", type=int, metavar="N", help="with URL: the process whose memory is watched")
    parser.add_argument("--allow-remote", action="store_true", help="send to another machine than this one")
    add_options(parser)
    options = parser.parse_args(arguments)
    if (options.url is None) == (options.host is None):
        parser.error("name a URL or --host, and not both")
    if not all(0 < value < math.inf for value in (options.rate, options.duration, options.drain)):
        parser.error("--rate, --duration and --drain must be numbers greater than 0")
    if options.warm_up < 0:
        parser.error("--warm-up must be 0 or more")
    try:
        if options.url is not None and not (is_loopback(options.url) or options.allow_remote):
            parser.error(REMOTE)
    except ClientError as error:
        parser.error(str(error))
    if options.pid is not None and (options.url is None or resident_mb(options.pid) is None):
        parser.error("--pid goes with a URL, and names a process that runs here")
    deaf = [name for name in options.host or () if options.raw and not host_named(name).takes_raw_audio]
    if deaf:
        parser.error(f"{', '.join(deaf)} takes no raw audio: leave out --raw")
    return options


def parse_mix(text: str) -> dict[float, float]:
    """`10:45,60:4`: recordings of 10 s and of 60 s, 45 to 4."""
    try:
        mix = {float(length): float(weight) for length, weight in (part.split(":") for part in text.split(","))}
    except ValueError:
        mix = {}
    lengths = all(SHORTEST_S <= length <= LONGEST_S for length in mix)
    if not (mix and lengths and all(weight > 0 for weight in mix.values()) and sum(mix.values()) < math.inf):
        wanted = f"SECONDS from {SHORTEST_S:g} to {LONGEST_S:g} and a WEIGHT greater than 0"
        raise argparse.ArgumentTypeError(f"must be SECONDS:WEIGHT,SECONDS:WEIGHT,… with {wanted}")
    return mix


async def measure(
    server: AbstractAsyncContextManager[Server],
    arrivals: Sequence[Arrival],
    recordings: Mapping[float, bytes],
    options: argparse.Namespace,
) -> dict[str, Any]:
    """One server's figures. Raises `ClientError` if it does not answer the warm-up, `HostError` if it does not start."""
    ended = 0

    def count() -> None:
        nonlocal ended
        ended += 1

    async with server as up:
        models: Mapping[str, str] = {}
        for _ in range(options.warm_up):
            models = (await up.transcribe(recordings[min(recordings)])).models
        print(f"{up.name}: {len(arrivals)} requests", file=sys.stderr, flush=True)
        async with watched(up.pid, lambda: ended, SAMPLE_EVERY_S) as memory:
            sent = await send_all(up.transcribe, arrivals, recordings, options.duration + options.drain, count)
    return {"server": up.name, "models": dict(models), "requests": [asdict(one) for one in sent], "memory": memory}


if __name__ == "__main__":
    sys.exit(main())
