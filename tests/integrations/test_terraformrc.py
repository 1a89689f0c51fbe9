"""The CLI configuration, as text; runner tests give it to the real CLIs."""

from pathlib import Path

from integrations.terraformrc import (
    Direct,
    FilesystemMirror,
    NetworkMirror,
    ProviderSource,
    RegistryHost,
    render_terraformrc,
)


class TestRenderTerraformrc:
    def test_names_the_services_and_the_key(self) -> None:
        registry = RegistryHost("registry.groundwork.test", "https://127.0.0.1:8443", "gwk_key")
        assert render_terraformrc(registry) == (
            'host "registry.groundwork.test" {\n'
            '  services = {"modules.v1" = "https://127.0.0.1:8443/v1/modules/", '
            '"providers.v1" = "https://127.0.0.1:8443/v1/providers/"}\n'
            "}\n"
            "\n"
            'credentials "registry.groundwork.test" {\n'
            '  token = "gwk_key"\n'
            "}\n"
        )

    def test_without_a_key_has_no_credentials(self) -> None:
        assert "credentials" not in render_terraformrc(RegistryHost("a.test", "https://a.test/"))

    def test_lists_provider_sources_in_order(self) -> None:
        sources: list[ProviderSource] = [
            FilesystemMirror(Path("/mirror"), include=("a.test/*/*",)),
            NetworkMirror("https://m.test/v1/mirror/"),
            Direct(exclude=("a.test/*/*",)),
        ]
        assert render_terraformrc(sources=sources) == (
            "provider_installation {\n"
            "  filesystem_mirror {\n"
            '    path = "/mirror"\n'
            '    include = ["a.test/*/*"]\n'
            "  }\n"
            "  network_mirror {\n"
            '    url = "https://m.test/v1/mirror/"\n'
            "  }\n"
            "  direct {\n"
            '    exclude = ["a.test/*/*"]\n'
            "  }\n"
            "}\n"
        )

    def test_values_can_not_leave_their_quotes(self) -> None:
        written = render_terraformrc(RegistryHost("a.test", "https://a.test/", 'x"\n}\n${y}'))
        assert '  token = "x\\"\\n}\\n$${y}"\n' in written

    def test_the_key_is_not_shown_by_repr(self) -> None:
        assert "gwk_key" not in repr(RegistryHost("a.test", "https://a.test/", "gwk_key"))
