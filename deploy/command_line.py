"""The command line: every verb with its options, and what is said of one that cannot be meant."""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from deploy.errors import CommandError
from deploy.presets import PRESETS
from deploy.secrets import SOURCE
from deploy.specification_parts import (
    ENDPOINT_RULE,
    NAMESPACE_RULE,
    REPOSITORY_RULE,
    is_endpoint,
    is_owner,
    is_repository,
)

EXIT_CODES = """\
exit codes:
  0    done, or nothing to do
  1    check: something is red
  2    the command line, endpoint.yaml, a file or the environment is wrong; nothing was changed
  3    the Hub refused: the token, its rights, a gate or a quota
  4    the Hub is busy or cannot be reached; run the same command again
  5    the endpoint is not good; the state before it is back, or it is paused: the message says which
  6    the endpoint is not good, and going back failed: look at it
  70   a fault of this tool itself; look at `status` and `history`
  130  interrupted; the next apply goes on

Your token is HF_TOKEN, another source that --token names, or that of `hf auth login`. A source is env:NAME, file:PATH or stdin.
It needs the right to write to the model repository and to manage Inference Endpoints. `history` and `init --no-pin` need none.
"""

HUB_URL = "https://huggingface.co"


def parser() -> argparse.ArgumentParser:
    """The command line: every verb with its options."""
    root = _Parser(
        prog="python -m deploy", description="From this folder to a running, verified Inference Endpoint, and back again."
    )
    verbs = root.add_subparsers(metavar="VERB", dest="verb", required=True)
    add = _Adder(verbs)
    init = add("init", "Write a commented endpoint.yaml.")
    init.add_argument("--preset", choices=PRESETS, default="t4", help="the machine (default: t4)")
    repository, endpoint = _named(is_repository, REPOSITORY_RULE), _named(is_endpoint, ENDPOINT_RULE)
    owner = _named(is_owner, NAMESPACE_RULE)
    init.add_argument(
        "--repository", type=repository, required=True, metavar="OWNER/NAME", help="the model repository to publish to"
    )
    init.add_argument(
        "--endpoint", type=endpoint, default="roundtable", metavar="NAME", help="the endpoint's name (default: roundtable)"
    )
    init.add_argument("--namespace", type=owner, metavar="NAME", help="whose endpoint it is (default: the repository's owner)")
    init.add_argument("--no-pin", action="store_true", help="do not ask the Hub for the models' newest commits")
    init.add_argument("--force", action="store_true", help="replace a file that is there")
    command = add("check", "Look at models, tokens, quota, price and requirements. Red lines first; changes nothing.")
    command.add_argument("--no-requirements", action="store_true", help="do not ask pip, which takes a minute")
    for verb, help_text in (
        ("plan", "Show what publish and apply would change, and what it costs. Changes nothing."),
        ("publish", "Push the shipped files and the model card to the model repository, as a release."),
    ):
        command = add(verb, help_text)
        command.add_argument("--results", type=Path, metavar="FILE", help="figures of `python -m evaluation.run --json FILE`")
    command = add("apply", "Create or update the endpoint, wait, smoke-test it, and go back if it is not good.")
    command.add_argument("--canary", action="store_true", help="try it on a second endpoint first")
    command.add_argument("--resend-secrets", action="store_true", help="send the secrets though nothing else has changed")
    command = add("rollback", "Go back to the last good state, or to a release.")
    command.add_argument("--to", type=_revision, metavar="RELEASE", help="a release or commit of the model repository")
    command = add("smoke", "Send the shipped recording to the running endpoint, and check what comes back.")
    command.add_argument("--release", type=_revision, help="what it should serve (default: the newest publication)")
    add("status", "Show the endpoint, and how it differs from endpoint.yaml.")
    command = add("logs", "Show the last lines of the container's log.")
    command.add_argument("--lines", type=_count, default=100, metavar="N", help="how many (default: 100)")
    add("pause", "Stop the endpoint: no cost, until it is resumed.")
    add("resume", "Start a paused endpoint, and wait until it serves.")
    command = add("delete", "Show what would be deleted; with --yes, delete the endpoint.")
    command.add_argument("--yes", action="store_true", help="do it")
    add("history", "List the changes that were made from here.")
    return root


class WrongCommandLine(SystemExit):
    """What was typed cannot be meant; the user has been told. Ends the program with 2 where nobody catches it."""

    def __init__(self, problem: CommandError) -> None:
        super().__init__(problem.exit_code)
        self.problem = problem


class _Parser(argparse.ArgumentParser):
    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, epilog=EXIT_CODES, allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Without what was typed: it may be a token in the wrong place."""
        problem = CommandError(_untyped(message), f"`{self.prog} --help` shows what there is")
        self.print_usage(sys.stderr)
        print(f"{self.prog}: error: {problem.reason}", file=sys.stderr)
        raise WrongCommandLine(problem)


def _untyped(message: str) -> str:
    """argparse's message without the user's words."""
    named = re.fullmatch(r"argument ([A-Za-z/, -]+): (.*)", message, re.DOTALL)
    if named is None:
        required = message.startswith("the following arguments are required: ")
        return message if required else "there is an argument that this does not take"
    name, reason = named.groups()
    if reason.startswith("invalid choice"):
        _, _, choices = reason.rpartition("(choose from ")
        return f"argument {name}: must be one of {choices.rstrip(')')}"
    if reason.startswith(("expected ", "must be ", "not allowed with ")):
        return f"argument {name}: {reason}"
    return f"argument {name}: not valid"


class _Adder:
    """Adds a verb, with the options that all share."""

    def __init__(self, verbs: Any) -> None:
        self._verbs = verbs

    def __call__(self, name: str, help_text: str) -> argparse.ArgumentParser:
        command: argparse.ArgumentParser = self._verbs.add_parser(name, help=help_text, description=help_text)
        shared = command.add_argument_group("for every verb")
        shared.add_argument("--file", type=Path, default=Path("deploy/endpoint.yaml"), help="default: deploy/endpoint.yaml")
        shared.add_argument("--json", action="store_true", help="the result as JSON on stdout; progress stays on stderr")
        shared.add_argument("--token", type=_source, metavar="SOURCE", help="where your token is; default: env:HF_TOKEN")
        shared.add_argument("--journal", type=Path, default=Path(".deploy"), metavar="DIR", help="default: .deploy")
        shared.add_argument("--timeout", type=_positive, default=30.0, metavar="MINUTES", help="to wait for it (default: 30)")
        shared.add_argument("--poll", type=_positive, default=5.0, metavar="SECONDS", help="between looks (default: 5)")
        shared.add_argument("--hub-url", default=None, metavar="URL", help=f"default: {HUB_URL}")
        shared.add_argument("--api-url", default=None, metavar="URL", help="of the endpoint API, with its version")
        return command


def _named(fits: Callable[[str], bool], rule: str) -> Callable[[str], str]:
    """For a name that endpoint.yaml will hold: refused here, where it was typed."""

    def name(text: str) -> str:
        if not fits(text):
            raise argparse.ArgumentTypeError(rule)
        return text

    return name


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError("must be a number greater than 0")
    return number


def _count(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) == 0:
        raise argparse.ArgumentTypeError("must be a whole number from 1")
    return int(text)


def _revision(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}", text):
        raise argparse.ArgumentTypeError("must be the name of a release, or a commit")
    return text


def _source(text: str) -> str:
    if not SOURCE.fullmatch(text):
        # Whoever put a token here shall not see it again in the message.
        raise argparse.ArgumentTypeError("must be env:NAME, file:PATH or stdin, never the token itself")
    return text
