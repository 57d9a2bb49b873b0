"""Does it do what it should? The shipped recordings through the running endpoint, and everything that a caller relies on."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from deploy.calling import Answer, Caller
from deploy.errors import SmokeFailed
from deploy.specification import COMMIT, MODEL_SETTINGS, NOT_ON_THE_HUB, Smoke
from deploy.state import State
from evaluation.normalize import normalize

RECORDING = Path(__file__).with_name("recordings") / "two_people.flac"
SPEAKERS = 2
SILENCE = RECORDING.with_name("silence.flac")
"""In which nobody speaks: what a model that is badly set up fills with words of its own."""

_PATIENCE_S = 60.0
"""Beyond the bound, so that a slow answer is measured and not cut off."""

KEYS = ("text", "chunks", "speakers", "summarize")
"""The four that every reply has had from the start."""

_STAGE_IN_REPLY = {"asr": "asr", "diarization": "diarization", "summary": "summarization"}
_WORDS_OF_STM = re.compile(r"^\S+ \S+ \S+ \S+ \S+ <\S+> (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Checked:
    """One thing that was looked at. `found` says what came, in a few words, and quotes no transcript."""

    name: str
    ok: bool
    found: str


def smoke(
    caller: Caller,
    raw: dict[str, Any],
    *,
    expected: State,
    token: SecretStr,
    bounds: Smoke,
    release: str | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Checked]:
    """All checks, in order. `raw`: what the API says of the endpoint; `expected`: what it should be; `release`: what the code
    that answers has to be named, where it was published with a name. Raises nothing.
    """
    url = raw["status"]["url"]
    recording = RECORDING.read_bytes()
    reference = " ".join(_WORDS_OF_STM.findall(RECORDING.with_suffix(".stm").read_text(encoding="utf-8")))
    served = raw["model"]["revision"]
    checked = [Checked("revision served", served == expected.revision, str(served)[:12])]
    ways = [False, True] if "hfServe" not in expected.image else [False]  # its custom router takes JSON alone

    def send(
        what: bytes, parameters: Mapping[str, Any], bearer: SecretStr | None, limit_s: float, is_raw: bool = False
    ) -> tuple[Answer, float]:
        """And the seconds that it took. Once more where nothing that can be read came: what was wrong may be over."""
        for last in (False, True):
            begun = clock()
            answer = caller.send(url, what, raw=is_raw, parameters=parameters, token=bearer, limit_s=limit_s)
            took_s = clock() - begun
            if last or not _stumbled(answer):
                break
        return answer, took_s

    for is_raw in ways:
        way, limit_s = "raw audio" if is_raw else "base64 JSON", bounds.max_latency_s + _PATIENCE_S
        answer, took_s = send(recording, {"num_speakers": SPEAKERS}, token, limit_s, is_raw)
        checked += _reply_checks(way, answer, took_s, expected, bounds, reference)
        if release is not None and answer.reply is not None:
            checked.append(_release_check(way, answer.reply, release))
    answer, _ = send(SILENCE.read_bytes(), {}, token, _PATIENCE_S)
    checked.append(_silence_check(answer))
    if expected.access != "public":
        answer, _ = send(recording, {}, None, _PATIENCE_S)
        checked.append(Checked("no token is refused", answer.status in (401, 403), f"status {answer.status}"))
    answer, _ = send(recording, {"num_speakers": 0}, token, _PATIENCE_S)
    refused = answer.status in (400, 422) and answer.code == "invalid_parameters"
    checked.append(Checked("a bad request gets our error", refused, f"status {answer.status}{_code(answer)}"))
    return checked


def _stumbled(answer: Answer) -> bool:
    return answer.status is None or answer.status >= 500 or (answer.status == 200 and answer.reply is None)


def demand(checked: Sequence[Checked], name: str) -> None:
    """Raises `SmokeFailed`, naming what did not pass."""
    failed = [f"{one.name} ({one.found})" for one in checked if not one.ok]
    if failed:
        raise SmokeFailed(f"{name} runs, and is not good: {'; '.join(failed)}", "`logs` may show why")


def rows(checked: Sequence[Checked]) -> list[tuple[str, str, str]]:
    """For a table."""
    return [("", "check", "found"), *(("ok" if one.ok else "NO", one.name, one.found) for one in checked)]


def _reply_checks(way: str, answer: Answer, took_s: float, expected: State, bounds: Smoke, reference: str) -> list[Checked]:
    checked = [
        Checked(f"{way}: answered", answer.status == 200 and answer.reply is not None, _answered(answer)),
        Checked(f"{way}: latency", took_s <= bounds.max_latency_s, f"{took_s:.1f} s, at most {bounds.max_latency_s:g}"),
    ]
    reply = answer.reply
    if answer.status != 200 or reply is None:
        return checked
    missing = [key for key in KEYS if key not in reply]
    other = [] if missing else _of_another_kind(reply, expected)
    found = f"missing: {', '.join(missing)}" if missing else f"of another kind: {', '.join(other)}" if other else "all"
    checked.append(Checked(f"{way}: keys", not missing and not other, found))
    if missing or other:
        return checked
    rate = word_error_rate(reply["text"], reference)
    checked.append(Checked(f"{way}: words", rate <= bounds.max_wer, f"WER {rate:.2f}, at most {bounds.max_wer:g}"))
    if "DIARIZATION_MODEL" in expected.env:
        heard = len({str(turn["speaker"]) for turn in reply["speakers"] if turn.get("speaker") is not None})
        checked.append(Checked(f"{way}: speakers", heard == SPEAKERS, f"{heard} of {SPEAKERS}"))
    if "SUMMARIZE_MODEL" in expected.env:
        checked.append(Checked(f"{way}: summary", bool(reply["summarize"]), f"{len(reply['summarize'])} part(s)"))
    checked.append(_models_check(way, reply.get("models") or {}, expected))
    outcome = reply.get("outcome")
    checked.append(Checked(f"{way}: outcome", outcome == "ok", str(outcome)))
    return checked


def _release_check(way: str, reply: Mapping[str, Any], release: str) -> Checked:
    """The API names the revision that was asked for. The reply says which one answers."""
    models = reply.get("models")
    answered = models.get("handler") if isinstance(models, Mapping) else None
    return Checked(f"{way}: release", answered == release, str(answered or "none"))


def _silence_check(answer: Answer) -> Checked:
    name = "silence: no words"
    if answer.status != 200 or answer.reply is None:
        return Checked(name, False, _answered(answer))
    text = answer.reply.get("text")
    invented = len(text.split()) if isinstance(text, str) else None
    return Checked(name, invented == 0, "no text in the reply" if invented is None else f"{invented} word(s)")


def _of_another_kind(reply: Mapping[str, Any], expected: State) -> list[str]:
    """The keys whose values cannot be looked at, of those that are: a broken revision may answer anything."""
    turns, models = reply["speakers"], reply.get("models") or {}
    good = {
        "text": isinstance(reply["text"], str),
        "chunks": isinstance(reply["chunks"], list),
        "speakers": "DIARIZATION_MODEL" not in expected.env
        or (isinstance(turns, list) and all(isinstance(turn, Mapping) for turn in turns)),
        "summarize": "SUMMARIZE_MODEL" not in expected.env or isinstance(reply["summarize"], list),
        "models": isinstance(models, Mapping),
    }
    return [key for key, is_good in good.items() if not is_good]


def _models_check(way: str, served: Mapping[str, str], expected: State) -> Checked:
    """Each model on the Hub is served as `id@` and the first digits of its commit."""
    wrong = []
    for stage, start in MODEL_SETTINGS.items():
        model, revision = expected.env.get(f"{start}_MODEL"), expected.env.get(f"{start}_REVISION", "")
        if model is None or model in NOT_ON_THE_HUB:
            continue
        name = str(served.get(_STAGE_IN_REPLY[stage], "none"))
        identity, _, commit = name.rpartition("@")
        if identity != model or (COMMIT.fullmatch(revision) and not (commit and revision.startswith(commit))):
            wrong.append(f"{stage} is {name}")
    return Checked(f"{way}: models", not wrong, "; ".join(wrong) or "as pinned")


def word_error_rate(heard: str, said: str) -> float:
    """Substitutions, deletions and insertions over the words that were said, after `evaluation.normalize`."""
    hypothesis, reference = normalize(heard), normalize(said)
    row = list(range(len(hypothesis) + 1))
    for i, word in enumerate(reference, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(hypothesis, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (word != other))
    return row[-1] / max(1, len(reference))


def _answered(answer: Answer) -> str:
    unread = ", nothing that the client can read" if answer.status == 200 and answer.reply is None else ""
    return f"status {answer.status}{_code(answer)}{unread}"


def _code(answer: Answer) -> str:
    return f", {answer.code}" if answer.code else ""
