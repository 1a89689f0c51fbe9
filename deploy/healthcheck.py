# ruff: noqa: INP001  a script, copied into the image by itself
"""Asks the API in this container whether it is ready; the exit status is the container's health."""

import http.client
import os
import ssl
import sys

TIMEOUT_SECONDS = 4


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


sys.exit(0 if ready() else 1)
