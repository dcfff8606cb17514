from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from centernet.io import jpeg
from centernet.io.image import ImageError, image_size, read_image
from centernet.runtime.errors import UserError
from tests.real_data import folder


def noise(shape: tuple[int, ...], top: int = 256, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, top, shape).astype(dtype)


def save(path: Path, image: np.ndarray) -> Path:
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())
    return path


def with_orientation(jpeg_bytes: bytes, value: int, order: str = "big") -> bytes:
    """`jpeg_bytes` with an Exif block that holds nothing but the orientation."""
    number = lambda n, length: n.to_bytes(length, order)  # noqa: E731
    mark = b"MM" if order == "big" else b"II"
    entry = number(0x0112, 2) + number(3, 2) + number(1, 4) + number(value, 2) + b"\0\0"
    tiff = mark + number(42, 2) + number(8, 4) + number(1, 2) + entry + number(0, 4)
    body = b"Exif\0\0" + tiff
    return jpeg_bytes[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + jpeg_bytes[2:]


def test_colour_is_bgr_uint8(tmp_path: Path) -> None:
    image = noise((5, 7, 3))
    read = read_image(save(tmp_path / "a.png", image))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, image)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_grey_is_repeated(tmp_path: Path, suffix: str) -> None:
    image = noise((6, 4))
    read = read_image(save(tmp_path / f"grey{suffix}", image))
    np.testing.assert_array_equal(read, np.repeat(image[..., None], 3, axis=2))


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_are_divided_by_257_and_rounded(tmp_path: Path, channels: int) -> None:
    image = noise((40, 50, channels), 65536, np.uint16)
    image[0, 0] = 65535
    image[0, 1] = 0
    read = read_image(save(tmp_path / "deep.png", image))
    assert read.shape == (40, 50, 3)
    np.testing.assert_array_equal(read, np.broadcast_to(np.rint(image / 257), read.shape))
    assert (read[0, 0] == 255).all()
    assert (read[0, 1] == 0).all()


def test_eight_bits_stored_as_sixteen_come_back(tmp_path: Path) -> None:
    image = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257
    read = read_image(save(tmp_path / "deep.png", image))
    np.testing.assert_array_equal(read[..., 0], np.arange(256).reshape(16, 16))


def test_transparency_is_dropped_and_colour_kept(tmp_path: Path) -> None:
    image = noise((6, 4, 4))
    image[..., 3] = 0
    read = read_image(save(tmp_path / "clear.png", image))
    np.testing.assert_array_equal(read, image[..., :3])


def test_floating_point_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "float.tif", np.ones((4, 4, 3), np.float32))
    with pytest.raises(ImageError, match=r"float\.tif: float32 pixels"):
        read_image(path)


@pytest.mark.parametrize("order", ["big", "little"])
def test_exif_orientation_only_when_asked(tmp_path: Path, order: str) -> None:
    stored = np.zeros((32, 48, 3), np.uint8)
    stored[:16] = 255  # white above in the stored pixels
    data = cv2.imencode(".jpg", stored, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    path = tmp_path / "turned.jpg"
    path.write_bytes(with_orientation(data, 6, order))  # 6: turn by 90 degrees clockwise
    assert jpeg.orientation(path.read_bytes()) == 6

    raw = read_image(path)
    assert raw.shape == (32, 48, 3)
    assert raw[4, 24, 0] > 250
    assert raw[28, 24, 0] < 5
    assert image_size(path) == (32, 48)

    turned = read_image(path, upright=True)
    assert turned.shape == (48, 32, 3)
    assert turned[24, 28, 0] > 250  # white is now on the right
    assert turned[24, 4, 0] < 5
    assert image_size(path, upright=True) == (48, 32)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tif"])
@pytest.mark.parametrize("part", [0.5, 0.9])
def test_a_file_cut_short_is_an_error(tmp_path: Path, suffix: str, part: float) -> None:
    path = save(tmp_path / f"whole{suffix}", noise((64, 80, 3)))
    data = path.read_bytes()
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(ImageError, match=f"cut{suffix}"):
        read_image(cut)


@pytest.mark.parametrize("progressive", [0, 1])
def test_every_cut_of_a_jpeg_is_noticed_before_decoding(progressive: int) -> None:
    flags = [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive]
    data = cv2.imencode(".jpg", noise((40, 40, 3)), flags)[1].tobytes()
    assert jpeg.is_complete(data)
    assert not any(jpeg.is_complete(data[:length]) for length in range(2, len(data)))


def test_thumbnail_does_not_hide_a_cut() -> None:
    thumbnail = cv2.imencode(".jpg", noise((8, 8, 3)))[1].tobytes()
    data = cv2.imencode(".jpg", noise((64, 64, 3)))[1].tobytes()
    block = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    assert jpeg.is_complete(data[:2] + block + data[2:])
    assert not jpeg.is_complete((data[:2] + block + data[2:])[:-40])
    assert jpeg.size(data[:2] + block + data[2:]) == (64, 64)


def test_bytes_after_the_end_of_a_jpeg_do_no_harm(tmp_path: Path) -> None:
    data = cv2.imencode(".jpg", noise((64, 64, 3)))[1].tobytes()
    path = tmp_path / "motion.jpg"
    path.write_bytes(data + b"\0\0\0\x18ftypmp42\xff\xda film")
    assert read_image(path).shape == (64, 64, 3)


def test_missing_empty_and_foreign_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.jpg: no such image file"):
        read_image(tmp_path / "none.jpg")
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(ImageError, match=r"empty\.jpg: the file is empty"):
        read_image(tmp_path / "empty.jpg")
    (tmp_path / "text.jpg").write_text("not a picture")
    with pytest.raises(ImageError, match=r"text\.jpg: not an image"):
        read_image(tmp_path / "text.jpg")
    with pytest.raises(ImageError, match="cannot be read"):
        read_image(tmp_path)


def test_names_outside_ascii(tmp_path: Path) -> None:
    path = save(tmp_path / "Überraschung 图.png", noise((3, 5, 3)))
    assert read_image(path).shape == (3, 5, 3)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp"])
def test_size_is_that_of_the_picture(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"a{suffix}", noise((33, 57, 3)))
    assert image_size(path) == (33, 57)


def test_grey_jpegs_of_raccoon() -> None:
    for name in ("raccoon-152.jpg", "raccoon-161.jpg"):
        path = folder("raccoon") / "JPEGImages" / name
        image = read_image(path)
        assert image.ndim == 3
        np.testing.assert_array_equal(image[..., 0], image[..., 2])
        assert image_size(path) == image.shape[:2]


def test_palette_png() -> None:
    path = next((folder("face_landmarks") / "images" / "300w").glob("*.png"))
    image = read_image(path)
    assert image.shape[2] == 3
    assert (image[..., 0] != image[..., 2]).any()
