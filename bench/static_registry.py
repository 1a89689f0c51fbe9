"""nginx with TLS as a registry of fixed answers: the fastest that one could be, to measure ours against."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.children import serving
from bench.product import Product
from integrations.embedded.ports import free_port

CONFIGURATION: Final = """\
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    types {{ application/json json; application/gzip gz; }}
    default_type application/json;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        root {folder}/files;
        location ~ ^/v1/modules/bench/(?<module>[^/]+)/generic/1.0.0/download$ {{
            add_header X-Terraform-Get /archives/$module.tar.gz;
            return 200 '{{"location":"/archives/$module.tar.gz","use_registry_credentials":false}}';
        }}
    }}
}}
"""


@contextmanager
def static_registry(folder: Path, product: Product, archives: dict[str, bytes]) -> Iterator[str]:
    """Serve the archives by the module protocol; give the address.

    Raises:
        RuntimeError: there is no nginx, or it does not start.
    """
    nginx = shutil.which("nginx")
    if nginx is None:
        raise RuntimeError("nginx is missing, which this is measured against: apt-get install nginx")
    port = free_port()
    _write_files(folder / "files", archives)
    configuration = folder / "nginx.conf"
    configuration.write_text(
        CONFIGURATION.format(
            # As root it would drop to a user that can't enter this folder.
            user="user root;" if os.geteuid() == 0 else "",
            folder=folder,
            port=port,
            certificate=product.certificate,
            key=product.certificate_key,
        )
    )
    with serving([nginx, "-c", configuration, "-p", folder], port):
        yield f"https://127.0.0.1:{port}"


def _write_files(root: Path, archives: dict[str, bytes]) -> None:
    discovery = root / ".well-known" / "terraform.json"
    discovery.parent.mkdir(parents=True)
    discovery.write_text(json.dumps({"modules.v1": "/v1/modules/", "providers.v1": "/v1/providers/"}))
    (root / "archives").mkdir()
    for name, archive in archives.items():
        versions = root / "v1" / "modules" / "bench" / name / "generic" / "versions"
        versions.parent.mkdir(parents=True)
        versions.write_text(json.dumps({"modules": [{"versions": [{"version": "1.0.0"}]}]}))
        (root / "archives" / f"{name}.tar.gz").write_bytes(archive)
