"""One decoder and one resize, for training, prediction and export alike."""

import contextlib
import dataclasses
import functools
import io
import logging
import operator
import os
import stat
import threading
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from kerascnn._errors import InputError, one_of

__all__ = ["Decoder", "decode_file"]

# Raster formats decoded inside Pillow; others (EPS, PDF ...) start outside programs.
_SUFFIXES = {
    "JPEG": {".jpg", ".jpeg", ".jpe", ".jfif"},
    "MPO": {".jpg", ".jpeg", ".mpo"},
    "PNG": {".png"},
    "GIF": {".gif"},
    "BMP": {".bmp"},
    "WEBP": {".webp"},
    "TIFF": {".tif", ".tiff"},
    "PPM": {".ppm", ".pgm", ".pbm", ".pnm"},
    "AVIF": {".avif"},
}
SUFFIXES = frozenset().union(*_SUFFIXES.values())
_HEIC = {b"heic", b"heix", b"heim", b"heis", b"mif1"}  # photos of iPhones; AVIF has its own brand
_RESIZES = ("stretch", "crop", "pad")
_MAX_BYTES = 256_000_000  # a larger file is not read at all
_LARGE = 25_000_000  # pixels; a photo of 100 million needs a gigabyte while it is decoded
_large = threading.Lock()  # so only one of them at a time
_BAND = 256  # rows
_ORIENTATION = 0x0112  # EXIF tag, 1 to 8: what turns the stored pixels upright
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclasses.dataclass(frozen=True)
class Decoder:
    """Encoded image bytes -> `uint8` array of one fixed shape, 0-255, RGB or grey.

    EXIF orientation is applied; transparency lies on white; CMYK, palette and 16-bit images are
    converted (16-bit by its upper byte); of an animation the first frame is taken. Resizing is
    Pillow's bilinear filter with antialiasing; a JPEG of more than twice the target size is
    first reduced while it is decoded (DCT scaling), which large photos gain much time from.

    Args:
        image_size: int or (height, width) in pixels, each >= 1 and at most 25 million together,
            or None for the native size.
        channels: 3 (RGB) or 1 (grey).
        resize: "stretch" (the whole photo, its sides scaled independently: Keras's default),
            "crop" (shorter side scaled, centre kept) or "pad" (whole photo on white).
        max_pixels: int from 1 to 178,956,970 (Pillow's own limit). Larger images are refused
            before they are decoded.

    Raises:
        InputError: an argument is outside its range.

    >>> decoder = Decoder(image_size=2)
    >>> file = io.BytesIO(); Image.new("RGB", (6, 4), (255, 0, 0)).save(file, "PNG")
    >>> decoder(file.getvalue())[0].tolist()
    [[255, 0, 0], [255, 0, 0]]
    """

    image_size: tuple[int, int] | int | None = None
    channels: int = 3
    resize: str = "stretch"
    max_pixels: int = 100_000_000

    def __post_init__(self):
        object.__setattr__(self, "image_size", _checked_size(self.image_size))
        if self.channels not in (1, 3):
            raise InputError(f"channels must be 1 (grey) or 3 (RGB). Received: {self.channels}.")
        one_of(self.resize, _RESIZES, "resize")
        if not 1 <= self.max_pixels <= 178_956_970:
            raise InputError(
                f"max_pixels must be from 1 to 178,956,970. Received: {self.max_pixels}."
            )

    @property
    def shape(self):
        """(height, width, channels) of a decoded image; None where sizes are native."""
        return (*(self.image_size or (None, None)), self.channels)

    @property
    def key(self):
        """Names every setting, for caches: what is decoded, to which pixels, what is refused."""
        size = "x".join(map(str, self.shape))
        return f"pixels-v1-{size}-{self.resize}-max{self.max_pixels}"

    def __call__(self, data):
        """Decode `data`, the bytes of an image file.

        Returns:
            uint8 array (height, width, channels).

        Raises:
            InputError: not an image, damaged, or larger than `max_pixels`.
            MemoryError: too little is free.
        """
        return self.decode(data)[0]

    def decode(self, data):
        """As calling it, but returns the array and what was noticed, a tuple of short strings.

        Always "format JPEG" and "size 640x480" (upright, before resizing); where it applies
        "animated", "rotated by EXIF" and "mode CMYK".
        """
        if not data:
            raise InputError("empty file")
        with _quiet:
            try:
                with Image.open(io.BytesIO(data), formats=_formats()) as image:
                    return self._pixels(image)
            except (InputError, MemoryError):  # little memory says nothing about the file
                raise
            except UnidentifiedImageError:
                if data[4:8] == b"ftyp" and data[8:12] in _HEIC:
                    raise InputError("HEIC, which is not read: save it as JPEG") from None
                raise InputError("not an image") from None
            except Image.DecompressionBombError:
                raise InputError(f"huge: more than {self.max_pixels:,} pixels") from None
            except Exception as error:  # a damaged file makes Pillow raise almost anything
                raise InputError(f"damaged: {_first_line(error)}") from None

    def read(self, path):
        """Decode a file. Its `InputError` names the file."""
        try:
            return self(file_bytes(path))
        except InputError as error:
            raise InputError(f"Cannot read {path} as a photo: {error}.") from error
        except MemoryError as error:
            raise InputError(
                f"Cannot read {path}: too little memory is free; end other programs and try again."
            ) from error
        except (OSError, ValueError) as error:  # ValueError: a name that no file can have
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"Cannot read {path}: {reason}.") from error

    def _pixels(self, image):
        width, height = image.size
        if _num_pixels(image) > self.max_pixels:
            raise InputError(f"huge: {width} x {height} pixels, the limit is {self.max_pixels:,}")
        if self.image_size:  # reduces while decoding, never below twice the target
            side = 2 * max(self.image_size)
            image.draft(None, (side, side))
        with _large if _num_pixels(image) > _LARGE else contextlib.nullcontext():
            return self._decoded(image, width, height)

    def _decoded(self, image, width, height):
        notes = [f"format {image.format}"]
        if getattr(image, "is_animated", False) and image.format not in ("MPO", "TIFF"):
            notes.append("animated")
        image.load()  # a TIFF turns itself here
        turn = _TURNS.get(_orientation(image))
        if turn is not None:
            notes.append("rotated by EXIF")
        mode = "RGB" if self.channels == 3 else "L"
        if image.mode not in ("RGB", mode):
            notes.append(f"mode {image.mode}")
        image = _flatten(image if turn is None else image.transpose(turn), mode)
        if (image.width < image.height) != (width < height):  # it lay on its side
            width, height = height, width
        notes.append(f"size {width}x{height}")
        pixels = np.array(self._resized(image))
        return pixels.reshape(*pixels.shape[:2], self.channels), tuple(notes)

    def _resized(self, image):
        if self.image_size is None or image.size == self.image_size[::-1]:
            return image
        size = self.image_size[::-1]
        if self.resize == "crop":
            return ImageOps.fit(image, size, Image.Resampling.BILINEAR)
        if self.resize == "pad":
            return _padded(image, size)
        return image.resize(size, Image.Resampling.BILINEAR)


def _checked_size(size):
    """`size` as (height, width) of ints, or None."""
    if size is None:
        return None
    try:
        height, width = map(operator.index, size if isinstance(size, tuple | list) else [size] * 2)
    except (TypeError, ValueError):
        height = width = 0
    if min(height, width) < 1 or height * width > _LARGE:
        raise InputError(
            f"image_size must be an int >= 1, (height, width) or None, with at most {_LARGE:,} "
            f"pixels. Received: {str(size)[:40]}."
        )
    return height, width


@functools.cache
def _formats():
    """The known formats that this Pillow can read; MPO is opened as JPEG."""
    Image.init()
    return tuple(name for name in _SUFFIXES if name in Image.OPEN)


def _num_pixels(image):
    return image.width * image.height


def _orientation(image):
    try:
        return image.getexif().get(_ORIENTATION)
    except Exception:  # damaged EXIF says nothing about the pixels
        return None


def _flatten(image, mode):
    """Convert any Pillow mode to "RGB" or "L"; transparency lies on white."""
    if image.mode.startswith("I"):  # 16-bit grey: keep the upper byte
        values = np.clip(np.asarray(image), 0, 65535).astype(np.uint16)
        image = Image.fromarray((values >> 8).astype(np.uint8))
    elif image.mode == "F":
        values = np.nan_to_num(np.asarray(image))
        scale = 255.0 if values.max(initial=0.0) <= 1.0 else 1.0
        image = Image.fromarray(np.clip(values * scale, 0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = _on_white(image, mode)
    return image if image.mode == mode else image.convert(mode)


def _padded(image, size):
    """The whole image in the middle of a white one of `size`; no side vanishes."""
    scale = min(target / side for target, side in zip(size, image.size))
    inner = tuple(max(1, round(side * scale)) for side in image.size)
    canvas = Image.new(image.mode, size, "white")
    corner = tuple((target - side) // 2 for target, side in zip(size, inner))
    canvas.paste(image.resize(inner, Image.Resampling.BILINEAR), corner)
    return canvas


def _on_white(image, mode):
    """In bands, which takes a third of the memory that it would take at once."""
    flat = Image.new(mode, image.size)
    for top in range(0, image.height, _BAND):
        box = (0, top, image.width, min(top + _BAND, image.height))
        band = image.crop(box).convert("RGBA")
        white = Image.new("RGBA", band.size, "white")
        flat.paste(Image.alpha_composite(white, band).convert(mode), box)
    return flat


class _Quiet:
    """Silences Pillow for any number of threads; the last one out restores the warning filters.

    `warnings.catch_warnings` alone, entered by several threads, can leave its filters for good.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._inside = 0
        self._log = logging.getLogger("PIL.TiffImagePlugin")

    def __enter__(self):
        with self._lock:
            if not self._inside:
                self._caught = warnings.catch_warnings(action="ignore")
                self._caught.__enter__()
                self._log.disabled = True
            self._inside += 1

    def __exit__(self, *error):
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._caught.__exit__(*error)
                self._log.disabled = False


_quiet = _Quiet()


def _first_line(error):
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def decode_file(path, image_size=None, channels=3, resize="stretch"):
    """Read one image file as a `uint8` array, exactly as training data is read.

    Args:
        path: str or path of an image file.
        image_size, channels, resize: see `Decoder`.

    Returns:
        uint8 array (height, width, channels), values 0-255.

    Raises:
        InputError: the file is missing, unreadable or no image; the message names it.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "grey.png")
    >>> Image.new("L", (6, 4), 7).save(path)
    >>> decode_file(path, image_size=(1, 2)).tolist()
    [[[7, 7, 7], [7, 7, 7]]]
    """
    return Decoder(image_size, channels, resize).read(path)


def listed(paths):
    """Paths of photos as a list; one path is a list of one.

    Raises:
        InputError: they are something else, such as images that were read already.

    >>> listed("photo.jpg")
    ['photo.jpg']
    """
    paths = [paths] if isinstance(paths, str | os.PathLike) else paths
    paths = list(paths) if np.iterable(paths) else [paths]
    other = [type(p).__name__ for p in paths if not isinstance(p, str | os.PathLike)]
    if other:
        raise InputError(f"Expected paths of image files, str or Path. Received: {other[0]}.")
    return paths


def file_bytes(path):
    """The bytes of a file that may be a photo: no device, no pipe, not absurdly large.

    >>> file_bytes("/dev/zero")
    Traceback (most recent call last):
    ...
    kerascnn._errors.InputError: not a file
    """
    path = Path(path)
    info = path.stat()
    if not (stat.S_ISREG(info.st_mode) or stat.S_ISDIR(info.st_mode)):
        raise InputError("not a file")
    if info.st_size > _MAX_BYTES:
        raise InputError(f"huge: {info.st_size:,} bytes")
    return path.read_bytes()


def expected_suffixes(image_format):
    """The file name endings of a Pillow format name."""
    return _SUFFIXES.get(image_format, set())
