"""Measures the generated service against the limit, its peers, and what is usual."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The launcher of PostgreSQL is that of the service.
sys.path += [str(ROOT / "template" / name) for name in ("src", "devtools")]
