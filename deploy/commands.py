"""The verbs of the command line, what they share, and the exit codes."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy import lifecycle
from deploy.apply import apply, rollback
from deploy.calling import Caller
from deploy.check import check, wheels_resolve
from deploy.console import Console
from deploy.deployment import Deployment
from deploy.errors import CommandError, DeployError, NotThere, SecretMissing
from deploy.hub import Hub, Sleep
from deploy.manifest import ROOT
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
    command.add_argument("--to", metavar="RELEASE", help="a release or commit of the model repository")
    command = add("smoke", "Send the shipped recording to the running endpoint, and check what comes back.", _smoke)
    command.add_argument("--release", help="what it should serve (default: the newest publication)")
    add("status", "Show the endpoint, and how it differs from endpoint.yaml.", _of(lifecycle.status))
    command = add("logs", "Show the last lines of the container's log.", _logs)
    command.add_argument("--lines", type=int, default=100, metavar="N", help="how many (default: 100)")
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
    options = parser().parse_args(arguments)
    console = Console(as_json=options.json, mask=Mask())
    try:
        refuse_debug(environment)
        code: int | None = options.action(_Workplace(options, console, environment, caller, sleep, clock, root))
        return code or 0
    except DeployError as error:
        console.progress(f"error: {error.reason}")
        console.progress(f"next: {error.next_step}")
        if options.json:
            console.result({"error": {"code": error.code, "reason": error.reason, "next_step": error.next_step}}, [])
        return error.exit_code


class _Parser(argparse.ArgumentParser):
    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, epilog=EXIT_CODES, **options)


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
        shared.add_argument("--timeout", type=float, default=30.0, metavar="MINUTES", help="to wait for it (default: 30)")
        shared.add_argument("--poll", type=float, default=5.0, metavar="SECONDS", help="between looks (default: 5)")
        shared.add_argument("--hub-url", default=None, metavar="URL", help=f"default: {HUB_URL}")
        shared.add_argument("--api-url", default=None, metavar="URL", help="of the endpoint API, with its version")
        return command


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
            results: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return results if {"recordings", "machine"} <= set(results) else _refuse_results()
        except (OSError, ValueError):
            return _refuse_results()


def _refuse_results() -> Mapping[str, Any]:
    raise CommandError("--results: no figures of `python -m evaluation.run --json`", "run that, and name its file") from None


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
    options.file.parent.mkdir(parents=True, exist_ok=True)
    options.file.write_text(text, encoding="utf-8")
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
