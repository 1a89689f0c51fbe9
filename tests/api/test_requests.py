"""What a request says of itself."""

import pytest

from api.requests import is_known

ETAG = b'"abc"'


class TestIsKnown:
    @pytest.mark.parametrize(
        "asked", [ETAG, b"*", b" * ", b'W/"abc"', b'"x", "abc"', b'"x","abc" , "y"', b'"x, y", W/"abc"']
    )
    def test_by_its_name_however_that_is_written(self, asked: bytes) -> None:
        assert is_known(asked, ETAG)

    @pytest.mark.parametrize(
        "asked", [b"", b'"x"', b"abc", b'"abc', b'"xabc"', b'"x", "*"', b'"ab" "c"', b"W/", b'"' * 60_001]
    )
    def test_is_not_what_has_another_name(self, asked: bytes) -> None:
        assert not is_known(asked, ETAG)
