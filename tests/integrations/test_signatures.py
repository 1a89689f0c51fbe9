"""Signatures of releases: what counts, and everything that must not."""

import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pysequoia
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.registry.errors import GpgKeyInvalid, SignatureRefused
from integrations import signatures
from integrations.public_keys import MOST_PACKETS, read_public_key
from integrations.signatures import SignatureVerifier
from tests.fixtures.packets import a_bomb, flooded
from tests.fixtures.signing import Signer, a_gpg
from tests.integrations.signature_cases import ACCEPTED, CASES, CONTENT, Case, Signed, Workshop

VERIFIER = SignatureVerifier()
STATUS = re.compile(r"^\[GNUPG:\] (\w+)", re.MULTILINE)
VERDICTS = {"GOODSIG", "BADSIG", "ERRSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG", "NODATA"}


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer()


@pytest.fixture(scope="module")
def workshop(signer: Signer) -> Iterator[Workshop]:
    with a_gpg() as gpg:
        yield Workshop(signer, Signer(), gpg)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> SignatureVerifier:
    """Give one that finds no gpg."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(tmp_path_factory.mktemp("nothing")))
        return SignatureVerifier()


def refusal(signature: bytes, *keys: str, content: bytes = CONTENT) -> str:
    with pytest.raises(SignatureRefused) as caught:
        VERIFIER.verify(content, signature, [read_public_key(key) for key in keys])
    return caught.value.detail


class TestVerify:
    def test_both_tools_agree_on_a_good_one_and_are_named(self, signer: Signer) -> None:
        key = read_public_key(signer.public)
        evidence = VERIFIER.verify(CONTENT, signer.sign(CONTENT), [read_public_key(Signer().public), key])
        assert set(evidence.verified_by) == {"pysequoia", "gpg"}
        assert evidence.key_fingerprint == key.fingerprint
        assert evidence.signing_key_fingerprint in key.subkeys
        assert evidence.digest == "SHA512"
        assert evidence.key_expired_at is None
        assert abs(evidence.signed_at - datetime.now(UTC)) < timedelta(minutes=1)

    def test_without_gpg_the_evidence_names_sequoia_alone(self, signer: Signer, alone: SignatureVerifier) -> None:
        evidence = alone.verify(CONTENT, signer.sign(CONTENT), [read_public_key(signer.public)])
        assert set(evidence.verified_by) == {"pysequoia"}

    def test_leaves_no_agent_behind(self, signer: Signer) -> None:
        VERIFIER.verify(CONTENT, signer.sign(CONTENT), [read_public_key(signer.public)])
        running = subprocess.run(["ps", "-eo", "args"], check=True, capture_output=True, text=True).stdout
        assert "groundwork-gpg-" not in running

    @pytest.mark.parametrize("junk", [b"", b"\n", b"not a signature", b"\x89", b"\x80" * 100, b"\xff" * 100])
    def test_junk_is_refused(self, signer: Signer, junk: bytes) -> None:
        refusal(junk, signer.public)
        if junk:
            refusal(signer.sign(CONTENT) + junk, signer.public)

    @given(at=st.integers(0, 300), value=st.integers(0, 255))
    def test_a_changed_byte_makes_another_that_is_refused_or_the_same(
        self, signer: Signer, alone: SignatureVerifier, at: int, value: int
    ) -> None:
        key, signature = read_public_key(signer.public), bytearray(signer.sign(CONTENT))
        signature[at % len(signature)] = value
        try:
            evidence = alone.verify(CONTENT, bytes(signature), [key])
        except SignatureRefused:
            return
        assert evidence.key_fingerprint == key.fingerprint

    @pytest.mark.parametrize("at", [3, 5], ids=["kind", "hash algorithm"])
    def test_one_of_a_kind_that_nobody_knows_is_refused(self, signer: Signer, at: int) -> None:
        signature = bytearray(signer.sign(CONTENT))
        assert signature[1] < 192, "its length has one byte, so the version is behind it"
        signature[at] = 0xAA
        assert "can't be read" in refusal(bytes(signature), signer.public)

    def test_a_huge_one_is_refused(self, signer: Signer) -> None:
        assert "at most" in refusal(signer.sign(CONTENT) + b"\x89" * 20_000, signer.public)

    def test_what_would_have_to_be_unpacked_is_refused_by_its_header(self, signer: Signer) -> None:
        assert "not exactly one" in refusal(a_bomb(), signer.public)

    def test_a_stored_key_that_would_no_longer_be_taken_is_not_parsed(self, signer: Signer) -> None:
        key = read_public_key(signer.public)
        stored = key.model_copy(update={"ascii_armor": flooded(signer.public, MOST_PACKETS)})
        with pytest.raises(GpgKeyInvalid, match="at most 100"):
            VERIFIER.verify(CONTENT, signer.sign(CONTENT), [stored])

    def test_a_key_that_expired_since_is_shown_as_such(self, workshop: Workshop) -> None:
        [case] = [case for case in CASES if case.name == "good, before its key expired"]
        signed = case.make(workshop)
        evidence = VERIFIER.verify(CONTENT, signed.signature, [read_public_key(key) for key in signed.keys])
        assert evidence.key_expired_at == datetime(2024, 6, 1, 12, tzinfo=UTC)
        assert set(evidence.verified_by) == {"pysequoia", "gpg"}

    def test_gpg_may_refuse_what_sequoia_takes(self, signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
        key = read_public_key(signer.public)
        stranger = read_public_key(Signer().public)
        confused = key.model_copy(update={"ascii_armor": stranger.ascii_armor})
        monkeypatch.setattr(signatures, "_ask_sequoia", lambda *_: key.fingerprint)
        with pytest.raises(SignatureRefused, match="gpg does not agree"):
            VERIFIER.verify(CONTENT, signer.sign(CONTENT), [confused])


class TestTheTable:
    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
    def test_attack_13_is_decided_as_it_says_with_gpg_and_without(
        self, case: Case, workshop: Workshop, alone: SignatureVerifier
    ) -> None:
        signed = case.make(workshop)
        assert sequoia_says(signed) == case.sequoia
        assert gpg_says(signed) == case.gpg
        assert decide(signed, VERIFIER) == case.decided
        assert decide(signed, alone) == case.decided

    def test_is_the_one_that_people_read(self, repository: Path) -> None:
        text = (repository / "docs/explanation/signatures.md").read_text()
        assert "\n".join(case.row for case in CASES) in text


def sequoia_says(signed: Signed) -> str:
    certificates = [pysequoia.Cert.from_bytes(key.encode()) for key in signed.keys]
    try:
        signature = pysequoia.Sig.from_bytes(signed.signature)
    except Exception:
        return "unreadable"
    try:
        valid = pysequoia.verify(CONTENT, lambda _: certificates, signature=signature).valid_sigs
    except RuntimeError:
        return "bad"
    assert len(valid) == 1
    return "good"


def gpg_says(signed: Signed) -> str:
    with a_gpg() as gpg:
        gpg.run("--import", content="".join(signed.keys).encode())
        status = gpg.verify(CONTENT, signed.signature)
    return next((word for word in STATUS.findall(status) if word in VERDICTS), "none")


def decide(signed: Signed, verifier: SignatureVerifier) -> str:
    try:
        keys = signed.bend([read_public_key(key) for key in signed.keys])
        verifier.verify(CONTENT, signed.signature, keys)
    except (GpgKeyInvalid, SignatureRefused) as refusal:
        return refusal.code
    return ACCEPTED
