"""SHA256SUMS, lock file hashes and download capabilities."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.registry.capability import WINDOW, Capabilities, window_of
from domain.registry.checksums import parse_checksums
from domain.registry.errors import ChecksumsInvalid
from domain.registry.hashes import h1, zh

HASH = "0123456789abcdef" * 4
NAME = "terraform-provider-time_0.1.0_linux_amd64.zip"
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
HASHES = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)


# Lines of the file as tools and people write them: each of a hash, what stands between, a name and an end.
LINES = st.tuples(
    st.sampled_from([*[HASH] * 30, HASH.upper(), HASH[1:], f"{HASH[:-1]}g", ""]),
    st.sampled_from([*["  "] * 30, " *", " ", "   ", "\t", ""]),
    st.sampled_from([*["a", "b.zip", "c_1-2.zip", "D"] * 10, "./a", "a/b", "a\\b", ".a", "-a", "a b", "a" * 256]),
    st.sampled_from([*["\n"] * 30, "\r\n", "\n\n", "", " \n", "\0\n", "\x0b", "\xff\n"]),
).map(lambda parts: "".join(parts).encode("latin-1"))
HEXADECIMAL = b"0123456789abcdef"
ALPHANUMERIC = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def slowly_read(content: bytes) -> dict[str, str] | None:
    """Read SHA256SUMS by what is known of both tools' readers, byte by byte; None where it is refused."""
    if not 1 <= len(content) <= 64 * 1024 or content[-1:] != b"\n":
        return None
    found: dict[str, str] = {}
    for line in content[:-1].split(b"\n"):
        digest, between, name = line[:64], line[64:66], line[66:]
        good = (
            len(digest) == 64
            and all(byte in HEXADECIMAL for byte in digest)
            and between == b"  "
            and 1 <= len(name) <= 255
            and name[0] in ALPHANUMERIC
            and all(byte in ALPHANUMERIC + b"._-" for byte in name)
            and name.decode() not in found
        )
        if not good:
            return None
        found[name.decode()] = digest.decode()
    return found


class TestParseChecksums:
    @given(st.dictionaries(NAMES, HASHES, min_size=1, max_size=10))
    def test_reads_what_sha256sum_writes(self, hashes: dict[str, str]) -> None:
        content = "".join(f"{digest}  {name}\n" for name, digest in hashes.items())
        assert parse_checksums(content.encode()) == hashes

    @given(st.lists(LINES, max_size=4).map(b"".join) | st.binary(max_size=100))
    def test_takes_exactly_what_a_slow_strict_reading_does(self, content: bytes) -> None:
        try:
            found = parse_checksums(content)
        except ChecksumsInvalid:
            assert slowly_read(content) is None
            return
        assert found == slowly_read(content)

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ("", "empty"),
            ("\n", "line 1: the line is blank"),
            (f"{HASH}  {NAME}\n\n", "line 2: the line is blank"),
            (f"{HASH}  {NAME}\n \n{HASH}  b\n", "line 2: the line is blank"),
            (f"{HASH}  {NAME}", "end with a line feed"),
            (f"{HASH} *{NAME}\n", "starred"),
            (f"{HASH}  {NAME}\r\n", "CR LF"),
            (f"{HASH.upper()}  {NAME}\n", "upper case"),
            (f"{HASH}  ./{NAME}\n", "path"),
            (f"{HASH}  ../{NAME}\n", "path"),
            (f"{HASH}  a\\b\n", "path"),
            (f"{HASH}  a\n{HASH}  a\n", "line 2: this file has a line already"),
            (f"{HASH} {NAME}\n", "two spaces"),
            (f"{HASH[1:]}  {NAME}\n", "two spaces"),
            (f"{HASH}  {NAME}  x\n", "two spaces"),
            (f"# comment\n{HASH}  {NAME}\n", "two spaces"),
            (f"{HASH}  \u00e4\n", "ASCII"),
            ("-----BEGIN PGP SIGNED MESSAGE-----\n", "two spaces"),
        ],
    )
    def test_says_which_line_is_wrong_and_how(self, content: str, said: str) -> None:
        with pytest.raises(ChecksumsInvalid, match=said):
            parse_checksums(content.encode())

    def test_has_an_end(self) -> None:
        with pytest.raises(ChecksumsInvalid, match="larger"):
            parse_checksums(f"{HASH}  {NAME}\n".encode() * 1000)


class TestHashes:
    def test_h1_is_over_sorted_lines_of_hash_and_name(self) -> None:
        digests = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("b", "a", "\u00e4", "Z")}
        # What `LC_ALL=C sort | xargs sha256sum | sha256sum` gives, in base64.
        assert h1(digests) == "h1:PSPAZ+qi5sGyiahg0mlwzLiO4AG3NdhnJXUCjTGH1YY="
        assert h1(dict(reversed(digests.items()))) == h1(digests)

    def test_h1_has_no_form_for_a_line_feed(self) -> None:
        with pytest.raises(ValueError, match="line feed"):
            h1({"a\nb": HASH})

    def test_zh_is_the_packages_own(self) -> None:
        assert zh(HASH) == f"zh:{HASH}"


MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  hypothesis adds it
CAPABILITIES = Capabilities(b"k" * 32)


class TestCapabilities:
    @given(MOMENTS, st.integers(0, 899))
    def test_one_is_good_from_the_window_before_to_the_end_of_the_next(self, moment: datetime, into: int) -> None:
        window = window_of(moment)
        capability = CAPABILITIES.issue(HASH, window=window)
        begin = datetime.fromtimestamp(0, UTC) + window * WINDOW + timedelta(seconds=into)
        allowed = [CAPABILITIES.allows(capability, HASH, now=begin + by * WINDOW) for by in (-2, -1, 0, 1, 2)]
        assert allowed == [False, True, True, True, False]

    @given(st.text(max_size=100))
    def test_what_was_not_issued_opens_nothing(self, capability: str) -> None:
        assert not CAPABILITIES.allows(capability, HASH, now=datetime.now(UTC))

    def test_it_opens_one_content_of_one_installation(self) -> None:
        now = datetime.now(UTC)
        capability = CAPABILITIES.issue(HASH, window=window_of(now))
        assert not CAPABILITIES.allows(capability, "f" * 64, now=now)
        assert not Capabilities(b"o" * 32).allows(capability, HASH, now=now)
        number, mac = capability.split(".")
        assert not CAPABILITIES.allows(f"{int(number) + 1}.{mac}", HASH, now=now)
        assert not CAPABILITIES.allows(f"{number}.{mac[:-1]}", HASH, now=now)
        assert not CAPABILITIES.allows(f"0{number}.{mac}", HASH, now=now)  # one address, not many

    def test_all_answers_of_a_window_are_the_same(self) -> None:
        assert CAPABILITIES.issue(HASH, window=7) == Capabilities(b"k" * 32).issue(HASH, window=7)
