"""What works on this machine, and what to do about the rest: python doctor.py"""

from pathlib import Path
from runpy import run_path

if __name__ == "__main__":
    run_path(str(Path(__file__).with_name("_launch.py")))["launch"]("doctor")
