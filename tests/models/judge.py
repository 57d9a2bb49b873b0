"""How well weights understand held-out speech, through the project's own engine; prints the table of their model card.

python -m tests.models.judge tests/models/whisper-tiny [--minutes 3] [--seeds 101 102 103 104 105 106]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from benchmarks.asr_peers import Heard
from benchmarks.asr_score import Hearing, judge
from roundtable.asr import TranscribeOptions, Transcriber, load_transcriber
from roundtable.audio import Audio
from roundtable.control import Control
from tests.models.conversations import SILENCES, Recording, dialogue, digits, five_times, nothing, one_word, wall_to_wall

ROOMS_DB = (-62.0, -50.0)  # a quiet and a noisy one


def hear(transcriber: Transcriber, recording: Recording, language: str | None = "en") -> Heard:
    """What the engine makes of a recording."""
    transcript = transcriber.transcribe(Audio(recording.samples), TranscribeOptions(language=language), Control())
    return Heard(transcript.text, tuple((word.text, word.start) for word in transcript.words()))


def judged(transcriber: Transcriber, recording: Recording) -> Hearing:
    return judge(hear(transcriber, recording), [(word.text, word.start) for word in recording.words])


def row(name: str, hearing: Hearing) -> str:
    """One line of the table."""
    figures = hearing.as_json()
    wer, median, late, near = (float(figures[key] or 0.0) for key in ("wer", "start_median_s", "start_p95_s", "starts_near"))
    return f"| {name} | {figures['words']} | {wer:.2%} | {median:.3f} | {late:.3f} | {near:.1%} |"


def table(transcriber: Transcriber, seeds: Iterable[int], minutes: float) -> list[str]:
    """Each dialogue, all of them, and the small recordings together."""
    lines = ["| recording | words | WER | start off, median s | 95 % under s | within 0.3 s |", "|---|---|---|---|---|---|"]
    hearings = []
    for number, seed in enumerate(seeds):
        speakers, noise_db = 2 + number % 3, ROOMS_DB[number % 2]
        hearings.append(judged(transcriber, dialogue(seed, minutes, speakers=speakers, noise_db=noise_db)))
        lines.append(row(f"dialogue {seed}: {minutes:g} min, {speakers} voices, noise {noise_db:g} dB", hearings[-1]))
    total = hearings[0]
    for hearing in hearings[1:]:
        total += hearing
    lines.append(row("**all dialogues**", total))
    for name, recordings in {
        "8 digits, six times": [digits(seed) for seed in range(6)],
        "a sentence said five times, six times": [five_times(seed) for seed in range(6)],
        "one word in 30 s of silence, six times": [one_word(seed) for seed in range(6)],
        "29.9, 30.0, 30.1 and 60.0 s, wall to wall": [wall_to_wall(seconds) for seconds in (29.9, 30.0, 30.1, 60.0)],
    }.items():
        small = judged(transcriber, recordings[0])
        for recording in recordings[1:]:
            small += judged(transcriber, recording)
        lines.append(row(name, small))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description="Judge weights on held-out speech.")
    parser.add_argument("model", type=Path)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103, 104, 105, 106])
    options = parser.parse_args()
    transcriber = load_transcriber(str(options.model))
    print("\n".join(table(transcriber, options.seeds, options.minutes)))
    words = sum(len(hear(transcriber, nothing(kind, 30.0), None).words or ()) for kind in SILENCES)
    print(f"{words} words in 30 s each of {', '.join(SILENCES)}")


if __name__ == "__main__":
    main()
