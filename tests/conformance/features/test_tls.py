"""A PostgreSQL server with TLS, whose certificate is valid, expired, or for another host."""

import random
import subprocess
from collections.abc import Generator
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.kit.db.engine import build_engine
from app.kit.db.schema_state import revisions_of_the_code
from app.kit.db.settings import DatabaseSettings
from app.kit.db.waiting import DatabaseUnreachable, wait_for_database
from app.kit.errors import Unavailable
from app.kit.readiness import Readiness
from local_postgres.binaries import SYSTEM, find_binaries
from local_postgres.server import temp_dir, temporary
from local_postgres.supervisor import Cluster

# The port is fixed: an address of its own keeps the server from meeting others.
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


def newest_of_the_system() -> Path | None:
    found = [bindir for pattern in SYSTEM for bindir in Path("/").glob(pattern)]
    return max(found, key=lambda bindir: bindir.parent.name, default=None)


BINARIES = newest_of_the_system()
pytestmark = pytest.mark.skipif(BINARIES is None, reason="The wheel's PostgreSQL has no TLS.")


@pytest.fixture(scope="module")
def server() -> Generator[URL]:
    """A server without a certificate yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PG_BINDIR", str(BINARIES))
        binaries = find_binaries()
    listening = (f"listen_addresses={HOST}",)
    with temporary(Cluster(temp_dir(), *binaries, settings=listening)) as url:
        yield url


def create_certificate(place: Path, name: str, begin: str, end: str) -> Path:
    """Write a self-signed certificate for a name, with its key beside it."""
    (place / "index.txt").touch()
    (place / "authority.cnf").write_text(AUTHORITY.format(name=name))
    path = place / "server.crt"
    openssl(
        place,
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=db"
        " -keyout server.key -out server.csr",
    )
    openssl(
        place,
        "ca -batch -selfsign -notext -config authority.cnf -keyfile server.key -in server.csr"
        f" -out server.crt -startdate {begin}0101000000Z -enddate {end}0101000000Z",
    )
    return path


def openssl(place: Path, command: str) -> None:
    subprocess.run(["openssl", *command.split()], check=True, capture_output=True, cwd=place)


async def present(server: URL, certificate: Path) -> None:
    """Have the server present a certificate from now on."""
    engine = create_async_engine(server, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        for file in (certificate, certificate.with_suffix(".key")):
            # Written by the server, the file is its own, and closed to others.
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


async def test_valid_certificate(server: URL, tmp_path: Path) -> None:
    certificate = create_certificate(tmp_path, f"IP:{HOST}", "2020", "2049")
    await present(server, certificate)
    for mode in ("require", "verify-ca", "verify-full"):
        assert await uses_tls(settings(server, certificate, mode))


@pytest.mark.parametrize(
    ("name", "begin", "end", "modes", "reason"),
    [
        (HOST, "2020", "2021", "require verify-ca verify-full", "has expired: renew it"),
        (HOST, "2048", "2049", "verify-ca verify-full", "is not valid yet: check the clocks"),
        ("127.0.0.1", "2020", "2049", "verify-full", f"is for another host .*{HOST}.*verify-ca"),
    ],
    # The workers of pytest-xdist have to agree on the names.
    ids=["expired", "not-yet-valid", "another-host"],
)
async def test_certificate_that_does_not_fit_is_reported_in_a_sentence(
    server: URL, tmp_path: Path, name: str, begin: str, end: str, modes: str, reason: str
) -> None:
    certificate = create_certificate(tmp_path, f"IP:{name}", begin, end)
    await present(server, certificate)
    for mode in modes.split():
        given = settings(server, certificate, mode)
        message = rf"{HOST}:5432 cannot be reached: its TLS certificate {reason}[^\n]*\.$"
        with pytest.raises(DatabaseUnreachable, match=message):
            await wait_for_database(given)
        readiness = Readiness(given, "test", revisions_of_the_code())
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
    await present(server, one)
    with pytest.raises(
        DatabaseUnreachable, match=r"is not trusted \(self-signed certificate\): see"
    ):
        await wait_for_database(settings(server, other, "verify-full"))
