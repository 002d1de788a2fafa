"""Run the issuer in a thread of this process."""

from collections.abc import Generator
from contextlib import contextmanager
from threading import Thread

from oidc_issuer.http import IssuerServer
from oidc_issuer.issuer import Issuer


@contextmanager
def running(audience: str, *, port: int = 0) -> Generator[Issuer]:
    """Serve an issuer on the loopback interface while the block runs. Port 0 is any free port.

    Raises OSError if the port is in use.
    """
    with IssuerServer(audience, port) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.issuer
        finally:
            server.shutdown()
            thread.join()
