"""The public API of one server, as the commands use it: documents in, documents out."""

import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from itertools import islice
from typing import IO, Any, Final, Self
from uuid import uuid4

import httpx2
from pydantic import JsonValue

from cli.client.errors import AnswerLost, FileUnusable, RequestRefused, refused, unreachable
from cli.client.profile import Profile, current_profile, is_loopback

Document = dict[str, Any]
Query = str | int | bool | list[str] | None

PAGE: Final = 200
"""The most items that the API gives at once."""
PATIENCE: Final = httpx2.Timeout(30, connect=10)
UPLOAD_PATIENCE: Final = httpx2.Timeout(60, connect=10, read=600)
"""The server answers an upload only when it has read, checked and stored all of it."""
QUIET_STREAM: Final = httpx2.Timeout(30, connect=10, read=60)
"""Streams say something every few seconds, if only that they live."""


OK: Final = 200
NO_CONTENT: Final = 204


class _Answered(dict[str, Any]):
    """An object of an answer: whoever answers without a field that is read is no Groundwork."""

    def __init__(self, fields: Document, not_ours: RequestRefused) -> None:
        super().__init__(fields)
        self._not_ours = not_ours

    def __missing__(self, field: str) -> Any:  # noqa: ANN401  as dict has it
        raise self._not_ours


class Api:
    """Asks a server in the name of one key. Every error is a PlatformError with a sentence for people.

    It raises NotLoggedIn, FileUnusable, ServerUnreachable and RequestRefused.
    """

    def __init__(self, profile: Profile) -> None:
        """Take the server and key; no connection is made before the first request."""
        self.url = profile.url
        self._of_key = profile.when_refused
        self._client = httpx2.Client(
            base_url=profile.url,
            headers={
                "Authorization": f"Bearer {profile.key.get_secret_value()}",
                "User-Agent": f"groundwork/{version('groundwork')}",
            },
            verify=_trust(profile),
            timeout=PATIENCE,
            trust_env=not is_loopback(profile.url),  # no proxy is on the way to this machine itself
        )

    @classmethod
    def of_caller(cls) -> Self:
        """Talk to the server that the environment or `groundwork login` names."""
        return cls(current_profile())

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._client.close()

    def get(self, path: str, **query: Query) -> Document:
        """Read one document."""
        return self._document("GET", path, params=_without_none(query))

    def listed(self, path: str) -> list[Document]:
        """Read a list that has no pages."""
        return self._objects(path, self._parsed(self._answer("GET", path)))

    def text(self, path: str, **query: Query) -> str:
        """Read something that is not JSON."""
        response = self._answer("GET", path, params=_without_none(query), headers={"Accept": "text/plain"})
        if not response.headers.get("Content-Type", "").startswith("text/plain"):
            raise self._not_ours(path, response.status_code)
        return response.text

    def post(self, path: str, body: JsonValue = None) -> Document:
        """Ask for something to be made or done, once more if the answer got lost.

        Both carry one Idempotency-Key, so that what was made is made once. What is no making is a decision, and
        harmless the second time.
        """
        headers = {"Idempotency-Key": str(uuid4())}
        try:
            return self._document("POST", path, json=body, headers=headers)
        except AnswerLost:
            return self._document("POST", path, json=body, headers=headers)

    def put(self, path: str, body: JsonValue) -> Document:
        """Say how something is to be, once more if the answer got lost: the same again is harmless."""
        try:
            return self._document("PUT", path, json=body)
        except AnswerLost:
            return self._document("PUT", path, json=body)

    def delete(self, path: str) -> None:
        """Take something away."""
        response = self._answer("DELETE", path)
        if response.status_code != NO_CONTENT:
            raise self._not_ours(path, response.status_code)

    def items(self, path: str, *, limit: int | None = None, **query: Query) -> Iterator[Document]:
        """Read a list, page after page as far as it is read, at most `limit` items."""
        return islice(self._all_items(path, limit, query), limit)

    def upload(
        self, path: str, fields: Mapping[str, str], files: Sequence[tuple[str, tuple[str, IO[bytes]]]]
    ) -> tuple[int, Document]:
        """Send fields, then files in their order, read from disk as they go; give the status and the document."""
        response = self._answer("POST", path, data=fields, files=files, timeout=UPLOAD_PATIENCE)
        return response.status_code, self._object(path, self._parsed(response))

    @contextmanager
    def events(self, path: str, *, last_event_id: str | None) -> Iterator[Iterator[httpx2.ServerSentEvent]]:
        """Open a stream of events, from behind the event of this id."""
        headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
        with self._said(), self._client.sse(path, headers=headers, timeout=QUIET_STREAM) as source:
            if source.response.is_error:
                source.response.read()
                raise refused(source.response, of_key=self._of_key)
            yield iter(source)

    def _all_items(self, path: str, limit: int | None, query: Mapping[str, Query]) -> Iterator[Document]:
        cursor: str | None = None
        size = PAGE if limit is None else max(1, min(limit, PAGE))
        while True:
            page = self.get(path, limit=size, cursor=cursor, **query)
            yield from self._objects(path, page["items"])
            cursor = page.get("next_cursor")
            if cursor is None:
                return

    def _document(self, method: str, path: str, **how: Any) -> Document:  # noqa: ANN401  httpx2's own parameters
        return self._object(path, self._parsed(self._answer(method, path, **how)))

    def _parsed(self, response: httpx2.Response) -> object:
        not_ours = self._not_ours(response.url.path, response.status_code)
        try:
            parsed: object = response.json(object_hook=lambda fields: _Answered(fields, not_ours))
        except ValueError:
            raise not_ours from None
        return parsed

    def _objects(self, path: str, parsed: object) -> list[Document]:
        if not isinstance(parsed, list):
            raise self._not_ours(path, OK)
        return [self._object(path, each) for each in parsed]

    def _object(self, path: str, parsed: object) -> Document:
        if not isinstance(parsed, dict):
            raise self._not_ours(path, OK)
        return parsed

    def _not_ours(self, path: str, status: int) -> RequestRefused:
        return RequestRefused(
            f"{self.url}{path} answered, and not as Groundwork does: is the address right?",
            status=status,
            problem=None,
        )

    def _answer(self, method: str, path: str, **how: Any) -> httpx2.Response:  # noqa: ANN401  httpx2's own parameters
        with self._said():
            response = self._client.request(method, path, **how)
        if not response.is_success:
            raise refused(response, of_key=self._of_key)
        return response

    @contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except httpx2.TransportError as error:
            raise unreachable(self.url, error) from error


def _trust(profile: Profile) -> ssl.SSLContext | bool:
    if profile.ca is None:
        return True
    try:
        return ssl.create_default_context(cafile=profile.ca)
    except FileNotFoundError:
        raise FileUnusable(f"the authority's file {profile.ca} does not exist") from None
    except (OSError, ssl.SSLError) as error:
        raise FileUnusable(f"{profile.ca} is no file of certificates in PEM ({error.strerror})") from None


def _without_none(query: Mapping[str, Query]) -> dict[str, str | int | bool | list[str]]:
    return {name: value for name, value in query.items() if value is not None}
