"""The picture of all parts."""

from __future__ import annotations

import numpy as np

from centernet.datasets.toy.sheet import sheet


def test_sheet_has_a_row_of_each_part() -> None:
    image = sheet()
    assert image.shape == (5 * 256, 6 * 256, 3)
    assert image.dtype == np.uint8
    tones = [len(np.unique(row.reshape(-1, 3), axis=0)) for row in np.split(image, 5)]
    assert min(tones) > 1000
    np.testing.assert_array_equal(sheet(), image)
