"""Quantise: python quantize.py ctdet --load_model FILE --calibration kl ..."""

from pathlib import Path
from runpy import run_path

if __name__ == "__main__":
    run_path(str(Path(__file__).with_name("_launch.py")))["launch"]("quantize")
