"""What is masked, whatever it stands in; and that what is stored can be put back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from deploy.errors import SecretExposed
from deploy.secrets import Mask, refuse_debug
from deploy.state import State, changes
from tests.deploy.harness import Tool
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


def test_what_looks_like_a_token_is_masked_though_nobody_named_it() -> None:
    token = f"hf_{'a' * 34}"
    assert Mask().text(f"Bearer {token}.") == "Bearer ***."


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
