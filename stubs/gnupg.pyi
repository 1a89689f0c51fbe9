# What integrations.signatures and the tests use of python-gnupg, which has no types.
from collections.abc import Sequence

class ImportResult:
    fingerprints: list[str]

class Verify:
    stderr: str
    valid: bool

class GPG:
    encoding: str
    version: tuple[int, ...]
    def __init__(
        self, gpgbinary: str = ..., gnupghome: str | None = ..., *, options: Sequence[str] | None = ...
    ) -> None: ...
    def import_keys(self, key_data: str) -> ImportResult: ...
    def verify_data(self, sig_filename: str, data: bytes) -> Verify: ...
