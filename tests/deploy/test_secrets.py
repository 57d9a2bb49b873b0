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

from deploy.errors import SecretExposed
from deploy.secrets import MASKED, Mask, refuse_debug
from deploy.state import State, changes
from tests.deploy.harness import PASSPHRASE, Tool
from tests.deploy.test_smoke import EXPECTED
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
