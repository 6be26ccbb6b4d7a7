"""Every kind of image file becomes an array of one shape, or one sentence that says why not."""

import concurrent.futures
import io
import os
import struct
import subprocess
import sys
import time
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps, features

from kerascnn import InputError
from kerascnn._random import generator
from kerascnn.data import Decoder, decode_file
from kerascnn.data.decode import expected_suffixes, listed

RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255,) * 3, (0,) * 3
NATIVE = Decoder()


def encoded(image, image_format="PNG", **options):
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def photo(height, width):
    """A smooth image without symmetry: uint8 (height, width, 3)."""
    y, x = np.mgrid[0:height, 0:width] / np.array([height, width]).reshape(2, 1, 1)
    waves = [np.sin(9 * x + 2 * y), np.cos(7 * y * x), np.sin(5 * y) * x]
    return (127.5 + 120 * np.stack(waves, -1)).astype(np.uint8)


# --- orientation -----------------------------------------------------------------------------


def as_stored(upright, orientation):
    """EXIF 2.32, tag Orientation: which visual sides the 0th row and the 0th column are."""
    swapped = orientation > 4
    height, width = upright.shape[:2]
    rows, columns = np.mgrid[0 : width if swapped else height, 0 : height if swapped else width]
    y, x = (columns, rows) if swapped else (rows, columns)
    y = height - 1 - y if orientation in (3, 4, 7, 8) else y  # the bottom comes first
    x = width - 1 - x if orientation in (2, 3, 6, 7) else x  # the right side comes first
    return upright[y, x]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "WEBP"])
def test_a_photo_stands_upright(orientation, image_format):
    truth = photo(6, 10)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(as_stored(truth, orientation))
    options = {"lossless": True, "exact": True} if image_format == "WEBP" else {}
    data = encoded(stored, image_format, exif=exif, **options)
    np.testing.assert_array_equal(NATIVE(data), truth)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_reduced_jpeg_stands_upright(orientation):
    truth = photo(480, 800)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(as_stored(truth, orientation)), "JPEG", exif=exif, quality=95)
    pixels, notes = Decoder((60, 100)).decode(data)
    wanted = np.asarray(Image.fromarray(truth).resize((100, 60), Image.Resampling.BOX), float)
    assert np.abs(pixels - wanted).mean() < 3
    assert ("rotated by EXIF" in notes) == (orientation != 1)
    assert "size 800x480" in notes


def test_a_senseless_orientation_changes_nothing():
    for value in (0, 9, 300):
        exif = Image.Exif()
        exif[0x0112] = value
        pixels, notes = NATIVE.decode(encoded(Image.fromarray(photo(5, 7)), exif=exif))
        np.testing.assert_array_equal(pixels, photo(5, 7))
        assert notes == ("format PNG", "size 7x5")


def test_a_photo_with_damaged_exif_is_still_a_photo():
    data = encoded(Image.fromarray(photo(32, 32)), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert NATIVE(data).shape == (32, 32, 3)


# --- modes -----------------------------------------------------------------------------------


def palette_with_alpha():
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *BLUE])
    image.putdata([0, 1])
    return encoded(image, transparency=bytes([0, 255]))  # red is see-through


def half_transparent():
    image = Image.new("RGBA", (3, 1))
    image.putdata([(*RED, 0), (*RED, 255), (0, 0, 0, 51)])
    return encoded(image)


def sixteen_bits():
    return encoded(Image.fromarray(np.array([[0, 255, 256, 65535]], np.uint16)))


def floats(*values):
    return encoded(Image.fromarray(np.array([values], np.float32)), "TIFF")


MODES = {  # what it is: (bytes, the RGB it must become, the mode that is noted)
    "grey": (encoded(Image.new("L", (1, 1), 77)), [(77, 77, 77)], "L"),
    "1 bit": (encoded(Image.fromarray(np.array([[True, False]]))), [WHITE, BLACK], "1"),
    "palette": (encoded(Image.new("RGB", (1, 1), GREEN).quantize()), [GREEN], "P"),
    "palette and alpha": (palette_with_alpha(), [WHITE, BLUE], "P"),
    "alpha": (half_transparent(), [WHITE, RED, (204, 204, 204)], "RGBA"),
    "grey and alpha": (encoded(Image.new("LA", (1, 1), (0, 0))), [WHITE], "LA"),
    "transparent colour": (encoded(Image.new("RGB", (1, 1), RED), transparency=RED), [WHITE], None),
    "16 bits": (sixteen_bits(), [(0,) * 3, (0,) * 3, (1,) * 3, (255,) * 3], "I;16"),
    "float in 0-1": (floats(0.0, 0.5, 1.0), [(0,) * 3, (127,) * 3, (255,) * 3], "F"),
    "float in 0-255": (floats(-3.0, 128.0, 999.0), [(0,) * 3, (128,) * 3, (255,) * 3], "F"),
    "float with gaps": (floats(np.nan, -np.inf, 1.0), [BLACK, BLACK, WHITE], "F"),
    "CMYK": (encoded(Image.new("CMYK", (1, 1), (0, 255, 255, 0)), "TIFF"), [RED], "CMYK"),
}


@pytest.mark.parametrize("name", MODES)
def test_every_mode_becomes_rgb(name):
    data, expected, mode = MODES[name]
    pixels, notes = NATIVE.decode(data)
    assert pixels.dtype == np.uint8 and pixels.flags.writeable
    assert pixels[0].tolist() == [list(pixel) for pixel in expected]
    assert [note for note in notes if note.startswith("mode")] == ([f"mode {mode}"] if mode else [])


@pytest.mark.parametrize("name", MODES)
def test_every_mode_becomes_grey(name):
    data, expected, _ = MODES[name]
    luma = [round(0.299 * r + 0.587 * g + 0.114 * b) for r, g, b in expected]  # ITU-R BT.601
    pixels = Decoder(channels=1)(data)
    assert pixels.shape == (1, len(luma), 1)
    np.testing.assert_allclose(pixels.ravel(), luma, atol=1)


def test_adobe_cmyk_jpeg_is_not_inverted():
    data = encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95)
    np.testing.assert_allclose(NATIVE(data)[8, 8], RED, atol=4)


def test_a_grey_target_does_not_call_colour_a_conversion():
    notes = Decoder(channels=1).decode(encoded(Image.new("RGB", (2, 2))))[1]
    assert notes == ("format PNG", "size 2x2")


@pytest.mark.parametrize("image_format", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_taken(image_format):
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, GREEN, BLUE)]
    options = {"lossless": True} if image_format == "WEBP" else {}
    data = encoded(frames[0], image_format, save_all=True, append_images=frames[1:], **options)
    pixels, notes = NATIVE.decode(data)
    assert (pixels == RED).all() and "animated" in notes
    assert "animated" not in NATIVE.decode(encoded(frames[0], image_format))[1]


def test_of_a_phones_multi_picture_the_photo_is_taken():
    frames = [Image.new("RGB", (64, 64), colour) for colour in (RED, BLUE)]
    data = encoded(frames[0], "MPO", save_all=True, append_images=frames[1:])
    pixels, notes = Decoder(8).decode(data)
    np.testing.assert_allclose(pixels[4, 4], RED, atol=2)
    assert notes[0] == "format MPO" and ".jpg" in expected_suffixes("MPO")


def test_avif():
    if not features.check("avif"):
        pytest.skip("this Pillow was built without AVIF")
    pixels, notes = NATIVE.decode(encoded(Image.new("RGB", (16, 16), BLUE), "AVIF"))
    np.testing.assert_allclose(pixels[8, 8], BLUE, atol=4)
    assert notes[0] == "format AVIF"


# --- size ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (30, 90), (90, 30), (64, 64)])
@pytest.mark.parametrize("resize", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("image_format", ["PNG", "JPEG"])
def test_any_size_becomes_the_size_that_was_asked_for(size, resize, image_format):
    data = encoded(Image.fromarray(photo(*size)), image_format)
    assert Decoder((20, 28), resize=resize)(data).shape == (20, 28, 3)


def test_crop_keeps_the_middle_and_pad_keeps_all_on_white():
    panorama = np.repeat(np.array([[RED, GREEN, BLUE]], np.uint8), 30, 1).repeat(30, 0)
    data = encoded(Image.fromarray(panorama))  # 30 x 90: three squares
    assert (Decoder(30, resize="crop")(data) == GREEN).all()
    padded = Decoder(30, resize="pad")(data)
    assert (padded[:10] == WHITE).all() and (padded[20:] == WHITE).all()
    np.testing.assert_array_equal(padded[15, [2, 15, 27]], [RED, GREEN, BLUE])
    np.testing.assert_array_equal(Decoder(30)(data)[15, [2, 15, 27]], [RED, GREEN, BLUE])


def test_a_line_does_not_vanish_when_padded():
    line = Decoder(32, resize="pad")(encoded(Image.new("RGB", (3000, 2), RED)))
    assert (line == RED).all(-1).sum() == 32


@pytest.mark.parametrize("size", [(3000, 2000), (1200, 3600), (449, 449), (500, 448)])
def test_a_large_jpeg_is_reduced_while_decoded_but_stays_twice_the_target(size, monkeypatch):
    seen, resized = [], Decoder._resized
    monkeypatch.setattr(
        Decoder, "_resized", lambda self, x: seen.append(x.size) or resized(self, x)
    )
    data = encoded(Image.fromarray(photo(*size[::-1])), "JPEG", quality=90)
    decoder = Decoder((224, 160))
    pixels = decoder(data)
    full = np.asarray(Image.open(io.BytesIO(data)).resize((160, 224), Image.Resampling.BILINEAR))
    assert np.abs(pixels.astype(float) - full).mean() < 1
    assert min(seen[0]) >= 448 and (seen[0] == size) == (min(size) < 896)


# --- refusals --------------------------------------------------------------------------------


def png_claiming(width, height):
    """The header of a PNG, and one chunk that holds nothing of use."""

    def chunk(body):
        return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))

    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(header) + chunk(b"IDATx") + chunk(b"IEND")


def bombs():
    side = 60_000
    jpeg = bytearray(encoded(Image.new("RGB", (8, 8)), "JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", side, side)
    bmp = bytearray(encoded(Image.new("RGB", (8, 8)), "BMP"))
    bmp[18:26] = struct.pack("<ii", side, side)
    return {
        "png": png_claiming(side, side),
        "a little png": png_claiming(11_000, 10_000),
        "jpeg": bytes(jpeg),
        "bmp": bytes(bmp),
        "ppm": b"P6 60000 60000 255\n" + bytes(99),
    }


@pytest.mark.parametrize("name", bombs())
def test_a_bomb_is_refused_before_it_is_decoded(name):
    start = time.perf_counter()
    with pytest.raises(InputError, match="^huge: "):
        Decoder(224)(bombs()[name])
    assert time.perf_counter() - start < 1


def test_a_bomb_takes_no_memory():
    code = (
        "import resource, sys; from kerascnn import InputError; from kerascnn.data import Decoder\n"
        "data = bytes.fromhex(sys.argv[1])\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: Decoder(224)(data)\n"
        "except InputError: pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    for data in (png_claiming(60_000, 60_000), png_claiming(11_000, 10_000)):
        run = subprocess.run([sys.executable, "-c", code, data.hex()], capture_output=True)
        assert int(run.stdout) < 30_000, run.stderr  # kilobytes


def short_chunk():
    data = bytearray(encoded(Image.fromarray(photo(99, 99))))
    (length,) = struct.unpack(">I", data[33:37])  # of the pixels
    return bytes(data[:33] + struct.pack(">I", length // 2) + data[37:])


NOT_PHOTOS = {
    "nothing": (b"", "empty file"),
    "text": (b"these are not the pixels you are looking for", "not an image"),
    "html": (b"<!DOCTYPE html><html><body>404</body></html>", "not an image"),
    "a program": (b"\x7fELF" + bytes(500), "not an image"),
    "PDF": (b"%PDF-1.4\n%\xe2\xe3\n", "not an image"),
    "EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
    "SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image"),
    "HEIC": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC, which is not read: save it as JPEG"),
    "a film": (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "not an image"),
    "half a JPEG": (encoded(Image.fromarray(photo(99, 99)), "JPEG")[:1500], "damaged"),
    "a chunk cut short": (short_chunk(), "damaged: broken PNG file"),  # raises a SyntaxError
    "half a PNG": (encoded(Image.fromarray(photo(99, 99)))[:1500], "damaged"),
}


@pytest.mark.parametrize("name", NOT_PHOTOS)
def test_what_is_no_photo_is_refused_in_words(name, tmp_path):
    data, reason = NOT_PHOTOS[name]
    with pytest.raises(InputError, match=f"^{reason}"):
        Decoder(32)(data)
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(InputError, match=f"a.jpg as a photo: {reason}"):
        decode_file(tmp_path / "a.jpg", 32)


def test_devices_pipes_and_absurdly_large_files_are_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    for path in ("/dev/zero", tmp_path / "pipe.jpg"):
        with pytest.raises(InputError, match="Cannot read .* as a photo: not a file"):
            decode_file(path)
    with (tmp_path / "large.jpg").open("wb") as file:
        file.truncate(10**12)  # of holes: it takes no space
    with pytest.raises(InputError, match="as a photo: huge: 1,000,000,000,000 bytes"):
        decode_file(tmp_path / "large.jpg")


def test_little_memory_is_not_called_damage(tmp_path, monkeypatch):
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image.Image, "load", lambda self: (_ for _ in ()).throw(MemoryError))
    with pytest.raises(MemoryError):
        Decoder()((tmp_path / "a.png").read_bytes())
    with pytest.raises(InputError, match=r"Cannot read .*a\.png: too little memory is free; end "):
        Decoder().read(tmp_path / "a.png")


def test_names_that_no_file_can_have_are_refused():
    for name in ("a\0b.jpg", "\ud800.jpg", "x" * 300):
        with pytest.raises(InputError, match="(?s)Cannot read .*(null byte|encode|too long)"):
            decode_file(name)


def test_paths_are_a_list_of_one_or_more():
    one = Path("a.jpg")
    for given, paths in (("a.jpg", ["a.jpg"]), (one, [one]), ((one, "b"), [one, "b"]), ([], [])):
        assert listed(given) == paths
    assert listed(Path(name) for name in "ab") == [Path("a"), Path("b")]
    assert listed(np.array(["a", "b"])) == ["a", "b"]


@pytest.mark.parametrize(
    ("given", "kind"),
    [(np.zeros((2, 4, 4, 3), "uint8"), "ndarray"), (["a.jpg", 3], "int"), (None, "NoneType")],
)
def test_images_are_no_paths(given, kind):
    with pytest.raises(InputError, match=f"Expected paths of image files.*Received: {kind}"):
        listed(given)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="Cannot read .*none.jpg: No such file or directory."):
        decode_file(tmp_path / "none.jpg")
    with pytest.raises(InputError, match="Is a directory"):
        decode_file(tmp_path)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_fuzz(image_format, capfd, caplog):
    """Whatever the bytes: an array of the right shape or an InputError, and not a word besides."""
    whole = encoded(Image.fromarray(photo(40, 50)), image_format)
    decoder = Decoder((16, 24))
    outcomes = {"decoded": 0, "refused": 0}
    for case in range(40):
        try:
            with warnings.catch_warnings(record=True) as leaked:
                pixels = decoder(mutated(whole, generator("fuzz", image_format, case)))
            assert pixels.shape == (16, 24, 3) and pixels.dtype == np.uint8
            outcomes["decoded"] += 1
        except InputError as error:
            assert str(error) and "\n" not in str(error)
            outcomes["refused"] += 1
        assert not leaked
    assert outcomes["refused"] and sum(outcomes.values()) == 40
    assert capfd.readouterr() == ("", "") and caplog.records == []


def mutated(data, draw):
    data = bytearray(data)
    for _ in range(draw.integers(1, 6)):
        reach = len(data) if draw.random() < 0.5 else min(len(data), 128)  # headers break more
        at = int(draw.integers(reach))
        kind = draw.integers(5)
        if kind == 0:
            data[at] ^= 1 << int(draw.integers(8))
        elif kind == 1:
            data[at : at + 4] = draw.bytes(4)
        elif kind == 2:
            data[at:at] = draw.bytes(int(draw.integers(1, 40)))
        elif len(data) > 100:
            end = at + int(draw.integers(1, 40)) if kind == 3 else None
            del data[max(at, 32) : end]
    return bytes(data)


def test_what_pillow_logs_is_not_heard(caplog):
    tiff = bytearray(encoded(Image.new("RGB", (8, 8)), "TIFF"))
    samples = tiff.index(struct.pack("<HHI", 277, 3, 1)) + 8  # tag SamplesPerPixel
    tiff[samples : samples + 2] = struct.pack("<H", 2048)
    with pytest.raises(InputError, match="^not an image"):
        NATIVE(bytes(tiff))
    assert caplog.records == []
    with pytest.raises(Exception, match="cannot identify"):
        Image.open(io.BytesIO(tiff))
    assert "More samples per pixel" in caplog.text  # others still hear it


def test_warning_filters_survive_many_threads():
    data = encoded(Image.fromarray(photo(60, 60)), "JPEG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(Decoder(8), [data] * 400))
        assert warnings.filters == before


# --- settings --------------------------------------------------------------------------------


def test_the_key_names_every_setting():
    base = {"image_size": (224, 224), "channels": 3, "resize": "stretch", "max_pixels": 10**8}
    others = {"image_size": (224, 225), "channels": 1, "resize": "pad", "max_pixels": 10**7}
    assert others.keys() == Decoder.__dataclass_fields__.keys()  # a new setting joins this test
    keys = {Decoder(**base).key, Decoder().key}
    keys |= {Decoder(**base | {name: value}).key for name, value in others.items()}
    assert len(keys) == 2 + len(others)
    assert Decoder(**base).key == Decoder(224).key == Decoder(np.int64(224)).key
    assert "/" not in Decoder(224).key


@pytest.mark.parametrize(
    "size", [0, -1, 2.5, "224", (224,), (1, 2, 3), (0, 5), [2.5, 3], 5001, 10**30]
)
def test_a_wrong_size_is_refused(size):
    with pytest.raises(InputError, match="image_size must be an int >= 1"):
        Decoder(size)


def test_other_wrong_settings_are_refused():
    with pytest.raises(InputError, match="channels must be 1 .* or 3 .*Received: 4"):
        Decoder(8, channels=4)
    with pytest.raises(InputError, match="Unknown resize 'strech'. Did you mean 'stretch'"):
        Decoder(8, resize="strech")
    with pytest.raises(InputError, match="max_pixels must be from 1 to 178,956,970"):
        Decoder(8, max_pixels=10**9)


def test_the_same_as_pillow_on_real_photos(shared_data):
    for path in sorted(shared_data("data/clothing/test/hat").iterdir())[:5]:
        upright = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
        wanted = np.asarray(upright.resize((224, 224), Image.Resampling.BILINEAR), float)
        assert np.abs(decode_file(path, 224) - wanted).mean() < 1
        np.testing.assert_array_equal(decode_file(path), np.asarray(upright))
