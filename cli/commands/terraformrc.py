"""`groundwork terraformrc`: what the command line tools need to know of the registry."""

from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from cli.client.api import Api
from cli.client.errors import FileUnusable
from cli.client.file_errors import because
from cli.client.profile import current_profile
from cli.client.showing import PEOPLE, ClientOutput
from cli.errors import usage
from cli.private_files import write_private
from integrations.terraformrc import RegistryHost, render_terraformrc

MARK: Final = "# Written by `groundwork terraformrc --write`, which may replace it.\n"
DEFAULT_FILE: Final = Path("~/.terraformrc")


def terraformrc(
    *,
    write: Annotated[bool, Parameter(negative="", help="Write ~/.terraformrc, for this user alone.")] = False,
    print_: Annotated[
        bool, Parameter(name="--print", negative="", help="Print it, key included; the default.")
    ] = False,
    file: Annotated[Path | None, Parameter(help="Write this file instead.")] = None,
    output: ClientOutput = PEOPLE,
) -> None:
    """Make the CLI configuration of terraform and tofu: where the registry answers, and your key for it.

    A file that was not written by this command is left alone.
    """
    if print_ and (write or file is not None):
        raise usage("--print, and --write or --file, can't be meant at once")
    profile = current_profile()
    with Api(profile) as api:
        hostname = api.get("/version")["registry_hostname"]
    registry = RegistryHost(hostname, profile.url, profile.key.get_secret_value())
    content = MARK + render_terraformrc(registry)
    advice = (
        f"terraform and tofu trust the server with SSL_CERT_FILE={profile.ca} in their environment"
        if profile.ca is not None
        else ""
    )
    if not write and file is None:
        output.result({"hostname": hostname, "content": content}, content.rstrip("\n"))
    else:
        target = (file or DEFAULT_FILE).expanduser()
        _write(target, content)
        output.noun({"hostname": hostname, "file": str(target)}, f"wrote {target}", id_field="file")
        if file is not None:
            output.progress(f"the tools read it with TF_CLI_CONFIG_FILE={target} in their environment")
    if advice:
        output.progress(advice)


def _write(target: Path, content: str) -> None:
    try:
        if target.exists() and not target.read_bytes().startswith(MARK.encode()):
            raise FileUnusable(
                f"{target} holds other settings: add what `groundwork terraformrc` prints to it, "
                "or choose another file with --file"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        write_private(target, content.encode())
    except OSError as error:
        raise FileUnusable(f"{target} can't be written {because(error)}") from error
