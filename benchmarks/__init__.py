"""Benchmarks of the generated service, compared with raw ASGI and similar projects."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The benchmarks start PostgreSQL with the launcher of the service.
sys.path += [str(ROOT / "template" / name) for name in ("src", "devtools")]
