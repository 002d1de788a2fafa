"""Scaffold several models in one process. Runs in a service.

Reads a list of calls from standard input, each the list of words after `scaffold`, and prints the
message of each call, or an empty text if it succeeded. A migration is not written.
"""

import importlib
import json
import sys
from contextlib import redirect_stdout
from io import StringIO

from app import registry
from app.kit.cli.errors import CommandFailed
from scaffold import command


def main() -> None:
    """Run the calls."""
    command.write_migration = lambda _message: ""
    command.fill_existing_rows = lambda printed, _column, _value: printed
    messages: list[str] = []
    for arguments in json.load(sys.stdin):
        try:
            with redirect_stdout(StringIO()):
                command.run(arguments, "my-service")
            messages.append("")
        except CommandFailed as error:
            messages.append(str(error))
        importlib.reload(registry)
    json.dump(messages, sys.stdout)


main()
