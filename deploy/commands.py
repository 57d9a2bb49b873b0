"""The verbs: what each is given, and how it ended."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from deploy import lifecycle
from deploy.apply import apply, rollback
from deploy.calling import Caller
from deploy.check import check
from deploy.command_line import HUB_URL, WrongCommandLine, parser
from deploy.console import Console
from deploy.deployment import Deployment
from deploy.errors import CommandError, DeployError, SecretMissing, Unforeseen
from deploy.hub import Hub, Sleep
from deploy.init import init
from deploy.manifest import ROOT
from deploy.model_card import refuse_results
from deploy.plan import plan
from deploy.publish import publish
from deploy.records import Records
from deploy.secrets import Mask, read_secret, refuse_debug
from deploy.specification import Specification
from deploy.waiting import Clock, Patience
from deploy.wheels import wheels_resolve

_WANTED = (  # of whoever has no token
    "make one at huggingface.co/settings/tokens, with the right to write to the model repository and to manage Inference "
    "Endpoints, and put it into HF_TOKEN or name its place with --token; or `hf auth login`"
)


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
        code = VERBS[options.verb](_Workplace(options, console, environment, caller, sleep, clock, root))
        return code or 0
    except WrongCommandLine as wrong:
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
            self._records(specification),
            token,
            self._caller,
            self.environment,
            Patience(limit_s=options.timeout * 60, every_s=options.poll, sleep=self._sleep, clock=self._clock),
            self._root,
        )
        deployment.known_secrets()
        return deployment

    def records(self) -> Records:
        """The journal alone, for which nobody has to be asked."""
        specification = Specification.load(self.options.file)
        for name, source in specification.secrets.items():
            if source != "stdin":
                with suppress(SecretMissing):  # masked when it was written, and where it is known once more
                    self.console.mask.add(read_secret(source, name=name, environment=self.environment))
        return self._records(specification)

    def _records(self, specification: Specification) -> Records:
        return Records(self.options.journal, specification.namespace, specification.endpoint, self.console.mask)

    def _token(self) -> Any:
        from huggingface_hub import get_token
        from pydantic import SecretStr

        source = self.options.token
        if source is None and not self.environment.get("HF_TOKEN"):
            if not (stored := get_token()):
                raise SecretMissing("there is no token: HF_TOKEN is not set, and nobody is logged in", _WANTED)
            token = SecretStr(stored)
        else:
            token = read_secret(source or "env:HF_TOKEN", name="--token", environment=self.environment)
        self.console.mask.add(token)
        if not re.fullmatch(r"[\x21-\x7e]+", token.get_secret_value()):
            raise SecretMissing("--token: what is there has characters that no token has", "put the token there, and no more")
        return token

    def _hub(self, token: Any) -> Hub:
        from huggingface_hub import is_offline_mode

        if is_offline_mode():
            raise CommandError("HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set: the Hub would not be asked", "unset it")
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
    init(workplace.options, workplace.hub, workplace.console)


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


def _history(workplace: _Workplace) -> None:
    lifecycle.history(workplace.records(), workplace.console)


VERBS: Mapping[str, Callable[[_Workplace], int | None]] = {
    "init": _init,
    "check": _check,
    "plan": _plan,
    "publish": _publish,
    "apply": _apply,
    "rollback": _rollback,
    "smoke": _smoke,
    "status": _of(lifecycle.status),
    "logs": _logs,
    "pause": _of(lifecycle.pause),
    "resume": _of(lifecycle.resume),
    "delete": _delete,
    "history": _history,
}
