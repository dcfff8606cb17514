"""Look at a data set: python check.py ctdet --dataset custom --image_dir FOLDER"""

from pathlib import Path
from runpy import run_path

if __name__ == "__main__":
    run_path(str(Path(__file__).with_name("_launch.py")))["launch"]("check")
