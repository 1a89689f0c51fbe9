"""Names in addresses: plain, and no two that the eye mistakes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import PlatformError
from domain.registry.errors import NameInvalid, NamespaceReserved, PlatformUnknown
from domain.registry.names import ModuleAddress, Platform, ProviderAddress, check_namespace, skeleton

BAD = [
    "",
    ".",
    "..",
    "a/b",
    "a\\b",
    "%2e%2e%2f",
    "%00",
    "a\0b",
    "a\n",
    " a",
    "-a",
    "a-",
    "Acme",
    "a.b",
    "a" * 65,
    "\u0430cme",  # Cyrillic
    "\uff41cme",  # full width
    "a\u202ecme",  # turns the direction
    "\u00e4",
]


class TestNamespace:
    @pytest.mark.parametrize("name", ["acme", "a", "0", "team-7", "a" * 64])
    def test_takes_plain_names(self, name: str) -> None:
        assert check_namespace(name) == name

    @pytest.mark.parametrize("name", [*BAD, "a_b", "a--b", "xn--acme"])
    def test_refuses_all_else(self, name: str) -> None:
        with pytest.raises(NameInvalid):
            check_namespace(name)

    @pytest.mark.parametrize("name", ["hashicorp", "hashic0rp", "hash-icorp", "terraforrn", "search", "builtln"])
    def test_refuses_reserved_names_and_what_looks_like_them(self, name: str) -> None:
        with pytest.raises(NamespaceReserved):
            check_namespace(name)

    @given(st.text(max_size=10))
    def test_what_it_takes_is_a_path_segment_on_every_system(self, name: str) -> None:
        try:
            taken = check_namespace(name)
        except PlatformError:
            return
        assert taken.isascii()
        assert taken == taken.lower()
        assert set(taken) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


class TestSkeleton:
    @pytest.mark.parametrize(
        ("one", "other"), [("acme", "ac-me"), ("foo", "f0o"), ("bill", "b1l1"), ("moon", "rnoon")]
    )
    def test_is_one_for_names_that_look_alike(self, one: str, other: str) -> None:
        assert skeleton(one) == skeleton(other)

    def test_differs_for_names_that_do_not(self) -> None:
        assert len({skeleton(name) for name in ("acme", "acne", "acmes", "team-a", "team-b")}) == 5


class TestAddresses:
    def test_module_names_may_have_underscores(self) -> None:
        assert str(ModuleAddress("acme", "vpc_core-2", "aws").checked()) == "acme/vpc_core-2/aws"

    @pytest.mark.parametrize("bad", BAD)
    def test_each_part_of_a_modules_address_is_checked(self, bad: str) -> None:
        for address in (
            ModuleAddress(bad, "vpc", "aws"),
            ModuleAddress("acme", bad, "aws"),
            ModuleAddress("acme", "vpc", bad),
        ):
            with pytest.raises(NameInvalid):
                address.checked()

    @pytest.mark.parametrize("bad", [*BAD, "a_b", "a--b"])
    def test_each_part_of_a_providers_address_is_checked(self, bad: str) -> None:
        for address in (ProviderAddress(bad, "time"), ProviderAddress("acme", bad)):
            with pytest.raises(NameInvalid):
                address.checked()

    def test_a_type_with_the_executables_prefix_is_refused_with_the_right_one(self) -> None:
        with pytest.raises(NameInvalid, match="use time"):
            ProviderAddress("acme", "terraform-provider-time").checked()

    @pytest.mark.parametrize(
        ("os", "arch"), [("linux", "amd64"), ("darwin", "arm64"), ("windows", "386"), ("freebsd", "arm")]
    )
    def test_platforms_are_those_of_go(self, os: str, arch: str) -> None:
        assert str(Platform(os, arch).checked()) == f"{os}_{arch}"

    @pytest.mark.parametrize("bad", [*BAD, "linux_x", "linux-x", "x86"])
    def test_no_other_platform_would_ever_be_asked_for(self, bad: str) -> None:
        for platform in (Platform(bad, "amd64"), Platform("linux", bad)):
            with pytest.raises(PlatformUnknown):
                platform.checked()

    @pytest.mark.parametrize(
        ("os", "arch", "said"),
        [
            ("macos", "arm64", "'macos' is no operating system by Go's names; write darwin"),
            ("Linux", "amd64", "write linux"),
            ("linux", "x86_64", "'x86_64' is no architecture by Go's names; write amd64"),
            ("linux", "aarch64", "write arm64"),
            ("linux", "z80", "write one of 386, amd64, arm,"),
            ("\x1b[2J", "amd64", "'\\\\x1b\\[2J' is no operating system"),
        ],
    )
    def test_a_platform_by_another_name_is_refused_with_gos(self, os: str, arch: str, said: str) -> None:
        with pytest.raises(PlatformUnknown, match=said):
            Platform(os, arch).checked()
