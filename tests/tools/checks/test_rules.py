"""Each house rule finds what breaks it, says where, and lets everything else be."""

from pathlib import Path

import pytest

from tests.tools.checks.trees import plant
from tools.checks import addresses, changes, migrations, module_size, packaging, stubs, transactions


class TestModuleSize:
    def test_a_module_of_501_lines_is_too_long_and_one_of_500_is_not(self, tmp_path: Path) -> None:
        files = plant(tmp_path, {"api/long.py": "x = 1\n" * 501, "api/fits.py": "x = 1\n" * 500})
        assert [str(problem.path) for problem in module_size.find(tmp_path, files)] == ["api/long.py"]

    def test_what_is_generated_or_no_code_may_be_longer(self, tmp_path: Path) -> None:
        files = plant(tmp_path, {"web/schema.gen.ts": "x\n" * 501, "docs/openapi.json": "x\n" * 501})
        assert list(module_size.find(tmp_path, files)) == []


class TestChanges:
    BLOCK = """
async def rename(self, scope):
    async with {} as session:
        if row.name != name:
            audit.record(session, scope, "{}", ("module", row.id))
"""

    @pytest.mark.parametrize(
        ("door", "event", "lines"),
        [
            ("self._database.transaction(scope)", "registry.module_renamed", [5]),
            ("changing(self._database, self._changes, scope)", "registry.module_renamed", []),
            ("self._database.transaction(scope)", "registry.namespace_claimed", []),
        ],
    )
    def test_what_is_recorded_in_a_transaction_of_which_nobody_hears_is_found(
        self, tmp_path: Path, door: str, event: str, lines: list[int]
    ) -> None:
        planted = plant(tmp_path, {"services/registry/modules.py": self.BLOCK.format(door, event)})
        assert [problem.line for problem in changes.find(tmp_path, planted)] == lines

    @pytest.mark.parametrize(
        ("statement", "lines"),
        [
            ("row.name = name", [4]),
            ("session.add(row)", [4]),
            ("await session.delete(row)", [4]),
            ("row = await modules.get_locked(session, organization_id, address)", [4]),
            ("row = await modules.get(session, organization_id, address)", []),
        ],
    )
    def test_what_changes_a_row_in_one_and_records_nothing_is_found(
        self, tmp_path: Path, statement: str, lines: list[int]
    ) -> None:
        block = f"""
async def rename(self, scope):
    async with self._database.transaction(scope) as session:
        {statement}
"""
        planted = plant(tmp_path, {"services/registry/modules.py": block})
        assert [problem.line for problem in changes.find(tmp_path, planted)] == lines


class TestMigrations:
    @pytest.mark.parametrize(
        "upgrade",
        [
            "op.create_index('ix', 'thing', ['a'])",
            "op.create_check_constraint('ck', 'thing', 'a > 0')",
            "op.create_foreign_key('fk', 'thing', 'other', ['a'], ['b'])",
            "op.alter_column('thing', 'a', nullable=False)",
            "op.drop_column('thing', 'a')",
            "op.add_column('thing', sa.Column('a', sa.String(), nullable=False))",
            "op.execute('UPDATE thing SET a = 1')",
            "op.execute(sa.update(sa.table('thing', a)).values(a=1))",
            "op.execute(delete(things))",
            "op.execute(postgresql.insert(things).from_select(['a'], rows))",
            "op.execute(things.delete())",
            "op.bulk_insert(things, [{'a': 1}])",
        ],
    )
    def test_what_the_release_before_would_not_live_with_is_found(self, tmp_path: Path, upgrade: str) -> None:
        planted = plant(
            tmp_path, {"storage/migrations/versions/0042_thing.py": f"def upgrade():\n    {upgrade}\n"}
        )
        assert [problem.line for problem in migrations.find(tmp_path, planted)] == [2]

    @pytest.mark.parametrize(
        "migration",
        [
            "def upgrade():\n    op.create_table('thing')\n    op.create_index('ix', 'thing', ['a'])\n",
            "def upgrade():\n    op.create_table('thing', sa.Column('a', sa.String(), nullable=False))\n",
            "def upgrade():\n    new = op.create_table('thing')\n    op.bulk_insert(new, [{'a': 1}])\n",
            "def upgrade():\n    op.add_column('thing', sa.Column('a', sa.String(), nullable=True))\n",
            "def upgrade():\n    op.add_column('thing', sa.Column('a', server_default='', nullable=False))\n",
            "def upgrade():\n    replace_check('thing', 'ck', 'a > 0')\n    op.execute('GRANT UPDATE ON thing')\n",
            "CONTRACTS = '1.2.0'\ndef upgrade():\n    op.drop_column('thing', 'a')\n",
            "def downgrade():\n    op.drop_table('thing')\n",
        ],
    )
    def test_what_adds_or_says_since_when_a_thing_is_unused_is_kept(self, tmp_path: Path, migration: str) -> None:
        planted = plant(tmp_path, {"storage/migrations/versions/0042_thing.py": migration})
        assert list(migrations.find(tmp_path, planted)) == []


class TestPackaging:
    PROJECT = '[tool.hatch.build.targets.wheel]\npackages = ["api", "domain"]\n'

    def found(self, root: Path, files: dict[str, str]) -> list[str]:
        planted = plant(root, {"pyproject.toml": self.PROJECT} | files)
        return [f"{problem.path}: {problem.text}" for problem in packaging.find(root, planted)]

    def test_a_package_that_the_wheel_lacks_is_found(self, tmp_path: Path) -> None:
        files = dict.fromkeys(("api/__init__.py", "domain/__init__.py", "services/__init__.py"), "")
        assert self.found(tmp_path, files) == [
            "pyproject.toml: services is a package, and the wheel lacks it: add it to the wheel's packages"
        ]

    def test_a_name_that_is_no_package_is_found(self, tmp_path: Path) -> None:
        assert self.found(tmp_path, {"api/__init__.py": ""}) == [
            "pyproject.toml: domain is among the wheel's packages, and no package: it has no __init__.py"
        ]

    def test_a_folder_of_modules_without_its_file_is_found(self, tmp_path: Path) -> None:
        files = dict.fromkeys(("api/__init__.py", "domain/__init__.py", "api/ipam/routes.py"), "")
        assert self.found(tmp_path, files) == [
            "api/ipam/__init__.py: is missing: a folder of modules is a package"
        ]

    def test_tests_and_tools_stay_out_of_the_wheel(self, tmp_path: Path) -> None:
        files = dict.fromkeys(("api/__init__.py", "domain/__init__.py", "tests/__init__.py"), "")
        assert self.found(tmp_path, files) == []


class TestStubs:
    @pytest.mark.parametrize(
        "line",
        [
            "# TODO: finish",
            "raise NotImplementedError",
            "@pytest.mark.skip",
            "@pytest.mark.xfail(strict=True)",
            "x = y  # type: ignore",
            "x = y  # noqa",
            "x = y  # noqa: E501",
            "x = y  # noqa: E501 one space is no reason",
        ],
    )
    def test_what_is_unfinished_or_excused_is_found(self, tmp_path: Path, line: str) -> None:
        (problem,) = stubs.find(tmp_path, plant(tmp_path, {"api/a.py": f"x = 1\n{line}\n"}))
        assert problem.line == 2

    @pytest.mark.parametrize(
        "line",
        [
            "x = y  # noqa: S105  the name of a header, no secret",
            "x = y  # noqa: S105, E501  reasons",
            "x = y  # type: ignore[arg-type]",
            "skipped = True",
        ],
    )
    def test_a_reason_is_enough(self, tmp_path: Path, line: str) -> None:
        assert list(stubs.find(tmp_path, plant(tmp_path, {"api/a.py": line}))) == []


class TestAddresses:
    @pytest.mark.parametrize(
        "text",
        [
            "https://pypi" + ".org/simple",
            "pip install --index" + "-url https://mirror.example/simple x",
            '"resolved": "' + 'https://mirror.example/x.tgz"',
            "see /" + "work/main/api",
            "cd /" + "root/.cache",
        ],
    )
    def test_what_holds_on_one_machine_is_found(self, tmp_path: Path, text: str) -> None:
        (problem,) = addresses.find(tmp_path, plant(tmp_path, {"requirements/main.txt": text}))
        assert problem.line == 1

    def test_addresses_of_registries_that_people_use_are_fine(self, tmp_path: Path) -> None:
        files = plant(
            tmp_path, {"docs/a.md": "registry.terraform.io, https://docs.python.org, ~/.cache/groundwork"}
        )
        assert list(addresses.find(tmp_path, files)) == []


class TestTransactions:
    SLOW = """
class SealedBlobs:
    def __init__(self, database: Database, blobs: BlobStore) -> None:
        self._blobs = blobs

class States:
    def __init__(self, sealed: SealedBlobs) -> None:
        self._sealed = sealed

@dataclass
class AllServices:
    states: States
"""
    BLOCK = """
class Work:
    def __init__(
        self, database: Database, store: BlobStore, sealed: SealedBlobs, states: States | None, hasher: KeyHasher,
        *, client: temporalio.client.Client, services: AllServices, changes: Changes,
    ) -> None:
        self._database, self._session = database, None
        self._store = store
        self._sealed = sealed
        self._states = states
        self._hasher = hasher
        self._started_by = client
        self._services = services
        self._changes = changes

    async def work(self, runners: "Runners", name: str) -> None:
        async with self._database.transaction(scope) as session:
            {}
"""

    def found(self, root: Path, call: str) -> list[str]:
        planted = plant(root, {"services/sealed.py": self.SLOW, "services/work.py": self.BLOCK.format(call)})
        return [str(problem.path) for problem in transactions.find(root, planted)]

    @pytest.mark.parametrize(
        "call",
        [
            "subprocess.run(['terraform'])",
            "await asyncio.create_subprocess_exec('terraform')",
            "await asyncio.sleep(1)",
            "await self._store.keep(received)",
            "await self._sealed.keep(scope, kind, thing, data)",
            "await self._states.keep(scope, data)",
            "token = await self._hasher.hash(token)",
            "await self._started_by.start_workflow('x')",
            "await self._services.states.keep(scope, data)",
            "await runners.run(job)",
            "x = [await self._sealed.read(value) for value in values]",
            "async with self._store.receive(data) as received: pass",
            "async with self._database.platform('reason') as other: pass",
            "async with changing(self._database, self._changes, scope) as other: pass",
        ],
    )
    def test_what_waits_for_others_is_found(self, tmp_path: Path, call: str) -> None:
        assert self.found(tmp_path, call) == ["services/work.py"]

    @pytest.mark.parametrize(
        "call",
        [
            "await session.execute(statement)",
            "row = await blobs.find(session, digest)",
            "audit.record(session, scope, 'a.done', target)",
            "self._changes.tell(scope.organization_id)",
            "row = await self._row(session, name)",
        ],
    )
    def test_queries_are_what_it_is_for(self, tmp_path: Path, call: str) -> None:
        assert self.found(tmp_path, call) == []

    def test_what_opens_one_by_another_name_is_looked_into(self, tmp_path: Path) -> None:
        call = "async with changing(self._database, self._changes, scope) as session: await self._store.keep(x)"
        assert self.found(tmp_path, f"pass\n        {call}") == ["services/work.py"]

    def test_before_and_after_is_the_place(self, tmp_path: Path) -> None:
        assert self.found(tmp_path, "pass\n        await self._store.keep(received)") == []
