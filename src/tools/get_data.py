"""Fetch data sets: python tools/get_data.py coco pascal kitti"""

from pathlib import Path
from runpy import run_path

if __name__ == "__main__":
    run_path(str(Path(__file__).parents[1] / "_launch.py"))["launch"]("get_data")
