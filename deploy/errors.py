"""What can stand in the way of a deployment, split by who can act. Each has a code, an exit code and a next step.

    DeployError
    ├── CommandError             2   yours: the command line, endpoint.yaml, a file or the environment
    │   ├── InvalidSpecification     invalid_specification
    │   ├── SecretMissing            secret_missing
    │   ├── SecretExposed            secret_exposed       a secret in a file, in plain settings, or about to be logged
    │   ├── NotPinned                not_pinned           a model without a commit
    │   ├── NotPublished             not_published        nothing on the Hub to deploy, or no such release
    │   ├── NotThere                 not_there            or this token may not see it
    │   ├── NotInPlace               not_in_place         the endpoint would have to be made anew
    │   ├── NoEndpoint               no_endpoint
    │   └── InProgress               in_progress          another run works on the same endpoint
    ├── HubRefused               3   the Hub's: the token, its rights, or the quota
    │   ├── Unauthorized             unauthorized
    │   ├── Forbidden                forbidden
    │   ├── Gated                    gated
    │   ├── QuotaReached             quota_reached
    │   └── Rejected                 rejected             any other 4xx
    ├── HubUnavailable           4   nobody's: try again
    │   ├── HubBusy                  hub_busy             429
    │   └── HubDown                  hub_down             5xx, or no connection
    ├── Unforeseen              70   this tool's: a fault that nobody thought of; `unforeseen`
    └── EndpointProblem          5   the endpoint's; what state it was left in is in the message
        ├── EndpointFailed           endpoint_failed      failed, updateFailed
        ├── EndpointPaused           endpoint_paused      somebody paused it while we waited
        ├── EndpointGone             endpoint_gone        somebody deleted it while we waited
        ├── NotReady                 not_ready            not healthy in time
        ├── SmokeFailed              smoke_failed
        └── NotRestored              not_restored     6   neither the new nor the old state is running

Messages hold no token and no value of a secret: names only.
"""

from __future__ import annotations

from typing import ClassVar


class DeployError(Exception):
    """The root. `str()` is the reason, in one line; `next_step` says what to do."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(self, reason: str, next_step: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.next_step = next_step


class CommandError(DeployError):
    """To be mended in the command line, `endpoint.yaml`, a file or the environment."""

    code = "command"
    exit_code = 2


class InvalidSpecification(CommandError):
    """`endpoint.yaml` cannot be read, or says something that cannot be meant."""

    code = "invalid_specification"


class SecretMissing(CommandError):
    """A variable, a file or standard input that should hold a secret does not."""

    code = "secret_missing"


class SecretExposed(CommandError):
    """A secret is, or would come to be, where others can read it."""

    code = "secret_exposed"


class NotPinned(CommandError):
    """A model of the Hub has no commit: what is deployed could change by itself."""

    code = "not_pinned"


class NotPublished(CommandError):
    """The repository, or the release, is not on the Hub."""

    code = "not_published"


class NotThere(CommandError):
    """404: a repository, a revision or an endpoint that does not exist, or that the token may not see."""

    code = "not_there"


class NotInPlace(CommandError):
    """The API cannot change this of an endpoint that exists."""

    code = "not_in_place"


class NoEndpoint(CommandError):
    """There is no endpoint of that name."""

    code = "no_endpoint"


class InProgress(CommandError):
    """Another run, with the same journal, is changing this endpoint."""

    code = "in_progress"


class HubRefused(DeployError):
    """The Hub understood, and said no."""

    exit_code = 3


class Unauthorized(HubRefused):
    """The token is wrong, or has expired."""

    code = "unauthorized"


class Forbidden(HubRefused):
    """The token is known, and may not."""

    code = "forbidden"


class Gated(HubRefused):
    """A model's conditions have not been accepted."""

    code = "gated"


class QuotaReached(HubRefused):
    """The account may not run more of this hardware."""

    code = "quota_reached"


class Rejected(HubRefused):
    """Any other answer of 400 to 499."""

    code = "rejected"
    after_a_lost_answer = False
    """Whether the same request was sent before, and nobody knows whether it was carried out."""


class HubUnavailable(DeployError):
    """The same command may succeed later."""

    exit_code = 4


class HubBusy(HubUnavailable):
    """Too many requests, and still after waiting."""

    code = "hub_busy"
    retry_after_s: float | None = None
    """What the Hub asked us to wait, in seconds."""


class HubDown(HubUnavailable):
    """An answer of 500 or more, or none, and still after waiting."""

    code = "hub_down"


class Unforeseen(DeployError):
    """A fault of this tool."""

    code = "unforeseen"
    exit_code = 70


class EndpointProblem(DeployError):
    """The Hub did what was asked, and the endpoint is not good."""

    exit_code = 5


class EndpointFailed(EndpointProblem):
    """Its container did not come up."""

    code = "endpoint_failed"


class EndpointPaused(EndpointProblem):
    """It was paused while we waited for it to run."""

    code = "endpoint_paused"


class EndpointGone(EndpointProblem):
    """It was deleted while we waited for it to run."""

    code = "endpoint_gone"


class NotReady(EndpointProblem):
    """It was not up and healthy within the time given."""

    code = "not_ready"


class SmokeFailed(EndpointProblem):
    """It runs, and does not do what it should."""

    code = "smoke_failed"


class NotRestored(EndpointProblem):
    """The new state is not good, and going back to the old one failed as well."""

    code = "not_restored"
    exit_code = 6
