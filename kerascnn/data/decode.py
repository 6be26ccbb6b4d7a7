"""One decoder and one resize, for training, prediction and export alike."""

import dataclasses
import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from kerascnn._errors import InputError, one_of

__all__ = ["Decoder", "decode_file"]

# Raster formats decoded inside Pillow; others (EPS, PDF ...) start outside programs.
FORMATS = ("JPEG", "MPO", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "AVIF")
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
_RESIZES = ("stretch", "crop", "pad")
_WHITE = {"RGB": (255, 255, 255), "L": 255}


@dataclasses.dataclass(frozen=True)
class Decoder:
    """Encoded image bytes -> `uint8` array of one fixed shape, 0-255, RGB or grey.

    EXIF orientation is applied; transparency lies on white; CMYK, palette and 16-bit images are
    converted (16-bit by its upper byte); of an animation the first frame is taken. Resizing is
    Pillow's bilinear filter with antialiasing; a JPEG of more than twice the target size is
    first reduced while it is decoded (DCT scaling), which large photos gain much time from.

    Args:
        image_size: int or (height, width) in pixels, each >= 1, or None for the native size.
        channels: 3 (RGB) or 1 (grey).
        resize: "stretch" (the whole photo, its sides scaled independently: Keras's default),
            "crop" (shorter side scaled, centre kept) or "pad" (whole photo on white).
        max_pixels: int. Larger images are refused before they are decoded.

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
        size = self.image_size
        if isinstance(size, int):
            size = (size, size)
        if size is not None and (len(size) != 2 or min(size) < 1):
            raise InputError(
                f"image_size must be an int >= 1 or (height, width). Received: {self.image_size}."
            )
        if self.channels not in (1, 3):
            raise InputError(f"channels must be 1 (grey) or 3 (RGB). Received: {self.channels}.")
        one_of(self.resize, _RESIZES, "resize")
        object.__setattr__(
            self, "image_size", None if size is None else (int(size[0]), int(size[1]))
        )

    @property
    def shape(self):
        """(height, width, channels) of a decoded image."""
        return (*self.image_size, self.channels)

    @property
    def key(self):
        """Names everything that the decoded pixels depend on, for caches."""
        size = "x".join(map(str, self.shape))
        return f"pixels-v1-{size}-{self.resize}"

    def __call__(self, data):
        """Decode `data`, the bytes of an image file.

        Returns:
            uint8 array (height, width, channels).

        Raises:
            InputError: not an image, truncated, or larger than `max_pixels`.
        """
        return self.decode(data)[0]

    def decode(self, data):
        """As calling it, but returns the array and what was noticed, a tuple of short strings."""
        if not data:
            raise InputError("empty file")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's bomb warning: `max_pixels` decides here
            try:
                with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                    return self._pixels(image)
            except UnidentifiedImageError:
                raise InputError("not an image") from None
            except Image.DecompressionBombError:
                raise InputError(f"huge: more than {self.max_pixels:,} pixels") from None
            except (
                OSError,
                SyntaxError,
                ValueError,
                EOFError,
                IndexError,
                KeyError,
                TypeError,
            ) as error:
                if isinstance(error, InputError):
                    raise
                raise InputError(f"damaged: {_first_line(error)}") from None

    def _pixels(self, image):
        width, height = image.size
        if width * height > self.max_pixels:
            raise InputError(f"huge: {width} x {height} pixels, the limit is {self.max_pixels:,}")
        notes = [f"format {image.format}"]
        if getattr(image, "n_frames", 1) > 1 and image.format not in ("MPO", "TIFF"):
            notes.append("animated")
        if self.image_size:  # reduces while decoding, never below twice the target
            side = 2 * max(self.image_size)
            image.draft(None, (side, side))
        if image.getexif().get(0x0112, 1) != 1:
            notes.append("rotated by EXIF")
        if image.mode != "RGB":
            notes.append(f"mode {image.mode}")
        mode = "RGB" if self.channels == 3 else "L"
        image = _flatten(ImageOps.exif_transpose(image), mode)
        pixels = np.asarray(self._resized(image, mode))
        return pixels.reshape(*pixels.shape[:2], self.channels), tuple(notes)

    def _resized(self, image, mode):
        if self.image_size is None or image.size == self.image_size[::-1]:
            return image
        size = self.image_size[::-1]
        if self.resize == "crop":
            return ImageOps.fit(image, size, Image.Resampling.BILINEAR)
        if self.resize == "pad":
            return ImageOps.pad(image, size, Image.Resampling.BILINEAR, color=_WHITE[mode])
        return image.resize(size, Image.Resampling.BILINEAR)


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
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image if image.mode == mode else image.convert(mode)


def _first_line(error):
    return (str(error).splitlines() or [type(error).__name__])[0]


def decode_file(path, image_size=None, channels=3, resize="stretch"):
    """Read one image file as a `uint8` array, exactly as training data is read.

    Args:
        path: str or path of an image file.
        image_size, channels, resize: see `Decoder`.

    Returns:
        uint8 array (height, width, channels), values 0-255.

    Raises:
        InputError: the file is missing, unreadable or no image; the message names it.
    """
    path = Path(path)
    decoder = Decoder(image_size, channels, resize)
    try:
        return decoder(path.read_bytes())
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error
    except InputError as error:
        raise InputError(f"Cannot read {path} as a photo: {error}.") from error


def expected_suffixes(image_format):
    """The file name endings of a Pillow format name."""
    return _SUFFIXES.get(image_format, set())
