"""What a new migration has to say of CHECKs."""

from tools.definitions import what_to_write

OLD = "CHECK ((state = 'old'::text))"


class TestWhatToWrite:
    def test_a_rule_that_the_models_changed_is_replaced(self) -> None:
        [line] = what_to_write(
            {("permit", "ck_permit_capacity"): OLD}, {("permit", "ck_permit_capacity"): "CHECK (x)"}
        )
        assert line == 'replace_check("permit", "ck_permit_capacity", "capacity > 0")'

    def test_a_rule_that_came_to_a_table_is_added(self) -> None:
        before = {("permit", "pk_permit"): "PRIMARY KEY (id)"}
        [line] = what_to_write(before, before | {("permit", "ck_permit_capacity"): "CHECK (x)"})
        assert line.startswith('replace_check("permit", "ck_permit_capacity"')

    def test_a_rule_that_the_models_lack_is_dropped(self) -> None:
        assert what_to_write({("permit", "ck_permit_state"): OLD}, {}) == [
            'op.drop_constraint("ck_permit_state", "permit")'
        ]

    def test_what_alembic_sees_by_itself_is_not_named(self) -> None:
        of_models = {("permit", "ck_permit_capacity"): OLD, ("permit", "pk_permit"): "PRIMARY KEY (id)"}
        assert what_to_write({}, of_models) == []
        assert what_to_write({("permit", "pk_permit"): "PRIMARY KEY (a)"}, {("permit", "pk_permit"): "b"}) == []
