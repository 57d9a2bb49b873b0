"""What the commands take: options that are refused where they could only mislead."""

from __future__ import annotations

import argparse
import math


def collar_s(text: str) -> float:
    """A width in seconds, 0 or more."""
    value = _number(text)
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError("a collar is 0 seconds or more")
    return value


def add_collar(parser: argparse.ArgumentParser) -> None:
    """`--collar`, as `collar` of the options."""
    parser.add_argument(
        "--collar",
        type=collar_s,
        default=0.0,
        metavar="S",
        help="TOTAL seconds left out around each border for DER (default: 0)",
    )


def how_many(text: str) -> int:
    """A whole number from 1."""
    value = _number(text)
    if not (value >= 1 and value.is_integer()):
        raise argparse.ArgumentTypeError("a whole number from 1 is wanted")
    return int(value)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError("that is not a number") from error
