# ruff: noqa: INP001  a script, copied into the image by itself
"""The health of this container is the exit status: of the API, whether it is ready; of a worker, whether it lives.

healthcheck.py          asks the API
healthcheck.py FILE     looks at the file that `groundwork worker --alive-file FILE` touches
"""

import http.client
import os
import ssl
import sys
import time
from pathlib import Path

TIMEOUT_SECONDS = 4
ALIVE_SECONDS = 30
"""Three times what passes between two touches."""


def ready() -> bool:
    """Tell whether /readyz answers 200 on the loopback, with TLS where the API has a certificate."""
    port = int(os.environ.get("GROUNDWORK_API__PORT", "8080"))
    if "GROUNDWORK_API__TLS_CERTIFICATE" in os.environ:
        # The certificate is for the registry's name. Whether it answers is asked here, not who does.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=TIMEOUT_SECONDS, context=context
        )
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def alive(file: Path) -> bool:
    """Tell whether the file was touched a short while ago."""
    return file.exists() and time.time() - file.stat().st_mtime < ALIVE_SECONDS


sys.exit(0 if (alive(Path(sys.argv[1])) if len(sys.argv) > 1 else ready()) else 1)
