"""Blobs in a bucket of an S3 server: for servers on several machines."""

import asyncio
import io
import re
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final, ParamSpec, TypeVar
from urllib.parse import urlsplit
from xml.etree.ElementTree import ParseError

import structlog
from minio import Minio
from minio.error import MinioException, S3Error
from urllib3 import BaseHTTPResponse, PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError

from domain.errors import BlobNotFound, Unavailable
from domain.outages import Outage
from storage.blobs.disk import disk_is_away
from storage.blobs.incoming import Incoming
from storage.blobs.store import MARK, Received, key_of
from storage.blobs.verified import VerifiedBody, VerifiedFile

P = ParamSpec("P")
T = TypeVar("T")
PART: Final = 8 * 1024 * 1024
"""Bytes of a part; what is larger goes up in several. An upload has one in memory. S3 takes none below 5 MiB."""
LONGEST_MARK: Final = 1024
THREADS: Final = 8
"""At work with the server at once. They are the store's own: when it hangs, nobody waits but for blobs."""
CONNECTIONS: Final = 64
"""Kept open; a download has one for as long as its client reads."""
_SPAN: Final = re.compile(r"bytes 0-(\d+)/(\d+)")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A bucket that is there, and a key that may read, write, delete and list in it."""

    endpoint: str
    """As in https://s3.example.com: without a path. Clients meet it too where addresses are given out."""
    name: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)


class S3BlobStore:
    """Objects named by their hash. An object of S3 is whole or not there, so its key is written to at once.

    What comes in waits on this machine's disk until it is known to be good. What goes out whole is held to its
    name before its end, since others may write to the bucket.
    """

    def __init__(self, folder: Path, bucket: Bucket, *, gives_addresses: bool) -> None:
        """Ask nothing of the server yet: it may be away when this one starts.

        Args:
            folder: of what comes in; made with mode 0700 if it is missing.
            bucket: where blobs are.
            gives_addresses: whether clients fetch blobs from the server themselves.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        where = f"{bucket.endpoint}/{bucket.name}"
        self._disk = Outage(log, f"blob store, receiving in {folder}")
        self._reading = Outage(log, f"blob store, reading {where}")
        self._writing = Outage(log, f"blob store, writing {where}")
        self._incoming = Incoming(folder / "incoming", self._disk)
        self._bucket = bucket.name
        self._gives_addresses = gives_addresses
        self._client = _client(bucket)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="s3")

    def receive(self, data: AsyncIterable[bytes], *, limit: int) -> AbstractAsyncContextManager[Received]:
        """See BlobStore."""
        return self._incoming.receive(data, limit=limit)

    async def keep(self, received: Received) -> None:
        """See BlobStore.

        What is there is written again: so its age says that it is needed, to whoever looks for what is not.

        Raises:
            BlobDamaged: this machine's disk gave other bytes than it was given.
        """
        try:
            await self._ask(self._writing, self._upload, key_of(received.sha256), received)
        except OSError as error:
            raise disk_is_away(self._disk, error) from error
        self._disk.ended()

    async def put(self, data: AsyncIterable[bytes], *, limit: int) -> tuple[str, int]:
        """See BlobStore."""
        async with self.receive(data, limit=limit) as received:
            await self.keep(received)
            return received.sha256, received.size

    async def open(self, sha256: str, *, start: int = 0, stop: int | None = None) -> AsyncIterator[bytes]:
        """See BlobStore."""
        response = await self._ask(self._reading, self._get, key_of(sha256), start, stop)
        if response is None:
            return
        try:
            body = VerifiedBody(response.read, sha256, is_whole=_is_whole(response))
            async for piece in body.pieces(lambda: self._ask(self._reading, body.read)):
                yield piece
        finally:
            await self._in_thread(_close, response)

    async def check(self, sha256: str) -> bool:
        """See BlobStore."""
        key_of(sha256)
        return False

    async def size(self, sha256: str) -> int | None:
        """See BlobStore."""
        return await self._ask(self._reading, self._size, key_of(sha256))

    async def delete(self, sha256: str) -> None:
        """See BlobStore."""
        await self._ask(self._writing, self._client.remove_object, self._bucket, key_of(sha256))

    async def address(self, sha256: str, *, valid: timedelta) -> str | None:
        """See BlobStore."""
        key = key_of(sha256)
        if not self._gives_addresses:
            return None
        # Browsers keep it as a file and show nothing of it, as they do with what this server sends.
        headers: dict[str, str | list[str] | tuple[str]] = {"response-content-disposition": "attachment"}
        return self._client.get_presigned_url("GET", self._bucket, key, valid, headers)  # which asks nobody

    async def read_mark(self) -> str | None:
        """See BlobStore."""
        return await self._ask(self._reading, self._read_mark)

    async def write_mark(self, mark: str) -> None:
        """See BlobStore."""
        content = mark.encode()
        await self._ask(
            self._writing, self._client.put_object, self._bucket, MARK, io.BytesIO(content), len(content)
        )

    def _read_mark(self) -> str | None:
        if self._size(MARK) is None:
            return None
        response = self._client.get_object(self._bucket, MARK)
        try:
            return response.read(LONGEST_MARK).decode(errors="replace").strip()
        finally:
            _close(response)

    def _upload(self, key: str, received: Received) -> None:
        with VerifiedFile(received) as file:
            self._client.put_object(self._bucket, key, file, received.size, part_size=PART, num_parallel_uploads=1)

    def _get(self, key: str, start: int, stop: int | None) -> BaseHTTPResponse | None:
        """Ask for a blob, or a part of it; None for a part without bytes, which S3 can't be asked for."""
        if stop is not None and stop <= start and (self._client.stat_object(self._bucket, key).size or start):
            return None
        try:
            return self._client.get_object(self._bucket, key, start, 0 if stop is None else stop - start)
        except S3Error as error:
            if error.code != "InvalidRange":
                raise
        return None if start else self._client.get_object(self._bucket, key)  # of an empty one, that is all

    def _size(self, key: str) -> int | None:
        try:
            return self._client.stat_object(self._bucket, key).size
        except S3Error as error:
            if error.code != "NoSuchKey":
                raise
        # Of an object in a bucket that is not there, S3 says the same.
        if not self._client.bucket_exists(self._bucket):
            raise MinioException(f"there is no bucket {self._bucket}")
        return None

    async def _ask(self, outage: Outage, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do work that waits for the server.

        Raises:
            BlobNotFound, Unavailable, and what the work raises of its own.
        """
        try:
            done = await self._in_thread(partial(work, *args, **kwargs))
        except (MinioException, HTTPError, UnicodeDecodeError, ParseError) as error:
            code = (isinstance(error, S3Error) and error.code) or "it gives no answer that can be used"
            if code == "NoSuchKey":
                raise BlobNotFound("the store has no such blob") from None
            outage.began(error)
            raise Unavailable(
                f"the blob store does not work now ({code}); it goes on by itself once its S3 server answers, and "
                "takes the bucket and the key of the settings blobs.s3.bucket and blobs.s3.access_key",
                reason=str(error),
            ) from error
        outage.ended()
        return done

    async def _in_thread(self, work: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)


def _client(bucket: Bucket) -> Minio:
    address = urlsplit(bucket.endpoint)
    # A few quick attempts, then the caller hears of it: what a hanging server holds is one of few threads.
    retries = Retry(
        total=2,
        connect=1,
        read=1,
        backoff_factor=0.2,
        status_forcelist=(500, 502, 503, 504),
        respect_retry_after_header=False,
    )
    return Minio(
        address.netloc,
        bucket.access_key,
        bucket.secret_key,
        secure=address.scheme == "https",
        region=bucket.region,
        http_client=PoolManager(
            timeout=Timeout(connect=10, read=20),  # the first is for the sending of a part too
            maxsize=CONNECTIONS,
            retries=retries,
            ssl_context=ssl.create_default_context(),  # trusts what the system does, and SSL_CERT_FILE
        ),
    )


def _is_whole(response: BaseHTTPResponse) -> bool:
    span = response.headers.get("Content-Range")
    part = span and _SPAN.fullmatch(span)
    return span is None or (part is not None and int(part[1]) + 1 == int(part[2]))


def _close(response: BaseHTTPResponse) -> None:
    response.close()
    response.release_conn()
