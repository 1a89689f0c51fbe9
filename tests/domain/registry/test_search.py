"""Words that modules are searched by."""

from domain.registry.search import LONGEST_WORD, ModuleSearch, words_in


class TestWords:
    def test_are_runs_of_letters_and_digits_in_small_letters(self) -> None:
        assert words_in("web-server_v2", "For AWS; caf\u00e9s.") == {
            "web",
            "server",
            "v2",
            "for",
            "aws",
            "caf\u00e9s",
        }

    def test_are_cut_so_that_an_index_can_hold_them(self) -> None:
        assert words_in("a" * 1_000) == {"a" * LONGEST_WORD}


class TestModuleSearch:
    def test_for_signs_alone_finds_nothing_and_for_nothing_everything(self) -> None:
        assert [ModuleSearch(q=q).finds_nothing for q in ("%", " _ ", "", "  ", "% a")] == [
            True,
            True,
            False,
            False,
            False,
        ]
