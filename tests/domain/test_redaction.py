"""Secrets never get through a redactor, however the stream is cut."""

import base64
import json
import string
import sys
from collections.abc import Callable
from functools import partial
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from domain.redaction import MARK, SHORTEST_SECRET, Redactor, forms, secret_texts

# Few letters, so that secrets begin, overlap and repeat in the text by themselves.
few = st.text(alphabet='ab"\n', min_size=SHORTEST_SECRET, max_size=9)
streams = st.lists(st.text(alphabet='ab"\n', max_size=12), max_size=8)


def oracle(secrets: list[str], text: bytes) -> bytes:
    """Redact the whole text at once, the slow and obvious way."""
    secret = [False] * len(text)
    for form in set(forms(secrets)):
        for at in range(len(text)):
            if text.startswith(form, at):
                secret[at : at + len(form)] = [True] * len(form)
    out = b""
    for at, byte in enumerate(text):
        if not secret[at]:
            out += bytes([byte])
        elif at == 0 or not secret[at - 1]:
            out += MARK
    return out


LOG = b'{"@level":"info","@message":"terraform_data.x: still creating..."}\n' * 800


def calls(work: Callable[[], object]) -> int:
    """Count the calls of functions, Python's and C's: unlike seconds, the same on every machine."""
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


class TestRedactAStream:
    @given(secrets=st.lists(few, max_size=3), pieces=streams, chosen=st.data())
    def test_is_what_redacting_the_whole_text_at_once_is(
        self, secrets: list[str], pieces: list[str], chosen: st.DataObject
    ) -> None:
        between = st.sampled_from([*secrets, ""])
        whole = "".join(piece + chosen.draw(between) for piece in pieces).encode()
        cuts = sorted(chosen.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
        redactor = Redactor(secrets)
        out = b"".join(
            redactor.feed(whole[first:last]) for first, last in zip([0, *cuts], [*cuts, len(whole)], strict=True)
        )
        assert out + redactor.finish() == oracle(secrets, whole)

    @given(secrets=st.lists(few, min_size=1, max_size=3), pieces=streams)
    def test_is_the_same_byte_by_byte(self, secrets: list[str], pieces: list[str]) -> None:
        whole = "".join(piece + secrets[at % len(secrets)] for at, piece in enumerate(pieces)).encode()
        redactor = Redactor(secrets)
        out = b"".join(redactor.feed(bytes([byte])) + redactor.feed(b"") for byte in whole)
        assert out + redactor.finish() == oracle(secrets, whole)

    @given(
        secret=st.text(alphabet=string.printable, min_size=SHORTEST_SECRET, max_size=40).filter(
            lambda text: len(text.strip()) >= SHORTEST_SECRET
        ),
        before=st.binary(max_size=4),
    )
    def test_finds_every_written_form(self, secret: str, before: bytes) -> None:
        plain = secret.encode()
        encoded = base64.b64encode(before + plain + b"the end")
        written = [
            plain,
            json.dumps(secret).encode(),
            json.dumps(json.dumps(secret)).encode(),
            quote(secret, safe="").encode(),
            quote_plus(secret).encode(),
        ]
        for form in written:
            redacted = self.all_at_once(secret, b"x" + form + b"y")
            assert MARK in redacted
            assert form not in redacted
        # Of base64 the characters at its borders share bits with their neighbours; the rest must be gone.
        core = encoded[-(-len(before) * 8 // 6) : (len(before) + len(plain)) * 8 // 6]
        assert core not in self.all_at_once(secret, encoded)

    def test_of_several_lines_each_is_a_secret(self) -> None:
        key = "-----BEGIN KEY-----\n  MIIEabcdef0123456789\nMIIEghijkl\n-----END KEY-----\n"
        lines = b'{"output":"MIIEabcdef0123456789"}\n{"output":"MIIEghijkl"}\n'
        assert self.all_at_once(key, lines) == b'{"output":"[redacted]"}\n{"output":"[redacted]"}\n'

    def test_holds_back_only_what_may_be_the_beginning_of_a_secret(self) -> None:
        redactor = Redactor(["password-1"])
        assert redactor.feed(b"a line\nand pass") == b"a line\nand "
        assert redactor.feed(b"es by pas") == b"passes by "
        assert redactor.feed(b"sword-1!") == b"[redacted]!"
        assert redactor.finish() == b""

    def test_a_secret_inside_the_beginning_of_another_is_held_with_it(self) -> None:
        redactor = Redactor(["<inner-secret>", "a <inner-secret> b"])
        assert redactor.feed(b"x a <inner-secret> ") == b"x "
        assert redactor.feed(b"c") == b"a [redacted] c"

    @pytest.mark.parametrize("secret", ["", "a", "prod", "12345"])
    def test_short_values_take_nothing_out(self, secret: str) -> None:
        assert self.all_at_once(secret, b"production 12345 a") == b"production 12345 a"

    def test_one_text_does_not_disturb_the_stream(self) -> None:
        redactor = Redactor(["password-1"])
        assert redactor.feed(b"pass") == b""
        assert redactor.redact("the password-1, é") == "the [redacted], é"
        assert redactor.feed(b"word-1") + redactor.finish() == b"[redacted]"

    @pytest.mark.parametrize("count", [1, 100])
    def test_of_a_text_without_secrets_takes_no_more_calls_for_many_secrets(self, count: int) -> None:
        redactor = Redactor([f"{number:03} {string.ascii_letters * 100}" for number in range(count)])
        assert calls(lambda: redactor.feed(LOG)) < 100

    def test_of_a_text_full_of_beginnings_takes_as_many_calls_for_any_number_of_secrets(self) -> None:
        text = b"secret-number-" * 1000
        one, many = (Redactor([f"secret-number-{number}!" for number in range(count)]) for count in (1, 100))
        assert calls(lambda: many.feed(text)) < 1.5 * calls(lambda: one.feed(text))

    def test_of_a_text_that_is_held_back_takes_no_more_calls_the_longer_it_is(self) -> None:
        secret = string.ascii_letters * 1000
        redactor = Redactor([secret])
        assert redactor.feed(secret[:100].encode()) == b""
        short = calls(lambda: redactor.feed(b""))
        assert redactor.feed(secret[100:-1].encode()) == b""
        assert calls(lambda: redactor.feed(b"")) <= short

    def test_of_a_secret_of_many_lines_takes_as_many_calls_as_of_one(self) -> None:
        lines = [f"line {number} {string.ascii_letters}" for number in range(1000)]
        redactors = Redactor(lines[:1]), Redactor(["\n".join(lines)])
        one, many = (calls(partial(redactor.feed, LOG)) for redactor in redactors)
        assert many < 2 * one + 100

    @staticmethod
    def all_at_once(secret: str, text: bytes) -> bytes:
        redactor = Redactor([secret])
        return redactor.feed(text) + redactor.finish()


class TestSecretTexts:
    @pytest.mark.parametrize(
        ("value", "texts"),
        [
            ("text", ["text"]),
            (12345678, ["12345678"]),
            (True, []),
            (None, []),
            ({"user": "bob", "keys": ["one", {"deep": 1.5}]}, ["bob", "one", "1.5"]),
        ],
    )
    def test_are_all_values_inside(self, value: JsonValue, texts: list[str]) -> None:
        assert list(secret_texts(value)) == texts
