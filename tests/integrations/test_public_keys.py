"""Public keys that people add: what is taken, and what to send instead of the rest."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pysequoia
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pysequoia.packet import PacketPile

from domain.registry.errors import GpgKeyInvalid
from integrations.public_keys import LARGEST_PACKET, MOST_PACKETS, merge_public_keys, read_public_key
from integrations.signatures import SignatureVerifier
from tests.fixtures.packets import a_bomb, flooded, packet
from tests.fixtures.signing import Gpg, Signer, a_gpg

USER_ID = 13


@pytest.fixture(scope="module")
def signer() -> Signer:
    return Signer()


@pytest.fixture(scope="module")
def gpg() -> Iterator[Gpg]:
    with a_gpg() as gpg:
        yield gpg


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

    @pytest.mark.parametrize("algorithm", ["rsa2048", "nistp256", "nistp384", "nistp521", "ed25519"])
    def test_takes_what_both_tools_read(self, gpg: Gpg, algorithm: str) -> None:
        assert read_public_key(gpg.public(gpg.make_key(algorithm))).expires_at is None

    @pytest.mark.parametrize(
        ("algorithm", "said"),
        [
            ("rsa1024", "2048 to 4096 bits"),
            ("dsa2048", "not RSA, ECDSA or EdDSA"),
            ("brainpoolP256r1", "curve is not"),
            ("secp256k1", "curve is not"),
        ],
    )
    def test_refuses_weak_and_unusual_algorithms(self, gpg: Gpg, algorithm: str, said: str) -> None:
        with pytest.raises(GpgKeyInvalid, match=said):
            read_public_key(gpg.public(gpg.make_key(algorithm)))

    def test_says_how_to_sign_a_key_anew_that_vouches_for_itself_by_sha1(self, gpg: Gpg) -> None:
        options = ("--cert-digest-algo", "SHA1", "--yes", "--quick-gen-key")
        gpg.run(*options, "Old <old@example.com>", "rsa2048", "sign", at="20190101T000000")
        key = gpg.fingerprints()[-1]
        with pytest.raises(GpgKeyInvalid, match="--cert-digest-algo SHA512 --quick-set-expire FINGERPRINT 2y"):
            read_public_key(gpg.public(key))
        gpg.run("--cert-digest-algo", "SHA512", "--quick-set-expire", key, "2y")
        assert read_public_key(gpg.public(key)).user_ids == ["Old <old@example.com>"]

    def test_shows_user_ids_without_what_a_terminal_would_obey(self) -> None:
        key = read_public_key(Signer("a\0\x1b[31m\n\u202eé <a@example.com>").public)
        assert key.user_ids == [r"a\x00\x1b[31m\n\u202eé <a@example.com>"]
        assert "Comment" not in key.ascii_armor

    def test_takes_a_hundred_packets_and_no_more(self, signer: Signer) -> None:
        free = MOST_PACKETS - len(PacketPile.from_bytes(signer.public.encode()))
        assert read_public_key(flooded(signer.public, free)).user_ids
        with pytest.raises(GpgKeyInvalid, match=r"at most 100 user ids.*export-minimal"):
            read_public_key(flooded(signer.public, free + 1))

    def test_refuses_a_packet_that_is_too_large(self, signer: Signer) -> None:
        with pytest.raises(GpgKeyInvalid, match="at most 2048 bytes"):
            read_public_key(flooded(signer.public, 0, packet(USER_ID, b"x" * (LARGEST_PACKET + 1))))

    def test_refuses_what_is_no_part_of_a_key_and_unpacks_nothing(
        self, signer: Signer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        armored = flooded(signer.public, 0, a_bomb())
        monkeypatch.setattr("integrations.public_keys.pysequoia", None)
        monkeypatch.setattr("integrations.public_keys.PacketPile", None)
        with pytest.raises(GpgKeyInvalid, match="not only a public key"):
            read_public_key(armored)

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


class TestMergePublicKeys:
    def test_an_export_of_one_subkey_drops_no_other(self) -> None:
        with a_gpg() as gpg:
            gpg.run("--quick-gen-key", "c <c@example.com>", "ed25519", "cert", "never")
            [primary] = gpg.fingerprints()
            gpg.run("--quick-add-key", primary, "ed25519", "sign", "2y")
            gpg.run("--quick-add-key", primary, "ed25519", "sign", "1y")
            _, first, second = gpg.fingerprints()
            signature = gpg.sign(b"", "--local-user", f"{first}!")
            both = read_public_key(gpg.public(primary))
            alone = read_public_key(gpg.public(f"{second}!"))
        assert alone.subkeys == {second.lower()}
        merged = merge_public_keys(both.ascii_armor, alone)
        assert merged.subkeys == {first.lower(), second.lower()}
        assert merged.expires_at == both.expires_at
        SignatureVerifier().verify(b"", signature, [merged])

    def test_a_prolonged_key_vouches_for_what_it_signed_before(self) -> None:
        with a_gpg() as gpg:
            key = gpg.make_key("ed25519", "1y", at="20260101T000000")
            old = read_public_key(gpg.public(key))
            signature = gpg.sign(b"", at="20260201T000000")
            gpg.run("--quick-set-expire", key, "5y", at="20260301T000000")
            new = read_public_key(gpg.public(key))
        for known, added in ((old, new), (new, old)):
            merged = merge_public_keys(known.ascii_armor, added)
            assert merged.expires_at == new.expires_at
            SignatureVerifier().verify(b"", signature, [merged])

    def test_refuses_more_than_one_key_may_have(self, signer: Signer) -> None:
        known = read_public_key(flooded(signer.public, MOST_PACKETS // 2)).ascii_armor
        others = [packet(USER_ID, b"another %d" % number) for number in range(MOST_PACKETS // 2)]
        with pytest.raises(GpgKeyInvalid, match=r"with what is kept of it here.*make a new key"):
            merge_public_keys(known, read_public_key(flooded(signer.public, 0, *others)))

    def test_replaces_what_would_no_longer_be_taken(self, signer: Signer) -> None:
        new = read_public_key(signer.public)
        assert merge_public_keys(flooded(signer.public, MOST_PACKETS), new) == new


def _behind_primary(packets: bytes, revocation: bytes) -> bytes:
    # A key's own revocation stands right behind the primary key's packet.
    primary = next(iter(pysequoia.packet.PacketPile.from_bytes(packets)))
    return bytes(primary) + revocation + packets[len(bytes(primary)) : -len(revocation)]
