"""What is masked, whatever it stands in; and that what is stored can be put back."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from deploy import spellings
from deploy.errors import SecretExposed, SecretMissing
from deploy.secrets import MASKED, Mask, read_secret, refuse_debug
from deploy.state import State, changes
from tests.deploy.harness import ENDPOINT_YAML, PASSPHRASE, Tool
from tests.deploy.test_smoke import EXPECTED
from tests.fake_hub.backends import CannedBackend
from tests.fake_hub.server import FakeHub, Fault

_SECRET = st.text(alphabet="abcXYZ019+/= _-", min_size=8, max_size=30).filter(lambda text: text.strip() == text)


@given(_SECRET, st.text(max_size=20), st.text(max_size=20))
def test_a_known_secret_is_masked_in_any_text(secret: str, before: str, after: str) -> None:
    mask = Mask([SecretStr(secret)])
    assert secret not in mask.text(f"{before}{secret}{after}").replace("***", "\0")


_JSON = st.recursive(st.text(max_size=5) | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(
    st.text(max_size=5), inner))  # fmt: skip


@given(_JSON, st.sampled_from(["key", "value", "list"]))
def test_a_known_secret_is_masked_in_any_json(around: Any, place: str) -> None:
    secret = "correct horse battery"  # noqa: S105
    value = {"key": {secret: around}, "value": {"a": [around, secret]}, "list": [[secret], around]}[place]
    assert secret not in json.dumps(Mask([SecretStr(secret)]).json(value))


def test_a_secret_too_short_to_be_masked_was_masked_in_every_word(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.environment["PASSPHRASE"] = "running"  # noqa: S105
    ran = tool.run("apply")
    assert ran.code == 2
    assert "error: secret PASSPHRASE: shorter than 8 characters" in ran.err
    assert hub.endpoints.created == []
    assert Mask([SecretStr("running"), SecretStr("initialising")]).text("running, initialising") == "running, ***"


def test_what_looks_like_a_token_is_masked_though_nobody_named_it() -> None:
    token = f"hf_{'a' * 34}"
    assert Mask().text(f"Bearer {token}.") == "Bearer ***."


_ODD = 'p\u00e4ss"w\u00f6rt/x y & \U0001f600'
_SPELLINGS = {
    "as it is": (_ODD, _ODD),
    "form": (quote_plus(_ODD), _ODD),
    "path": (quote(_ODD), _ODD),
    "lower-case percent": (re.sub("%..", lambda found: found[0].lower(), quote(_ODD, safe="")), _ODD),
    "json": (json.dumps(_ODD)[1:-1], _ODD),
    "json without ascii": (json.dumps(_ODD, ensure_ascii=False)[1:-1], _ODD),
    "json in json": (json.dumps(json.dumps(_ODD))[3:-3], _ODD),
    "repr": (repr(_ODD)[1:-1], _ODD),
    "html": (html.escape(_ODD), _ODD),
    "hex": (_ODD.encode().hex(), _ODD),
    "lines in json": (json.dumps("first line\nsecond line")[1:-1], "first line\nsecond line"),
    "lines of windows": ("first line\r\nsecond line", "first line\nsecond line"),
    "lines joined": ("first line second line", "first line\nsecond line"),
    "one line": ("second line", "first line\nsecond line"),
}


@pytest.mark.parametrize(("said", "secret"), _SPELLINGS.values(), ids=_SPELLINGS.keys())
def test_a_secret_in_another_spelling_was_shown(said: str, secret: str) -> None:
    assert Mask([SecretStr(secret)]).text(f"<{said}>") == "<***>"


@given(_SECRET.filter(lambda secret: len(secret) > 9), st.binary(max_size=8), st.binary(max_size=8), st.booleans())
def test_the_base64_of_a_text_with_a_secret_was_shown(secret: str, before: bytes, after: bytes, url: bool) -> None:
    encode = base64.urlsafe_b64encode if url else base64.b64encode
    shown = Mask([SecretStr(secret)]).text(encode(before + secret.encode() + after).decode().rstrip("="))
    assert MASKED in shown
    # What is left has at most the bytes around the secret, and two letters at each end that it shares with them.
    assert len(shown.replace(MASKED, "")) <= (len(before) + len(after)) * 8 / 6 + 4


@pytest.mark.parametrize(
    ("said", "secret"),
    [
        ("x" * 270 + " was three-plain-words-that-are-long", "three-plain-words-that-are-long"),
        ("x" * 283 + f" hf_{'k' * 30}", PASSPHRASE),
        ("got alpha-secret-1\nbravo-secret-2", "alpha-secret-1\nbravo-secret-2"),
    ],
    ids=["cut", "a token that is cut", "two lines"],
)
def test_a_part_of_a_secret_was_shown_where_the_hubs_words_are_cut(tool: Tool, hub: FakeHub, said: str, secret: str) -> None:
    tool.published()
    tool.ok("apply")
    tool.environment["PASSPHRASE"] = secret
    hub.faults = [Fault("GET", "/v2/endpoint/me/roundtable/logs", 400, message=said)]
    ran = tool.run("logs", "--json")
    assert ran.code == 3
    assert "***" in ran.json()["error"]["reason"]
    assert not re.search("three-plain|hf_k|secret-[12]", ran.out + ran.err)


def test_a_secret_of_two_lines_was_shown_in_the_log(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.ok("apply")
    tool.environment["PASSPHRASE"] = "alpha-secret-1\nbravo-secret-2"  # noqa: S105
    hub.endpoints.by_name["roundtable"].log = "boot with alpha-secret-1\nbravo-secret-2\nend\n"
    assert tool.ok("logs", "--json").json() == {"lines": ["boot with ***", "end"]}


@pytest.mark.parametrize("value", ["1", "true", "YES", "on"])
def test_hf_debug_is_refused(value: str) -> None:
    with pytest.raises(SecretExposed):
        refuse_debug({"HF_DEBUG": value})
    refuse_debug({"HF_DEBUG": "0"})


def test_a_server_that_gives_a_secret_back_is_not_quoted(tool: Tool, hub: FakeHub) -> None:
    for secret in tool.environment.values():
        hub.faults = [Fault("POST", "/v2/endpoint/me", 422, message=f"bad value {secret} in secrets")]
        tool.published()
        assert tool.run("apply", "--json").code == 3


def test_a_log_that_holds_secrets_is_masked(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.ok("apply")
    hub.endpoints.by_name["roundtable"].log = " ".join(tool.environment.values())
    assert tool.ok("logs").out == "*** *** ***\n"
    tool.environment["PASSPHRASE"] = ""
    hub.endpoints.by_name["roundtable"].log = "fine"
    assert tool.ok("logs").out == "fine\n"  # which needs no secret


@given(
    st.fixed_dictionaries(
        {
            "revision": st.sampled_from(["a" * 40, "b" * 40]),
            "max_replicas": st.integers(1, 4),
            "metric": st.sampled_from([None, "pendingRequests"]),
            "env": st.dictionaries(st.sampled_from(["A", "B"]), st.sampled_from(["1", "2"])),
            "access": st.sampled_from(["private", "public"]),
        }
    )
)
def test_a_state_comes_back_from_the_journal_as_it_was(values: Mapping[str, Any]) -> None:
    state = State.stored({**EXPECTED.as_dict(), **values})
    again = State.stored(json.loads(json.dumps(state.as_dict())))
    assert again == state
    assert changes(again, state) == []


def test_short_lines_of_a_secret_were_shown_one_by_one_in_the_log(tool: Tool, hub: FakeHub, canned: CannedBackend) -> None:
    tool.environment["PASSPHRASE"] = "alpha\nbravo7\ncharlie"  # noqa: S105
    tool.published()
    tool.ok("apply")
    hub.endpoints.by_name["roundtable"].log = "boot alpha\nbravo7\ncharlie\nend"
    assert tool.ok("logs", "--json").json() == {"lines": ["boot ***", "end"]}
    canned.broken.add(tool.published(b" that mishears"))
    ran = tool.run("apply")
    assert ran.code == 5
    assert "log: boot ***\n" in ran.err
    assert not re.search("alpha|bravo7|charlie", ran.err)


@pytest.mark.parametrize("word", ["verified", "secrets", "outcome", "roundtable", "PASSPHRASE", "restored", "was_paused"])
def test_a_secret_that_is_a_word_of_the_journal_made_it_unreadable(
    tool: Tool, hub: FakeHub, canned: CannedBackend, word: str
) -> None:
    tool.environment["PASSPHRASE"] = word
    first = tool.published()
    tool.ok("apply")
    writes = hub.writes()
    tool.ok("apply")
    assert hub.writes() == writes
    (record,) = tool.journal()
    assert (record["verb"], record["outcome"], record["secrets"]) == ("apply", "verified", ["HF_TOKEN", "PASSPHRASE"])
    canned.broken.add(tool.published(b" that mishears"))
    hub.faults = [Fault("DELETE", "/v2/endpoint/me/roundtable-canary", 500, times=99)]
    assert tool.run("apply", "--canary").code == 5
    assert tool.journal()[-1]["canary"] == "roundtable-canary"
    hub.faults, canned.broken = [], set()
    tool.ok("apply")
    assert list(hub.endpoints.by_name) == ["roundtable"]
    tool.ok("rollback")
    assert hub.live_revision("roundtable") == first


def test_free_text_of_a_record_is_masked(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    hub.faults = [Fault("POST", "/v2/endpoint/me", 422, message=f"bad value {PASSPHRASE}")]
    assert tool.run("apply").code == 3
    assert tool.journal()[0]["failure"] == "the Hub refused roundtable with 422: bad value ***"


@pytest.mark.parametrize("source", ["file:~nobody-of-this-name/x", "file:a\0b", "file:/"])
def test_a_file_that_cannot_be_one_ended_as_a_fault_of_the_tool(tool: Tool, source: str) -> None:
    with pytest.raises(SecretMissing) as caught:
        read_secret(source, name="KEY", environment={})
    assert caught.value.reason == "secret KEY: its file is not there, cannot be read, or is empty"
    assert tool.run("status", "--token", source).code == 2


@pytest.mark.parametrize("source", ["env:BIG", "file:/dev/zero"])
def test_a_secret_without_end_is_refused(source: str) -> None:
    with pytest.raises(SecretExposed, match="secret KEY: longer than 65536 characters"):
        read_secret(source, name="KEY", environment={"BIG": "a" * 70_000})


def test_a_long_secret_took_minutes_in_every_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: of what is looked for, only the beginnings are compiled as long as they are not found."""
    compiled: list[int] = []
    escaped = spellings._escaped
    monkeypatch.setattr(spellings, "_escaped", lambda piece: compiled.append(len(piece)) or escaped(piece))
    secret = "kJ+/" * 15_000
    mask = Mask([SecretStr(secret)])
    assert mask.text("nothing of it, kJ+/kJ+/ but its beginning") == "nothing of it, kJ+/kJ+/ but its beginning"
    assert sum(compiled) < 1000
    assert mask.text(f"<{quote(secret, safe='')}> <{json.dumps(secret)}> <{secret[:-1]}") == f'<***> <"***"> <{secret[:-1]}'


@given(
    st.lists(
        st.sampled_from(["a", "Z", "9", " ", "\n", "+", "/", "\\", '"', "&", "é", "abcdefgh" * 6]), min_size=70, max_size=400
    )
)
def test_a_long_secret_is_masked_in_any_spelling(parts: list[str]) -> None:
    secret = f"x{''.join(parts)}x"
    for said in (secret, quote(secret), quote_plus(secret), json.dumps(secret)[1:-1], html.escape(secret), repr(secret)[1:-1]):
        assert Mask([SecretStr(secret)]).text(f"<{said}>") == "<***>"


def test_a_variable_that_becomes_a_secret_was_sent_as_both(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.ok("apply")
    hub.endpoints.by_name["roundtable"].raw["model"]["env"] |= {"PASSPHRASE": "plain", "OTHER": "x"}
    tool.ok("apply")
    sent = json.loads([seen for seen in hub.seen if seen.method == "PUT"][-1].body)["model"]
    assert sent["secrets"]["PASSPHRASE"] == PASSPHRASE
    assert "PASSPHRASE" not in sent["env"]
    assert sent["env"]["OTHER"] == ""


def test_a_plain_variable_with_the_name_of_a_secret_was_shown_and_recorded(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.ok("apply")
    hub.endpoints.by_name["roundtable"].raw["model"]["env"] |= {"DB_PASSWORD": "tr0ub4dor-and-3", "LEVEL": "debug"}
    shown = tool.ok("status").out + tool.ok("plan").out + tool.ok("status", "--json").out + tool.ok("plan", "--json").out
    assert "env.DB_PASSWORD" in shown
    shown += tool.ok("apply", "--json").out
    assert "tr0ub4dor" not in shown + json.dumps(tool.journal())
    before = tool.journal()[-1]["before"]["env"]
    assert (before["DB_PASSWORD"], before["LEVEL"]) == ("***", "debug")


def test_an_empty_setting_made_every_apply_send_again(tool: Tool, hub: FakeHub) -> None:
    tool.published()
    tool.write(ENDPOINT_YAML.replace("MAX_AUDIO_SECONDS: 600", 'ASR_DTYPE: ""'))
    tool.ok("apply")
    writes = hub.writes()
    assert tool.ok("apply", "--json").json()["outcome"] == "unchanged"
    assert hub.writes() == writes
