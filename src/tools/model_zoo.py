"""Bring the tables of docs/model_zoo.md up to date: python tools/model_zoo.py"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

try:
    from centernet.commands.model_zoo import model_zoo
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] != "centernet":
        raise  # torch missing is torch's message, not ours
    sys.exit(f"centernet is not installed in {sys.prefix}.\nRun:  pip install -e {ROOT}")

if __name__ == "__main__":
    sys.exit(model_zoo(sys.argv[1:], ROOT))
