"""Many voices reading many sentences: what a diarization model learns from, and the voices that it never hears.

A voice here is one person: a synthesiser, a variant of it, an accent and one pitch. The conversations of the tests are held by
`speech.ENGLISH_SPEAKERS`, each at any pitch of its range, so training has those at three pitches each; and besides them some
170 other voices, so that what is learned is to tell people apart and not to know twelve by name.

    python -m tests.models.voices --out DIR

About 9000 utterances, six hours of speech, 0.7 GB; some two minutes on two cores. The same command writes the same bytes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path
from random import Random

import numpy as np

from tests.models.corpus import Spoken, read_corpus
from tests.models.sentences import english
from tests.models.speech import ENGLISH_SPEAKERS, Speaker, speak

PITCHES = 3  # of each speaker of the tests
FAMILIAR_UTTERANCES, OTHER_UTTERANCES = 70, 40  # of one voice
PARTS = 2  # of the corpus, spoken by a process each


def _words(text: str) -> list[str]:
    return text.split()


ACCENTS = ("en-us", "en-gb-x-rp", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-gbcwmd")
UNHEARD_ACCENTS = ("en-029", "en-us-nyc")
VARIANTS = _words(
    "Alicia Andy Annie AnxiousAndy Demonic Denis Diogo Gene Gene2 Henrique Hugo Jacky Lee Marco Mario Michael Mike "
    "Nguyen RicishayMax RicishayMax3 Storm Tweaky adam anika antonio aunty belinda benjamin caleb croak david ed "
    "edward edward2 f2 f3 f4 fast grandma grandpa gustave iven iven3 john kaukovalta klatt klatt2 klatt3 klatt5 "
    "klatt6 m2 m3 m4 m5 m7 m8 marcelo max michel miguel norbert pablo paul pedro quincy rob robert robosoft robosoft2 "
    "robosoft3 robosoft4 robosoft5 robosoft7 sandro shelby steph travis whisper whisperf zac"
)
UNHEARD_VARIANTS = ("m1", "m6", "f1", "f5", "klatt4", "Alex", "Andrea", "linda", "boris", "victor")

_PITCH, _RATE = (25.0, 75.0), (135.0, 185.0)  # of espeak-ng


def familiar() -> list[Speaker]:
    """The speakers of the tests, at a few pitches of their ranges each."""
    voices = []
    for speaker in ENGLISH_SPEAKERS:
        low, high = speaker.pitch
        centres = [low + (high - low) * (2 * i + 1) / (2 * PITCHES) for i in range(PITCHES)]
        voices += [Speaker(speaker.name, speaker.rate, (pitch - 1.0, pitch + 1.0)) for pitch in centres]
    return voices


def others() -> list[Speaker]:
    """Each further variant of espeak-ng as two people: two accents, two pitches."""
    return [voice for variant in VARIANTS for voice in _people(variant, ACCENTS)]


def strangers() -> list[Speaker]:
    """Voices of which training hears neither the variant nor, for the second of each two, the accent."""
    return [
        person
        for variant in UNHEARD_VARIANTS
        for person in (_people(variant, ACCENTS)[0], _people(variant, UNHEARD_ACCENTS)[1])
    ]


def _people(variant: str, accents: Sequence[str]) -> list[Speaker]:
    rng = Random(f"people {variant}")  # noqa: S311 - pitches, not secrets
    people = []
    for accent in rng.sample(accents, 2):
        pitch, rate = rng.uniform(*_PITCH), rng.uniform(*_RATE)
        people.append(Speaker(f"espeak:{accent}+{variant}", (rate * 0.93, rate * 1.07), (pitch - 1.0, pitch + 1.0)))
    return people


def label(speaker: Speaker) -> str:
    """What a voice is called in the corpus."""
    return f"{speaker.name}@{sum(speaker.pitch) / 2:.0f}"


def write_voices(folder: Path, part: int) -> None:
    """One of the `PARTS` of the corpus into `folder`, in the form that `corpus.read_corpus` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [(voice, FAMILIAR_UTTERANCES) for voice in familiar()] + [(voice, OTHER_UTTERANCES) for voice in others()]
    with (folder / f"{part}.i16").open("wb") as sound, (folder / f"{part}.jsonl").open("w", encoding="utf-8") as lines:
        for voice, count in wanted[part::PARTS]:
            rng = Random(f"voice {label(voice)}")  # noqa: S311 - sentences, not secrets
            written = 0
            while written < count:
                try:
                    utterance = speak(english(rng, held_out=False), voice.voice(rng))
                except ValueError:  # espeak-ng ran two words into one: there is no true time to learn from
                    continue
                pcm = np.round(np.clip(utterance.samples, -1.0, 1.0) * 32767).astype(np.int16)
                sound.write(pcm.tobytes())
                line = {
                    "speaker": label(voice),
                    "words": [word.text for word in utterance.words],
                    "times": [(round(word.start, 3), round(word.end, 3)) for word in utterance.words],
                    "samples": len(pcm),
                }
                lines.write(json.dumps(line) + "\n")
                written += 1


def voices(folder: Path) -> list[Spoken]:
    """The corpus in that folder, spoken first if there is none."""
    if not any(folder.glob("*.jsonl")):
        processes = [get_context("spawn").Process(target=write_voices, args=(folder, part)) for part in range(PARTS)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        if any(process.exitcode != 0 for process in processes):
            raise RuntimeError("a synthesiser failed")
    return read_corpus(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description="Speak the corpus of many voices.")
    parser.add_argument("--out", type=Path, required=True)
    corpus = voices(parser.parse_args().out)
    hours = sum(len(spoken.samples) for spoken in corpus) / 16_000 / 3600
    print(f"{len(corpus)} utterances, {len({spoken.speaker for spoken in corpus})} voices, {hours:.1f} h")


if __name__ == "__main__":
    main()
