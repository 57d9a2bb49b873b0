import json
import pickle
import re
from collections.abc import Iterator

import pytest
from starlette.exceptions import HTTPException

from roundtable import errors


def leaves(kind: type[errors.RoundtableError] = errors.RoundtableError) -> Iterator[type[errors.RoundtableError]]:
    for below in kind.__subclasses__():
        yield below
        yield from leaves(below)


ALL = sorted(set(leaves()), key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", ALL)
def test_str_is_the_compact_envelope_that_survives_every_host(kind: type[errors.RoundtableError]) -> None:
    error = kind("What went wrong: “so”.", request_id="r1")
    assert json.loads(str(error)) == {
        **{"code": kind.code, "message": "What went wrong: “so”.", "retryable": kind.retryable, "request_id": "r1"}
    }
    assert ", " not in str(error)
    assert str(error).isascii()


@pytest.mark.parametrize("kind", ALL)
def test_errors_survive_pickling(kind: type[errors.RoundtableError]) -> None:
    copy = pickle.loads(pickle.dumps(kind("m", request_id="r")))  # noqa: S301  # our own bytes
    assert (type(copy), copy.message, copy.request_id, str(copy)) == (kind, "m", "r", str(kind("m", request_id="r")))


def test_the_callers_errors_are_value_errors_and_starlettes() -> None:
    error = errors.AudioTooLong("Too long.")
    assert isinstance(error, ValueError)
    assert isinstance(error, HTTPException)
    assert (error.status_code, error.detail["code"], error.headers) == (413, "audio_too_long", None)


def test_ours_are_runtime_errors_and_not_the_callers() -> None:
    assert issubclass(errors.EngineError, RuntimeError)
    assert not issubclass(errors.EngineError, ValueError)
    assert not issubclass(errors.CapacityError, ValueError)


def test_codes_are_unique_and_only_capacity_is_retryable() -> None:
    assert len({kind.code for kind in ALL}) == len(ALL)
    assert all(kind.retryable == issubclass(kind, errors.CapacityError) for kind in ALL)


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = re.findall(r"── (\w+) +(\w+) +(\d{3})", errors.__doc__ or "")
    branches = {errors.RequestError, errors.CapacityError, errors.EngineError}
    assert sorted(drawn) == sorted((kind.__name__, kind.code, str(kind.status)) for kind in ALL if kind not in branches)


def test_a_request_id_once_given_stays() -> None:
    error = errors.EmptyAudio("Empty.", request_id="first")
    assert error.with_request_id("second").request_id == "first"
    assert errors.EmptyAudio("Empty.").with_request_id("second").as_dict()["request_id"] == "second"
