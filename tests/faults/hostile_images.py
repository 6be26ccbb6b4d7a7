"""More than 300 image files that trouble decoders, and what should become of each.

`files()` is {name: (bytes, expected)}. Expected is an array, the upright RGB pixels; an int, the
grey of all pixels; a str, how the reason begins for which the file is refused; a (str, array),
either of them; or None: whatever, if it is said.
"""

import functools
import itertools
import struct
import zlib

import numpy as np
from hypothesis import given
from PIL import Image, ImageCms, PngImagePlugin

from tests.data.test_decode import as_stored, encoded, photo, png_claiming
from tests.faults.corruption import damaged, examples

RGB = photo(24, 20)
GREY = RGB[..., 0]
ALPHA = photo(24, 20)[..., 2]
INDICES = (GREY // 32).astype("uint8")
PALETTE = np.arange(24, dtype="uint8").reshape(8, 3) * 10
SIDE = 60_000


def grey(values):
    return np.repeat(np.asarray(values, "uint8")[..., None], 3, axis=-1)


def on_white(colours, alpha):
    share = alpha[..., None] / 255
    return np.round(colours * share + 255 * (1 - share)).astype("uint8")


@functools.cache
def files():
    whole = {**modes(), **upright(), **oddities()}
    cut = {
        f"{name}, {share:.0%} of it": (data[: int(share * len(data))], ("", expected))
        for name, (data, expected) in whole.items()
        for share in (0, 0.1, 0.5, 0.98)
    }
    return whole | cut | bombs() | lies() | no_images() | fuzzed()


# Good images


def modes():
    paletted = Image.fromarray(INDICES).convert("P")
    paletted.putdata(INDICES.ravel().tolist())
    paletted.putpalette(PALETTE.ravel().tolist())
    see_through = on_white(PALETTE, np.array([0] + [255] * 7))[INDICES]
    images = {
        "1": (Image.fromarray(GREY > 99), grey(np.where(GREY > 99, 255, 0))),
        "L": (Image.fromarray(GREY), grey(GREY)),
        "P": (paletted, PALETTE[INDICES]),
        "RGB": (Image.fromarray(RGB), RGB),
        "LA": (Image.fromarray(np.stack([GREY, ALPHA], -1)), on_white(grey(GREY), ALPHA)),
        "RGBA": (Image.fromarray(np.dstack([RGB, ALPHA])), on_white(RGB, ALPHA)),
        "16 bits": (Image.fromarray(GREY.astype("uint16") * 257), grey(GREY)),
        "CMYK": (Image.fromarray(np.dstack([255 - RGB, GREY * 0]), "CMYK"), RGB),
    }
    written = {
        "PNG": {"1", "L", "P", "RGB", "LA", "RGBA", "16 bits"},
        "GIF": {"1", "L", "P"},
        "BMP": {"1", "L", "P", "RGB", "RGBA"},
        "TIFF": set(images),
        "PPM": {"1", "L", "RGB", "16 bits"},
        "WEBP": {"RGB", "RGBA"},
    }
    made = {
        f"{mode} {kind}": (encoded(images[mode][0], kind, **OPTIONS.get(kind, {})), images[mode][1])
        for kind in written
        for mode in sorted(written[kind])
    }
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        data = encoded(images["RGB"][0], "TIFF", compression=compression)
        made[f"{compression} TIFF"] = data, RGB
    made["RGBA BMP"] = made["RGBA BMP"][0], RGB  # the fourth byte of BMP says nothing
    made["transparent P PNG"] = encoded(paletted, transparency=0), see_through
    made["transparent P GIF"] = encoded(paletted, "GIF", transparency=0), see_through
    made["16 bits a colour PNG"] = png(RGB.astype(">u2") * 257, 16, 2), RGB
    made["interlaced PNG"] = interlaced(RGB), RGB
    made["tall transparent PNG"] = tall()
    return made


OPTIONS = {"WEBP": {"lossless": True, "exact": True}}


def tall():
    """More rows than are laid on white at once."""
    colours = photo(700, 3)
    alpha = photo(700, 3)[..., 2]
    return encoded(Image.fromarray(np.dstack([colours, alpha]))), on_white(colours, alpha)


def chunk(kind, body):
    checksum = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def png(values, depth, colour_type, *chunks, interlace=0, rows=None):
    """A PNG as its standard says, since Pillow writes only some."""
    height, width = values.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlace)
    rows = values if rows is None else rows
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    parts = [chunk(b"IHDR", header), *chunks, chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def interlaced(values):
    """Adam7: PNG specification, section 8.2."""
    starts = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)]
    passes = [values[y::down, x::right] for y, x, down, right in [*starts, (1, 0, 2, 1)]]
    return png(values, 8, 2, interlace=1, rows=list(itertools.chain.from_iterable(passes)))


def upright():
    """Stored in all eight orientations."""
    made = {}
    for turn, kind in itertools.product(range(1, 9), ("PNG", "TIFF", "WEBP")):
        exif = Image.Exif()
        exif[0x0112] = turn
        stored = Image.fromarray(as_stored(RGB, turn))
        made[f"turned {turn} {kind}"] = (
            encoded(stored, kind, exif=exif, **OPTIONS.get(kind, {})),
            RGB,
        )
    return made


def oddities():
    """Unusual, but whole."""
    image = Image.fromarray(RGB)
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "x" * 500_000, zip=True)
    frames = {"save_all": True, "append_images": [Image.new("RGB", (20, 24), "red")]}
    paletted = Image.fromarray(PALETTE[INDICES]).quantize(8)
    return {
        "damaged EXIF PNG": (png(RGB, 8, 2, chunk(b"eXIf", b"MM\0*\xff\xff\xff\xff")), RGB),
        "damaged profile PNG": (encoded(image, icc_profile=b"no profile"), RGB),
        "profile PNG": (encoded(image, icc_profile=srgb()), RGB),
        "long text PNG": (encoded(image, pnginfo=text), RGB),
        "unknown chunk PNG": (png(RGB, 8, 2, chunk(b"tEst", bytes(9999))), RGB),
        "animated PNG": (encoded(image, **frames), RGB),
        "animated WEBP": (encoded(image, "WEBP", lossless=True, **frames), RGB),
        "animated GIF": (encoded(paletted, "GIF", **frames), np.asarray(paletted.convert("RGB"))),
        "two pages TIFF": (encoded(image, "TIFF", **frames), RGB),
        "top first BMP": (top_first_bmp(), RGB),
        "text behind PNG": (encoded(image) + b"<script>alert(1)</script>", RGB),
        "archive behind PNG": (encoded(image) + b"PK\5\6" + bytes(18), RGB),
        "one pixel PNG": (encoded(Image.new("RGB", (1, 1), (1, 2, 3))), np.array([[[1, 2, 3]]])),
        "a line PNG": (encoded(Image.new("RGB", (5000, 1))), np.zeros((1, 5000, 3))),
    }


def srgb():
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def top_first_bmp():
    """A negative height says that the first row is the upper one."""
    header = struct.pack("<IiiHHIIiiII", 40, 20, -24, 1, 24, 0, RGB.nbytes, 0, 0, 0, 0)
    return (
        b"BM" + struct.pack("<IHHI", 54 + RGB.nbytes, 0, 0, 54) + header + RGB[..., ::-1].tobytes()
    )


# Bad ones


def patched(data, at, *values, order=">"):
    """`data` with 4-byte numbers at a place."""
    new = b"".join(struct.pack(f"{order}I", value & 0xFFFFFFFF) for value in values)
    return data[:at] + new + data[at + len(new) :]


def bombs():
    """Small files that say they are huge."""
    image = Image.fromarray(RGB)
    jpeg, gif = bytearray(encoded(image, "JPEG")), bytearray(encoded(image.convert("P"), "GIF"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", SIDE, SIDE)
    gif[6:10] = struct.pack("<HH", SIDE, SIDE)
    width = struct.pack("<I", SIDE - 1)[:3]
    vp8x = b"VP8X" + struct.pack("<I", 10) + bytes(4) + width + width
    tiff = encoded(image, "TIFF")
    for tag, side in ((256, 20), (257, 24)):  # width and height, as four-byte numbers
        size = tiff.index(struct.pack("<HHII", tag, 4, 1, side))
        tiff = patched(tiff, size + 8, SIDE, order="<")
    return {
        "bomb PNG": (png_claiming(SIDE, SIDE), "huge"),
        "wide bomb PNG": (png_claiming(2**31 - 1, 1), "huge"),
        "just too large PNG": (png_claiming(10_001, 10_000), "huge"),
        "bomb GIF": (bytes(gif), "huge"),
        "bomb JPEG": (bytes(jpeg), "huge"),
        "bomb BMP": (patched(encoded(image, "BMP"), 18, SIDE, SIDE, order="<"), "huge"),
        "bomb TIFF": (tiff, "huge"),
        "bomb PPM": (b"P6 60000 60000 255\n" + bytes(99), "huge"),
        "bomb WEBP": (b"RIFF" + struct.pack("<I", 22) + b"WEBP" + vp8x, ""),
        "text bomb PNG": (
            png(RGB, 8, 2, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**8)))),
            "",
        ),
        "profile bomb PNG": (
            png(RGB, 8, 2, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(10**8)))),
            ("", RGB),
        ),
        "large and see-through PNG": (blank(9_900, 9_900), 191),
    }


def blank(width, height):
    """A PNG of one half-transparent grey, as large as is allowed: 100 million pixels in 300 KB."""
    compressor, row = zlib.compressobj(1), b"\0" + b"\x80\x80\x80\x80" * width
    data = b"".join(compressor.compress(row) for _ in range(height)) + compressor.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def lies():
    """Headers that do not fit what follows."""
    image = Image.fromarray(RGB)
    plain, bmp = encoded(image), encoded(image, "BMP")
    jpeg = encoded(image, "JPEG")
    arithmetic = jpeg.replace(b"\xff\xc0", b"\xff\xc9", 1)
    at = plain.index(b"IDAT")
    return {
        "no width PNG": (png_claiming(0, 9), ""),
        "no height PNG": (png_claiming(9, 0), ""),
        "no height JPEG": (zero_height(jpeg), ""),
        "no size GIF": (b"GIF89a" + bytes(4) + b"\0\0\0,\0\0\0\0" + bytes(4) + b"\0\2\0;", ""),
        "no size BMP": (patched(bmp, 18, 0, 0, order="<"), ""),
        "no size PPM": (b"P6 0 0 255\n", ""),
        "no colours PPM": (b"P6 9 9 0\n" + bytes(243), ""),
        "negative width BMP": (patched(bmp, 18, -20, order="<"), ""),
        "twice as high PNG": (png_of_claimed_height(48), None),
        "wrong checksum PNG": (plain[: at + 20] + b"\0" + plain[at + 21 :], "damaged"),
        "long chunk PNG": (patched(plain, at - 4, 2**31 - 1), ("damaged", RGB)),
        "arithmetic JPEG": (arithmetic, None),
        "YCCK JPEG": (ycck(), None),
        "endless TIFF": (endless_tiff(), None),
        "far strip TIFF": (b"II*\0\xf0\xff\xff\xff", ""),
        "a directory of nothing TIFF": (b"II*\0\x08\0\0\0\0\0\0\0\0\0", ""),
    }


def zero_height(jpeg):
    frame = jpeg.index(b"\xff\xc0")
    return jpeg[: frame + 5] + b"\0\0" + jpeg[frame + 7 :]


def png_of_claimed_height(height):
    header = struct.pack(">IIBBBBB", 20, height, 8, 2, 0, 0, 0)
    return png(RGB, 8, 2)[:8] + chunk(b"IHDR", header) + png(RGB, 8, 2)[33:]


def ycck():
    """CMYK in Adobe's other coding: the byte behind its marker says which."""
    data = bytearray(encoded(Image.fromarray(np.dstack([RGB, GREY]), "CMYK"), "JPEG"))
    data[data.index(b"Adobe") + 11] = 2
    return bytes(data)


def endless_tiff():
    """The next page is this page."""
    data = encoded(Image.fromarray(RGB), "TIFF")
    (first,) = struct.unpack_from("<I", data, 4)
    (entries,) = struct.unpack_from("<H", data, first)
    return patched(data, first + 2 + 12 * entries, first, order="<")


def no_images():
    texts = {
        "text": b"these are not the pixels you are looking for",
        "page": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        "drawing": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "program": b"\x7fELF" + bytes(500),
        "script": b"#!/bin/sh\ntouch ran\n",
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(ran) (w) file\n",
        "document": b"%PDF-1.4\n%\xe2\xe3\n",
        "archive": b"PK\3\4" + bytes(99),
        "zeros": bytes(1000),
        "icon": b"\0\0\1\0\1\0\x10\x10" + bytes(99),
    }
    made = {name: (data, "not an image") for name, data in texts.items()}
    made |= {f"only the mark of {kind}": (mark, "") for kind, mark in MARKS.items()}
    return made | {"nothing": (b"", "empty file")}


MARKS = {
    "PNG": b"\x89PNG\r\n\x1a\n",
    "JPEG": b"\xff\xd8\xff\xe0",
    "GIF": b"GIF89a",
    "WEBP": b"RIFF\x10\0\0\0WEBPVP8 ",
    "BMP": b"BM" + bytes(12),
    "TIFF": b"II*\0",
    "PPM": b"P6",
    "AVIF": b"\0\0\0\x1cftypavif",
}


def fuzzed():
    """Drawn by Hypothesis, the same every time; most accidents are in the header."""
    image, made = Image.fromarray(RGB), {}
    for kind in MARKS:
        whole = encoded(image.convert("P") if kind == "GIF" else image, kind)
        made |= {f"fuzzed {i} {kind}": (d, None) for i, d in enumerate(accidents(whole))}
    return made


def accidents(whole):
    drawn = []

    @examples(25)
    @given(damaged(whole))
    def draw(data):
        drawn.append(data)

    draw()
    return drawn
