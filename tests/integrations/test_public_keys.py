"""Public keys that people add: what is taken, and what to send instead of the rest."""

from datetime import UTC, datetime

import pysequoia
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.registry.errors import GpgKeyInvalid
from integrations.public_keys import read_public_key
from tests.fixtures.signing import Signer, a_gpg


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer()


class TestReadPublicKey:
    def test_gives_the_full_fingerprint_and_the_protocols_short_one(self, signer: Signer) -> None:
        key = read_public_key(signer.public)
        assert len(key.fingerprint) == 40
        assert key.key_id == key.fingerprint[-16:].upper()
        assert key.user_ids == ["Releases <releases@example.com>"]

    def test_ends_when_its_last_signing_key_does(self) -> None:
        with a_gpg() as gpg:
            now = "20240101T000000"
            gpg.run("--quick-gen-key", "c <c@example.com>", "ed25519", "cert", "2028-01-01", at=now)
            [primary] = gpg.fingerprints()
            gpg.run("--quick-add-key", primary, "ed25519", "sign", "2025-01-01", at=now)
            gpg.run("--quick-add-key", primary, "ed25519", "sign", "2026-01-01", at=now)
            assert read_public_key(gpg.public(primary)).expires_at == datetime(2026, 1, 1, 12, tzinfo=UTC)
            _, first, _ = gpg.fingerprints()
            gpg.run("--quick-set-expire", primary, "2027-01-01", first, at="20240102T000000")
            assert read_public_key(gpg.public(primary)).expires_at == datetime(2027, 1, 1, 12, tzinfo=UTC)
            gpg.run("--quick-set-expire", primary, "2024-06-01", at="20240102T000000")
            assert read_public_key(gpg.public(primary)).expires_at == datetime(2024, 6, 1, 12, tzinfo=UTC)
            gpg.run("--quick-set-expire", primary, "0", at="20240103T000000")
            gpg.run("--quick-add-key", primary, "ed25519", "sign", "0", at="20240103T000000")
            assert read_public_key(gpg.public(primary)).expires_at is None

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

    @pytest.mark.parametrize(
        "how",
        [
            ("brainpoolP256r1",),
            ("secp256k1",),
            ("rsa2048", "--cert-digest-algo", "SHA1", "--allow-weak-digest-algos"),
        ],
        ids=lambda how: how[0],
    )
    def test_refuses_a_key_whose_word_on_itself_nobody_can_verify(self, how: tuple[str, ...]) -> None:
        algorithm, *options = how
        with a_gpg() as gpg:
            gpg.run(*options, "--quick-gen-key", "r <r@example.com>", algorithm, "sign", "never")
            with pytest.raises(GpgKeyInvalid, match="over itself can be verified"):
                read_public_key(gpg.public(gpg.fingerprints()[0]))

    @pytest.mark.parametrize("character", ["\0", "\n", "\x1b", "\u202e"])
    def test_refuses_a_key_that_names_somebody_unshowable(self, character: str) -> None:
        with pytest.raises(GpgKeyInvalid, match="can't be shown"):
            read_public_key(Signer(f"a{character}b <a@example.com>").public)

    @given(at=st.integers(0, 2_000), value=st.integers(0, 255))
    def test_takes_or_refuses_whatever_a_changed_byte_makes_of_a_key(
        self, signer: Signer, at: int, value: int
    ) -> None:
        packets = bytearray(bytes(pysequoia.Cert.from_bytes(signer.public.encode())))
        packets[at % len(packets)] = value
        try:
            read_public_key(pysequoia.armor(bytes(packets), pysequoia.ArmorKind.PublicKey))
        except GpgKeyInvalid:
            return

    def test_refuses_a_key_that_can_only_certify(self) -> None:
        with a_gpg() as gpg:
            gpg.run("--quick-gen-key", "c <c@example.com>", "ed25519", "cert", "never")
            [fingerprint] = gpg.fingerprints()
            with pytest.raises(GpgKeyInvalid, match="can't sign"):
                read_public_key(gpg.public(fingerprint))


def _behind_primary(packets: bytes, revocation: bytes) -> bytes:
    # A key's own revocation stands right behind the primary key's packet.
    primary = next(iter(pysequoia.packet.PacketPile.from_bytes(packets)))
    return bytes(primary) + revocation + packets[len(bytes(primary)) : -len(revocation)]
