"""Invalid input of `scaffold` gets one sentence, and no file changes."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.processes import environment, eventually, free_port, run, succeed
from tests.rendering import Renderer, git
from tests.scaffold.services import PATHS, migrate, scaffold
from tests.services import Interpreter, database_url, new_database, query

pytestmark = pytest.mark.slow

COMMAND = "from app.cli import main; main()"
# Calls that are refused in a service with the feature `customer`, and a part of the message.
REFUSED = [
    ("invoice", "needs at least one field"),
    ("invoice number", "no field: write NAME:TYPE"),
    ("invoice number:nothing", "no type `nothing`"),
    ("invoice Number:str", "lower_case"),
    ("invoice class:str", "keyword of Python"),
    ("invoice order:int", "keyword of SQL"),
    ("invoice id:int", "column of every model"),
    ("invoice deleted_at:datetime", "has a meaning in Python"),
    ("invoice version:int", "column of every model"),
    ("invoice copy:str", "has a meaning"),
    ("invoice date:date", "has a meaning"),
    ("invoice relationship:str", "has a meaning"),
    (f"invoice {'a' * 31}:int", "too long"),
    ("invoice number:str number:int", "used by two fields"),
    ("invoice customer:ref:customers customer_id:int", "used by two fields"),
    ("invoice number:str:0", "length"),
    ("invoice number:str:unique:large", "`large` is not known"),
    ("invoice notes:text:unique", "neither unique nor indexed"),
    ("invoice paid:bool:unique", "so few values"),
    ("invoice total:decimal:2,3", "precision"),
    ("invoice total:int:default=many", "`many` is no default"),
    ("invoice total:decimal:4,1:default=1.25", "`1.25` is no default"),
    ("invoice day:date:default=2026-02-30", "is no default"),
    ("invoice status:enum", "needs its values"),
    ("invoice status:enum:paid", "at least two values"),
    ("invoice status:enum:paid,Sent", "`Sent` is no value"),
    ("invoice status:enum:paid,sent:default=late", "`late` is no default"),
    ("invoice tags:enum[]:a,b", "an array has items"),
    ("invoice customer:ref", "needs a table"),
    ("invoice customer:ref:customer_s", "no table `customer_s`. Did you mean customer"),
    ("invoice customer:ref:customers:set_null", "set_null needs an optional reference"),
    ("invoice customers:many:customers:optional", "never null"),
    ("invoice parent:ref:self", "optional"),
    ("invoice friends:many:self", "is one row"),
    ("customer name:str", "There is a table or type `customers` already"),
    ("customer name:str --plural=clients", "There is a model Customer already"),
    ("health name:str --plural=health", "must differ"),
    ("select name:str", "has a meaning"),
    ("invoice name:str --plural=order", "has a meaning"),
    ("invoice name:str --search=nothing", "only fields of type str and text"),
    ("invoice total:int --search=total", "only fields of type str and text"),
    ("field nothing a:int?", "no feature with the model Nothing"),
    ("field customer a:int", "existing rows need a value"),
    ("field customer name:str?", "has an attribute `name` already"),
    ("field customer other:ref:nothing?", "no table `nothing`"),
    ("field customer other:ref:customers", "--no-rows"),
    ("field customer tags:many:customers", "scaffold a model with two references"),
    ("field customer a:int?:existing=1", "is for a required field"),
    ("field customer a:int:existing=one", "`one` is no default"),
    ("invoice a:int:existing=1", "`scaffold field` adds"),
    ("invoices number:str", "`invoices` is a plural: write `invoice`"),
]

# A relationship over two columns, for the model Customer.
COMPOSITE = """
    parent_id: Mapped[int | None]
    parent: Mapped["Customer | None"] = relationship(remote_side="[Customer.id, Customer.name]")

    __table_args__ = (
        ForeignKeyConstraint(
            ["parent_id", "name"], ["customers.id", "customers.name"], ondelete="RESTRICT"
        ),"""


@pytest.fixture(scope="module")
def committed(
    render: Renderer,
    interpreter: Interpreter,
    server: URL,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A committed service with a feature and its migration. Tests must not change it."""
    service_directory = tmp_path_factory.mktemp("committed") / "service"
    shutil.copytree(render(example=False, pk_type="int"), service_directory)
    assert scaffold(interpreter, service_directory, [["customer", "name:str"]]) == [""]
    migrate(interpreter, server, service_directory, "add customers")
    git(service_directory, "init", "--quiet")
    commit(service_directory)
    return service_directory


@pytest.fixture
def service_directory(committed: Path, tmp_path: Path) -> Path:
    """A committed service with a feature, which the test may change."""
    return Path(shutil.copytree(committed, tmp_path / "service"))


def commit(service_directory: Path) -> None:
    """Commit all files."""
    git(service_directory, "add", "--all")
    git(
        service_directory,
        "-c",
        "user.name=Me",
        "-c",
        "user.email=me@example.org",
        "commit",
        "-m",
        "All",
    )


def test_invalid_input_gets_one_sentence(service_directory: Path, interpreter: Interpreter) -> None:
    messages = scaffold(interpreter, service_directory, [call.split() for call, _ in REFUSED])

    for (call, expected), message in zip(REFUSED, messages, strict=True):
        assert expected in message, f"{call}: {message or 'was not refused'}"
        assert "\n" not in message
    assert git(service_directory, "status", "--porcelain") == ""


def test_edited_files_must_be_committed(service_directory: Path, interpreter: Interpreter) -> None:
    # The lines that the first call adds to the registry are no obstacle to the second.
    calls = [["receipt", "number:str"], ["reminder", "number:str"]]
    assert scaffold(interpreter, service_directory, calls) == ["", ""]
    registry = service_directory / "src/app/registry.py"
    registry.write_text(registry.read_text() + "# mine\n")
    calls = [["invoice", "number:str"], ["invoice", "number:str", "--allow-dirty"]]
    refused, succeeded = scaffold(interpreter, service_directory, calls)
    assert refused.startswith("src/app/registry.py has uncommitted changes")
    assert succeeded == ""
    assert registry.read_text().endswith("# mine\n")


def test_restructured_file_is_not_edited(service_directory: Path, interpreter: Interpreter) -> None:
    for file in service_directory.glob("src/app/features/customers/*.py"):
        file.write_text(file.read_text().replace("CustomerChanges", "CustomerPatch"))
    registry = service_directory / "src/app/registry.py"
    registry.write_text(registry.read_text().replace(", your features follow", ""))
    commit(service_directory)
    calls = [["field", "customer", "age:int?"], ["invoice", "number:str"]]
    field, feature = scaffold(interpreter, service_directory, calls)
    assert "schemas.py has been restructured: there is no class CustomerChanges" in field
    assert "does not have its marker line" in feature
    assert git(service_directory, "status", "--porcelain") == ""


def test_composite_foreign_key_is_not_edited(
    service_directory: Path, interpreter: Interpreter
) -> None:
    models = service_directory / "src/app/features/customers/models.py"
    source = models.read_text().replace("    __table_args__ = (", COMPOSITE)
    imports = "from app.kit.db.relationships import relationship\nfrom sqlalchemy import"
    imports += " ForeignKeyConstraint,"
    models.write_text(source.replace("from sqlalchemy import", imports, 1))
    commit(service_directory)
    calls = [["field", "customer", "rival:ref:self?"]]
    (message,) = scaffold(interpreter, service_directory, calls)
    assert "Customer.parent has a composite foreign key" in message
    assert git(service_directory, "status", "--porcelain") == ""


def test_failed_migration_leaves_no_file(
    service_directory: Path, interpreter: Interpreter, server: URL
) -> None:
    url = database_url(new_database(server))
    call = [interpreter.python, "-c", COMMAND, "scaffold", "invoice", "number:str"]
    variables = {"PYTHONPATH": PATHS, "DATABASE_URL": url}

    # The migration is not applied to this database.
    result = run(*call, cwd=service_directory, **variables)

    assert result.returncode == 2, result.stdout
    assert "nothing was kept: The database is at migration" in result.stdout
    assert git(service_directory, "status", "--porcelain") == ""
    dry = run(*call, "--dry-run", cwd=service_directory, **variables)
    assert "+++ b/src/app/features/invoices/models.py" in dry.stdout
    assert git(service_directory, "status", "--porcelain") == ""


def test_interrupted_command_leaves_no_file(
    service_directory: Path, interpreter: Interpreter
) -> None:
    process = subprocess.Popen(
        [interpreter.python, "-c", COMMAND, "scaffold", "invoice", "number:str"],
        cwd=service_directory,
        # Nothing listens on this port: the command waits for the database.
        env=environment(
            PYTHONPATH=PATHS, DATABASE_URL=f"postgresql://a@127.0.0.1:{free_port()}/test"
        ),
        start_new_session=True,
        # A shell without job control ignores SIGINT in background processes.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert eventually((service_directory / "src/app/features/invoices/models.py").exists, 60)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 130
    finally:
        process.kill()
    assert git(service_directory, "status", "--porcelain") == ""


def test_existing_rows_get_a_value(
    service_directory: Path, interpreter: Interpreter, server: URL
) -> None:
    url = new_database(server)
    variables = {"PYTHONPATH": PATHS, "DATABASE_URL": database_url(url)}
    command = [interpreter.python, "-c", COMMAND]
    succeed(*command, "migrate", cwd=service_directory, **variables)
    query(url, "INSERT INTO customers (name, created_at, updated_at) VALUES ('Ada', now(), now())")
    added = [
        "since:date:existing=2026-01-31",
        "level:enum:one,two:existing=two",
        "introduced_by:ref:self:optional",
    ]
    succeed(*command, "scaffold", "field", "customer", *added, cwd=service_directory, **variables)
    succeed(*command, "migrate", cwd=service_directory, **variables)
    succeed(*command, "check", cwd=service_directory, **variables)
    assert query(url, "SELECT since::text, level::text FROM customers") == [("2026-01-31", "two")]
