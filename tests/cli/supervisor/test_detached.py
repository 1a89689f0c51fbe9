"""What a start in the background that failed tells."""

from cli.supervisor.detached import LINES_SHOWN, why


class TestWhy:
    def test_the_reason_comes_first_and_then_what_was_said_last(self) -> None:
        said = "groundwork | migrating the database\ngroundwork: there is no room\npostgresql | shut down\n"
        assert why(said) == "there is no room / groundwork | migrating the database / postgresql | shut down"

    def test_the_reason_is_told_although_much_was_said_after_it(self) -> None:
        said = "groundwork: there is no room\n" + "temporal | bye\n" * 2 * LINES_SHOWN
        assert why(said) == " / ".join(["there is no room", *["temporal | bye"] * LINES_SHOWN])

    def test_without_a_reason_the_last_lines_must_do(self) -> None:
        assert why("a\nb\n") == "a / b"
