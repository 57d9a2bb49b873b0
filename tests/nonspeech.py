"""Sounds in which nobody speaks, made from formulas: what a recording holds before, between and instead of words.

`SOUNDS[name](seconds, seed)` gives samples at 16 kHz with a peak of 1 (silence: 0), the same ones each time. Voices of any kind
are left out on purpose, words or not: a crowd, a laugh and a cough are for a transcriber to make something of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from roundtable.audio import SAMPLE_RATE_HZ, Audio

Signal = NDArray[np.float64]
Sound = Callable[[float, int], Signal]

LSB = 1 / 32768
"""The smallest step of 16-bit audio."""


def recording(name: str, seconds: float, peak_db: float, seed: int = 0) -> Audio:
    """The sound with its peak at `peak_db` of full scale, in 16 bits, as a file would hold it. Noise at -84 dB is dither."""
    samples = SOUNDS[name](seconds, seed) * 10 ** (peak_db / 20)
    return Audio((np.round(samples / LSB) * LSB).astype(np.float32))


# ---- Parts


def _clock(seconds: float) -> Signal:
    return np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ


def _noise(seconds: float, seed: int, *, slope_db: float = 0.0, band: tuple[float, float] = (20.0, 8000.0)) -> Signal:
    """Gaussian noise between two frequencies, falling by `slope_db` per octave: 0 is white, 3 pink, 6 brown."""
    count = round(seconds * SAMPLE_RATE_HZ)
    padded = 1 << (count - 1).bit_length()  # a prime number of samples would take minutes
    frequency = np.fft.rfftfreq(padded, 1 / SAMPLE_RATE_HZ)
    shape = np.zeros(len(frequency))
    inside = (frequency >= band[0]) & (frequency <= band[1])
    shape[inside] = (frequency[inside] / band[0]) ** (-slope_db / 6.02)
    return np.asarray(np.fft.irfft(np.fft.rfft(np.random.default_rng(seed).standard_normal(padded)) * shape, padded)[:count])


def _wander(seconds: float, seed: int, per_s: float) -> Signal:
    """A smooth random course between 0 and 1 with about `per_s` turns a second."""
    points = np.random.default_rng(seed).random(int(seconds * per_s) + 4)
    at = _clock(seconds) * per_s
    left = at.astype(int)
    ease = (1 - np.cos(np.pi * (at - left))) / 2
    return np.asarray(points[left] * (1 - ease) + points[left + 1] * ease)


def _harmonics(pitch_hz: Signal | float, seconds: float, strengths: Sequence[float]) -> Signal:
    """A periodic sound: its pitch may move, its partials have these strengths."""
    phase = (
        2 * np.pi * np.cumsum(np.broadcast_to(np.asarray(pitch_hz, float), round(seconds * SAMPLE_RATE_HZ))) / SAMPLE_RATE_HZ
    )
    return np.asarray(sum(strength * np.sin(number * phase) for number, strength in enumerate(strengths, 1)))


def _at(seconds: float, events: Iterator[tuple[float, Signal]]) -> Signal:
    """Short sounds, each added in at its time."""
    track = np.zeros(round(seconds * SAMPLE_RATE_HZ))
    for start_s, sound in events:
        start = round(start_s * SAMPLE_RATE_HZ)
        track[start : start + len(sound)] += sound[: max(0, len(track) - start)]
    return track


def _every(seconds: float, apart_s: float) -> Signal:
    return np.arange(0.0, seconds, apart_s)


def _now_and_then(seconds: float, per_s: float, seed: int) -> Signal:
    """Random times, `per_s` a second on average."""
    random = np.random.default_rng(seed)
    return np.sort(random.random(random.poisson(seconds * per_s)) * seconds)


def _note(pitch_hz: float, seconds: float, fade_per_s: float, strengths: Sequence[float]) -> Signal:
    """A plucked or struck note: a soft 5 ms onset, then an exponential fade."""
    time = _clock(seconds)
    return np.asarray(_harmonics(pitch_hz, seconds, strengths) * np.exp(-fade_per_s * time) * np.minimum(1.0, time / 0.005))


def _burst(seconds: float, fade_per_s: float, seed: int, low_hz: float, high_hz: float) -> Signal:
    return np.asarray(_noise(seconds, seed, band=(low_hz, high_hz)) * np.exp(-fade_per_s * _clock(seconds)))


def _hertz(midi: float) -> float:
    return float(440 * 2 ** ((midi - 69) / 12))


_STRING = [1 / number for number in range(1, 9)]
_REED = [1.0, 0.0, 0.5, 0.0, 0.3, 0.0, 0.2]
_FLUTE = [1.0, 0.3, 0.1]
_SCALE = np.array([60, 62, 64, 65, 67, 69, 71, 72])


# ---- Sounds


def silence(seconds: float, seed: int) -> Signal:
    return np.zeros(round(seconds * SAMPLE_RATE_HZ))


def hum(mains_hz: float, noise: float) -> Sound:
    def make(seconds: float, seed: int) -> Signal:
        return _harmonics(mains_hz, seconds, [1, 0.5, 0.6, 0.2, 0.3, 0.1, 0.2]) + noise * _noise(seconds, seed)

    return make


def sweep(seconds: float, seed: int) -> Signal:
    """From 80 Hz to 6 kHz in ten seconds, again and again."""
    return _harmonics(80 * (6000 / 80) ** (_clock(seconds) % 10 / 10), seconds, [1.0])


def siren(seconds: float, seed: int) -> Signal:
    return _harmonics(700 + 400 * np.sin(2 * np.pi * 0.4 * _clock(seconds)), seconds, [1.0, 0.3, 0.2])


def beeps(seconds: float, seed: int) -> Signal:
    return np.sin(2 * np.pi * 1000 * _clock(seconds)) * (_clock(seconds) % 1.0 < 0.2)


def alarm(seconds: float, seed: int) -> Signal:
    time = _clock(seconds)
    return np.sign(np.sin(2 * np.pi * 2048 * time)) * (time % 1.0 < 0.5) * (time % 0.125 < 0.0625)


def dtmf(seconds: float, seed: int) -> Signal:
    """Somebody dials: 100 ms a digit, 120 ms apart."""
    random = np.random.default_rng(seed)
    low, high = np.array([697, 770, 852, 941]), np.array([1209, 1336, 1477])

    def keys() -> Iterator[tuple[float, Signal]]:
        time = _clock(0.1)
        for start in _every(seconds, 0.22):
            yield start, np.sin(2 * np.pi * random.choice(low) * time) + np.sin(2 * np.pi * random.choice(high) * time)

    return _at(seconds, keys())


def ringing(seconds: float, seed: int) -> Signal:
    """The caller's side of an American telephone: 440 and 480 Hz, two seconds in six."""
    time = _clock(seconds)
    return (np.sin(2 * np.pi * 440 * time) + np.sin(2 * np.pi * 480 * time)) * (time % 6 < 2)


def bell(seconds: float, seed: int) -> Signal:
    """An old telephone: two bells struck twenty times a second."""
    strokes = ((start, _note(pitch, 0.25, 18, [1, 0.6, 0, 0.4])) for start, pitch in _strokes(seconds))
    return _at(seconds, strokes)


def _strokes(seconds: float) -> Iterator[tuple[float, float]]:
    for number, start in enumerate(_every(seconds, 0.05)):
        if start % 3 < 1.2:
            yield start, (1250.0, 1500.0)[number % 2]


def clicks(seconds: float, seed: int) -> Signal:
    return _at(seconds, ((start, np.ones(2)) for start in _every(seconds, 0.5)))


def crackle(seconds: float, seed: int) -> Signal:
    """An old record: clicks of all sizes over faint noise."""
    random = np.random.default_rng(seed)
    pops = ((start, np.array([1.0, -0.6, 0.2]) * random.exponential()) for start in _now_and_then(seconds, 12, seed))
    return _at(seconds, pops) + 0.01 * _noise(seconds, seed, slope_db=3)


def typing(seconds: float, seed: int) -> Signal:
    """Key strokes: a click down, a softer one up."""
    random = np.random.default_rng(seed)

    def strokes() -> Iterator[tuple[float, Signal]]:
        for start in _now_and_then(seconds, 6, seed):
            loud = random.uniform(0.4, 1.0)
            yield start, loud * _burst(0.04, 120, int(start * 1000), 800, 6000)
            yield start + random.uniform(0.06, 0.12), 0.5 * loud * _burst(0.03, 150, int(start * 999), 1500, 7000)

    return _at(seconds, strokes())


def knocks(seconds: float, seed: int) -> Signal:
    """A table is hit, a door, a microphone: low thuds."""
    hits = ((start, _burst(0.3, 25, int(start * 1000), 40, 400)) for start in _now_and_then(seconds, 1.2, seed))
    return _at(seconds, hits)


def rustle(seconds: float, seed: int) -> Signal:
    """Paper: bursts of hiss that swell and break off."""
    swell = np.maximum(0.0, _wander(seconds, seed, 5.0) - 0.5) ** 2
    return np.asarray(_noise(seconds, seed, band=(1000, 8000)) * swell * (1 + 4 * _wander(seconds, seed + 1, 40.0) ** 3))


def rain(seconds: float, seed: int) -> Signal:
    random = np.random.default_rng(seed)
    drops = (
        (start, random.exponential() * _note(random.uniform(800, 4000), 0.02, 250, [1.0]))
        for start in _now_and_then(seconds, 60, seed)
    )
    return _at(seconds, drops) + 0.8 * _normal(_noise(seconds, seed, slope_db=2, band=(300, 8000)))


def wind(seconds: float, seed: int) -> Signal:
    """Gusts, and a whistle that rises with them."""
    gusts = _wander(seconds, seed, 0.5) ** 2 + 0.3 * _wander(seconds, seed + 1, 3.0) ** 2
    whistle = _harmonics(400 + 500 * gusts, seconds, [1.0]) * gusts**3
    return _normal(_noise(seconds, seed, slope_db=5, band=(40, 8000))) * (0.1 + gusts) + 0.05 * whistle


def microphone_wind(seconds: float, seed: int) -> Signal:
    """Air on the microphone itself: nothing but low rumble, in bursts."""
    return _noise(seconds, seed, slope_db=6, band=(15, 300)) * _wander(seconds, seed, 2.0) ** 3


def engine(seconds: float, seed: int) -> Signal:
    """A car that changes speed: a low buzz and the noise of the road."""
    pitch = 35 + 50 * _wander(seconds, seed, 0.3) + 2 * _wander(seconds, seed + 1, 9.0)
    buzz = _harmonics(pitch, seconds, [1, 0.8, 0.5, 0.6, 0.3, 0.4, 0.2, 0.2, 0.1])
    return buzz + 1.5 * _normal(_noise(seconds, seed, slope_db=4, band=(30, 5000)))


def fan(seconds: float, seed: int) -> Signal:
    breath = 1 + 0.2 * np.sin(2 * np.pi * 6.5 * _clock(seconds))
    return _normal(_noise(seconds, seed, slope_db=3, band=(60, 6000))) * breath + 0.2 * _harmonics(97.5, seconds, [1, 0.5, 0.3])


def drill(seconds: float, seed: int) -> Signal:
    """A vacuum cleaner or a drill: a strained motor that comes and goes."""
    load = _wander(seconds, seed, 0.7)
    whine = _harmonics(220 + 180 * load, seconds, _STRING)
    return (whine + 1.2 * _normal(_noise(seconds, seed, slope_db=1, band=(200, 8000)))) * (load > 0.25)


def applause(seconds: float, seed: int) -> Signal:
    claps = (_burst(0.05, 90, number, 600, 4000) for number in range(32))
    kinds = list(claps)
    random = np.random.default_rng(seed)
    return _at(
        seconds, ((start, kinds[random.integers(32)] * random.uniform(0.2, 1)) for start in _now_and_then(seconds, 90, seed))
    )


def birds(seconds: float, seed: int) -> Signal:
    random = np.random.default_rng(seed)

    def calls() -> Iterator[tuple[float, Signal]]:
        for start in _now_and_then(seconds, 2, seed):
            long_s = random.uniform(0.06, 0.25)
            time = _clock(long_s)
            pitch = random.uniform(2500, 5000) + random.uniform(-9000, 9000) * time + 400 * np.sin(2 * np.pi * 40 * time)
            yield start, _harmonics(pitch, long_s, [1.0]) * np.sin(np.pi * time / long_s) ** 2

    return _at(seconds, calls()) + 0.002 * _noise(seconds, seed, slope_db=3)


def chords(seconds: float, seed: int) -> Signal:
    """A piano-like accompaniment: a triad every second, with a bass."""
    roots = [48, 45, 41, 43]

    def struck() -> Iterator[tuple[float, Signal]]:
        for number, start in enumerate(_every(seconds, 1.0)):
            root = roots[number % 4]
            for above in (0, 12, 12 + 4 - (root == 45), 12 + 7):
                yield start, _note(_hertz(root + above), 1.4, 2.5, _STRING)

    return _at(seconds, struck())


def pad(seconds: float, seed: int) -> Signal:
    """Held chords that swell, slightly out of tune with themselves."""
    total = np.zeros(round(seconds * SAMPLE_RATE_HZ))
    for midi in (48, 55, 60, 64):
        for detune in (-0.08, 0.08):
            total += _harmonics(_hertz(midi + detune), seconds, _STRING[:5])
    return total * (0.3 + 0.7 * _wander(seconds, seed, 0.4))


def tune(strengths: Sequence[float], fade_per_s: float, note_s: float) -> Sound:
    """A melody that nobody has written: random steps on a scale."""

    def make(seconds: float, seed: int) -> Signal:
        random = np.random.default_rng(seed)
        step = 0

        def played() -> Iterator[tuple[float, Signal]]:
            nonlocal step
            for start in _every(seconds, note_s):
                step = int(np.clip(step + random.integers(-2, 3), 0, 7))
                yield start, _note(_hertz(float(_SCALE[step])), note_s * 1.2, fade_per_s, strengths)

        return _at(seconds, played())

    return make


def arpeggio(seconds: float, seed: int) -> Signal:
    steps = [48, 55, 60, 64, 67, 64, 60, 55]
    plucks = ((start, _note(_hertz(steps[number % 8]), 0.5, 6, _STRING)) for number, start in enumerate(_every(seconds, 0.15)))
    return _at(seconds, plucks)


def violin(seconds: float, seed: int) -> Signal:
    """Bowed notes with vibrato, half a second each, one gliding into the next."""
    time = _clock(seconds)
    midi = np.interp(time % 2.0, [0, 0.45, 0.55, 0.95, 1.05, 1.45, 1.55, 1.95, 2.0], [69, 69, 71, 71, 67, 67, 72, 72, 69])
    pitch = 440 * 2 ** ((midi - 69) / 12) * (1 + 0.006 * np.sin(2 * np.pi * 5.5 * time))
    return _harmonics(pitch, seconds, _STRING) * (0.6 + 0.4 * np.abs(np.sin(2 * np.pi * time)))


def theremin(seconds: float, seed: int) -> Signal:
    """The closest that an instrument comes to a voice without vowels: a warm tone, wide vibrato, glides."""
    time = _clock(seconds)
    pitch = 220 * 2 ** (_wander(seconds, seed, 1.5)) * (1 + 0.015 * np.sin(2 * np.pi * 5.5 * time))
    return _harmonics(pitch, seconds, [1, 0.4, 0.2, 0.1]) * _wander(seconds, seed + 1, 2.0)


def drums(seconds: float, seed: int) -> Signal:
    time = _clock(0.25)
    kick = np.sin(2 * np.pi * (50 * time + 20 * (1 - np.exp(-20 * time)))) * np.exp(-12 * time)
    snare = 0.8 * _burst(0.2, 18, 1, 200, 7000) / 3 + 0.4 * _note(190, 0.2, 20, [1.0])
    hat = 0.3 * _burst(0.06, 60, 2, 5000, 8000) / 3

    def beats() -> Iterator[tuple[float, Signal]]:
        for number, start in enumerate(_every(seconds, 0.25)):
            yield start, hat
            if number % 4 == 0:
                yield start, kick
            if number % 4 == 2:
                yield start, snare

    return _at(seconds, beats())


def band(seconds: float, seed: int) -> Signal:
    """Drums, chords and a tune at once."""
    parts = (drums, chords, tune(_REED, 3.0, 0.5))
    return np.asarray(sum(_normal(part(seconds, seed)) for part in parts))


def fax(seconds: float, seed: int) -> Signal:
    """A modem's carrier, shifted between two tones 300 times a second."""
    bits = np.random.default_rng(seed).integers(0, 2, int(seconds * 300) + 1)
    return _harmonics(1650 + 200 * bits[(_clock(seconds) * 300).astype(int)], seconds, [1.0])


def buzz(seconds: float, seed: int) -> Signal:
    """A phone in GSM's rhythm beside a loudspeaker: bursts 217 times a second."""
    time = _clock(seconds)
    pulses: Signal = lfilter([0.2], [1.0, -0.8], np.sign(np.sin(2 * np.pi * 217 * time)))
    return pulses * (time % 2.0 < 0.9) * (time % 0.3 < 0.2)


def _normal(samples: Signal) -> Signal:
    """At a peak of 1."""
    peak = float(np.abs(samples).max(initial=0.0))
    return samples / peak if peak > 0 else samples


def _peaking(sound: Sound) -> Sound:
    return lambda seconds, seed: _normal(sound(seconds, seed))


SOUNDS: dict[str, Sound] = {
    "silence": silence,
    **{
        name: _peaking(sound)
        for name, sound in {
            "white noise": lambda seconds, seed: _noise(seconds, seed),
            "pink noise": lambda seconds, seed: _noise(seconds, seed, slope_db=3),
            "brown noise": lambda seconds, seed: _noise(seconds, seed, slope_db=6),
            "telephone noise": lambda seconds, seed: _noise(seconds, seed, band=(300, 3400)),
            "hum 50": hum(50, 0.0),
            "hum 60, noisy": hum(60, 0.05),
            "hum 120, noisy": hum(120, 0.02),
            "tone 440": lambda seconds, seed: _harmonics(440, seconds, [1.0]),
            "tone 150": lambda seconds, seed: _harmonics(150, seconds, [1.0]),
            "sweep": sweep,
            "siren": siren,
            "beeps": beeps,
            "alarm": alarm,
            "dialling": dtmf,
            "ringing": ringing,
            "bell": bell,
            "clicks": clicks,
            "crackle": crackle,
            "typing": typing,
            "knocks": knocks,
            "rustle": rustle,
            "rain": rain,
            "wind": wind,
            "microphone wind": microphone_wind,
            "engine": engine,
            "fan": fan,
            "drill": drill,
            "applause": applause,
            "birds": birds,
            "fax": fax,
            "GSM buzz": buzz,
            "chords": chords,
            "pad": pad,
            "piano tune": tune(_STRING, 4.0, 0.4),
            "flute tune": tune(_FLUTE, 1.0, 0.5),
            "clarinet tune": tune(_REED, 0.5, 0.3),
            "arpeggio": arpeggio,
            "violin": violin,
            "theremin": theremin,
            "drums": drums,
            "band": band,
        }.items()
    },
}
