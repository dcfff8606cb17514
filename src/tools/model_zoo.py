"""Bring the tables of docs/model_zoo.md up to date: python tools/model_zoo.py"""

from pathlib import Path
from runpy import run_path

if __name__ == "__main__":
    run_path(str(Path(__file__).parents[1] / "_launch.py"))["launch"]("model_zoo")
