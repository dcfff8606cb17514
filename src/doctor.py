"""What works on this machine, and what to do about the rest: python doctor.py"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

try:
    from centernet.commands.doctor import doctor
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] != "centernet":
        raise  # torch missing is torch's message, not ours
    sys.exit(f"centernet is not installed in {sys.prefix}.\nRun:  pip install -e {ROOT}")

if __name__ == "__main__":
    sys.exit(doctor(sys.argv[1:], ROOT))
