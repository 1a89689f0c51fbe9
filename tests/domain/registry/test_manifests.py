"""Manifests of releases: which plugin protocols the provider speaks, with nothing that is read in two ways."""

import pytest

from domain.registry.errors import ManifestInvalid
from domain.registry.providers import read_manifest


class TestReadManifest:
    def test_gives_the_protocols(self) -> None:
        content = b'{"version": 1, "metadata": {"protocol_versions": ["5.0", "6.10"]}, "more": {}}'
        assert read_manifest(content) == ["5.0", "6.10"]

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"[]",
            b"\xff",
            b"{}",
            b'{"version": 2, "metadata": {"protocol_versions": ["5.0"]}}',
            b'{"version": "1", "metadata": {"protocol_versions": ["5.0"]}}',
            b'{"version": true, "metadata": {"protocol_versions": ["5.0"]}}',
            b'{"version": 1, "metadata": {"protocol_versions": "5.0"}}',
            b'{"version": 1, "metadata": {"protocol_versions": [5.0]}}',
            b'{"version": 1, "metadata": {"protocol_versions": []}}',
            b'{"version": 1, "metadata": {"protocol_versions": ["5.0\\n"]}}',
            b'{"version": 1, "metadata": {"protocol_versions": ["5.0"], "protocol_versions": ["6.0"]}}',
            b'{"version": 2, "version": 1, "metadata": {"protocol_versions": ["5.0"]}}',
            b'{"version": ' + b"1" * 5_000 + b', "metadata": {"protocol_versions": ["5.0"]}}',
            b"[" * 50_000,
            b'{"a":' * 10_000,
        ],
    )
    def test_refuses_every_other_form(self, content: bytes) -> None:
        with pytest.raises(ManifestInvalid, match="looks like"):
            read_manifest(content)
