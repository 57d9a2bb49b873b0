"""The same number, time or date, however it is said or written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roundtable.summarization.language import detect, is_in
from roundtable.summarization.numbers import claimed, stated, supports
from roundtable.summarization.text import word_set


@pytest.mark.parametrize(
    ("language", "said", "number"),
    [
        ("en", "twenty five percent", "25"),
        ("en", "twenty-five", "25"),
        ("en", "two hundred and fifty", "250"),
        ("en", "five hundred thousand", "500000"),
        ("en", "one point five million", "1500000"),
        ("en", "1.2 million", "1200000"),
        ("en", "5k users", "5000"),
        ("en", "twenty twenty four", "2024"),
        ("en", "nineteen ninety", "1990"),
        ("en", "the twenty-first", "21"),
        ("en", "the 21st", "21"),
        ("en", "two and a half", "2.5"),
        ("en", "five five five one two", "55512"),
        ("en", "3,000 dollars", "3000"),
        ("en", "3.125", "3.125"),
        ("en", "1,234,567.50", "1234567.5"),
        ("en", "Q3", "3"),
        ("en", "a dozen", "12"),
        ("de", "einundzwanzig", "21"),
        ("de", "zweitausendvierundzwanzig", "2024"),
        ("de", "neunzehnhundertneunzig", "1990"),
        ("de", "3.000 Euro", "3000"),
        ("de", "1,5", "1.5"),
        ("de", "drei Komma fünf", "3.5"),
        ("de", "am fünften", "5"),
        ("fr", "quatre-vingt-dix-neuf", "99"),
        ("fr", "soixante-douze", "72"),
        ("fr", "deux mille vingt-quatre", "2024"),
        ("es", "treinta y uno", "31"),
        ("es", "quinientos", "500"),
        ("it", "trentotto", "38"),
        ("it", "duemilaventi", "2020"),
        ("pt", "duzentos e cinquenta", "250"),
        ("nl", "tweeëntwintig", "22"),
        ("nl", "honderdvijftig", "150"),
        ("sv", "12 000 kronor", "12000"),
        ("en", "half past ten", "time 10:30"),
        ("en", "ten thirty", "time 10:30"),
        ("en", "at 22:30", "time 10:30"),
        ("de", "halb elf", "time 10:30"),
        ("en", "the third of May", "month 5"),
        ("en", "on friday", "weekday friday"),
        ("pt", "na segunda-feira", "weekday segunda-feira"),
    ],
)
def test_spoken_and_written_are_the_same(language: str, said: str, number: str) -> None:
    assert number in stated(said, language)


@pytest.mark.parametrize(("said", "other"), [("twenty five", "5"), ("twenty five", "20"), ("3,000", "3"), ("fifteen", "50")])
def test_a_part_of_a_number_is_not_said(said: str, other: str) -> None:
    assert other not in stated(said, "en")


def test_what_a_summary_claims() -> None:
    claims = claimed("One of them costs $3,000 or 25 %; may be twelve people on Friday at 10:30, in May.", "en")
    assert claims == ["3000", "25", "12", "weekday friday", "time 10:30", "month 5"]


@pytest.mark.parametrize(
    ("claim", "known", "supported"),
    [
        ("25", {"25"}, True),
        ("25", {"250"}, False),
        ("time 10:00", {"10"}, True),
        ("time 10:00", {"22"}, True),
        ("time 10:15", {"10"}, False),
        ("date 2024-05-03", {"2024", "3", "month 5"}, True),
        ("date 03/05/2024", {"2024", "3", "month 5"}, True),
        ("date 2024-05-03", {"3", "month 5"}, False),
        ("date 2024-05-03", {"2024", "4", "month 5"}, False),
    ],
)
def test_what_supports_a_claim(claim: str, known: set[str], supported: bool) -> None:
    assert supports(claim, known) is supported


def is_borne_out(said: str, claim: str, language: str | None) -> bool:
    known = stated(said, language)
    return all(supports(statement, known) for statement in claimed(claim, language))


@pytest.mark.parametrize(
    ("claim", "stands"),
    [
        ("At ten thirty 9000 dollars were paid.", False),
        ("At ten thirty 45 people came.", False),
        ("We meet at ten thirty.", True),
        ("We meet at 10:30.", True),
    ],
)
def test_a_number_behind_a_spoken_time_is_checked(claim: str, stands: bool) -> None:
    assert is_borne_out("We meet at ten thirty in the large room", claim, "en") is stands


@pytest.mark.parametrize(
    ("language", "said", "claim"),
    [
        ("en", "half past nine", "9:30 AM"),
        ("en", "9:30", "half past nine"),
        ("en", "a quarter to ten", "9:45"),
        ("en", "twenty past nine", "9.20 pm"),
        ("en", "nine oh five", "9:05"),
        ("en", "9:05", "nine oh five"),
        ("de", "neun Uhr dreißig", "9:30 Uhr"),
        ("de", "9 Uhr 30", "9:30 Uhr"),
        ("de", "um 9.30 Uhr", "9:30 Uhr"),
        ("de", "halb zehn", "neun Uhr dreißig"),
        ("de", "fünf vor halb zehn", "9:25"),
        ("fr", "neuf heures trente", "9h30"),
        ("fr", "neuf heures et demie", "9h30"),
        ("fr", "dix heures moins le quart", "9h45"),
        ("es", "nueve y media", "9:30"),
        ("es", "nueve y treinta y cinco", "9:35"),
        ("it", "nove e mezza", "9:30"),
        ("it", "nove e trenta", "alle 9.30"),
        ("pt", "nove e meia", "9h30"),
        ("nl", "half tien", "9.30 uur"),
        ("nl", "vijf over half tien", "9:35"),
    ],
)
def test_a_time_as_it_is_said_is_the_time_as_it_is_written(language: str, said: str, claim: str) -> None:
    assert is_borne_out(said, claim, language)


@pytest.mark.parametrize(
    ("language", "said", "claim"),
    [
        ("en", "four people", "half past four"),
        ("en", "half past four", "half past five"),
        ("en", "nine oh five", "9:50"),
        ("en", "five to six people", "6:05"),
        ("de", "halb zehn", "10:30 Uhr"),
        ("nl", "half tien", "10.30 uur"),
        ("fr", "neuf heures", "9h30"),
    ],
)
def test_another_time_is_none_that_was_said(language: str, said: str, claim: str) -> None:
    assert not is_borne_out(said, claim, language)


@pytest.mark.parametrize(
    ("language", "said", "claim"),
    [
        ("en", "five to six weeks", "5-6 weeks"),
        ("en", "five to six weeks", "5–6 weeks"),
        ("en", "nine to five", "9-5"),
        ("en", "three quarters", "3/4"),
        ("en", "the third of May", "5/3"),
        ("en", "two thirds", "2/3"),
        ("en", "ten thousand dollars", "10.000 dollars"),
        ("en", "two point one point three", "2.1.3"),
        ("de", "zwei Punkt eins Punkt drei", "2.1.3"),
        ("en", "rooms 101 102 103", "Room 102."),
        ("en", "room one oh one", "101"),
        ("de", "zweieinhalb", "2,5"),
        ("de", "anderthalb Jahre", "1,5"),
        ("nl", "tweeënhalf", "2,5"),
        ("en", "two and a half", "2½"),
        ("en", "zero point five", ".5"),
        ("en", "one, two, seventy seven and a hundred", "1,2,77,100"),
        ("en", "half the team", "Half of the team"),
        ("en", "fifty percent", "Half of the team"),
        ("en", "Q3", "the third quarter of the year"),
        ("en", "it was minus nine", "-9"),
        ("en", "9" * 32, "9" * 32),
        ("en", "two weeks", "two days"),  # what is counted is not compared
    ],
)
def test_ranges_fractions_versions_and_lists_are_found(language: str, said: str, claim: str) -> None:
    assert is_borne_out(said, claim, language)


@pytest.mark.parametrize(
    ("said", "claim"),
    [
        ("ten dollars", "10.000 dollars"),
        ("five", ".5"),
        ("two and seven", "2/5"),
        ("two of the three", "Two thirds of"),
        ("the team", "half of the team"),
        ("two point one", "2.1.3"),
        ("one and two", "1,2,77,100"),
        ("nine", "minus nine"),
        ("nine", "\u22129"),
        ("nine", "9" * 32),
    ],
)
def test_shares_signs_and_long_numbers_that_were_not_said_do_not_stand(said: str, claim: str) -> None:
    assert not is_borne_out(said, claim, "en")


@given(st.integers(0, 10**12), st.sampled_from(["en", "de", "fr", "xx", None]))
def test_every_number_that_is_written_is_said_and_claimed_alike(number: int, language: str | None) -> None:
    assert stated(f"about {number} items", language) == {str(number)}
    assert claimed(f"about {number} items", language) == [str(number)]


@given(st.text(), st.sampled_from(["en", "de", "pt", None]))
def test_a_claim_taken_from_a_text_is_supported_by_it(text: str, language: str | None) -> None:
    assert all(supports(claim, stated(text, language)) for claim in claimed(text, language))


_PIECES = sorted(
    word_set(
        "one ten thirty nine oh five half past quarter to a of thirds 9 30 45 1,2,3 2.1.3 3/4 -4 minus point two million 9.30 "
        "am 9:30 . , - / ½ uhr halb zehn heures et demie y media second dozen 101 102"
    )
)


@given(st.lists(st.sampled_from(_PIECES), max_size=9), st.sampled_from(["en", "de", "fr", "es", "it", "pt", "nl", None]))
def test_whatever_is_said_of_numbers_bears_itself_out(pieces: list[str], language: str | None) -> None:
    assert is_borne_out(" ".join(pieces), " ".join(pieces), language)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The team agreed that the launch is moved to the end of the month and that the report is due.", "en"),
        ("Wir haben uns darauf geeinigt, dass die Einführung auf das Ende des Monats verschoben wird.", "de"),
        ("Nous avons décidé que le lancement est reporté à la fin du mois et que le rapport est prêt.", "fr"),
        ("El equipo decidió que el lanzamiento se mueve al final del mes y que el informe está listo.", "es"),
        ("Il lancio è stato spostato alla fine del mese e il rapporto non è ancora pronto per la riunione.", "it"),
        ("O lançamento foi adiado para o fim do mês e o relatório não está pronto para a reunião.", "pt"),
        ("Het team heeft besloten dat de lancering naar het einde van de maand wordt verplaatst en dat is goed.", "nl"),
    ],
)
def test_languages_are_told_apart(text: str, language: str) -> None:
    assert detect(text) == language
    assert is_in(text, language) is True
    assert is_in(text, "de" if language != "de" else "en") is False
    assert is_in(text, "ru") is False


def test_what_is_short_or_unknown_is_not_judged() -> None:
    assert detect("Yes, okay.") is None
    assert is_in("Okay.", "en") is None
    assert is_in("Vi har beslutat att lanseringen flyttas till slutet av månaden.", "sv") is None
    assert is_in("Мы решили перенести запуск на конец месяца.", "ru") is True
    assert is_in("Мы решили перенести запуск на конец месяца.", "en") is False
