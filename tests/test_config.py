import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import MAX_SPEAKERS, MOST_REFERENCES, REFERENCE_BYTES, InferenceConfig, ModelSettings, release_in, request_id_of
from roundtable.errors import InvalidParameters, InvalidSettings


def test_the_users_names_and_defaults_are_kept() -> None:
    config = InferenceConfig.parse({})
    assert (config.task, config.batch_size, config.chunk_length_s, config.sampling_rate) == ("transcribe", 24, 30, 16000)
    assert (config.language, config.num_speakers, config.min_speakers, config.max_speakers) == (None, None, None, None)
    assert (config.word_timestamps, config.diarize, config.summarize, config.response_format) == (True, True, True, "json")
    assert (config.summary_format, config.summary_max_tokens, config.summary_min_tokens) == ("text", 530, 30)
    assert (config.temperature, config.timeout_s, config.prompt, config.hotwords) == (0.0, None, None, ())


def test_query_parameters_arrive_as_strings() -> None:
    config = InferenceConfig.parse(
        {
            "batch_size": "8",
            "num_speakers": "2",
            "diarize": "false",
            "temperature": "0.2",
            "timeout_s": "1.5",
            "summarize": "True",
        }
    )
    assert (config.batch_size, config.num_speakers, config.diarize, config.summarize) == (8, 2, False, True)
    assert (config.temperature, config.timeout_s) == (0.2, 1.5)


def test_a_query_string_that_looks_like_a_number_is_still_text() -> None:
    config = InferenceConfig.parse({"request_id": 2026, "prompt": 7, "hotwords": 4711})
    assert (config.request_id, config.prompt, config.hotwords) == ("2026", "7", ("4711",))
    assert request_id_of({"parameters": {"request_id": 2026}}) == "2026"


def test_null_means_the_default() -> None:
    assert InferenceConfig.parse({"batch_size": None, "task": None}) == InferenceConfig.parse({})


def known(name: Any = "Anna", audio: Any = "UklGRg==") -> dict[str, Any]:
    return {"name": name, "audio": audio}


LIMITS: list[tuple[str, list[Any], list[Any]]] = [
    ("batch_size", [1, 256], [0, 257, -1, "many", 1.5]),
    ("chunk_length_s", [1, 30], [0, 31]),
    ("sampling_rate", [16000], [8000, 44100]),
    ("num_speakers", [1, MAX_SPEAKERS], [0, -1, MAX_SPEAKERS + 1, "two", True]),
    ("min_speakers", [1, MAX_SPEAKERS], [0, MAX_SPEAKERS + 1]),
    ("max_speakers", [1, MAX_SPEAKERS], [0, MAX_SPEAKERS + 1]),
    ("temperature", [0, 1], [-0.01, 1.01, "nan", "inf"]),
    ("timeout_s", [0.001, 86400], [0, -1, 86401, "nan", "inf"]),
    ("summary_max_tokens", [1, 8192], [0, 8193]),
    ("summary_min_tokens", [0, 530], [-1, 8193]),
    ("language", ["en", "EN", "auto", "zh-TW", "yue"], ["english!", "e", "../x", "en-"]),
    ("task", ["transcribe", "translate"], ["summarize", ""]),
    ("summary_format", ["text", "structured"], ["json"]),
    ("response_format", ["json", "srt", "rttm"], ["docx"]),
    ("prompt", ["a" * 2000], ["a" * 2001]),
    ("hotwords", [["a" * 100] * 200, "Anna, Ben", [], 7, [1]], [["a"] * 201, ["a" * 101], [[]], {}, True]),
    (
        "speaker_references",
        [
            *([], "[]", [known(f"{n}") for n in range(MOST_REFERENCES)], [known("a" * 64)], [known("a")]),
            *([known("Zoë O'Neil-Łuk (2)")], [known("\u0639\u0644\u06cc\u200c\u0631\u0636\u0627")], [known("Speaker")]),
            *([known("7 of 9")], [known(audio="a" * 2 * REFERENCE_BYTES)], json.dumps([known("Anna"), known("Ben")])),
        ],
        [
            *([known(f"{n}") for n in range(MOST_REFERENCES + 1)], [known("a" * 65)], [known("")], [known(" \n")]),
            *([known("a\nb")], [known("a\tb")], [known("a\x00")], [known("\u202eannA")], [known("\u200c")], [known("\ud800")]),
            *(
                [known("SPEAKER_00")],
                [known("ＳＰＥＡＫＥＲ_00")],
                [known(" speaker_7 ")],
                [known("Speaker 12")],
                [known("UNKNOWN")],
                [known(7)],
                [known(None)],
            ),
            *(
                [known(audio="")],
                [known(audio=" ")],
                [known(audio=b"RIFF\xff")],
                [known(audio="a" * (2 * REFERENCE_BYTES + 1))],
            ),
            *(
                [known("Anna"), known("Ben"), known("ANNA")],
                [known("Anna Lee"), known("anna_lee ")],
                [known("ﬁn"), known("fin")],
            ),
            *([{"name": "Anna"}], [{"audio": "UklGRg=="}], [{**known(), "voice": 1}], [[]], ["Anna"], [None]),
            *({"Anna": "UklGRg=="}, "Anna", '"Anna"', "null", "[{", "[" * 100_000, 7, True, 0.5),
        ],
    ),
    ("speaker_embeddings", [True, "true", 0], [2, "maybe", []]),
    ("request_id", ["", "a", "A.b_c:d-9", "x" * 128], ["x" * 129, "a b", "ä", "a\nb"]),
]


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, good, _ in LIMITS for value in good])
def test_values_at_the_limit_are_taken(field: str, value: object) -> None:
    InferenceConfig.parse({field: value})


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, _, bad in LIMITS for value in bad])
def test_values_past_the_limit_are_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(InvalidParameters) as caught:
        InferenceConfig.parse({field: value})
    assert re.match(rf"{field}(\[\d\])?(\.(name|audio))?: ", caught.value.message)


def test_every_wrong_field_is_named_at_once() -> None:
    with pytest.raises(InvalidParameters) as caught:
        InferenceConfig.parse({"batch_size": 0, "diarise": True, "task": "sing"})
    assert {sentence.split(":")[0] for sentence in caught.value.message.split("; ")} == {"batch_size", "diarise", "task"}


def test_a_hundred_thousand_wrong_fields_get_a_short_answer() -> None:
    with pytest.raises(InvalidParameters) as caught:
        InferenceConfig.parse({f"x{n}": 1 for n in range(100_000)})
    assert caught.value.message.endswith("; and 99980 more")
    assert len(caught.value.message) < 1000


def test_bounds_must_be_in_order() -> None:
    assert InferenceConfig.parse({"min_speakers": 2, "max_speakers": 2}).min_speakers == 2
    with pytest.raises(InvalidParameters, match="min_speakers must not be greater than max_speakers"):
        InferenceConfig.parse({"min_speakers": 3, "max_speakers": 2})
    with pytest.raises(InvalidParameters, match="summary_min_tokens must not be greater"):
        InferenceConfig.parse({"summary_max_tokens": 10, "summary_min_tokens": 30})


def test_language_and_hotwords_are_normalised() -> None:
    assert InferenceConfig.parse({"language": "auto"}).language is None
    assert InferenceConfig.parse({"language": "EN"}).language == "en"
    assert InferenceConfig.parse({"hotwords": " Anna , Ben,, "}).hotwords == ("Anna", "Ben")


def test_known_speakers_are_trimmed_and_kept_in_order() -> None:
    wanted = [("Zoë Lee", "UklGRg=="), ("Ben", "data:audio/wav;base64,UklGRg==")]
    given_ = [known(" Zoë Lee\n", " UklGRg== "), known(*wanted[1])]
    for spelled in (given_, json.dumps(given_)):  # a query string has nothing but text
        config = InferenceConfig.parse({"speaker_references": spelled})
        assert [(speaker.name, speaker.audio) for speaker in config.speaker_references] == wanted


@pytest.mark.parametrize(
    ("references", "reason"),
    [
        ([known("Anna"), known("Ben"), known(" anna")], "speaker_references: [2].name is the name of [0] as well"),
        ([known(), {"name": "Ben"}], "speaker_references[1].audio: Field required"),
        ([known("SPEAKER_3")], "speaker_references[0].name: must not be what an unknown speaker is called, such as SPEAKER_00"),
        ([{"Ben": "UklG"}, 3], "speaker_references[0].name: Field required; speaker_references[0].audio: Field required; "
         "speaker_references[0]: unknown parameter; speaker_references[1]: must be an object with 'name' and 'audio'"),
        ({"Ben": "UklG"}, "speaker_references: must be a list"),
    ],
)  # fmt: skip
def test_a_wrong_reference_is_told_by_its_place(references: Any, reason: str) -> None:
    with pytest.raises(InvalidParameters) as caught:
        InferenceConfig.parse({"speaker_references": references})
    assert caught.value.message == reason


@pytest.mark.parametrize("form", [repr, str, lambda config: repr(config.speaker_references)])
def test_whose_voice_is_known_is_not_shown(form: Any) -> None:
    config = InferenceConfig.parse({"speaker_references": [known("Rumpelstiltskin", "c2VjcmV0")]})
    assert not re.search("Rumpel|c2Vj", form(config))


def refusal(parameters: dict[str, object]) -> InvalidParameters | None:
    try:
        InferenceConfig.parse(parameters)
    except InvalidParameters as error:
        return error
    return None


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.floats() | st.none() | st.lists(st.text())))
def test_any_parameters_are_taken_or_refused_without_being_quoted(parameters: dict[str, object]) -> None:
    error = refusal(parameters)
    assert error is None or error.message.isascii()


def test_a_wrong_value_is_not_repeated() -> None:
    with pytest.raises(InvalidParameters) as caught:
        InferenceConfig.parse({"language": "my secret words", "batch_size": "hunter2"})
    assert "secret" not in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("data", [None, [], {}, {"parameters": None}, {"parameters": {"request_id": "not ok"}}])
def test_a_request_that_names_no_usable_id_gets_a_fresh_one(data: object) -> None:
    first, second = request_id_of(data), request_id_of(data)
    assert first != second
    assert len(first) == 32


def test_a_usable_id_is_kept() -> None:
    assert request_id_of({"parameters": {"request_id": " job-1\n"}}) == "job-1"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ModelSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("ASR_MODEL", "embedded")
    return monkeypatch


def test_settings_come_from_the_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("DIARIZATION_MODEL", "some/model")
    environment.setenv("SUMMARIZE_MODEL", "")
    environment.setenv("HF_TOKEN", "hf_hidden")
    environment.setenv("MAX_AUDIO_SECONDS", "60")
    settings = ModelSettings.load()
    assert (settings.asr_model, settings.diarization_model, settings.summarize_model) == ("embedded", "some/model", None)
    assert settings.max_audio_seconds == 60.0
    assert settings.hf_token is not None
    assert settings.hf_token.get_secret_value() == "hf_hidden"
    assert "hf_hidden" not in repr(settings)


def test_the_settings_of_the_summary_model(environment: pytest.MonkeyPatch) -> None:
    settings = ModelSettings.load()
    assert (settings.summarize_revision, settings.summarize_dtype, settings.summarize_context_tokens) == (None, "auto", None)
    environment.setenv("SUMMARIZE_DTYPE", "bfloat16")
    environment.setenv("SUMMARIZE_CONTEXT_TOKENS", "256")
    settings = ModelSettings.load()
    assert (settings.summarize_dtype, settings.summarize_context_tokens) == ("bfloat16", 256)
    environment.setenv("SUMMARIZE_CONTEXT_TOKENS", "255")
    with pytest.raises(InvalidSettings, match="SUMMARIZE_CONTEXT_TOKENS: Input should be greater than or equal to 256"):
        ModelSettings.load()


def test_the_default_limits(environment: pytest.MonkeyPatch) -> None:
    settings = ModelSettings.load()
    assert (settings.max_audio_seconds, settings.max_audio_bytes) == (14400.0, 536870912)


def test_a_missing_variable_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("ASR_MODEL")
    with pytest.raises(InvalidSettings, match="ASR_MODEL: is not set; name a model, or 'embedded'"):
        ModelSettings.load()


@pytest.mark.parametrize(
    ("variable", "value"),
    [("MAX_AUDIO_BYTES", "many"), ("MAX_AUDIO_BYTES", "1023"), ("MAX_AUDIO_SECONDS", "0"), ("MAX_AUDIO_SECONDS", "90000")],
)
def test_a_wrong_variable_is_named(environment: pytest.MonkeyPatch, variable: str, value: str) -> None:
    environment.setenv(variable, value)
    with pytest.raises(InvalidSettings) as caught:
        ModelSettings.load()
    assert caught.value.message.startswith(f"{variable}: ")


def test_a_short_summary_needs_no_other_parameter() -> None:
    """The default minimum of 30 is more than that."""
    assert InferenceConfig.parse({"summary_max_tokens": 10}).summary_max_tokens == 10


def test_the_release_that_lies_in_a_folder(tmp_path: Path) -> None:
    listing = tmp_path / "roundtable-release.json"
    assert release_in(str(tmp_path)) is None
    listing.write_text('{"release": "release-0123456789ab", "files": {}}', encoding="utf-8")
    assert release_in(str(tmp_path)) == "release-0123456789ab"
    for odd in ("", "[]", "{}", '{"release": 7}', '{"release": "release-x"}', '{"release": "release-0123456789abc"}'):
        listing.write_text(odd, encoding="utf-8")
        assert release_in(str(tmp_path)) is None
