"""The `groundwork` command: its subcommands, each imported only when it is used, and its exit codes.

0: done. 1: not done, for the reason on standard error. 2: the command line was wrong. As shells have it, 130 is
for Ctrl-C, and 141 for a pipe that nobody reads any more.
"""

import inspect
import sys
import traceback
from dataclasses import dataclass
from typing import Final, NoReturn

from cyclopts import App, CycloptsError, Group, MissingArgumentError, UnknownCommandError, UnusedCliTokensError

from cli.client.file_errors import because
from cli.output import complain, examples
from config.exit import end_process
from domain.errors import PlatformError

FAILED: Final = 1
USAGE: Final = 2
INTERRUPTED: Final = 130
NOBODY_READS: Final = 141

SERVERS: Final = Group("Servers", sort_key=1)
OPERATIONS: Final = Group("Operations", sort_key=2)
ACCOUNT: Final = Group("Account", sort_key=3)
REGISTRY: Final = Group("Registry", sort_key=4)
RUNS: Final = Group("Provisioning", sort_key=5)


@dataclass(frozen=True, slots=True)
class Command:
    """One subcommand: where it is, so that it is imported only when used, and what help says of it."""

    target: str
    group: Group
    summary: str
    examples: tuple[str, ...] = ()
    """Of a single command; the commands of a noun bring their own."""


COMMANDS: Final = (
    Command(
        "cli.servers.dev:dev",
        SERVERS,
        "Run everything on this machine, with its data in one folder.",
        ("groundwork dev", "groundwork dev --home ./var/try --detach", "groundwork dev --home ./var/try --stop"),
    ),
    Command(
        "cli.servers.api:api",
        SERVERS,
        "Serve the HTTP API.",
        ("GROUNDWORK_CONFIG_FILE=/etc/groundwork.toml groundwork api",),
    ),
    Command(
        "cli.servers.worker:worker",
        SERVERS,
        "Run workflows, their steps and the command line tools.",
        ("groundwork worker", "groundwork worker --queue terraform"),
    ),
    Command(
        "cli.servers.migrate:migrate",
        OPERATIONS,
        "Bring the database and Temporal to what this release needs.",
        ("groundwork migrate", "groundwork migrate --wait 300 --json"),
    ),
    Command(
        "cli.servers.bootstrap:bootstrap",
        OPERATIONS,
        "Make the first administrator and print the key, once.",
        (
            "groundwork bootstrap you@example.com > admin.key",
            "groundwork bootstrap you@example.com --again > admin.key",
        ),
    ),
    Command(
        "cli.servers.doctor:doctor",
        OPERATIONS,
        "Look at everything the servers need and say what to do.",
        ("groundwork doctor", "groundwork doctor --json"),
    ),
    Command("cli.servers.blobs:blobs", OPERATIONS, "Look whether all stored bytes are there and whole."),
    Command(
        "cli.servers.openapi:openapi",
        OPERATIONS,
        "Print the OpenAPI document.",
        ("groundwork openapi > openapi.json",),
    ),
    Command(
        "cli.servers.settings:settings",
        OPERATIONS,
        "Print the settings in use, or all there are.",
        ("groundwork settings", "groundwork settings --markdown"),
    ),
    Command(
        "cli.commands.login:login",
        ACCOUNT,
        "Store a server and an API key for the other commands.",
        (
            "groundwork login https://registry.example.com",
            "groundwork login https://127.0.0.1:8443 --ca tls/ca.pem < admin.key",
        ),
    ),
    Command(
        "cli.commands.keys:keys",
        ACCOUNT,
        "Make, list and revoke API keys.",
    ),
    Command(
        "cli.commands.namespaces:namespaces",
        REGISTRY,
        "Claim and list the registry's namespaces.",
    ),
    Command(
        "cli.commands.gpg_keys:gpg_keys",
        REGISTRY,
        "Keep the keys that provider releases are signed with.",
    ),
    Command("cli.commands.modules:modules", REGISTRY, "See the modules that are published."),
    Command("cli.commands.providers:providers", REGISTRY, "See the providers that are published."),
    Command("cli.commands.downloads:downloads", REGISTRY, "See who downloads what of the registry."),
    Command("cli.commands.deployments:deployments", RUNS, "See what runs have made, and its states."),
    Command("cli.commands.tiers:tiers", RUNS, "Define and list tiers: named sizes of a module."),
    Command("cli.commands.run:run", RUNS, "Submit runs, watch them and decide about them."),
    Command("cli.commands.publish:publish", REGISTRY, "Publish modules and providers."),
    Command(
        "cli.commands.terraformrc:terraformrc",
        REGISTRY,
        "Let terraform and tofu find the registry.",
        ("groundwork terraformrc --write", "groundwork terraformrc --write --file ./terraform.rc"),
    ),
    Command(
        "cli.demo.command:demo",
        SERVERS,
        "See the product do its main job, checked, and leave nothing behind.",
        ("groundwork demo", "groundwork demo --keep"),
    ),
)


def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415  18 ms that only --version needs

    return version("groundwork")


app = App(
    name="groundwork",
    help="Private Terraform registry and provisioning engine of a platform team.",
    help_format="plaintext",
    help_epilogue=examples("groundwork dev", "groundwork dev --help")
    + "\n\nExit status: 0 done, 1 not done, 2 wrong command line. NO_COLOR turns colours off.",
    version=_version,
)
for command in COMMANDS:
    app.command(
        command.target,
        name=command.target.partition(":")[2].replace("_", "-"),
        group=command.group,
        help=command.summary,
        # Of a function; a noun's App has its own.
        **({"help_epilogue": examples(*command.examples), "version_flags": []} if command.examples else {}),
    )


def _help_of(arguments: list[str]) -> str:
    words, _, _ = app.parse_commands(arguments)
    return " ".join(("groundwork", *words, "--help"))


def _in_words(error: CycloptsError) -> str:
    argument = error.argument
    match error:
        case UnknownCommandError(app=App() as of):
            known = ", ".join(name for name in of if not name.startswith("-"))
            return f"{str(error).partition(' Available commands:')[0]} There are: {known}."
        case UnusedCliTokensError():
            return f"{' '.join(error.unused_tokens or ())} is too much: the command takes nothing more."
        case MissingArgumentError() if argument is not None:
            is_there = error.keyword is not None
            name, fault = error.keyword or argument.name, "needs a value" if is_there else "is missing"
            return f"{name} {fault}: {argument.parameter.help}"
        case _:
            return str(error)


def _sentence(error: PlatformError | OSError | UnicodeEncodeError) -> str:
    if isinstance(error, PlatformError):
        return error.detail
    if isinstance(error, OSError):
        return str(error) if error.filename is None else f"{error.filename} can't be used {because(error)}"
    if error.encoding == "utf-8":  # what does not fit into it are bytes of a word that were no UTF-8
        return "a word of the command line, or a variable of the environment, is not UTF-8: write it again"
    return f"standard output takes only {error.encoding}: set LC_ALL=C.UTF-8, or take --json"


def main() -> NoReturn:
    """Run the command of this process's command line and end the process."""
    end_process(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run a command; return its exit code, with any error said in one line."""
    try:
        called, bound, _ = app.parse_args(arguments, exit_on_error=False, print_error=False)
        done = called(*bound.args, **bound.kwargs)
        if inspect.iscoroutine(done):
            import asyncio  # noqa: PLC0415  35 ms that help does not need

            done = asyncio.run(done)
    except CycloptsError as error:
        complain(f"{_in_words(error)} ({_help_of(arguments)} says more)")
        return USAGE
    except BrokenPipeError:
        return NOBODY_READS  # `head` goes once it has its lines
    except (PlatformError, OSError, UnicodeEncodeError) as error:
        complain(_sentence(error))
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception:
        traceback.print_exc()  # a defect, which somebody will want to see whole
        return FAILED
    return done if isinstance(done, int) else 0
