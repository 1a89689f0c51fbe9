"""The one mapping of errors to HTTP: problem documents (RFC 9457), and what Terraform's protocols read instead."""

from collections.abc import Mapping
from typing import Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from domain.errors import ErrorKind, PlatformError, Unavailable

STATUS: Final = {
    ErrorKind.INVALID: 422,
    ErrorKind.UNAUTHENTICATED: 401,
    ErrorKind.PERMISSION_DENIED: 403,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.CONFLICT: 409,
    ErrorKind.PRECONDITION_FAILED: 412,
    ErrorKind.TOO_LARGE: 413,
    ErrorKind.TOO_MANY: 429,
    ErrorKind.UNAVAILABLE: 503,
}
INVALID: Final = "request.invalid"
REFUSED: Final = "request.refused"
INTERNAL: Final = "platform.internal"
OF_THE_EDGE: Final = {
    INVALID: (422, "Fields of the request are wrong; `errors` says which, and how each is written."),
    "request.no_such_path": (404, "Nothing is at this path."),
    "request.method_not_allowed": (405, "The path is there, and not for this method."),
    "request.body_too_large": (413, "The body is longer than this path reads."),
    REFUSED: (400, "The request is not one that can be read: no JSON, or of a type that is not taken."),
    INTERNAL: (500, "Something went wrong here; the server's log has it under the request's id."),
}
"""Codes of what goes wrong before a use case is reached, or beside all of them."""
CODES: Final = {status: code for code, (status, _) in OF_THE_EDGE.items()}
SERVER_ERROR: Final = 500
PROTOCOL_PREFIX: Final = "/v1/"
OF_VALIDATORS: Final = "Value error, "
"""What pydantic writes before the sentences of our own validators."""
MOST_ERRORS: Final = 50
"""Fields that one answer shows; a body of a megabyte can have 80,000, and to tell of each takes seconds."""
log = structlog.get_logger(__name__)


class FieldError(BaseModel):
    """What is wrong with one field of a request."""

    at: str = Field(description="Where: `body/name`, `query/limit`.")
    detail: str


class Problem(BaseModel):
    """A problem document (RFC 9457)."""

    type: str = Field(description="The code as a relative address.")
    title: str
    status: int
    code: str = Field(description="Stable name of the error: search for it, branch on it.")
    detail: str = Field(description="What happened and what to do next.")
    request_id: str | None = Field(description="Stands in the server's log beside this request.")
    facts: dict[str, object] | None = Field(default=None, description="What the error is about.")
    errors: list[FieldError] | None = Field(default=None, description="Fields that are wrong, the first 50.")


def problem_response(
    request: Request,
    status: int,
    code: str,
    detail: str,
    *,
    facts: dict[str, object] | None = None,
    errors: list[FieldError] | None = None,
    reason: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Answer with a problem; the CLIs' routes get `{"errors": [...]}`, which is what the CLIs print.

    The reason is for the log alone.
    """
    headers = dict(headers or {})
    request_id = getattr(request.state, "request_id", None)
    if status >= SERVER_ERROR:
        log.warning("request_not_served", status=status, code=code, request_id=request_id, reason=reason or detail)
    if status == STATUS[ErrorKind.UNAUTHENTICATED]:
        headers["WWW-Authenticate"] = "Bearer"
    if status in {STATUS[ErrorKind.UNAVAILABLE], STATUS[ErrorKind.TOO_MANY]}:
        headers["Retry-After"] = "1"
    if request.url.path.startswith(PROTOCOL_PREFIX):
        said = [f"{error.at}: {error.detail}" for error in errors or ()] or [detail]
        return JSONResponse({"errors": said}, status, headers=headers)
    document = Problem(
        type=f"/problems/{code}",
        title=code.rsplit(".", maxsplit=1)[-1].replace("_", " ").capitalize(),
        status=status,
        code=code,
        detail=detail,
        request_id=request_id,
        facts=facts,
        errors=errors,
    )
    return JSONResponse(
        document.model_dump(mode="json", exclude_none=True),
        status,
        headers=headers,
        media_type="application/problem+json",
    )


def error_response(request: Request, error: PlatformError) -> JSONResponse:
    """Answer with an error raised on purpose."""
    reason = error.reason if isinstance(error, Unavailable) else None
    return problem_response(
        request, STATUS[error.kind], error.code, error.detail, facts=error.facts or None, reason=reason
    )


def http_error_response(request: Request, error: HTTPException) -> JSONResponse:
    """Answer with an error of the framework, or of a layer in front of it."""
    code = CODES.get(error.status_code, REFUSED)
    return problem_response(request, error.status_code, code, str(error.detail), headers=error.headers)


def unexpected_response(request: Request) -> JSONResponse:
    """Answer that something happened which nobody foresaw."""
    detail = "something went wrong here; the server's log has it under this request id"
    return problem_response(request, SERVER_ERROR, INTERNAL, detail)


def add_problem_handlers(app: FastAPI) -> None:
    """Answer with problem documents, whatever is raised; the framework raises what nobody foresaw once more."""

    @app.exception_handler(PlatformError)
    async def platform_error(request: Request, error: PlatformError) -> JSONResponse:
        return error_response(request, error)

    @app.exception_handler(RequestValidationError)
    async def invalid_request(request: Request, error: RequestValidationError) -> JSONResponse:
        # What was sent is never echoed: it may be a secret, or not even be text.
        errors = [
            FieldError(at="/".join(map(str, e["loc"])), detail=e["msg"].removeprefix(OF_VALIDATORS))
            for e in error.errors()[:MOST_ERRORS]
        ]
        return problem_response(request, 422, INVALID, "some of the request's fields are wrong", errors=errors)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        return http_error_response(request, error)

    @app.exception_handler(Exception)
    async def unexpected_error(request: Request, _: Exception) -> JSONResponse:
        return unexpected_response(request)
