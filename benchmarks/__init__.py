"""Figures, each with the command that reproduces it."""

import sys
from pathlib import Path

# PostgreSQL is started by the kit of the template.
sys.path.append(str(Path(__file__).resolve().parents[1] / "template" / "src"))
