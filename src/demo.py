"""Detect: python demo.py ctdet --load_model FILE --demo IMAGE ..."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

try:
    from centernet.cli import demo
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] != "centernet":
        raise  # torch missing is torch's message, not ours
    sys.exit(f"centernet is not installed in {sys.prefix}.\nRun:  pip install -e {ROOT}")

if __name__ == "__main__":
    sys.exit(demo(sys.argv[1:], ROOT))
