"""What OpenTofu says of a module, in the registry's words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue, ValidationError

from integrations.documents.description import in_hcl, read_description

NAMES = st.from_regex(r"[a-z]{1,5}", fullmatch=True)
TYPES = st.recursive(
    st.sampled_from(["string", "number", "bool", "dynamic"]),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["list", "set", "map"]), inner).map(list),
        st.lists(inner, max_size=3).map(lambda inners: ["tuple", inners]),
        st.dictionaries(NAMES, inner, max_size=3).flatmap(
            lambda fields: st.lists(st.sampled_from(sorted(fields) or [""]), unique=True).map(
                lambda optional: ["object", fields, optional]
            )
        ),
    ),
)


class TestInHcl:
    @pytest.mark.parametrize(
        ("type_", "written"),
        [
            ("string", "string"),
            ("dynamic", "any"),
            (["list", "number"], "list(number)"),
            (["tuple", ["string", "bool"]], "tuple([string, bool])"),
            (["object", {}], "object({})"),
            (
                ["map", ["object", {"a": "string", "b": "number"}, ["b"]]],
                "map(object({a = string, b = optional(number)}))",
            ),
            (["capsule", "unheard of"], "any"),
        ],
    )
    def test_is_what_people_write(self, type_: JsonValue, written: str) -> None:
        assert in_hcl(type_) == written

    @given(TYPES)
    def test_closes_every_bracket_that_it_opens(self, type_: JsonValue) -> None:
        written = in_hcl(type_)
        for opened, closed in ("()", "{}", "[]"):
            assert written.count(opened) == written.count(closed)

    def test_of_a_type_without_end_has_one(self) -> None:
        type_: JsonValue = "string"
        for _ in range(900):
            type_ = ["list", type_]
        assert len(in_hcl(type_)) < 1000


class TestReadDescription:
    def test_shows_no_default_that_may_be_a_secret(self) -> None:
        variables = {
            "open": {"type": "string", "default": "shown"},
            "secret": {"type": "string", "default": "canary", "sensitive": True},
            "passing": {"type": "string", "default": "canary", "ephemeral": True},
        }
        said = json.dumps({"root_module": {"variables": variables}}).encode()
        part = read_description(said, path="", readme="")
        assert {each.name: each.default for each in part.inputs} == {
            "open": '"shown"',
            "passing": None,
            "secret": None,
        }
        assert "canary" not in part.model_dump_json()

    def test_of_nothing_is_an_empty_part(self) -> None:
        assert read_description(b"{}", path="modules/inner", readme="words").empty
        full = read_description(b'{"root_module": {"outputs": {"id": {}}}}', path="", readme="")
        assert not full.empty

    @pytest.mark.parametrize("said", [b"", b"[]", b'{"root_module": {"resources": [{}]}}', b'{"root_module": 1}'])
    def test_of_another_form_is_refused(self, said: bytes) -> None:
        with pytest.raises(ValidationError):
            read_description(said, path="", readme="")
