"""From a `Conversation` to a reply: the one place where dataclasses become plain JSON types.

`render` is all that callers need. Every reply holds only dict, list, str, int, float, bool and None, with finite numbers and
text that UTF-8 can carry, whatever the engines produced: each value passes through `plain.py`. Nothing is invented: a figure
that the engine does not have is null.

    json            the reply of this project: the four keys of a Hugging Face ASR and diarization handler, and ours
    verbose_json    OpenAI's transcription object, and ours
    diarized_json   OpenAI's diarized transcription object, and ours
    srt, vtt        subtitles (subtitles.py)
    tsv, txt, rttm  a file in `text`
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

from roundtable import subtitles
from roundtable.languages import english_name
from roundtable.plain import figure, milliseconds, one_line, plain_text, probability, seconds
from roundtable.transcript import Conversation, Point, Segment, SpeakerTurn, Summary, Turn, Warning_, Word

Json = dict[str, object]

UNKNOWN = subtitles.UNKNOWN


def render(
    conversation: Conversation,
    response_format: str,
    *,
    word_timestamps: bool = True,
    structured_summary: bool = False,
    speaker_embeddings: bool = False,
) -> Json:
    """The reply in one of the formats above. `word_timestamps` False empties `words`; a text format has none anyway.

    `structured_summary` adds `summary` to the json format: null when there is no summary. `speaker_embeddings` adds the voices
    by speaker to every format: none where nobody was told apart. Raises ValueError for a format that does not exist.
    """
    reply = _reply(conversation, response_format, word_timestamps, structured_summary)
    return {**reply, "speaker_embeddings": _voices(conversation)} if speaker_embeddings else reply


def _reply(conversation: Conversation, response_format: str, word_timestamps: bool, structured_summary: bool) -> Json:
    if response_format == "json":
        return _json(conversation, word_timestamps, structured_summary)
    if response_format == "verbose_json":
        return _verbose_json(conversation, word_timestamps)
    if response_format == "diarized_json":
        return _diarized_json(conversation)
    write = _FILES.get(response_format)
    if write is None:
        raise ValueError("There is no such response format.")
    return {
        "text": write(conversation),
        "summarize": _summarize(conversation),
        "language": _language(conversation),
        "duration": seconds(conversation.duration_s),
        **_about(conversation),
    }


def _json(conversation: Conversation, word_timestamps: bool, structured_summary: bool) -> Json:
    transcript = conversation.transcript
    return {
        "text": plain_text(transcript.text),
        "chunks": [{"timestamp": _span(segment), "text": plain_text(segment.text).strip()} for segment in transcript.segments],
        "speakers": [_speaker_turn(turn, word_timestamps) for turn in conversation.turns],
        "summarize": _summarize(conversation),
        "language": _language(conversation),
        "duration": seconds(conversation.duration_s),
        **({"summary": _summary(conversation)} if structured_summary else {}),
        "speaker_stats": [
            {
                "speaker": plain_text(stats.speaker),
                "seconds": seconds(stats.seconds),
                "words": int(stats.words),
                "share": probability(stats.share),
            }
            for stats in conversation.speaker_stats
        ],
        **_about(conversation),
    }


def _speaker_turn(turn: SpeakerTurn, word_timestamps: bool) -> Json:
    entry: Json = {
        "id": int(turn.id),
        "speaker": _speaker(turn.speaker),
        "timestamp": _span(turn),
        "text": plain_text(turn.text).strip(),
        "words": [_word(word) for word in turn.words] if word_timestamps else [],
    }
    if turn.approximate:
        entry["approximate"] = True
    return entry


def _word(word: Word) -> Json:
    entry: Json = {
        "word": plain_text(word.text).strip(),
        "start": seconds(word.start),
        "end": seconds(word.end),
        "confidence": probability(word.confidence),
        "speaker_confidence": probability(word.speaker_confidence),
        "overlap": bool(word.overlap),
    }
    if word.outside_speech:
        entry["outside_speech"] = True
    return entry


def _summarize(conversation: Conversation) -> list[Json]:
    return [] if conversation.summary is None else [{"summary_text": plain_text(conversation.summary.text)}]


def _summary(conversation: Conversation) -> Json | None:
    summary = conversation.summary
    if summary is None:
        return None
    return {
        "title": plain_text(summary.title),
        "summary": plain_text(summary.text),
        "key_points": [_point(point) for point in summary.key_points],
        "decisions": [_point(point) for point in summary.decisions],
        "action_items": _action_items(summary),
        "per_speaker": {plain_text(speaker): plain_text(text) for speaker, text in summary.per_speaker.items()},
        "method": plain_text(summary.method),
        "evidence_in": conversation.evidence_in,
    }


def _summary_info(conversation: Conversation) -> Json | None:
    """How the summary was made: the same in every format, since a shortened summary does not show that it is one."""
    summary = conversation.summary
    if summary is None:
        return None
    return {
        "method": plain_text(summary.method),
        "passes": int(summary.passes),
        "input_tokens": int(summary.input_tokens),
        "truncated": bool(summary.truncated),
        "stop_reason": None if summary.stop_reason is None else plain_text(summary.stop_reason),
    }


def _point(point: Point) -> Json:
    return {"text": plain_text(point.text), "evidence": [int(id_) for id_ in point.evidence]}


def _action_items(summary: Summary) -> list[Json]:
    return [
        {
            "task": plain_text(item.task),
            "owner": None if item.owner is None else plain_text(item.owner),
            "due": None if item.due is None else plain_text(item.due),
            "evidence": [int(id_) for id_ in item.evidence],
        }
        for item in summary.action_items
    ]


def _language(conversation: Conversation) -> Json | None:
    language = conversation.transcript.language
    if language is None:
        return None
    return {"code": plain_text(language.code), "probability": probability(language.probability)}


def _voices(conversation: Conversation) -> Json:
    diarization = conversation.diarization
    if diarization is None:
        return {}
    return {plain_text(speaker): _voice(diarization.embeddings.get(speaker)) for speaker in diarization.speakers}


def _voice(embedding: Sequence[float] | None) -> list[float] | None:
    """To six digits: the angle between two voices keeps more than anybody can use. Null unless every number is one."""
    if embedding is None or not all(map(math.isfinite, embedding)):
        return None
    return [float(f"{value:.6g}") for value in embedding]


def _about(conversation: Conversation) -> Json:
    """What every format carries beside its content: how it went, what was used, how long it took, and the request's name."""
    return {
        "summary_info": _summary_info(conversation),
        "outcome": conversation.outcome,
        "warnings": [
            {"stage": warning.stage, "code": plain_text(warning.code), "message": plain_text(warning.message)}
            for warning in _warnings(conversation)
        ],
        "models": {plain_text(stage): plain_text(model) for stage, model in conversation.models.items()},
        "timings": {plain_text(stage): seconds(taken) for stage, taken in conversation.timings_s.items()},
        "request_id": plain_text(conversation.request_id),
    }


def _warnings(conversation: Conversation) -> list[Warning_]:
    """The conversation's warnings and those of its parts, each once."""
    parts = (conversation.transcript, conversation.diarization, conversation.summary)
    every = [*conversation.warnings, *(warning for part in parts if part is not None for warning in part.warnings)]
    return list(dict.fromkeys(every))


# --- OpenAI's objects ------------------------------------------------------------------------------------------------


def _verbose_json(conversation: Conversation, word_timestamps: bool) -> Json:
    transcript = conversation.transcript
    language = transcript.language
    return {
        "task": conversation.task,
        "language": None if language is None else english_name(plain_text(language.code)),
        "duration": seconds(conversation.duration_s),
        "text": plain_text(transcript.text),
        "words": [
            {"word": plain_text(word.text).strip(), "start": seconds(word.start), "end": seconds(word.end)}
            for word in (transcript.words() if word_timestamps else ())
        ],
        "segments": [
            {
                "id": index,
                "seek": None,
                "start": seconds(segment.start),
                "end": seconds(segment.end),
                "text": plain_text(segment.text),
                "tokens": [],
                "temperature": figure(segment.temperature),
                "avg_logprob": figure(segment.avg_logprob),
                "compression_ratio": figure(segment.compression_ratio),
                "no_speech_prob": probability(segment.no_speech_prob),
            }
            for index, segment in enumerate(transcript.segments)
        ],
        "usage": _usage(conversation),
        "summarize": _summarize(conversation),
        **_about(conversation),
    }


def _diarized_json(conversation: Conversation) -> Json:
    """Labels are ours, `SPEAKER_00`, not OpenAI's `A`: the same voice has the same name in every format."""
    return {
        "task": conversation.task,
        "duration": seconds(conversation.duration_s),
        "text": plain_text(conversation.transcript.text),
        "segments": [
            {
                "type": "transcript.text.segment",
                "id": f"seg_{number:03d}",
                "start": seconds(passage.start),
                "end": seconds(passage.end),
                "text": plain_text(passage.text).strip(),
                "speaker": _speaker(_who(passage)),
            }
            for number, passage in enumerate(_passages(conversation), 1)
        ],
        "usage": _usage(conversation),
        "summarize": _summarize(conversation),
        **_about(conversation),
    }


def _usage(conversation: Conversation) -> Json:
    return {"type": "duration", "seconds": math.ceil(seconds(conversation.duration_s))}


# --- Files -----------------------------------------------------------------------------------------------------------


def _txt(conversation: Conversation) -> str:
    """One line a turn, `SPEAKER_00: …`; the plain text when nobody was told apart."""
    if all(turn.speaker is None for turn in conversation.turns):
        text = plain_text(conversation.transcript.text)
        return f"{text}\n" if text else ""
    return "".join(f"{one_line(turn.speaker or UNKNOWN)}: {one_line(turn.text)}\n" for turn in conversation.turns)


def _tsv(conversation: Conversation) -> str:
    """openai-whisper's three columns, times in whole milliseconds, and `speaker` behind them; empty when not known."""
    rows = ["start\tend\ttext\tspeaker\n"]
    for passage in _passages(conversation):
        start, end = milliseconds(passage.start), milliseconds(passage.end)
        rows.append(f"{start}\t{end}\t{one_line(passage.text)}\t{one_line(_who(passage) or '')}\n")
    return "".join(rows)


def _rttm(conversation: Conversation) -> str:
    """NIST's Rich Transcription Time Marked turns: the diarizer's own, overlapped speech included; not the words' times."""
    if conversation.diarization is None:
        return ""
    recording = _field(conversation.request_id or "recording")
    turns = sorted((*conversation.diarization.turns, *conversation.diarization.overlaps), key=_order)
    lines = []
    for turn in turns:
        start, end = seconds(turn.start), seconds(turn.end)
        if end > start:
            lines.append(f"SPEAKER {recording} 1 {start:.3f} {end - start:.3f} <NA> <NA> {_field(turn.speaker)} <NA> <NA>\n")
    return "".join(lines)


def _order(turn: Turn) -> tuple[float, float, str]:
    return seconds(turn.start), seconds(turn.end), turn.speaker


def _field(text: str) -> str:
    """One field of a format whose fields are separated by spaces."""
    return re.sub(r"\s+", "_", plain_text(text)) or "_"


_FILES: dict[str, Callable[[Conversation], str]] = {
    "srt": subtitles.srt,
    "vtt": subtitles.vtt,
    "tsv": _tsv,
    "txt": _txt,
    "rttm": _rttm,
}


# --- Small parts -----------------------------------------------------------------------------------------------------


def _passages(conversation: Conversation) -> Sequence[Segment | SpeakerTurn]:
    """The turns, or the segments when nobody was told apart."""
    return conversation.turns or conversation.transcript.segments


def _span(passage: Segment | SpeakerTurn) -> list[float]:
    return [seconds(passage.start), seconds(passage.end)]


def _who(passage: Segment | SpeakerTurn) -> str | None:
    return passage.speaker if isinstance(passage, SpeakerTurn) else None


def _speaker(label: str | None) -> str | None:
    return None if label is None else plain_text(label)
