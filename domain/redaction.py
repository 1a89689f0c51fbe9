"""Takes secret values out of a stream of bytes, whatever way they were written into it.

A CLI masks what it knows to be sensitive and nothing else: a provisioner, a provider's debug line or
nonsensitive() shows a value in clear. So everything a run says passes here before it is stored. A value is found
as it is, JSON-escaped (once, and twice for JSON inside JSON), URL-encoded, and in base64 wherever it begins in
what was encoded. Of a value of several lines, each line is a secret too, because tools print them one by one.

What is not found: values shorter than SHORTEST_SECRET, which would take ordinary words out of every log; values
that were cut, reversed, hashed or encrypted; base64 that is wrapped within the value.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus

from pydantic import JsonValue

SHORTEST_SECRET: Final = 6
MARK: Final = b"[redacted]"
_HTML_IN_JSON: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
_FEWEST_FORM_BYTES: Final = 6


class Redactor:
    """Replaces secrets in a stream that comes in pieces.

    Every run of bytes that belongs to any secret becomes one MARK, overlapping secrets together. Only bytes that
    may be the beginning of a secret are held back, until more comes or `finish` is called.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        """Take the values; those too short are ignored."""
        self._forms = tuple(sorted(set(forms(secrets))))
        self._longest = max(map(len, self._forms), default=1)
        # One class of bytes tells where a form may begin, so that a tail without one is passed at once.
        starts = b"".join(sorted({re.escape(form[:1]) for form in self._forms}))
        self._start = re.compile(b"[" + starts + b"]") if starts else None
        self._held = b""
        self._covered = 0  # how many held bytes belong to a secret that began before them
        self._in_mark = False

    def feed(self, data: bytes) -> bytes:
        """Take the next piece; return what can be told of the stream by now."""
        if self._start is None:
            return data
        text = self._held + data
        return self._pass(text, end=self._undecided(text))

    def finish(self) -> bytes:
        """Return what was held back: the stream has ended."""
        return self._pass(self._held, end=len(self._held))

    def redact(self, text: str) -> str:
        """Redact one text by itself; the stream is not touched."""
        alone = Redactor(())
        alone._forms, alone._longest, alone._start = self._forms, self._longest, self._start
        data = text.encode(errors="replace")
        return (alone.feed(data) + alone.finish()).decode(errors="replace")

    def _pass(self, text: bytes, *, end: int) -> bytes:
        """Emit text up to end, remember the rest and how much of the rest is known to be secret."""
        out: list[bytes] = []
        position = 0
        for first, last in self._secret_ranges(text):
            if first >= end:
                break
            if first > position:
                out.append(text[position:first])
                self._in_mark = False
            if not self._in_mark:
                out.append(MARK)
                self._in_mark = True
            position = last
        if position < end:
            out.append(text[position:end])
            self._in_mark = False
        self._held = text[end:]
        self._covered = max(0, position - end, self._covered - end)
        return b"".join(out)

    def _secret_ranges(self, text: bytes) -> Iterator[tuple[int, int]]:
        """Yield the parts of text that belong to secrets, in order, touching and overlapping ones joined."""
        found = [(0, self._covered)] if self._covered else []
        for form in self._forms:
            at = text.find(form)
            while at >= 0:
                found.append((at, at + len(form)))
                at = text.find(form, at + 1)
        found.sort()
        joined: list[tuple[int, int]] = []
        for first, last in found:
            if joined and first <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(joined[-1][1], last))
            else:
                joined.append((first, last))
        return iter(joined)

    def _undecided(self, text: bytes) -> int:
        """Find the first place where a secret may have begun that is not complete yet."""
        if self._start is None:
            return len(text)
        tail = max(0, len(text) - self._longest + 1)
        for start in self._start.finditer(text, tail):
            at = start.start()
            rest = text[at:]
            if any(len(form) > len(rest) and form.startswith(rest) for form in self._forms):
                return at
        return len(text)


def secret_texts(value: JsonValue) -> Iterator[str]:
    """Yield every text and number inside a value, as it would be printed; keys, true, false and null are not."""
    match value:
        case bool() | None:
            return
        case str():
            yield value
        case int() | float():
            yield json.dumps(value)
        case list():
            for item in value:
                yield from secret_texts(item)
        case dict():
            for item in value.values():
                yield from secret_texts(item)


def forms(secrets: Iterable[str]) -> Iterator[bytes]:
    """Yield every way in which one of the secrets may stand in a stream."""
    for secret in secrets:
        parts = {secret, secret.strip(), *(line.strip() for line in secret.splitlines())}
        for part in parts:
            if len(part) >= SHORTEST_SECRET:
                yield from _written(part)


def _written(secret: str) -> Iterator[bytes]:
    plain = secret.encode(errors="surrogatepass")
    yield plain
    for text in _in_json(secret):
        yield text.encode(errors="surrogatepass")
        for again in _in_json(text):
            yield again.encode(errors="surrogatepass")
    for encoded in (quote(plain, safe=""), quote(plain), quote_plus(plain)):
        yield encoded.encode()
    yield from _in_base64(plain)


def _in_json(text: str) -> Iterator[str]:
    for ascii_only in (False, True):
        escaped = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield escaped
        yield re.sub(r"[<>&]", lambda found: _HTML_IN_JSON[found[0]], escaped)


def _in_base64(plain: bytes) -> Iterator[bytes]:
    """Yield what the value surely looks like in base64, for each place it may have in a group of three bytes."""
    for before in range(3):
        first = -(-before * 8 // 6)  # the characters before share bits with what stands before the value
        last = (before + len(plain)) * 8 // 6
        encoded = base64.b64encode(bytes(before) + plain)[first:last]
        if len(encoded) >= _FEWEST_FORM_BYTES:
            yield encoded
            yield encoded.translate(bytes.maketrans(b"+/", b"-_"))
