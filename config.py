"""Every knob: `ModelSettings` from the environment, read once per process, and `InferenceConfig`, one per request.

Importing this module reads nothing: `ModelSettings()` reads the environment when it is constructed, so that a missing
variable is an error with a sentence, not a stack of import failures.
"""

from __future__ import annotations

import json
import re
import unicodedata
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from roundtable.asr import Dtype
from roundtable.errors import InvalidParameters, InvalidSettings
from roundtable.summarization import SummaryDtype

ResponseFormat = Literal["json", "verbose_json", "diarized_json", "srt", "vtt", "tsv", "txt", "rttm"]
MAX_SPEAKERS = 64
"""More voices than any diarizer tells apart in one recording; a larger number is a typing error."""

HOTWORDS_LIMIT = 200
MOST_REFERENCES = 10
"""Voices that a request may bring along."""

REFERENCE_BYTES = 4 * 1024 * 1024
"""Largest reference, as a file: 10 seconds at 48 kHz, stereo, 32 bits a sample, are 3.84 MB."""

_MOST_REASONS = 20
"""A request with a hundred thousand wrong fields gets a short answer."""

_SETTING_REASONS = {"missing": "is not set; name a model, or 'embedded'"}
_PARAMETER_REASONS = {
    "extra_forbidden": "unknown parameter",
    "tuple_type": "must be a list",
    "model_type": "must be an object with 'name' and 'audio'",
}
_RESERVED_NAME = re.compile(r"speaker[\s_]*\d+|unknown", re.IGNORECASE)  # what replies call those whose name is not known
_JOINERS = re.compile("[\u200c\u200d]")  # Persian and Indic names are written with them; nobody sees them
_RELEASE = re.compile("release-[0-9a-f]{12}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:\-]{1,128}")


class ModelSettings(BaseSettings):
    """What this process serves, from the environment (names as below, in capitals). Immutable.

    A model is a Hub id, a local folder, `.` (the weights lie in this repository) or `embedded`; which of these an engine
    takes is for its loader to say. An empty variable is the same as an unset one.
    """

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, extra="ignore", protected_namespaces=())

    asr_model: str = Field(min_length=1)
    """Required. The engine that turns speech into words."""

    asr_revision: str | None = None
    """Branch, tag or commit of ASR_MODEL. Unset: the newest. Pin a commit in production."""

    asr_dtype: Dtype = "auto"
    """What ASR_MODEL computes in. `auto`: float16 on a GPU; on a CPU float32, and int8 for a CTranslate2 model."""

    asr_assistant_model: str | None = None
    """A small Whisper with ASR_MODEL's vocabulary that drafts for it (speculative decoding): the same text, sooner, where a
    recording comes down to one window of 30 s."""

    asr_assistant_revision: str | None = None
    """Branch, tag or commit of ASR_ASSISTANT_MODEL."""

    diarization_model: str | None = None
    """Unset: nobody is told apart, and `speakers` is []."""

    diarization_revision: str | None = None
    """Branch, tag or commit of DIARIZATION_MODEL. Unset: the newest. Pin a commit in production."""

    summarize_model: str | None = None
    """Unset: `summarize` is []. A chat model, or one that was trained to summarise (BART, T5, PEGASUS and the like)."""

    summarize_revision: str | None = None
    """Branch, tag or commit of SUMMARIZE_MODEL. Unset: the newest. Pin a commit in production."""

    summarize_dtype: SummaryDtype = "auto"
    """What SUMMARIZE_MODEL computes in. `auto`: float32 on a CPU; on a GPU bfloat16, or float16 where it has no bfloat16."""

    summarize_context_tokens: int | None = Field(default=None, ge=256, le=10_000_000)
    """Most tokens that SUMMARIZE_MODEL is given at once, its answer included where it writes on from them. Unset: what its
    files say that it takes. Less saves memory; longer conversations are then read in parts."""

    hf_token: SecretStr | None = None
    """For gated models. Set it as a *secret* of the endpoint, with read access only."""

    max_audio_bytes: int = Field(default=512 * 1024 * 1024, ge=1024)
    """Largest recording, as a file, in bytes. The base64 text of a request may be a third longer."""

    max_audio_seconds: float = Field(default=4 * 3600.0, gt=0, le=24 * 3600)
    """Longest recording, in seconds, enforced while decoding. An hour of decoded audio takes 230 MB of memory."""

    @classmethod
    def load(cls, **overrides: Any) -> ModelSettings:
        """Read the environment. Raises `InvalidSettings`, naming each variable and what is wrong with it."""
        try:
            return cls(**overrides)
        except ValidationError as error:
            message = _explain(error, "settings", str.upper, _SETTING_REASONS)
        raise InvalidSettings(message)  # out here: the cause would show the values


def release_in(folder: str) -> str | None:
    """The name of the release that lies in a folder, by the list that `deploy publish` puts beside the code.

    None where nothing was published. The reply's `models` has it as `handler`: it is what tells one container from another.
    """
    try:
        listed = json.loads((Path(folder) / "roundtable-release.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    release = listed.get("release") if isinstance(listed, dict) else None
    return release if isinstance(release, str) and _RELEASE.fullmatch(release) else None


class KnownSpeaker(BaseModel):
    """One of `speaker_references`. Its `repr` shows nothing: who speaks, and how they sound, is for nobody's log."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    name: str = Field(min_length=1, max_length=64, repr=False)
    """What the reply calls this speaker: printable characters, not of the form SPEAKER_00."""

    audio: str = Field(min_length=1, max_length=2 * REFERENCE_BYTES, repr=False)
    """2 to 10 seconds of this voice alone, in any format, as base64 or a data: URI, at most 4 MiB as a file."""

    @field_validator("name", mode="after")
    @classmethod
    def _a_name(cls, value: str) -> str:
        seen = _JOINERS.sub("", value)
        if not seen or not seen.isprintable():
            raise ValueError("must be printable characters")
        if _RESERVED_NAME.fullmatch(unicodedata.normalize("NFKC", seen)):
            raise ValueError("must not be what an unknown speaker is called, such as SPEAKER_00")
        return value


class InferenceConfig(BaseModel):
    """The `parameters` of one request. Unknown names are refused; numbers and booleans may arrive as strings."""

    # Numbers where text is meant: the toolkits turn `?request_id=2026` into one on the way.
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True, coerce_numbers_to_str=True)

    task: Literal["transcribe", "translate"] = "transcribe"
    """`translate` writes English, whatever is spoken. Not every engine can."""

    batch_size: int = Field(default=24, ge=1, le=256)
    """Windows decoded together. More is faster on a GPU until memory ends; the result does not depend on it."""

    chunk_length_s: int = Field(default=30, ge=1, le=30)
    """Longest window handed to the ASR engine, in seconds. Shorter windows cost accuracy at their edges."""

    sampling_rate: int = 16000
    """The rate the engines hear, in Hz. Every engine of today hears 16000; recordings of any rate are resampled to it."""

    language: str | None = None
    """ISO 639-1 code of the speech, such as `en`. None: detect it, where the engine can."""

    num_speakers: int | None = Field(default=None, ge=1, le=MAX_SPEAKERS)
    """Exactly this many people speak. Overrides the two bounds below."""

    min_speakers: int | None = Field(default=None, ge=1, le=MAX_SPEAKERS)
    max_speakers: int | None = Field(default=None, ge=1, le=MAX_SPEAKERS)

    speaker_references: Annotated[tuple[KnownSpeaker, ...], Field(max_length=MOST_REFERENCES)] = Field(default=(), repr=False)
    """Voices that are known, each with its name: whoever sounds like one of them carries that name in place of SPEAKER_nn.
    As a list, or as its JSON text; at most 10, no name twice, whatever its case."""

    speaker_embeddings: bool = False
    """Adds `speaker_embeddings` to the reply: each speaker's voice as numbers, null where there is too little of it."""

    word_timestamps: bool = True
    """Off: `words` is [] in the reply. Who said what is then still worked out word by word."""

    diarize: bool = True
    """Off: this request skips diarization, and `speakers` is []."""

    summarize: bool = True
    """Off: this request skips the summary, and `summarize` is []."""

    summary_format: Literal["text", "structured"] = "text"
    """`structured` adds `summary`: title, key points, decisions and action items, each with its evidence."""

    summary_max_tokens: int = Field(default=530, ge=1, le=8192)
    """Longest summary, in the engine's tokens; a structured one may take as many again, for its lists."""

    summary_min_tokens: int = Field(default=30, ge=0, le=8192)
    """Shortest summary as text. Asking for more than there is to say invites a model to make things up."""

    prompt: str | None = Field(default=None, max_length=2000)
    """Text that came before this recording, for engines that take context."""

    hotwords: Annotated[tuple[Annotated[str, Field(max_length=100)], ...], Field(max_length=HOTWORDS_LIMIT)] = ()
    """Names and terms to expect, as a list or as one comma-separated string; up to 200 of up to 100 characters."""

    temperature: float = Field(default=0.0, ge=0.0, le=1.0)
    """0 is greedy decoding; engines that sample fall back to higher values by themselves when a window fails."""

    response_format: ResponseFormat = "json"
    """`srt`, `vtt`, `tsv`, `txt` and `rttm` put the file into `text`."""

    timeout_s: float | None = Field(default=None, gt=0, le=24 * 3600)
    """Give up after this many seconds, checked between windows and stages. None: never."""

    request_id: str = ""
    """Names this request in the reply, in errors and in logs: letters, digits and `._:-`, up to 128. Empty: one is made up."""

    @classmethod
    def parse(cls, parameters: Mapping[str, Any] | None) -> InferenceConfig:
        """Validate a request's parameters. Raises `InvalidParameters`, naming every field that is wrong and why."""
        try:
            return cls.model_validate(dict(parameters or {}))
        except ValidationError as error:
            message = _explain(error, "parameters", _printable, _PARAMETER_REASONS)
        except ValueError:  # Python's own: an integer of more than 4300 digits has no text
            message = "parameters: a number is too large"
        raise InvalidParameters(message)  # out here: the cause would show the values

    @model_validator(mode="before")
    @classmethod
    def _null_is_default(cls, values: Any) -> Any:
        # Clients that serialise a whole options object send null for everything that they leave alone.
        return {name: value for name, value in values.items() if value is not None} if isinstance(values, dict) else values

    @field_validator(
        *("batch_size", "chunk_length_s", "sampling_rate", "num_speakers", "min_speakers", "max_speakers"),
        *("summary_max_tokens", "summary_min_tokens", "temperature", "timeout_s"),
        mode="before",
    )
    @classmethod
    def _no_truth_value(cls, value: Any) -> Any:
        if isinstance(value, bool):
            raise ValueError("must be a number, not true or false")
        return value

    @field_validator("language", mode="after")
    @classmethod
    def _language_code(cls, value: str | None) -> str | None:
        if value is None or value.lower() in {"", "auto"}:
            return None
        if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z]{2,4})?", value):
            raise ValueError("must be a language code such as 'en', or 'auto'")
        return value.lower()

    @field_validator("sampling_rate", mode="after")
    @classmethod
    def _only_rate(cls, value: int) -> int:
        if value != 16000:
            raise ValueError("must be 16000, the rate that the engines hear; recordings of any rate are resampled to it")
        return value

    @field_validator("hotwords", mode="before")
    @classmethod
    def _split_hotwords(cls, value: Any) -> Any:
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            value = str(value).split(",")
        return tuple(word.strip() for word in value if word.strip()) if _is_strings(value) else value

    @field_validator("speaker_references", mode="before")
    @classmethod
    def _parse_references(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError("must be a list, or the JSON text of one") from None

    @field_validator("speaker_references", mode="after")
    @classmethod
    def _each_name_once(cls, value: tuple[KnownSpeaker, ...]) -> tuple[KnownSpeaker, ...]:
        names = [_likeness(speaker.name) for speaker in value]
        for place, name in enumerate(names):
            if name in names[:place]:
                raise ValueError(f"[{place}].name is the name of [{names.index(name)}] as well")
        return value

    @field_validator("request_id", mode="after")
    @classmethod
    def _plain_request_id(cls, value: str) -> str:
        if value and not _REQUEST_ID.fullmatch(value):
            raise ValueError("must be 1 to 128 letters, digits or any of . _ : -")
        return value

    @model_validator(mode="after")
    def _ordered_bounds(self) -> InferenceConfig:
        if self.min_speakers and self.max_speakers and self.min_speakers > self.max_speakers:
            raise ValueError("min_speakers must not be greater than max_speakers")
        if self.summary_min_tokens > self.summary_max_tokens and "summary_min_tokens" in self.model_fields_set:
            raise ValueError("summary_min_tokens must not be greater than summary_max_tokens")
        return self


def request_id_of(data: Any) -> str:
    """The id that a request names, if it is a usable one, else a fresh one: errors need an id as well."""
    parameters = data.get("parameters") if isinstance(data, Mapping) else None
    named = parameters.get("request_id") if isinstance(parameters, Mapping) else None
    if isinstance(named, int) and not isinstance(named, bool) and abs(named) < 10**128:  # see coerce_numbers_to_str
        named = str(named)
    named = named.strip() if isinstance(named, str) else ""
    return named if _REQUEST_ID.fullmatch(named) else uuid.uuid4().hex


def _likeness(name: str) -> str:
    """The same for two names that a reader, or RTTM, which writes a space as `_`, would take for one."""
    return re.sub(r"[\s_]+", "_", unicodedata.normalize("NFKC", _JOINERS.sub("", name))).casefold()


def _is_strings(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)


def _explain(error: ValidationError, whole: str, name_of: Callable[[str], str], reasons: Mapping[str, str]) -> str:
    """One sentence per wrong field: its name and why. Never a value: values are content, or secrets.

    `whole` names what a rule about several fields is about; `reasons` replace pydantic's, by its type of error.
    """
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    sentences = []
    for problem in problems[:_MOST_REASONS]:
        name = _place(problem["loc"], name_of) if problem["loc"] else whole
        sentences.append(f"{name}: {reasons.get(problem['type']) or problem['msg'].removeprefix('Value error, ')}")
    if len(problems) > _MOST_REASONS:
        sentences.append(f"and {len(problems) - _MOST_REASONS} more")
    return "; ".join(sentences)


def _place(loc: Sequence[int | str], name_of: Callable[[str], str]) -> str:
    """`speaker_references[2].audio`. A field that is not ours is named at the top only: further down it may be content."""
    place = name_of(str(loc[0]))
    for step in loc[1:]:
        place += f"[{step}]" if isinstance(step, int) else f".{step}" if step in KnownSpeaker.model_fields else ""
    return place


def _printable(name: str) -> str:
    """A field name as the caller wrote it, made safe for a log line: a name is theirs too, and may be anything."""
    return re.sub(r"[^A-Za-z0-9_\-]", "?", name)[:64]
