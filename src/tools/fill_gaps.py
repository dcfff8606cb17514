"""Fill the gaps of tracks in a MOT result file with straight lines, as ByteTrack's results are.

python tools/fill_gaps.py results_mot/MOT17-02.txt filled/MOT17-02.txt
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from centernet.datasets.evaluate.mot_rules import read_mot
from centernet.datasets.mot_files import mot_lines
from centernet.io.files import write_text
from centernet.runtime.errors import UserError
from centernet.trackers.interpolation import fill_gaps


def main(argv: Sequence[str] | None = None) -> int:
    """Return the exit code: 2 with one line on standard error for a file that cannot be used."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("tracks", type=Path, help="MOT result file")
    parser.add_argument("output", type=Path, help="file to write")
    parser.add_argument("--longest", type=int, default=20, help="gaps shorter than this are filled")
    parser.add_argument("--least", type=int, default=5, help="of tracks with more rows than this")
    words = parser.parse_args(argv)
    try:
        rows = read_mot(words.tracks, 7)
        filled = fill_gaps(rows, longest=words.longest, least=words.least)
        write_text(words.output, mot_lines(filled[:, :7]))
    except UserError as error:
        print(f"fill_gaps: {error}", file=sys.stderr)
        return 2
    print(f"{words.output.absolute()}: {len(filled) - len(rows)} boxes filled in, {len(rows)} kept")
    return 0


if __name__ == "__main__":
    sys.exit(main())
