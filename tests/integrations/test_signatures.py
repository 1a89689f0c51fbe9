"""Signatures of releases: what counts, and everything that must not."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pysequoia
import pytest

from domain.registry.errors import GpgKeyInvalid, SignatureRefused
from integrations.signatures import SignatureVerifier, read_public_key
from tests.fixtures.signing import Signer, a_gpg

CONTENT = b"0" * 64 + b"  terraform-provider-time_0.1.0_linux_amd64.zip\n"
VERIFIER = SignatureVerifier()


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer()


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

    def test_without_gpg_the_evidence_names_sequoia_alone(
        self, signer: Signer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        alone = SignatureVerifier()
        evidence = alone.verify(CONTENT, signer.sign(CONTENT), [read_public_key(signer.public)])
        assert set(evidence.verified_by) == {"pysequoia"}

    def test_leaves_no_agent_behind(self, signer: Signer) -> None:
        VERIFIER.verify(CONTENT, signer.sign(CONTENT), [read_public_key(signer.public)])
        running = subprocess.run(["ps", "-eo", "args"], check=True, capture_output=True, text=True).stdout
        assert "groundwork-gpg-" not in running

    def test_other_bytes_do_not_match(self, signer: Signer) -> None:
        assert "does not match" in refusal(signer.sign(CONTENT), signer.public, content=CONTENT + b"x")

    def test_a_strangers_signature_does_not_count(self, signer: Signer) -> None:
        assert "no key of this namespace" in refusal(Signer().sign(CONTENT), signer.public)

    def test_a_stranger_of_the_same_name_does_not_count(self, signer: Signer) -> None:
        assert "no key of this namespace" in refusal(Signer().sign(CONTENT), signer.public, Signer().public)

    def test_armor_is_refused_before_anybody_reads_it(self, signer: Signer) -> None:
        assert "not binary" in refusal(signer.sign(CONTENT, armor=True), signer.public)

    @pytest.mark.parametrize("mode", [pysequoia.SignatureMode.INLINE, pysequoia.SignatureMode.CLEAR])
    def test_signed_messages_are_no_detached_signature(
        self, signer: Signer, mode: pysequoia.SignatureMode
    ) -> None:
        assert "--detach-sign" in refusal(signer.sign(CONTENT, mode=mode), signer.public)

    def test_two_signatures_are_one_too_many(self, signer: Signer) -> None:
        good = signer.sign(CONTENT)
        assert "exactly one" in refusal(good + Signer().sign(CONTENT), signer.public)
        assert "exactly one" in refusal(good + good, signer.public)

    @pytest.mark.parametrize("junk", [b"", b"\n", b"not a signature", b"\x89", b"\x80" * 100, b"\xff" * 100])
    def test_junk_is_refused(self, signer: Signer, junk: bytes) -> None:
        refusal(junk, signer.public)
        if junk:
            refusal(signer.sign(CONTENT) + junk, signer.public)

    def test_a_huge_one_is_refused(self, signer: Signer) -> None:
        assert "at most" in refusal(signer.sign(CONTENT) + b"\x89" * 20_000, signer.public)

    def test_sha1_is_refused(self) -> None:
        with a_gpg() as gpg:
            key = gpg.make_key("rsa2048")
            weak = gpg.sign(CONTENT, "--digest-algo", "SHA1")
            assert "SHA-1 or weaker" in refusal(weak, gpg.public(key))

    def test_a_text_signature_is_refused(self) -> None:
        with a_gpg() as gpg:
            key = gpg.make_key("ed25519")
            assert "binary document" in refusal(gpg.sign(CONTENT, "--textmode"), gpg.public(key))

    def test_expiry_is_judged_by_the_time_of_signing(self) -> None:
        with a_gpg() as gpg:
            key = gpg.make_key("ed25519", "2024-06-01", at="20240101T000000")
            expired = gpg.public(key)
            before = gpg.sign(CONTENT, at="20240301T000000")
            gpg.run("--quick-set-expire", key, "0", at="20240302T000000")
            after = gpg.sign(CONTENT, at="20240901T000000")
            evidence = VERIFIER.verify(CONTENT, before, [read_public_key(expired)])
            assert evidence.key_expired_at == datetime(2024, 6, 1, 12, tzinfo=UTC)
            assert set(evidence.verified_by) == {"pysequoia", "gpg"}
            assert "had expired when it signed" in refusal(after, expired)
            assert VERIFIER.verify(CONTENT, after, [read_public_key(gpg.public(key))]).key_expired_at is None

    def test_a_signature_that_has_expired_is_refused(self) -> None:
        with a_gpg() as gpg:
            key = gpg.make_key("ed25519", at="20240101T000000")
            old = gpg.sign(CONTENT, "--default-sig-expire", "30", at="20240301T000000")
            assert "has expired" in refusal(old, gpg.public(key))

    def test_a_signature_from_the_future_is_refused(self) -> None:
        with a_gpg() as gpg:
            key = gpg.make_key("ed25519")
            assert "future" in refusal(gpg.sign(CONTENT, at="20300101T000000"), gpg.public(key))


class TestReadPublicKey:
    def test_gives_the_full_fingerprint_and_the_protocols_short_one(self, signer: Signer) -> None:
        key = read_public_key(signer.public)
        assert len(key.fingerprint) == 40
        assert key.key_id == key.fingerprint[-16:].upper()
        assert key.user_ids == ["Releases <releases@example.com>"]

    @pytest.mark.parametrize(
        ("armored", "said"),
        [
            ("", "no public key"),
            ("ssh-ed25519 AAAA", "no public key"),
            ("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n-----END PGP PUBLIC KEY BLOCK-----\n", "damaged"),
        ],
    )
    def test_says_what_to_send_instead_of_junk(self, armored: str, said: str) -> None:
        with pytest.raises(GpgKeyInvalid, match=said):
            read_public_key(armored)

    def test_takes_one_key_at_a_time(self, signer: Signer) -> None:
        both = bytes(pysequoia.Cert.from_bytes(signer.public.encode()))
        both += bytes(pysequoia.Cert.from_bytes(Signer().public.encode()))
        with pytest.raises(GpgKeyInvalid, match="one key at a time"):
            read_public_key(pysequoia.armor(both, pysequoia.ArmorKind.PublicKey))

    def test_refuses_a_secret_key_under_any_label(self) -> None:
        secret = pysequoia.Tsk.generate("a <a@example.com>")
        with pytest.raises(GpgKeyInvalid, match="no public key"):
            read_public_key(str(secret))
        with pytest.raises(GpgKeyInvalid, match="secret key"):
            read_public_key(pysequoia.armor(bytes(secret), pysequoia.ArmorKind.PublicKey))

    def test_refuses_a_revoked_key(self) -> None:
        secret = pysequoia.Tsk.generate("a <a@example.com>")
        public = secret.extract_certificate()
        revocation = public.revoke(secret.certifier())
        packets = bytes(public) + bytes(revocation)
        merged = public.merge(pysequoia.Cert.from_bytes(_behind_primary(packets, bytes(revocation))))
        with pytest.raises(GpgKeyInvalid, match="revoked"):
            read_public_key(str(merged))

    def test_refuses_short_rsa(self) -> None:
        with a_gpg() as gpg, pytest.raises(GpgKeyInvalid, match="2048 bits"):
            read_public_key(gpg.public(gpg.make_key("rsa1024")))

    def test_refuses_a_key_that_can_only_certify(self) -> None:
        with a_gpg() as gpg:
            gpg.run("--quick-gen-key", "c <c@example.com>", "ed25519", "cert", "never")
            listed = gpg.run("--with-colons", "--list-keys").decode()
            [fingerprint] = [line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:")]
            with pytest.raises(GpgKeyInvalid, match="can't sign"):
                read_public_key(gpg.public(fingerprint))


def _behind_primary(packets: bytes, revocation: bytes) -> bytes:
    # A key's own revocation stands right behind the primary key's packet.
    primary = next(iter(pysequoia.packet.PacketPile.from_bytes(packets)))
    return bytes(primary) + revocation + packets[len(bytes(primary)) : -len(revocation)]
