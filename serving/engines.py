"""The handler for the command line: the engines that the environment names, and the embedded ones for what it does not."""

from __future__ import annotations

import os
import sys

from config import ModelSettings
from handler import EndpointHandler
from roundtable.errors import EngineError


class EnginesNotLoaded(Exception):  # noqa: N818  # says what happened, as the errors of the library do
    """The engines could not be loaded; the text says why, in one sentence."""


def load_handler() -> EndpointHandler:
    """Load once per process. Without ASR_MODEL, what is not named is embedded, and a line on stderr says so."""
    try:
        if os.environ.get("ASR_MODEL"):
            return EndpointHandler()
        print(
            "ASR_MODEL is not set: using the embedded engines, which are for a trial (English, modest, no download). "
            "For real use name a Whisper, such as ASR_MODEL=openai/whisper-base.",
            file=sys.stderr,
        )
        names = ("ASR_MODEL", "DIARIZATION_MODEL", "SUMMARIZE_MODEL")
        return EndpointHandler(
            settings=ModelSettings.load(**{name.lower(): os.environ.get(name) or "embedded" for name in names})
        )
    except EngineError as error:
        raise EnginesNotLoaded(error.message) from error
