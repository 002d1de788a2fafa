#!/bin/bash
# move_all.sh CHECKOUT: apply the move to a clean checkout
set -e
cd "$1"
python3.13 .move/move_template.py "$1"
python3.13 .move/move_hand.py "$1"
.venv/bin/ruff check -q --fix --select I,RUF022,RUF023 template variants tests benchmarks || true
.venv/bin/ruff format -q template variants tests benchmarks hooks
.venv/bin/ruff check template variants tests benchmarks hooks --output-format concise | tail -20 || true
