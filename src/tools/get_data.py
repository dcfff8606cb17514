"""Fetch data sets: python tools/get_data.py coco pascal kitti"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

try:
    from centernet.commands.get_data import get_data
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] != "centernet":
        raise  # torch missing is torch's message, not ours
    sys.exit(f"centernet is not installed in {sys.prefix}.\nRun:  pip install -e {ROOT}")

if __name__ == "__main__":
    sys.exit(get_data(sys.argv[1:], ROOT))
