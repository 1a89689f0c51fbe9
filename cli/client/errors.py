"""What goes wrong between a command and the API, each in one line that says what to do next."""

import ssl
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2

from domain.errors import ErrorKind, PlatformError

UNAUTHENTICATED = 401
FORBIDDEN = 403
NOT_FOUND = 404
SERVER_ERRORS = 500


class NotLoggedIn(PlatformError):
    """No server is known, or no key for it."""

    kind = ErrorKind.UNAUTHENTICATED
    code = "client.not_logged_in"


class ServerUnreachable(PlatformError):
    """The server could not be asked: no connection, or no trust."""

    kind = ErrorKind.UNAVAILABLE
    code = "client.server_unreachable"


class AnswerLost(ServerUnreachable):
    """The server was asked, and nobody knows what it did: the connection broke, or no answer came in time."""

    code = "client.answer_lost"


class RequestRefused(PlatformError):
    """The server answered with an error; the detail is its own sentence."""

    kind = ErrorKind.INVALID
    code = "client.request_refused"

    def __init__(self, detail: str, *, status: int, problem: str | None) -> None:
        """Keep the answer's status and the code of its problem; None when it was no problem document."""
        super().__init__(detail)
        self.status = status
        self.problem = problem


class FileUnusable(PlatformError):
    """A file or folder that was named can't be read, or isn't what the command needs."""

    kind = ErrorKind.INVALID
    code = "client.file_unusable"


class NothingFound(PlatformError):
    """Nothing goes by what was typed."""

    kind = ErrorKind.NOT_FOUND
    code = "client.nothing_found"


class SeveralFound(PlatformError):
    """What was typed is the beginning of several ids: write more of the one that is meant."""

    kind = ErrorKind.CONFLICT
    code = "client.several_found"


def refused(response: httpx2.Response, *, of_key: str) -> RequestRefused:
    """Turn an answer that is an error into one line. Its body has been read.

    Args:
        response: the answer.
        of_key: what to say of the key if that is what is refused.
    """
    status = response.status_code
    document = _json_object(response)
    match document.get("errors"):
        case [str(), *_] as sentences if "detail" not in document:  # Terraform's protocols
            detail = "; ".join(map(str, sentences))
        case list() as errors:
            detail = "; ".join([str(document.get("detail", "")), *_field_errors(errors)])
        case _:
            detail = str(document.get("detail", ""))
    detail += _facts(document.get("facts"), detail)
    if not detail:
        url = f"{response.url.scheme}://{response.url.netloc.decode()}"
        detail = (
            f"{url} answered {status} {response.reason_phrase}, and not as Groundwork does: is the address right?"
        )
    if status == UNAUTHENTICATED:
        detail += f" ({of_key})"
    if status >= SERVER_ERRORS and "request_id" in document:
        detail += f" (request {document['request_id']})"
    code = document.get("code")
    detail += _next_command(code, document.get("facts"))
    return RequestRefused(detail, status=status, problem=code if isinstance(code, str) else None)


def unreachable(url: str, error: httpx2.TransportError) -> ServerUnreachable:
    """Say why a server can't be asked."""
    if _caused_by_certificate(error):
        return ServerUnreachable(
            f"the certificate of {url} is not trusted ({_reason(error)}): name its authority's file with "
            "`groundwork login --ca FILE` or GROUNDWORK_CA"
        )
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return ServerUnreachable(
            f"can't reach {url} ({_reason(error)}): is the address right, and does the server run?"
        )
    if isinstance(error, httpx2.TimeoutException):
        return AnswerLost(f"{url} took too long to answer: look at its /readyz, or try again")
    return AnswerLost(f"the connection to {url} broke ({_reason(error)}): try again")


def _json_object(response: httpx2.Response) -> Mapping[str, Any]:
    try:
        document = response.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _field_errors(errors: list[Any]) -> Iterator[str]:
    for error in errors:
        if isinstance(error, dict):
            where = str(error.get("at", "")).removeprefix("body/").removeprefix("query/").replace("/", ".")
            yield f"{where}: {error.get('detail', '')}"


def _facts(facts: Any, said: str) -> str:  # noqa: ANN401  of somebody else's JSON
    """Give what the error is about, as far as the sentence does not say it."""
    if not isinstance(facts, dict):
        return ""
    plain = {name: str(value) for name, value in facts.items() if isinstance(value, str | int)}
    new = [f"{name}: {value}" for name, value in plain.items() if value and value not in said]
    return f" ({', '.join(new)})" if new else ""


def _next_command(code: object, facts: Any) -> str:  # noqa: ANN401  of somebody else's JSON
    match code, facts:
        case "registry.namespace_not_found", {"namespace": str(namespace)}:
            return f", or `groundwork namespaces claim {namespace}`"
        case "registry.module_not_found" | "registry.provider_not_found", dict():
            return f": `groundwork {_where_it_is_listed(facts)}"
        case "provisioning.plan_not_ready", _:
            return ": `groundwork run status` says where it is"
        case _:
            return ""


def _where_it_is_listed(facts: Mapping[str, Any]) -> str:
    noun = "module" if "module" in facts else "provider"
    if "version" in facts:
        return f"{noun}s show {facts.get(noun)}` lists the versions"
    return f"{noun}s list` shows those that are"


def _caused_by_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _reason(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return text.removeprefix("[Errno ").partition("] ")[2] or text
