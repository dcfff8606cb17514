"""One line of a script in experiments/, on the machine at hand; the scripts call this."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

try:
    from centernet.commands.experiment import experiment
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] != "centernet":
        raise  # torch missing is torch's message, not ours
    sys.exit(f"centernet is not installed in {sys.prefix}.\nRun:  pip install -e {ROOT}")

if __name__ == "__main__":
    sys.exit(experiment(sys.argv[1:], ROOT))
