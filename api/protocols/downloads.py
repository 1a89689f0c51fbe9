"""Archives, packages, checksums and signatures, at addresses that carry their own permission.

The tools send no key here. The name at the end is for them alone (they look at its ending); what is sent is
decided by the hash before it, so an answer never changes and every cache may keep it.

Where the blob store gives addresses itself, and the settings say so, the answer to GET is the way to one. The
tools follow it. HEAD is answered here, as an address opens for GET alone.
"""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from api.dependencies import DownloadService
from api.requests import is_known
from api.routing import facts
from services.registry.downloads import Download

PREFIX: Final = "/v1/files"
router = APIRouter(prefix=PREFIX, tags=["protocols"])

THE_ADDRESS_IS_THE_KEY: Final = "the tools send no key to addresses of files; each carries what opens it"
PATH: Final = "/{capability}/{sha256}/{filename}"
MEDIA_TYPES: Final = {".zip": "application/zip", ".tar.gz": "application/gzip"}
ELSEWHERE: Final[dict[int | str, dict[str, Any]]] = {
    307: {"description": "Where the file is, if clients fetch from the blob store themselves"}
}
# One range is enough for a broken download; a list of them only makes work, so it is as if none was asked for.
_RANGE: Final = re.compile(r"bytes=(?:(\d{1,18})-(\d{1,18})?|-(\d{1,18}))", re.ASCII)


@router.get(PATH, operation_id="download_file", response_class=Response, responses=ELSEWHERE)
@facts(public=THE_ADDRESS_IS_THE_KEY, kept=True)
async def download_file(
    capability: str, sha256: str, filename: str, request: Request, downloads: DownloadService
) -> Response:
    """Send a file, or the part that is asked for; public, since the address itself is the permission."""
    file = await downloads.open(capability, sha256, now=datetime.now(UTC))
    address = await file.address()
    if address is not None:
        return RedirectResponse(address, headers={"Cache-Control": "no-store"})
    return await _answer(file, filename, request)


@router.head(PATH, operation_id="head_file", include_in_schema=False)
@facts(public=THE_ADDRESS_IS_THE_KEY, kept=True)
async def head_file(
    capability: str, sha256: str, filename: str, request: Request, downloads: DownloadService
) -> Response:
    """Tell what `download_file` would send, wherever it comes from; terraform asks before it fetches."""
    file = await downloads.open(capability, sha256, now=datetime.now(UTC))
    return await _answer(file, filename, request)


def alike(path: str) -> str:
    """Give what a path has in common with all that are answered alike: of a file's name that is its ending.

    The name is free, so a file has any number of addresses.
    """
    if not path.startswith(PREFIX):
        return path
    place, _, filename = path.rpartition("/")
    return f"{place}/*{_ending(filename) or ''}" if filename else path


async def _answer(file: Download, filename: str, request: Request) -> Response:
    etag = f'"{file.sha256}"'
    ending = _ending(filename)
    headers = {
        "ETag": etag,
        "Cache-Control": "public, max-age=31536000, immutable",
        "Accept-Ranges": "bytes",
        "Content-Type": MEDIA_TYPES[ending] if ending else "application/octet-stream",
        "Content-Disposition": "attachment",
        "X-Content-Type-Options": "nosniff",
    }
    if is_known(", ".join(request.headers.getlist("if-none-match")).encode("latin-1"), etag.encode()):
        return Response(status_code=304, headers=headers)
    asked = request.headers.get("range") if request.headers.get("if-range", etag) == etag else None
    span = _span(asked, file.size)
    is_whole = span is not None and span[2] == 200  # noqa: PLR2004  OK
    # All of a file is held to its hash as it is read. What tells of it, or is a part, is only as true as a check.
    if not (is_whole and request.method == "GET") and not await file.check():
        headers["Cache-Control"] = "no-store"
    if span is None:
        headers |= {"Content-Range": f"bytes */{file.size}", "Cache-Control": "no-store"}
        return Response(status_code=416, headers=headers)
    start, stop, status = span
    headers["Content-Length"] = str(stop - start)
    if status == 206:  # noqa: PLR2004  Partial Content
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{file.size}"
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    pieces = file.read(start=start, stop=stop)
    # Read before the answer begins: what the store can't give, or gives damaged, has a status and a sentence.
    first = await anext(pieces, b"")
    return StreamingResponse(_following(first, pieces), status, headers=headers)


def _ending(filename: str) -> str | None:
    return next((ending for ending in MEDIA_TYPES if filename.endswith(ending)), None)


async def _following(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in pieces:
        yield piece


def _span(asked: str | None, size: int) -> tuple[int, int, int] | None:
    """Give start, stop and status of what is sent; None where the asked part does not exist."""
    match = _RANGE.fullmatch(asked or "")
    if match is None:
        return 0, size, 200
    first, last, suffix = match.groups()
    if suffix is not None:
        start, stop = max(size - int(suffix), 0), size
    else:
        start, stop = int(first), min(int(last) + 1, size) if last else size
    return (start, stop, 206) if start < stop else None
