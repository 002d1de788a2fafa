"""Database URLs in the forms of common providers: accepted, or rejected with the alternative."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError

from app.kit.db.connections.startup_checks import DatabaseUnreachable, wait_for_database
from app.kit.db.connections.url import parse_url
from app.kit.db.engine import build_engine, build_read_engine
from app.kit.db.settings import DatabaseSettings
from app.kit.errors.problems import Unavailable
from app.kit.migrations.runner import load_revisions
from app.kit.observability.health import Readiness
from tests.support.database import settings_for

_SSL_REQUEST_LENGTH = 8
_BASE = "postgresql://app:secret-word@db.example/app"


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def tls_server(url: URL, certificate: Path | None) -> AsyncGenerator[str]:
    """Serve the database over TCP, with TLS if there is a certificate; yield host and port."""
    socket = f"{url.query['host']}/.s.PGSQL.{url.port or 5432}"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(_SSL_REQUEST_LENGTH)
        if certificate is None:
            writer.write(b"N")
            await writer.drain()
            writer.close()
            return
        writer.write(b"S")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        try:
            await writer.start_tls(context)
            server_reader, server_writer = await asyncio.open_unix_connection(socket)
            await asyncio.gather(_forward(reader, server_writer), _forward(server_reader, writer))
        except OSError:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        host, port, *_ = server.sockets[0].getsockname()
        yield f"{host}:{port}"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key in the same folder."""
    return create_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def other_certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of another server."""
    return create_certificate(tmp_path_factory.mktemp("tls"))


def create_certificate(folder: Path) -> Path:
    path = folder / "server.crt"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    extra = ["-subj", "/CN=db", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(path.with_suffix(".key")), "-out", str(path)]
    subprocess.run([*command.split(), *files, *extra], check=True, capture_output=True)
    return path


def settings(url: str) -> DatabaseSettings:
    return DatabaseSettings(url=url, startup_timeout=0)


async def connects(url: str) -> bool:
    engine = build_engine(settings(url), "test")
    try:
        async with engine.connect() as connection:
            return await connection.scalar(text("SELECT true")) is True
    finally:
        await engine.dispose()


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_certificate_in_url_is_trusted(
    unpooled_url: URL, certificate: Path, mode: str
) -> None:
    async with tls_server(unpooled_url, certificate) as server:
        query = f"sslmode={mode}&sslrootcert={quote(str(certificate))}&channel_binding=prefer"
        url = f"postgresql://{unpooled_url.username}@{server}/{unpooled_url.database}?{query}"
        assert await connects(url)
        # Rendered as text and parsed again, as from a settings file.
        assert await connects(parse_url(url).render_as_string(hide_password=False))


async def test_untrusted_certificate_has_a_clear_error(
    unpooled_url: URL, certificate: Path, other_certificate: Path
) -> None:
    other = quote(str(other_certificate))
    async with tls_server(unpooled_url, certificate) as server:
        url = f"postgresql://app@{server}/app?sslmode=verify-full&sslrootcert={other}"
        with pytest.raises(DatabaseUnreachable, match="TLS certificate is not trusted"):
            await wait_for_database(settings(url))


async def test_server_without_tls_has_a_clear_error(unpooled_url: URL) -> None:
    async with tls_server(unpooled_url, None) as server:
        url = f"postgresql://app@{server}/app?sslmode=require"
        reason = "the server has no TLS, which sslmode requires"
        message = rf"{server} cannot be reached: {reason}\. Check DATABASE_URL\.$"
        with pytest.raises(DatabaseUnreachable, match=message):
            await wait_for_database(settings(url))
        readiness = Readiness(settings(url), "test", load_revisions())
        with pytest.raises(Unavailable, match=reason):
            await readiness.check()
        await readiness.close()


@pytest.mark.parametrize("form", ["percent-encoded host", "query"])
async def test_socket_path_in_the_url(unpooled_url: URL, form: str) -> None:
    directory, port = str(unpooled_url.query["host"]), unpooled_url.port or 5432
    user, name = unpooled_url.username, unpooled_url.database
    url = f"postgresql://{user}@{quote(directory, safe='')}:{port}/{name}"
    if form == "query":
        url = f"postgresql://{user}@:{port}/{name}?host={directory}"
    assert await connects(url)


async def test_options_in_url_reach_the_driver(unpooled_url: URL) -> None:
    url = settings_for(unpooled_url).database.sqlalchemy_url
    query = {**url.query, "options": "-c search_path=conformance_path"}
    rendered = url.set(query=query).render_as_string(hide_password=False)
    engine = build_engine(settings(rendered), "test")
    async with engine.connect() as connection:
        assert await connection.scalar(text("SHOW search_path")) == "conformance_path"
    await engine.dispose()


@pytest.mark.parametrize(
    ("attribute", "is_accepted"), [("read-write", True), ("primary", True), ("read-only", False)]
)
async def test_read_engine_selects_the_server_by_its_role(
    unpooled_url: URL, attribute: str, is_accepted: bool
) -> None:
    url = settings_for(unpooled_url).database.sqlalchemy_url
    query = {**url.query, "target_session_attrs": attribute}
    rendered = url.set(query=query).render_as_string(hide_password=False)
    engine = build_read_engine(settings(rendered), "test")
    with nullcontext() if is_accepted else pytest.raises(DBAPIError):
        async with engine.connect() as connection:
            assert await connection.scalar(text("SHOW transaction_read_only")) == "on"
    await engine.dispose()


def test_comma_in_password_does_not_separate_hosts() -> None:
    url = parse_url("postgresql://app:1,w@db.example:5432/app")
    assert (url.username, url.password, url.host) == ("app", "1,w", "db.example")


@pytest.mark.parametrize(
    ("address", "hosts"),
    [
        ("a.example:1,b.example/app", ("a.example:1", "b.example:5432")),
        ("/app?host=a,b&port=1,2", ("a:1", "b:2")),
        ("/app?host=a,b", ("a:5432", "b:5432")),
        ("/app?host=a:1&host=b:2&target_session_attrs=read-write", ("a:1", "b:2")),
    ],
)
def test_url_with_several_hosts(address: str, hosts: tuple[str, ...]) -> None:
    url = parse_url(f"postgresql://app:word@{address}")
    assert parse_url(url.render_as_string(hide_password=False)) == url
    assert url.query["host"] == hosts
    _, arguments = url.get_dialect()().create_connect_args(url)
    assert arguments["host"] == [host.partition(":")[0] for host in hosts]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("ssl=true", "ssl=true is sslmode=require"),
        ("sslmode=wrong", "one of disable, allow, prefer, require, verify-ca, verify-full"),
        ("ssl=require&sslmode=require", "both ssl and sslmode"),
        ("channel_binding=require", "sslmode=verify-full"),
        ("sslrootcert=/nowhere.pem", "sslrootcert, but the file does not exist"),
        ("sslmode=require&sslrootcert=system", "needs sslmode=verify-full"),
        ("sslmode=require&sslmode=prefer", "repeats ssl"),
        ("connect_timeout=10", "set DATABASE_CONNECT_TIMEOUT"),
        ("application_name=x", "set DATABASE_APPLICATION_NAME"),
        ("pgbouncer=true", "set DATABASE_POOLER=pgbouncer"),
        ("schema=public", "options=-csearch_path%3Dname"),
        ("target_session_attrs=master", "read-write"),
        ("keepalives=1", r"keepalives \(remove it\)"),
        ("host=a,b,c&port=1,2", "another number of ports"),
        ("sslmode=", "no value for sslmode"),
        ("sslrootcert&sslmode=require", "no value for sslrootcert"),
        ("ssl=off", "ssl=false is sslmode=disable"),
        ("sslmode=no-verify", "no-verify is sslmode=require"),
        ("timeout=10", "set DATABASE_CONNECT_TIMEOUT"),
        ("command_timeout=60", "set DATABASE_STATEMENT_TIMEOUT"),
        ("service=live", "of the service here"),
        ("dsn=postgresql://other/app", r"dsn \(remove it\)"),
        ("passfile=/nowhere", "passfile, but the file does not exist"),
        ("port=wrong", "a port that is not a number"),
        ("host=a,b:70000", "a port that is not a number"),
        ("host=::1,b", "an IPv6 address"),
        ("sslkey=/etc/hosts", "no sslcert"),
        ("sslcert=/etc/hosts", "client certificate that cannot be loaded"),
        ("sslmode=require&sslrootcert=/etc/hosts", "not a file of PEM certificates"),
        ("sslmode=require&ssl_min_protocol_version=1.2", "TLSv1.2"),
        ("sslnegotiation=direct", "needs sslmode=require"),
    ],
)
def test_unsupported_parameter_names_the_alternative(query: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        parse_url(f"{_BASE}?{query}")
    assert "secret-word" not in str(error.value)


def test_verify_full_requires_root_certificate(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PGSSLROOTCERT", raising=False)
    with pytest.raises(ValueError, match="add sslrootcert=FILE"):
        parse_url(f"{_BASE}?sslmode=verify-full")


@pytest.mark.parametrize("address", ["a,,b/app", ",a/app", "[::1]:1,[::2]:2/app", "a,b:/app"])
def test_host_without_name_is_rejected(address: str) -> None:
    with pytest.raises(ValueError, match="several hosts"):
        parse_url(f"postgresql://app@{address}")


def test_trailing_newline_is_removed() -> None:
    assert parse_url(f"{_BASE}\n").database == "app"
