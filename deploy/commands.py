"""The verbs of the command line, what they share, and the exit codes."""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from deploy import lifecycle
from deploy.apply import apply, rollback
from deploy.calling import Caller
from deploy.check import check, wheels_resolve
from deploy.console import Console
from deploy.deployment import Deployment
from deploy.errors import CommandError, DeployError, NotThere, SecretMissing, Unforeseen
from deploy.hub import Hub, Sleep
from deploy.manifest import ROOT
from deploy.model_card import refuse_results
from deploy.plan import plan
from deploy.presets import PRESETS, models_of, render
from deploy.publish import publish
from deploy.records import Records
from deploy.secrets import SOURCE, Mask, read_secret, refuse_debug
from deploy.specification import Specification
from deploy.waiting import Clock, Patience

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
"""

HUB_URL = "https://huggingface.co"


def parser() -> argparse.ArgumentParser:
    """The command line: every verb with its options."""
    root = _Parser(
        prog="python -m deploy", description="From this folder to a running, verified Inference Endpoint, and back again."
    )
    verbs = root.add_subparsers(metavar="VERB", dest="verb", required=True)
    add = _Adder(verbs)
    init = add("init", "Write a commented endpoint.yaml.", _init)
    init.add_argument("--preset", choices=PRESETS, default="t4", help="the machine (default: t4)")
    init.add_argument("--repository", required=True, metavar="OWNER/NAME", help="the model repository to publish to")
    init.add_argument("--endpoint", default="roundtable", metavar="NAME", help="the endpoint's name (default: roundtable)")
    init.add_argument("--namespace", metavar="NAME", help="whose endpoint it is (default: the repository's owner)")
    init.add_argument("--no-pin", action="store_true", help="do not ask the Hub for the models' newest commits")
    init.add_argument("--force", action="store_true", help="replace a file that is there")
    command = add("check", "Look at models, tokens, quota, price and requirements. Red lines first; changes nothing.", _check)
    command.add_argument("--no-requirements", action="store_true", help="do not ask pip, which takes a minute")
    for verb, help_text, action in (
        ("plan", "Show what publish and apply would change, and what it costs. Changes nothing.", _plan),
        ("publish", "Push the shipped files and the model card to the model repository, as a release.", _publish),
    ):
        command = add(verb, help_text, action)
        command.add_argument("--results", type=Path, metavar="FILE", help="figures of `python -m evaluation.run --json FILE`")
    command = add("apply", "Create or update the endpoint, wait, smoke-test it, and go back if it is not good.", _apply)
    command.add_argument("--canary", action="store_true", help="try it on a second endpoint first")
    command.add_argument("--resend-secrets", action="store_true", help="send the secrets though nothing else has changed")
    command = add("rollback", "Go back to the last good state, or to a release.", _rollback)
    command.add_argument("--to", type=_revision, metavar="RELEASE", help="a release or commit of the model repository")
    command = add("smoke", "Send the shipped recording to the running endpoint, and check what comes back.", _smoke)
    command.add_argument("--release", type=_revision, help="what it should serve (default: the newest publication)")
    add("status", "Show the endpoint, and how it differs from endpoint.yaml.", _of(lifecycle.status))
    command = add("logs", "Show the last lines of the container's log.", _logs)
    command.add_argument("--lines", type=_count, default=100, metavar="N", help="how many (default: 100)")
    add("pause", "Stop the endpoint: no cost, until it is resumed.", _of(lifecycle.pause))
    add("resume", "Start a paused endpoint, and wait until it serves.", _of(lifecycle.resume))
    command = add("delete", "Show what would be deleted; with --yes, delete the endpoint.", _delete)
    command.add_argument("--yes", action="store_true", help="do it")
    add("history", "List the changes that were made from here.", _of(lifecycle.history))
    return root


def run(
    arguments: Sequence[str] | None,
    *,
    environment: Mapping[str, str],
    caller: Caller,
    sleep: Sleep,
    clock: Clock,
    root: Path = ROOT,
) -> int:
    """Parse and run. Returns the exit code; argparse itself exits with 2, or with 0 after `--help`."""
    given = sys.argv[1:] if arguments is None else arguments
    console = Console(as_json="--json" in given, mask=Mask())
    try:
        options = parser().parse_args(given)
        refuse_debug(environment)
        code: int | None = options.action(_Workplace(options, console, environment, caller, sleep, clock, root))
        return code or 0
    except _WrongCommandLine as wrong:
        return _ended(console, wrong.problem, say=False)
    except DeployError as error:
        return _ended(console, error)
    except BrokenPipeError:
        raise
    except OSError as error:  # a path of the command line, or where the output goes: all others are told where they happen
        kind = os.strerror(error.errno) if error.errno is not None else type(error).__name__
        problem: DeployError = CommandError(f"a file or an output cannot be used: {kind}", "look at the paths, and for room")
    except Exception as error:  # whatever it is, a script wants a named outcome, and its text may hold anything
        problem = Unforeseen(f"a fault of this tool: {type(error).__name__}", "`status` shows what is there; report the fault")
    return _ended(console, problem)


def _ended(console: Console, error: DeployError, say: bool = True) -> int:
    """Tell how it ended, as lines unless that is done, and as JSON where that was asked for. Returns the exit code."""
    if say:
        console.progress(f"error: {error.reason}")
        console.progress(f"next: {error.next_step}")
    if console.as_json:
        with suppress(OSError):  # the output may be what went wrong; the line above has said so
            console.result({"error": {"code": error.code, "reason": error.reason, "next_step": error.next_step}}, [])
    return error.exit_code


class _WrongCommandLine(SystemExit):
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
        raise _WrongCommandLine(problem)


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

    def __call__(self, name: str, help_text: str, action: Callable[[_Workplace], int | None]) -> argparse.ArgumentParser:
        command: argparse.ArgumentParser = self._verbs.add_parser(name, help=help_text, description=help_text)
        command.set_defaults(action=action)
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


class _Workplace:
    """The options, and what a verb makes of them."""

    def __init__(
        self,
        options: argparse.Namespace,
        console: Console,
        environment: Mapping[str, str],
        caller: Caller,
        sleep: Sleep,
        clock: Clock,
        root: Path,
    ) -> None:
        self.options, self.console, self.environment = options, console, environment
        self._caller, self._sleep, self._clock, self._root = caller, sleep, clock, root

    def hub(self) -> Hub:
        return self._hub(self._token())

    def deployment(self) -> Deployment:
        options = self.options
        specification = Specification.load(options.file)
        token = self._token()
        deployment = Deployment(
            specification,
            self._hub(token),
            self.console,
            Records(options.journal, specification.namespace, specification.endpoint, self.console.mask),
            token,
            self._caller,
            self.environment,
            Patience(limit_s=options.timeout * 60, every_s=options.poll, sleep=self._sleep, clock=self._clock),
            self._root,
        )
        deployment.known_secrets()
        return deployment

    def _token(self) -> Any:
        from huggingface_hub import get_token
        from pydantic import SecretStr

        source = self.options.token
        if source is None and not self.environment.get("HF_TOKEN") and (stored := get_token()):
            token = SecretStr(stored)
        else:
            token = read_secret(source or "env:HF_TOKEN", name="--token", environment=self.environment)
        self.console.mask.add(token)
        if not re.fullmatch(r"[\x21-\x7e]+", token.get_secret_value()):
            raise SecretMissing("--token: what is there has characters that no token has", "put the token there, and no more")
        return token

    def _hub(self, token: Any) -> Hub:
        return Hub(token, hub_url=self.options.hub_url, api_url=self.options.api_url, sleep=self._sleep, mask=self.console.mask)

    def results(self) -> Mapping[str, Any] | None:
        path: Path | None = self.options.results
        if path is None:
            return None
        try:
            results = json.loads(path.read_text(encoding="utf-8"))
            refuse_results(results)
        except (OSError, ValueError, RecursionError):
            raise CommandError(
                "--results: no figures of `python -m evaluation.run --json`", "run that, and name its file"
            ) from None
        found: Mapping[str, Any] = results
        return found


def _of(verb: Callable[[Deployment], None]) -> Callable[[_Workplace], None]:
    return lambda workplace: verb(workplace.deployment())


def _init(workplace: _Workplace) -> None:
    options = workplace.options
    preset = PRESETS[options.preset]
    commits = {}
    if not options.no_pin:
        hub = workplace.hub()
        for model in models_of(preset):
            try:
                commits[model] = str(hub.model(model).sha)
            except NotThere:
                workplace.console.progress(f"{model}: not found on the Hub; left without a commit")
    namespace = options.namespace or options.repository.partition("/")[0]
    text = render(preset, options.repository, options.endpoint, namespace, commits)
    Specification.parse(text, options.file.name)  # the names that were given may be no names
    if options.file.exists() and not options.force:
        raise CommandError(f"{options.file.name} is there already", "--force replaces it, --file names another")
    try:
        options.file.parent.mkdir(parents=True, exist_ok=True)
        options.file.write_text(text, encoding="utf-8")
    except OSError as error:
        reason = f"{options.file.name} cannot be written: {os.strerror(error.errno or 0)}"
        raise CommandError(reason, "name another with --file") from None
    workplace.console.result({"file": str(options.file), "pinned": commits}, [f"wrote {options.file}; read it, then `check`"])


def _check(workplace: _Workplace) -> int:
    return check(workplace.deployment(), None if workplace.options.no_requirements else wheels_resolve)


def _plan(workplace: _Workplace) -> None:
    plan(workplace.deployment(), workplace.results())


def _publish(workplace: _Workplace) -> None:
    publish(workplace.deployment(), workplace.results(), workplace.options.hub_url or HUB_URL)


def _apply(workplace: _Workplace) -> None:
    options = workplace.options
    apply(workplace.deployment(), canary=options.canary, resend_secrets=options.resend_secrets)


def _smoke(workplace: _Workplace) -> None:
    lifecycle.smoke(workplace.deployment(), workplace.options.release)


def _rollback(workplace: _Workplace) -> None:
    rollback(workplace.deployment(), workplace.options.to)


def _logs(workplace: _Workplace) -> None:
    lifecycle.logs(workplace.deployment(), workplace.options.lines)


def _delete(workplace: _Workplace) -> None:
    lifecycle.delete(workplace.deployment(), workplace.options.yes)
