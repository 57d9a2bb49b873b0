"""A small language of meetings and phone calls, written as a grammar, from which training and held-out sentences are drawn.

English has about 650 words. A quarter of its utterances are words in no order at all, so that whoever learns it has to
listen: nothing in the grammar says which word comes next. German has about 70 words and a handful of sentence forms.

Whether a sentence is held out depends on nothing but its own text (`is_held_out`): no seed, size or order of the training
set can put a held-out sentence into it.

Digits are written as digits and said one by one ("The code is 4 7 0."); numbers from ten up are words. Words that sound
alike do not both stand where either could (no teens beside the tens, no "for" or "to" among words in no order).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from random import Random

HELD_OUT_SHARE = 8  # one sentence in this many is held out
MIN_SALAD_WORDS, MAX_SALAD_WORDS = 4, 12
SALAD_SHARE = 0.25  # of English utterances
DIGITS_SHARE = 0.05
SHORT_SHARE = 0.08

Grammar = dict[str, list[str]]


def _words(text: str) -> list[str]:
    return text.split()


_NAMES = _words(
    "Anna Ben Carla David Emma Frank Grace Henry Julia Kevin Laura Martin Nina Oscar Paul Peter Sarah Thomas Victor Sophie "
    "Brown Wilson Miller Jackson"
)
_THINGS = _words(
    "report contract invoice budget schedule presentation ticket order package document password account project server "
    "database website printer camera laptop proposal survey letter drawing manual recording battery chair computer keyboard "
    "desk engine family feature furniture guitar hammer jacket key machine map medicine message microphone monitor number "
    "page painting paper phone photograph picture plan plate price problem product program receipt result screen shirt shoe "
    "song speaker table telephone test tool toy video wallet watch window service sale noise box cover"
)
_PEOPLE = _words(
    "manager customer engineer doctor lawyer director assistant partner designer neighbor teacher driver agent baker "
    "colleague farmer guest journalist mechanic musician painter pilot player professor reporter secretary singer student "
    "worker writer"
)
_PLACES = _words(
    "office kitchen hotel airport station building school hospital bank restaurant garden library factory warehouse "
    "apartment bridge church city corner country farm forest garage island market mountain museum park pharmacy river "
    "street studio town university village store"
)
# base form, past form
_VERBS = [
    pair.split("/")
    for pair in _words(
        "send/sent check/checked review/reviewed finish/finished update/updated sign/signed print/printed cancel/canceled "
        "move/moved open/opened fix/fixed test/tested copy/copied return/returned deliver/delivered prepare/prepared "
        "bring/brought build/built choose/chose clean/cleaned compare/compared "
        "discuss/discussed explain/explained find/found forget/forgot improve/improved "
        "keep/kept lose/lost notice/noticed offer/offered order/ordered present/presented "
        "receive/received remove/removed repair/repaired replace/replaced save/saved sell/sold show/showed "
        "start/started study/studied support/supported use/used"
    )
]
_ADJECTIVES = _words(
    "new old final long short important urgent difficult simple good great bad late small large expensive cheap angry "
    "beautiful broken busy careful clever cold comfortable dangerous dark dirty empty exciting famous fast fresh friendly "
    "funny happy heavy hungry loud modern necessary official perfect popular possible powerful private public quiet ready "
    "serious silent similar special strange strong surprised thick tired useful usual warm wonderful"
)
_COLORS = _words("red blue green yellow black white orange purple silver")
_ADVERBS = _words(
    "already always carefully clearly easily exactly finally immediately never often perfectly probably quickly quietly "
    "rarely really seriously slowly sometimes suddenly usually together yesterday recently"
)
_TOPICS = _words("marketing security quality training travel delivery payment energy safety advertising management history")
_FOOD = _words(
    "coffee water lunch dinner bread cheese chicken apple banana butter carrot chocolate honey juice lemon onion pepper "
    "potato rice salad sandwich soup sugar tomato"
)
_WEATHER = _words("rain snow wind sunshine fog")
_ANIMALS = _words("dog cat horse monkey elephant chicken")
_OTHER = _words(
    "about above across after again against ago alone along among another anything around away because before behind below "
    "between both bottom but charge could decided different during each early either enough even every everyone everything "
    "except first free front goodbye half however inside instead left less light little look main many maybe middle money "
    "more morning most much music must near next nobody nothing once only other outside please pretty quite rather right "
    "same second several should since solved some something somewhere sorry still such summer than then there these thing "
    "third though thousand through today under until very wait welcome while winter without wonder back begins better by "
    "called customers gives go meet news pictures put radio rest spend talk tests time worry working would yet dollars "
    "minutes hundred million people"
)

_ENGLISH: Grammar = {
    "name": _NAMES,
    "day": _words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday"),
    "month": _words("January February March April June July August September October November December"),
    "digit": _words("0 1 2 3 4 5 6 7 8 9"),
    "few": _words("2 3 4 5 6 7 8 9"),
    "count": _words("2 3 4 5 6 7 8 9 ten eleven twelve twenty thirty forty"),
    "big": ["{count} hundred", "a thousand", "{count} thousand", "a hundred", "a million"],
    "thing": _THINGS,
    "person": _PEOPLE,
    "place": _PLACES,
    "do": [base for base, _ in _VERBS],
    "did": [past for _, past in _VERBS],
    "adj": [*_ADJECTIVES, *_COLORS],
    "color": _COLORS,
    "adverb": _ADVERBS,
    "topic": _TOPICS,
    "food": _FOOD,
    "weather": _WEATHER,
    "animal": _ANIMALS,
    "other": _OTHER,
    "part": _words("morning afternoon evening"),
    "when": ["today", "tomorrow", "tonight", "soon", "later", "on {day}", "in {month}", "next week", "at {few}", "this {part}"],
    "past": ["yesterday", "last week", "last {day}", "{count} days ago", "in {month}", "this {part}", "a year ago", "again"],
    "unit": _words("minutes hours days weeks months years"),
    "np": [
        "the {thing}",
        "the {thing}",
        "the {adj} {thing}",
        "my {thing}",
        "our {adj} {thing}",
        "this {thing}",
        "your {thing}",
    ],
    "who": ["{name}", "the {person}", "our {person}", "the {adj} {person}", "the {person} from the {place}"],
    "where": ["in the {place}", "near the {place}", "behind the {place}", "at the {place}", "in front of the {place}"],
    "pron": _words("they we you"),
    "claim": [
        "{who} {did} {np}",
        "{who} {did} {np} {past}",
        "{np} is {adj}",
        "{np} was {adverb} {adj}",
        "{who} is waiting {where}",
        "{pron} {did} the {animal} {where}",
        "there is a {adj} {thing} {where}",
        "{who} will {do} {np} {when}",
        "we cannot {do} {np}",
        "the {weather} was {adj} {past}",
        "nobody {adverb} {did} {np}",
    ],
    "utterance": [
        "Good {part} everyone, welcome to the {topic} meeting.",
        "Good {part}, this is {name} speaking.",
        "Thank you all for coming to this {topic} meeting.",
        "Hello {name}, how are you {when}?",
        "Hello, this is the {topic} service, how can I help you?",
        "Could you please {do} {np} before {day}?",
        "Can you {do} {np} {when}?",
        "I will {do} {np} {when}.",
        "We need to {do} {np} in {count} {unit}.",
        "{Who} {did} {np} {past}.",
        "I think that {claim}.",
        "They told me that {claim}.",
        "Do you know if {claim}?",
        "{Np} is {where}.",
        "Where is {np}?",
        "Who {did} {np} {past}?",
        "Let us start with the {topic} {thing}.",
        "{Np} costs {big} dollars.",
        "We have {count} {unit} left for {np}.",
        "The train leaves the {place} at {few}.",
        "I am waiting for {who} {where}.",
        "Please call {who} again {when}.",
        "Thank you very much for your help, {name}.",
        "Yes, that sounds {adj} to me.",
        "No, I do not have {np} with me.",
        "Maybe we should {do} it {when}.",
        "Sorry {name}, I did not hear you.",
        "Can you say that again please?",
        "We had {count} problems with {np} {past}.",
        "There will be some {weather} near the {place} {when}.",
        "Do you want some {food} or {food}?",
        "I would like {adj} {food} and some {food}, please.",
        "{name} and {name} are going to the {place} {when}.",
        "Our next meeting is on {day} at {few}.",
        "The {topic} team has a {adj} {thing}.",
        "What happened with {np}?",
        "Every {person} must {do} {np} first.",
        "They want to {do} the {topic} {thing} {when}.",
        "It takes about {count} {unit} to {do} {np}.",
        "Okay, see you on {day}.",
        "See you {when}, goodbye.",
        "That is a {adj} question, {name}.",
        "I agree with {name} about {np}.",
        "The {place} is closed until {day}.",
        "She said {who} was {adj}.",
        "He wants {count} more {unit}.",
        "Is the {place} open on {day}?",
        "When can {who} {do} it?",
        "Why was {np} so {adj}?",
        "Please hold the line, I will ask {who}.",
        "My name is {name} and I work {where}.",
        "How many {unit} do you need, {count} or {count}?",
        "If {claim}, {pron} must {do} {np}.",
        "{Claim}, but {claim}.",
        "{Claim} because {claim}.",
        "{Claim}.",
        "The {adj} {animal} is under the {thing}.",
        "A {person}, a {person} and a {person} {did} {np}.",
        "{Who} never {did} the {color} {thing}, I believe.",
        "So {name} will {do} {np}, and {name} will {do} {np}.",
        "We decided to {do} {np} {when}.",
        "Is there anything else {pron} have to {do} {when}?",
        "How much money do we have for {np}?",
        "The {color} light on {np} is gone, now it is {adj}.",
        "Please turn {np} off and take out the {color} box.",
        "What does {np} look like, is it {adj} or {adj}?",
        "It makes a {adj} noise and then it stops.",
        "You can find {np} on the {thing} {where}.",
        "Have you ever {did} a {thing} with {name}?",
        "Of course, one moment.",
        "I do not think so, {name}.",
        "Everything looks {adj} {when}.",
        "Do not worry, {claim}.",
        "My {person} likes {food}, {food} and {food}.",
        "From {month} until {month} the {place} is {adj}.",
        "The first {thing} is {color}, the second one is {color}.",
        "{Who} works as a {person} {where}.",
        "Are you sure that {claim}?",
        "Without {np} the {person} cannot {do} anything.",
        "Very good, I will {do} it {adverb}.",
        "{Who} called the {place} back and put {np} on the {thing}.",
        "What if we meet by the {place} {when}?",
        "We could spend the rest of the money on a better {thing}.",
        "I will write a letter to our customers before {day}.",
        "That is {adj} news for {name}, {when} we go and talk about {np}.",
        "The {color} pictures by the radio are gone.",
        "The summer sale begins in {month} and gives us enough time for the tests.",
    ],
    "Who": ["{name}", "The {person}", "Our {person}", "The {adj} {person}", "The {person} from the {place}"],
    "Np": ["The {thing}", "The {adj} {thing}", "My {thing}", "Our {adj} {thing}", "This {thing}", "Your {thing}"],
    "Claim": [
        "{Who} {did} {np}",
        "{Who} {did} {np} {past}",
        "{Np} is {adj}",
        "{Np} was {adverb} {adj}",
        "{Who} is waiting {where}",
        "There is a {adj} {thing} {where}",
        "{Who} will {do} {np} {when}",
        "The {weather} was {adj} {past}",
        "Nobody {adverb} {did} {np}",
    ],
    "digits": [
        "The code is {run}.",
        "My phone number is {run}.",
        "Your order number is {run}, is that right?",
        "Please call {run}.",
        "It is {run}.",
        "The number of {np} is {run}.",
        "{run}.",
    ],
    "short": [
        "{name}.",
        "{name}?",
        "{opening}.",
        *(["{Word}."] * 3),
        *(["{Word}."] * 3),
        "Yes, {name}.",
        "No, {name}.",
        "Yes, please.",
        "Thank you, {name}.",
        "Good {part}.",
        "Hello {name}.",
        "On {day}.",
        "In {month}.",
        "The {thing}.",
        "The {adj} {thing}?",
        "{Where}.",
    ],
    "Word": _words(
        "Hello Okay Goodbye Sorry Yes No Good Please Maybe Today Tomorrow Wonderful Finally Nobody Everything Welcome"
    ),
    "Where": ["In the {place}", "Near the {place}", "Behind the {place}", "At the {place}"],
    # The first word of words in no order carries the capital letter, as that of a sentence does.
    "opening": [
        *_NAMES,
        *_words(
            "The Please Okay Good Very Sorry Every Maybe Everything Thank Hello My Our This That What Where Nobody There And So"
        ),
    ],
    "any": [
        *(["{thing}"] * 8),
        *(["{other}"] * 7),
        *(["{adj}"] * 6),
        *(["{place}"] * 4),
        *(["{person}"] * 4),
        *(["{do}"] * 4),
        *(["{did}"] * 4),
        *(["{adverb}"] * 2),
        *(["{food}"] * 2),
        *["{day}", "{month}", "{name}", "{topic}", "{weather}", "{animal}", "{unit}"],
    ],
}

_GERMAN: Grammar = {
    "name": _words("Anna Emma Frank Julia Laura Martin Paul"),
    "thing": ["den Bericht", "den Vertrag", "die Rechnung", "das Dokument", "das Projekt", "den Brief", "die Kamera"],
    "day": _words("Montag Dienstag Mittwoch Freitag Samstag"),
    "count": _words("zwei drei vier sieben zehn zwanzig"),
    "where": ["im Hotel", "am Flughafen", "in der Schule", "im Garten", "in der Bank"],
    "do": _words("senden lesen kaufen suchen bezahlen"),
    "part": _words("Morgen Abend"),
    "adj": _words("gut neu wichtig teuer"),
    "utterance": [
        "Guten {part}, hier ist {name}.",
        "Wir müssen {thing} am {day} {do}.",
        "Ich warte {where} auf {name}.",
        "Können Sie {thing} bitte {do}?",
        "{name} kommt am {day} um {count} Uhr.",
        "Vielen Dank und bis {day}.",
        "Wir haben noch {count} Tage Zeit.",
        "Nein, {name} ist nicht {where}.",
        "Ja, das ist sehr {adj}.",
        "Am {day} treffen wir uns {where}.",
        "{name} möchte {thing} {do}.",
        "Das Projekt ist sehr {adj}, {name}.",
    ],
}


def english(rng: Random, *, held_out: bool = False, orderly: bool = False) -> str:
    """One utterance: a sentence, a digit string, or (not if `orderly`) words in no order; the last mark is always . or ?"""
    return _draw(lambda r: _utterance(r.uniform(SALAD_SHARE, 1.0) if orderly else r.random(), r), rng, held_out)


def german(rng: Random, *, held_out: bool = False) -> str:
    """One sentence of the small German."""
    return _draw(lambda r: _expand("{utterance}", _GERMAN, r), rng, held_out)


def digit_string(rng: Random, length: int) -> str:
    """A sentence of nothing but `length` digits in a row."""
    return " ".join(rng.choice(_ENGLISH["digit"]) for _ in range(length)) + "."


def is_held_out(sentence: str) -> bool:
    """Whether this sentence may be tested on and never trained on: a property of its text."""
    return zlib.crc32(sentence.encode()) % HELD_OUT_SHARE == 0


def bare(word: str) -> str:
    """The word without its marks and capitals: what is said, not how it is written."""
    return re.sub(r"[^\w]", "", word).lower()


def vocabulary() -> list[str]:
    """Every word of both languages, as it is written, without marks; sorted."""
    texts = [alternative for grammar in (_ENGLISH, _GERMAN) for options in grammar.values() for alternative in options]
    return sorted({word for text in texts for word in re.findall(r"\w+", re.sub(r"{\w+}", " ", text))})


def _draw(make: Callable[[Random], str], rng: Random, held_out: bool) -> str:
    while True:
        sentence = make(rng)
        if is_held_out(sentence) == held_out:
            return sentence


def _utterance(kind: float, rng: Random) -> str:
    """`kind`, from 0 to 1, says which of the four kinds."""
    if kind < SALAD_SHARE:
        length = rng.randint(MIN_SALAD_WORDS, MAX_SALAD_WORDS)
        return _expand("{opening}" + " {any}" * (length - 1) + ".", _ENGLISH, rng)
    if kind < SALAD_SHARE + DIGITS_SHARE:
        run = " ".join(["{digit}"] * rng.randint(3, 8))
        return _expand(rng.choice(_ENGLISH["digits"]).replace("{run}", run), _ENGLISH, rng)
    if kind < SALAD_SHARE + DIGITS_SHARE + SHORT_SHARE:
        return _expand("{short}", _ENGLISH, rng)
    return _expand("{utterance}", _ENGLISH, rng)


def _expand(text: str, grammar: Grammar, rng: Random) -> str:
    while "{" in text:
        text = re.sub(r"{(\w+)}", lambda slot: rng.choice(grammar[slot.group(1)]), text)
    return text
