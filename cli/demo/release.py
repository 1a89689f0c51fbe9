"""A provider release as goreleaser would leave it, made of an executable and signed by a key made here."""

import hashlib
import json
import platform
import zipfile
from pathlib import Path
from typing import Final

import pysequoia

MANIFEST: Final = {"version": 1, "metadata": {"protocol_versions": ["5.0"]}}
ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
EXECUTABLE: Final = 0o100755
QUICK: Final = 1


class ReleaseKey:
    """A key pair that signs releases; its secret part is in this process alone."""

    def __init__(self, user_id: str) -> None:
        """Make the key."""
        self._key = pysequoia.Tsk.generate(user_id)
        self.public = str(self._key.extract_certificate())
        """The public part, armored."""

    def sign(self, content: bytes) -> bytes:
        """Make a detached signature."""
        return pysequoia.sign(self._key.signer(), content, mode=pysequoia.SignatureMode.DETACHED, armor=False)


def own_platform() -> str:
    """Name the platform of this machine as Go does."""
    machine = platform.machine().lower()
    return f"{platform.system().lower()}_{ARCHITECTURES.get(machine, machine)}"


def make_dist(directory: Path, executable: Path, version: str, key: ReleaseKey) -> Path:
    """Write a `dist` folder with the release of a provider that was built for this machine; give the folder."""
    directory.mkdir()
    stem = f"{executable.name.rpartition('-')[0]}_{version}"
    package = directory / f"{stem}_{own_platform()}.zip"
    member = zipfile.ZipInfo(f"{executable.name.rpartition('-')[0]}_v{version}")
    member.external_attr = EXECUTABLE << 16
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr(member, executable.read_bytes(), zipfile.ZIP_DEFLATED, QUICK)
    manifest = directory / f"{stem}_manifest.json"
    manifest.write_text(json.dumps(MANIFEST))
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in (package, manifest)]
    checksums = directory / f"{stem}_SHA256SUMS"
    checksums.write_text("".join(lines))
    sign_dist(directory, key)
    return directory


def sign_dist(directory: Path, key: ReleaseKey) -> None:
    """Sign a release with a key; a signature that was there is replaced."""
    [checksums] = directory.glob("*_SHA256SUMS")
    checksums.with_name(f"{checksums.name}.sig").write_bytes(key.sign(checksums.read_bytes()))
