"""The Hub and the endpoint API, through huggingface_hub's own client: one method a call, with its errors made ours.

Every call carries the token that it was given: the client's own objects fall back to whatever account this machine is logged
in to. Reads are repeated when the Hub is busy or away; a write is repeated only where doing it twice is doing it once.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import huggingface_hub
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants, errors
from pydantic import SecretStr

from deploy.errors import CommandError, HubBusy, HubDown, InProgress, NotThere, Rejected, Unauthorized
from deploy.hub_answers import Raw, connection_errors, translated, whole
from deploy.secrets import Mask

_Answer = TypeVar("_Answer")
_UTILS: Any = huggingface_hub.utils  # it re-exports without saying so

TRIES = 5
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
"""A Retry-After of more than this is not waited for in full."""

CALL_LIMIT_S = 60.0
"""Of one HTTP call. The client itself has no limit."""

Sleep = Callable[[float], None]


class Hub:
    """One account's view. `sleep` takes seconds; tests pass one that does not wait. `mask`: for what the Hub says."""

    def __init__(
        self,
        token: SecretStr,
        *,
        hub_url: str | None = None,
        api_url: str | None = None,
        sleep: Sleep = time.sleep,
        mask: Mask | None = None,
    ) -> None:
        logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL + 1)  # its lines quote addresses and bodies
        self._token = token.get_secret_value()
        self._api = HfApi(endpoint=hub_url, token=self._token)
        self._sleep = sleep
        self._mask = mask or Mask([token])
        try:
            _UTILS.get_session().timeout = CALL_LIMIT_S
        except (OSError, ImportError, ValueError) as error:  # certificates or a proxy that are not there, or are none
            kind = type(error).__name__
        else:
            kind = ""
        if kind:  # out here: the cause quotes a path, or a proxy with its password
            raise CommandError(
                f"no connection can be set up: {kind}", "look at SSL_CERT_FILE, SSL_CERT_DIR and the proxy variables"
            )
        if api_url is not None:
            # No argument and no variable moves it. It is read at every call, so this does.
            constants.INFERENCE_ENDPOINTS_ENDPOINT = api_url.rstrip("/")

    # --- Accounts and models -----------------------------------------------------------------------------------------

    def token_role(self, token: SecretStr) -> str:
        """`read`, `write`, `fineGrained`, or another word of the Hub's, for any token."""
        value = _header_fits(token)
        me = self._read("the account", lambda: self._api.whoami(token=value))
        return str(me.get("auth", {}).get("accessToken", {}).get("role", "unknown"))

    def model(self, repository: str, revision: str | None = None) -> huggingface_hub.ModelInfo:
        """A model's commit, licence, gate and files with their sizes. Raises `NotThere`."""
        return self._read(
            repository, lambda: self._api.model_info(repository, revision=revision, files_metadata=True, token=self._token)
        )

    def may_read(self, repository: str, token: SecretStr | None) -> None:
        """Raises `Gated`, `NotThere`, `Unauthorized` or `Forbidden` unless this token may read the model's files."""
        value = _header_fits(token) if token is not None else False
        self._read(repository, lambda: self._api.auth_check(repository, token=value))

    def hardware(self, namespace: str) -> list[huggingface_hub.InferenceEndpointHardware]:
        """What the account may rent, with price per hour in dollars, and quota."""
        return self._read(
            "the hardware", lambda: self._api.list_inference_endpoints_hardware(namespace=namespace, token=self._token)
        )

    # --- The repository ----------------------------------------------------------------------------------------------

    def blobs(self, repository: str, revision: str) -> dict[str, str]:
        """`{path: git blob sha}` of every file at a commit; the SHA-256 of those that are kept apart (LFS, Xet).

        One request for all: the client's listing by pages sleeps by itself for as long as the server asks, a day if it likes.
        """
        files = self.model(repository, revision).siblings or ()  # the blob of a file that is kept apart is a pointer's
        return {file.rfilename: str(file.lfs.sha256 if file.lfs is not None else file.blob_id) for file in files}

    def file(self, repository: str, revision: str, path: str) -> bytes:
        """A small file's content at a commit. Raises `NotThere`."""

        def fetch() -> bytes:
            response = _UTILS.get_session().get(
                f"{self._api.endpoint}/{repository}/raw/{revision}/{path}", headers={"Authorization": f"Bearer {self._token}"}
            )
            _UTILS.hf_raise_for_status(response)
            return bytes(response.content)

        return self._read(f"{path} of {repository}", fetch)

    def tags(self, repository: str) -> dict[str, str]:
        """`{tag: commit}`."""
        refs = self._read(repository, lambda: self._api.list_repo_refs(repository, token=self._token))
        return {tag.name: tag.target_commit for tag in refs.tags}

    def create_repository(self, repository: str) -> None:
        """Private; one that is there already stays as it is."""
        self._again(repository, lambda: self._api.create_repo(repository, private=True, exist_ok=True, token=self._token))

    def commit(self, repository: str, add: Mapping[str, bytes], remove: Sequence[str], message: str, parent: str) -> str:
        """One commit on top of `parent`, whole or not at all. Returns its sha. Not repeated: `publish` starts by looking."""
        operations: list[CommitOperationAdd | CommitOperationDelete] = [
            CommitOperationAdd(path_in_repo=path, path_or_fileobj=content) for path, content in add.items()
        ]
        operations += [CommitOperationDelete(path_in_repo=path) for path in remove]
        commit = self._once(
            repository,
            lambda: self._api.create_commit(
                repository, operations, commit_message=message, parent_commit=parent, token=self._token
            ),
        )
        return str(commit.oid)

    def tag(self, repository: str, tag: str, commit: str) -> None:
        self._again(
            repository, lambda: self._api.create_tag(repository, tag=tag, revision=commit, exist_ok=True, token=self._token)
        )

    # --- The endpoint ------------------------------------------------------------------------------------------------

    def endpoint(self, namespace: str, name: str) -> Raw | None:
        """What the API says of it, or None where there is none."""
        try:
            found = self._read(name, lambda: self._api.get_inference_endpoint(name, namespace=namespace, token=self._token))
        except NotThere:
            return None
        return whole(found.raw)

    def create(self, namespace: str, name: str, arguments: Mapping[str, Any]) -> Raw:
        """A new endpoint. When an answer is lost and it is there, of the same commit, that is the answer.

        Raises `InProgress` for one that is there and was not made by this call.
        """
        lost = False
        for tried in range(TRIES):
            try:
                made = self._once(
                    name,
                    lambda: self._api.create_inference_endpoint(name, namespace=namespace, token=self._token, **arguments),
                )
                return whole(made.raw)
            except (HubDown, HubBusy, Rejected) as error:
                lost = lost or isinstance(error, HubDown)
                found = self.endpoint(namespace, name)
                if found is not None and lost and _made_of(found, arguments):
                    return found
                if found is None and (isinstance(error, Rejected) or tried == TRIES - 1):
                    raise
            if found is not None:  # out here: the cause holds the request
                raise InProgress(
                    f"{name} is there now, and this run has not made it", "look at `status`, then run the same command again"
                )
            self._sleep(_pause_s(tried, None))
        raise AssertionError("the last try returns or raises")

    def update(self, namespace: str, name: str, arguments: Mapping[str, Any]) -> Raw:
        """Everything at once. A `Rejected` says whether an answer before it was lost."""
        changed = self._again(
            name, lambda: self._api.update_inference_endpoint(name, namespace=namespace, token=self._token, **arguments)
        )
        return whole(changed.raw)

    def pause(self, namespace: str, name: str) -> Raw:
        """One that is paused already, by a request whose answer was lost, counts as paused."""
        try:
            paused = self._again(name, lambda: self._api.pause_inference_endpoint(name, namespace=namespace, token=self._token))
            return whole(paused.raw)
        except Rejected:
            found = self.endpoint(namespace, name)
            if found is None or found["status"]["state"] != "paused":
                raise
            return found

    def resume(self, namespace: str, name: str) -> Raw:
        """One that is no longer paused, by a request whose answer was lost, counts as resumed."""
        try:
            resumed = self._again(
                name, lambda: self._api.resume_inference_endpoint(name, namespace=namespace, token=self._token)
            )
            return whole(resumed.raw)
        except Rejected as error:
            found = self.endpoint(namespace, name)
            if not error.after_a_lost_answer or found is None or found["status"]["state"] == "paused":
                raise
            return found

    def delete(self, namespace: str, name: str) -> None:
        """One that is gone already counts as deleted."""
        try:
            self._again(name, lambda: self._api.delete_inference_endpoint(name, namespace=namespace, token=self._token))
        except NotThere:
            return

    def logs(self, namespace: str, name: str) -> str:
        """The container's log, as text. The client has no method for it: this is the address that the web page uses."""

        def fetch() -> str:
            response = _UTILS.get_session().get(
                f"{constants.INFERENCE_ENDPOINTS_ENDPOINT}/endpoint/{namespace}/{name}/logs",
                headers={"Authorization": f"Bearer {self._token}"},
            )
            _UTILS.hf_raise_for_status(response)
            return str(response.text)

        return self._read(name, fetch)

    def health(self, url: str, token: SecretStr | None) -> int | None:
        """The status that the endpoint's health route answers with, or None when nobody answers."""
        headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token is not None else {}
        try:
            return int(_UTILS.get_session().get(url, headers=headers, timeout=10.0).status_code)
        except connection_errors():
            return None

    # --- How a call is made ------------------------------------------------------------------------------------------

    def _read(self, what: str, call: Callable[[], _Answer]) -> _Answer:
        return self._again(what, call)

    def _again(self, what: str, call: Callable[[], _Answer]) -> _Answer:
        lost = False
        for tried in range(TRIES):
            try:
                return self._once(what, call)
            except Rejected as error:
                error.after_a_lost_answer = lost
                raise
            except (HubBusy, HubDown) as error:
                lost = lost or isinstance(error, HubDown)
                if tried == TRIES - 1:
                    raise
                self._sleep(_pause_s(tried, getattr(error, "retry_after_s", None)))
        raise AssertionError("the last try returns or raises")

    def _once(self, what: str, call: Callable[[], _Answer]) -> _Answer:
        try:
            return call()
        except errors.HfHubHTTPError as error:
            ours = translated(what, error, self._mask)
        except connection_errors():
            ours = HubDown(f"the Hub cannot be reached for {what}", "check the network, then run the same command again")
        except (LookupError, TypeError, ValueError, AttributeError):  # the client's own, when it takes an answer apart
            ours = HubDown(f"the Hub's answer for {what} is none that this client knows", "update huggingface_hub")
        raise ours  # out here: the cause holds the request, and with it the token


def _made_of(raw: Raw, arguments: Mapping[str, Any]) -> bool:
    model = raw["model"]
    return (model["repository"], model["revision"]) == (arguments["repository"], arguments["revision"])


def _header_fits(token: SecretStr) -> str:
    """The token's text. Raises `Unauthorized` for one that no header can carry, and so the Hub has never made."""
    value = token.get_secret_value()
    if not re.fullmatch(r"[\x21-\x7e]+", value):
        raise Unauthorized("this token has characters that no token has", "put the token there, and no more")
    return value


def _pause_s(tried: int, retry_after_s: float | None) -> float:
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0**tried if retry_after_s is None else retry_after_s)
