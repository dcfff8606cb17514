"""Camera matrices: (3, 4), from the camera frame in metres to the pixels of an image.

KITTI's files hold several; P2 is that of the left colour camera, whose images the data set has.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from centernet.runtime.errors import UserError

CAMERA = "P2"
# Of KITTI's cameras: focal length over the width of the image.
KITTI_FOCAL = 721.5377 / 1242


def read_calibration(path: str | Path, camera: str = CAMERA) -> NDArray[np.float32]:
    """The (3, 4) matrix `camera` of a KITTI calibration file.

    Raises UserError, naming file and row: the file is missing or unreadable, has no such row, or
    the row does not have twelve finite numbers.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such calibration file; depth cannot be placed without the camera"
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as calibration ({error})") from None
    for row, line in enumerate(text.splitlines(), start=1):
        name, _, numbers = line.partition(":")
        if name.strip() == camera:
            return _matrix(numbers.split(), f"{path}, row {row}: {camera}")
    raise UserError(f"{path}: no row '{camera}: ...' in this calibration file")


def parse_calibration(text: str) -> NDArray[np.float32]:
    """The (3, 4) matrix that a user names: a KITTI calibration file, or fx,fy,cx,cy in pixels.

    Raises UserError when it is neither.
    """
    words = text.split(",")
    if len(words) == 1 or Path(text).is_file():
        return read_calibration(text)
    if len(words) != 4:
        raise UserError(
            f"--calib {text}: {len(words)} numbers; a camera is four, fx,fy,cx,cy in pixels, or a"
            " KITTI calibration file"
        )
    try:
        fx, fy, cx, cy = (float(word) for word in words)
    except ValueError:
        raise UserError(f"--calib {text}: fx,fy,cx,cy must be numbers, in pixels") from None
    return _checked(np.array([[fx, 0, cx, 0], [0, fy, cy, 0], [0, 0, 1, 0]]), f"--calib {text}")


def assumed_calibration(size: tuple[int, int]) -> NDArray[np.float32]:
    """A matrix for an image of `size` (h, w) whose camera is unknown: it looks like KITTI's.

    The same angle of view across the width, the optical axis through the middle.
    """
    height, width = size
    focal = KITTI_FOCAL * width
    return np.array([[focal, 0, width / 2, 0], [0, focal, height / 2, 0], [0, 0, 1, 0]], np.float32)


def _matrix(words: list[str], where: str) -> NDArray[np.float32]:
    if len(words) != 12:
        raise UserError(f"{where} has {len(words)} numbers; a 3 x 4 camera matrix has 12")
    try:
        values = np.array([float(word) for word in words])
    except ValueError:
        raise UserError(f"{where} is not twelve numbers: {' '.join(words)}") from None
    return _checked(values.reshape(3, 4), where)


def _checked(matrix: NDArray[np.float64], where: str) -> NDArray[np.float32]:
    if not np.isfinite(matrix).all():
        raise UserError(f"{where}: not every number is finite")
    if matrix[0, 0] <= 0 or matrix[1, 1] <= 0:
        raise UserError(
            f"{where}: focal lengths must be positive, not {matrix[0, 0]:g}, {matrix[1, 1]:g}"
        )
    return matrix.astype(np.float32)
