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
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import quote, quote_plus

from pydantic import JsonValue

SHORTEST_SECRET: Final = 6
MARK: Final = b"[redacted]"
_HTML_IN_JSON: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}
_FEWEST_FORM_BYTES: Final = 6  # no form is shorter: SHORTEST_SECRET characters have no fewer bytes
_PIECE: Final = 64 * 1024


class Redactor:
    """Replaces secrets in a stream that comes in pieces.

    Every run of bytes that belongs to any secret becomes one MARK, overlapping secrets together. Only bytes that
    may be the beginning of a secret are held back, until more comes or `finish` is called.

    The time for a piece grows with its length and hardly with the number of secrets or their lengths; still, it is
    work for a thread where an event loop has other things to do, and so is making a Redactor of long secrets.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        """Take the values; those too short are ignored."""
        self._forms = _Forms(forms(secrets))
        self._held = b""
        self._covered = 0  # how many held bytes belong to a secret that began before them
        self._in_mark = False

    def feed(self, data: bytes) -> bytes:
        """Take the next piece; return what can be told of the stream by now."""
        return self._pass(self._held + data, ended=False)

    def finish(self) -> bytes:
        """Return what was held back: the stream has ended."""
        return self._pass(self._held, ended=True)

    def redact(self, text: str) -> str:
        """Redact one text by itself; the stream is not touched."""
        alone = Redactor(())
        alone._forms = self._forms
        data = text.encode(errors="replace")
        # By pieces: one search lets no other thread run.
        pieces = [alone.feed(data[at : at + _PIECE]) for at in range(0, len(data), _PIECE)]
        return b"".join((*pieces, alone.finish())).decode(errors="replace")

    def _pass(self, text: bytes, *, ended: bool) -> bytes:
        """Emit what is decided, remember the rest and how much of the rest is known to be secret."""
        ranges, end = self._secret_ranges(text, ended=ended)
        out: list[bytes] = []
        position = 0
        for first, last in ranges:
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

    def _secret_ranges(self, text: bytes, *, ended: bool) -> tuple[list[tuple[int, int]], int]:
        """Find the parts that belong to secrets, touching ones joined, up to where a secret may have begun."""
        ranges = [(0, self._covered)] if self._covered else []
        for at, length, is_open in self._forms.found_in(text):
            if is_open and not ended:
                return ranges, at
            if ranges and at <= ranges[-1][1]:
                ranges[-1] = (ranges[-1][0], max(ranges[-1][1], at + length))
            elif length:
                ranges.append((at, at + length))
        return ranges, len(text)


class _Forms:
    """All forms, sorted, so that of all that may begin at a place one search finds the longest that does."""

    def __init__(self, written: Iterable[bytes]) -> None:
        self._sorted = sorted(set(written))
        # For each form the longest other one that it begins with.
        self._within: list[int | None] = []
        begun: list[int] = []
        # What begins with the same few bytes stands together: from, to, and the longest one's length.
        self._groups: dict[bytes, tuple[int, int, int]] = {}
        for number, form in enumerate(self._sorted):
            while begun and not form.startswith(self._sorted[begun[-1]]):
                begun.pop()
            self._within.append(begun[-1] if begun else None)
            begun.append(number)
            first, _, longest = self._groups.get(form[:_FEWEST_FORM_BYTES], (number, number, 0))
            self._groups[form[:_FEWEST_FORM_BYTES]] = (first, number + 1, max(longest, len(form)))
        self._beginning = re.compile(_any_of(self._groups)) if self._groups else None

    def found_in(self, text: bytes) -> Iterator[tuple[int, int, bool]]:
        """Yield each place with a form, the longest one's length, and whether a form may be cut by the end.

        A place where a form may be cut off is yielded although no whole one is there; its length is 0 then.
        """
        if self._beginning is None:
            return
        for beginning in self._beginning.finditer(text):
            at = beginning.start()
            first, last, longest = self._groups[text[at : at + _FEWEST_FORM_BYTES]]
            rest = text[at : at + longest]
            next_one = bisect_right(self._sorted, rest, first, last)
            length = self._longest_within(rest, next_one - 1, first)
            is_open = next_one < last and at + len(rest) == len(text) and self._is_beginning(rest, next_one)
            if length or is_open:
                yield at, length, is_open
        for at in range(max(0, len(text) - _FEWEST_FORM_BYTES + 1), len(text)):
            rest = text[at:]
            if self._is_beginning(rest, bisect_right(self._sorted, rest)):
                yield at, 0, True

    def _is_beginning(self, rest: bytes, next_one: int) -> bool:
        """Tell whether any form goes on behind rest: then the first form that sorts behind it does."""
        return next_one < len(self._sorted) and self._sorted[next_one].startswith(rest)

    def _longest_within(self, rest: bytes, number: int, first: int) -> int:
        """Give the length of the longest form that rest begins with: the last sorted before it, or one in that."""
        candidate: int | None = number if number >= first else None
        while candidate is not None:
            if rest.startswith(self._sorted[candidate]):
                return len(self._sorted[candidate])
            candidate = self._within[candidate]
        return 0


def _any_of(beginnings: Iterable[bytes]) -> bytes:
    """Write a pattern of the places where one of them stands, overlapping ones too: it takes one byte only.

    An alternation of them all would be tried one by one, so they are a tree, a byte on each level.
    """
    tree: dict[int, Any] = {}
    for beginning in beginnings:
        node = tree
        for byte in beginning:
            node = node.setdefault(byte, {})
    return b"|".join(re.escape(bytes([byte])) + b"(?=" + _pattern(node) + b")" for byte, node in tree.items())


def _pattern(tree: dict[int, Any]) -> bytes:
    branches = b"|".join(re.escape(bytes([byte])) + _pattern(node) for byte, node in tree.items())
    return b"(?:" + branches + b")" if len(tree) > 1 else branches


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
