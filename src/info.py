"""What the networks cost: python info.py ctdet --arch res_18,dla_34"""

from pathlib import Path
from runpy import run_path

if __name__ == "__main__":
    run_path(str(Path(__file__).with_name("_launch.py")))["launch"]("info")
