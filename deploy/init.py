"""`init`: a commented endpoint.yaml, with the newest commits of its models."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence

from deploy.console import Console
from deploy.errors import CommandError, DeployError, NotThere
from deploy.hub import Hub
from deploy.presets import PRESETS, models_of, render


def init(options: argparse.Namespace, hub: Callable[[], Hub], console: Console) -> None:
    """Looks at what was asked for, and whether there is room for it, before it asks the Hub; the Hub only for commits."""
    preset = PRESETS[options.preset]
    if options.file.exists() and not options.force:
        raise CommandError(f"{options.file.name} is there already", "--force replaces it, --file names another")
    commits = {} if options.no_pin else _newest_commits(models_of(preset), hub, console)
    namespace = options.namespace or options.repository.partition("/")[0]
    text = render(preset, options.repository, options.endpoint, namespace, commits)
    try:
        options.file.parent.mkdir(parents=True, exist_ok=True)
        options.file.write_text(text, encoding="utf-8")
    except OSError as error:
        reason = f"{options.file.name} cannot be written: {os.strerror(error.errno or 0)}"
        raise CommandError(reason, "name another with --file") from None
    console.result({"file": str(options.file), "pinned": commits}, [f"wrote {options.file}; read it, then `check`"])


def _newest_commits(models: Sequence[str], hub: Callable[[], Hub], console: Console) -> dict[str, str]:
    """Of those that are on the Hub. Raises what stands in the way of asking, with the way round it."""
    commits = {}
    try:
        asked = hub()
        for model in models:
            try:
                commits[model] = str(asked.model(model).sha)
            except NotThere:
                console.progress(f"{model}: not found on the Hub; left without a commit")
    except DeployError as error:
        error.next_step += "; or --no-pin, which does not ask the Hub and leaves the models without a commit"
        raise
    return commits
