"""The words that make a decision or an action item: tables to be read, and the guards around them. English only.

A rule fires on words, whatever their case, with or without apostrophes and punctuation. Questions, negations, conditions and
reports ("he said I will") are no commitments. The rules rather miss an item than make one up.
`decisions.py` and `action_items.py` apply the tables; the tests hold an example, and a counter-example, of each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from roundtable.summarization.text import word_set

LONGEST_SENTENCE = 2000
"""In characters. What is longer has words of a length that nobody speaks, and some patterns take quadratic time on those."""

DECISIONS = (
    r"we(?:['’]?ve| have| had)?(?: all| also| just| now| finally| then| both)* (?:decided|agreed|settled on|resolved)",
    r"(?:everyone|everybody|we all) agrees? (?:that|on|to|with)",
    r"let(?:['’]?s| us)(?: all| just| then| please)* (?:{choose}|agree (?:on|that|to))",
    r"(?:it|that)(?:['’]?s| is| has been| was)(?: all| now| then| been)* (?:settled|decided|agreed) (?:that|to|then we|we)",
    r"(?:the|our|my)(?: final)? decision(?: here| then| now)? is",
    r"^(?:final )?decision[:,]",
    r"we(?:['’]ll| will|['’]re going to| are going to|['’]re gonna)(?: just| then| all| now)* {choose}",
    r"we(?:['’]re| are)(?: now| then)* (?:going with|going ahead with|sticking with|sticking to|staying with|settling on)",
    r"so we(?:['’]re going to| are going to|['’]ll| will)(?= \w)",
)
"""One of these states a decision. The text of the decision is the whole sentence."""

CHOOSE = r"(?:go with|go for|go ahead with|stick with|stick to|settle on|settle for|stay with)"

_UNDECIDED = (
    r"disagree|talk|discuss|move on|wrap up|see|look|go over|go through|hear|know|think|want|nothing|not yet|up to|hard|"
    r"difficult|pending|still|yours"
)
NOT_A_DECISION = re.compile(rf"^\W*(?:to )?(?:{_UNDECIDED})\b", re.IGNORECASE)
"""What must not follow the words of a decision: "we agreed to disagree"."""

INTENTION = re.compile(r"so we\b", re.IGNORECASE)
"""How the last of `DECISIONS` begins, and no other: it announces, and must not be followed by what is no plan."""

NOT_A_PLAN = re.compile(
    rf"^\W*(?:to )?(?:{_UNDECIDED}|meet|start|begin|continue|have|be|need|wait|get|find|cover|review|take a (?:look|break))\b",
    re.IGNORECASE,
)
"""What must not follow a mere intention or a proposal: "so we are going to start", "let's have a look"."""

SETTLED = re.compile(r"\b(?:it|that)(?:['’]?s| is)(?: now| then| all)* (?:settled|decided|agreed|a deal)\b", re.IGNORECASE)
"""Said alone, it decides the sentence before it."""

ACCEPTANCE = re.compile(
    rf"{SETTLED.pattern}|\b(?:let(?:['’]?s| us) do (?:that|it|this)|agreed|deal|sounds good)\b", re.IGNORECASE
)
PROPOSAL = re.compile(
    r"\b(?:how about we|what if we|why don['’]?t we|shall we|let(?:['’]?s| us)|"
    r"i(?: would|['’]d)? (?:suggest|propose)(?: that)? we)\b",
    re.IGNORECASE,
)
"""A proposal is decided when somebody else answers it with nothing but an acceptance."""

COMMITMENT = (
    r"\b(?:i(?:['’]ll| will| shall| promise to)|i(?: am|['’]?m) (?:going to|gonna)(?={adverbs}\s+(?:{action})\b))",
    r"(?:^|\b(?:and|so|okay|ok|yes|yeah|sure|then) )ill(?= (?:{action}) )",
)
"""Somebody commits: the speaker is the owner. "ill" is what is left of "I'll" in a text without apostrophes."""

OTHERS_COMMITMENT = (
    r"(?<![\w'’-])(?P<name>[^\W\d_][\w'’-]++(?: [^\W\d_][\w'’-]++)??)"
    r"(?: will| is going to| is gonna| has agreed to| agreed to)(?={adverbs}\s+(?:{action})\b)",
)
"""Somebody is committed: the name is the owner."""

REQUEST = (r"\b(?:can|could|would|will) you",)
"""Somebody is asked: an action item only if the next to speak assents. Its owner is who is addressed by name, or assents."""

PLEASE = (r"\bplease(?= (?:{action})\b)",)
"""Somebody is asked, and the words stand for themselves; the owner is found as for a request."""

NECESSITY = (
    r"\b(?:we(?:(?: all| also| still| really)* (?:need to|have to|must)|['’]?ve got to)|"
    r"(?:someone|somebody) (?:needs to|has to|should|must))(?={adverbs}\s+(?:{action})\b)",
)
"""Something must be done: nobody owns it, unless the next to speak takes it ("I'll do that")."""

MARKER = (
    r"\baction (?:item|point)s?(?: number \w+)?"
    r"(?:(?: is(?: for\b)?|\s*[:,–-](?: for\b)?)(?: to\b)?|(?= \w+ to )|(?= (?:{action})\b))",
    r"\bto[- ]?do\s*[:–-]|^todo\b,?|\b(?:the|our|my|your) next step is(?: to\b)?",
)
"""Somebody says that it is one."""

ACTIONS = word_set("""
    add analyse analyze announce arrange ask assign attend book bring build buy call cancel change check circulate clean
    collect compare complete configure confirm contact coordinate correct create deliver deploy design distribute do document
    double-check download draft edit email estimate file fill finalise finalize find finish fix follow forward gather get
    handle hire implement inform install interview investigate invite look mail make measure meet merge message move
    negotiate notify order organise organize pay phone pick plan post prepare present print publish purchase put reach
    record register release remind remove renew rent repair replace report research reserve review revise rewrite run
    schedule send set share ship sign speak submit summarise summarize take talk test track train translate update upload
    verify visit work write
    """)
"""What a person can be expected to do, where the form alone says too little: "please ...", "Tom will ..."."""

THINGS_DO = word_set("change do get look make meet move put reach run ship sign take track work")
"""Actions of things as well as of people ("shipping will take two weeks"): the subject must be known as a name."""

IDLE = word_set("""
    accept admit agree answer assume be been begin believe bet clarify come consider continue cover describe die disagree
    discuss elaborate expect explain feel figure focus give go guess happen hate have hear hold imagine join keep know leave
    let like listen lose love mention mind miss mute need never no not note pass promise quote read reply remember repeat
    respond say see show skip stay stop tell think try turn understand unmute wait want wish wonder worry
    """)
"""Verbs after "I will", "can you" or "we need to" that only steer the conversation: "I will say that", "can you hear me"."""

IDLE_PHRASES = re.compile(
    r"^(?:start(?: with| by| off| from| us|\W*$)|share (?:my|your) screen|speak (?:up|louder|slower|slowly)|"
    r"talk (?:about|to you)|look (?:at (?:that|this|it)\b|like)|"
    r"take (?:a (?:look|second|moment|minute|break)|it from|your time)|"
    r"get (?:back to (?:that|it|this)|started|to (?:that|it))|ask (?:you|a question)|put it|"
    r"make (?:it|a point|this) (?:quick|short|clear)|make sure (?:i|we) understand|run (?:through|over|you)|move on|"
    r"add (?:that|to that|one)\b|find (?:out soon|it)\b|meet (?:again|you)|call (?:it|that)\b|work (?:out|well|fine|hard)\b)",
    re.IGNORECASE,
)

PROMISES = re.compile(r"^(?:and )?(?:i(?:['’]ll| will)|you(?:['’]ll| will) (?:have|get))\b", re.IGNORECASE)
"""How an answer goes on that says when: "Sure. I'll do it by Friday." """

ASSENT = re.compile(
    r"^(?:\S+ ){0,2}(?:no problem|of course|will do|with pleasure|consider it done|leave it to me|my pleasure|happy to)\b|"
    r"^(?:yes|yeah|yep|yup|sure|certainly|absolutely|definitely|gladly|okay|ok|alright|all right|fine|on it|uh[- ]huh|can do|"
    r"i(?:['’]?ll| will| can))\b",
    re.IGNORECASE,
)
"""The firm ones count up to two words into the answer, since a recogniser often mishears its first word."""


VOLUNTEERS = re.compile(
    r"^(?:(?:yes|yeah|yep|sure|okay|ok|alright|fine|right)[, ]+)*"
    r"(?:i(?:['’]?ll| will| can)(?: do| take| handle| take care of)?(?: it| that| this)|leave (?:it|that) to me|on it)\b",
    re.IGNORECASE,
)
REFUSAL = re.compile(
    r"\b(?:no(?! problem)|not|cannot|(?:ca|wo|do|is)n['’]?t|unfortunately|sorry|afraid|rather|but|maybe|depends|why)\b",
    re.IGNORECASE,
)

NEGATION = re.compile(
    r"\b(?:not|never|no longer|nobody|no one|cannot|hardly|\w+n['’]t|(?:do|did|does|have|has|is|wo)nt)\b", re.IGNORECASE
)
CONDITION = re.compile(r"\b(?:if|unless|whether|suppose|supposing|assuming|imagine|in case|as though|wish)\b", re.IGNORECASE)
NOT_ASSERTED = re.compile(
    r"\b(?:said|says|say|saying|told(?: \w+)?|asked(?: \w+)?|thought|hope|guess|think|maybe|perhaps|probably|until|till|when|"
    r"whenever|once|before|after|since|how|why|what|whatever|who|which|where|as|than|have|has|had|did|do|should|could|would|"
    r"can|will|almost|pretend(?:ed)?)(?: that| like)?[ ,]*$",
    re.IGNORECASE,
)
"""What must not stand right before a commitment or a decision: "I said I will", "when we agreed", "maybe I'll"."""

ASKS = re.compile(
    r"^(?:(?:okay|ok|so|and|but|then|well|now|right|alright|um|uh|oh)[, ]+)*"
    r"(?:(?:do|does|did|have|has|had|will|would|can|could|should|shall|are|is|was|were|may|am)(?:n['’]?t)? "
    r"(?:i|we|you|he|she|they|it|there|that|this|the|not)\b|(?:what|when|where|who|whom|whose|why|how|which)\b)",
    re.IGNORECASE,
)
TAG = re.compile(
    r",?\s+(?:okay|ok|right|alright|all right|yeah|yes|deal|(?:if that['’]?s|is that) (?:okay|ok|fine|all right))\s*\?$",
    re.IGNORECASE,
)
"""A question that asks for no more than a nod; what stands before it is a statement."""

_CLAUSE_END = re.compile(
    r"[.;!?…](?=\s|$)|\s[–—-]\s|\s+(?:because|since|although|so that)\b|,?\s+(?:okay|ok|alright|all right)\W*$|"
    r",\s+(?:and|but|so|then|which|who|okay|right|if|or|though|not)\b|"
    r",?\s+(?:and|but|so|then|while|okay|or)\s+(?:then\s+)?(?:i|we|you|he|she|they|it|that|there|this|let['’]?s|what|how|when|"
    r"also|please|can|could|would|maybe|(?:i|we|it|that)['’](?:ll|m|re|s))\b",
    re.IGNORECASE,
)
_CLAUSE_START = re.compile(r"[.;!?:,…]\s|\b(?:so|and|but|then|because)\s", re.IGNORECASE)
_SENTENCE_START = re.compile(r"[.;!?:…]\s|\b(?:so|but)\s", re.IGNORECASE)
ADVERBS = (
    r"(?:\s+(?:please|just|also|then|now|definitely|certainly|personally|gladly|happily|quickly|maybe|both|all|still|kindly|"
    r"go ahead and|be sure to|make sure to))*"
)
_MOST_EVIDENCE = 10
DANGLING = re.compile(r"[ ,]+(?:and|so|but|then|or)$", re.IGNORECASE)
FILLERS = re.compile(r"^(?:(?:um|uh|oh|ah|hm+|mm+|well|so|and)[,.… ]+)+", re.IGNORECASE)


def compile_rules(patterns: Iterable[str]) -> re.Pattern[str]:
    """One case-insensitive pattern for a table, with the names in braces filled in."""
    filled = "|".join(f"(?:{pattern})" for pattern in patterns)
    for name, value in (("{choose}", CHOOSE), ("{adverbs}", ADVERBS), ("{action}", "|".join(sorted(ACTIONS)))):
        filled = filled.replace(name, value)
    return re.compile(filled, re.IGNORECASE)


def add_evidence(evidence: tuple[int, ...], more: tuple[int, ...]) -> tuple[int, ...]:
    """The ids of both, each once; what was said ten times over needs no further proof."""
    return tuple(dict.fromkeys(evidence + more)) if len(evidence) < _MOST_EVIDENCE else evidence


def is_question(text: str) -> bool:
    """Whether a sentence asks, by its mark or, without one, by its first words. "I'll send it, okay?" does not."""
    return TAG.sub("", text).endswith("?") or ASKS.search(text) is not None


def is_asserted(text: str, at: int) -> bool:
    """Whether what begins at `at` is said as a fact: not negated, not conditional, not reported."""
    sentence = text[_last_end(_SENTENCE_START, text, at) : at]
    clause = text[_last_end(_CLAUSE_START, text, at) : at]
    return not (CONDITION.search(sentence) or NEGATION.search(clause) or NOT_ASSERTED.search(clause))


def clause_end(text: str, start: int, limit: int) -> int:
    """Where the clause that begins at `start` ends, at most at `limit`."""
    match = _CLAUSE_END.search(text, start, limit)
    return match.start() if match else limit


def _last_end(pattern: re.Pattern[str], text: str, at: int) -> int:
    return max((match.end() for match in pattern.finditer(text, 0, at)), default=0)
