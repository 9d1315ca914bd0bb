"""The names under which photos are saved."""

import unicodedata

import pytest

from safelight.imaging.formats import FORMATS
from safelight.library.captions import download_filename, sanitize_filename


@pytest.mark.parametrize(
    ("filename", "form", "saved"),
    [
        ("cat.jpg", "jpeg", "cat.jpg"),
        ("cat.JPEG", "jpeg", "cat.JPEG"),
        ("a.b.c.jpg", "jpeg", "a.b.c.jpg"),
        ("IMG_1.HEIF", "heic", "IMG_1.HEIF"),
        ("IMG_1.jpg", "heic", "IMG_1.heic"),
        ("DSC00001.HIF", "heic", "DSC00001.HIF"),
        ("star.avifs", "avif", "star.avifs"),
        ("cat", "png", "cat.png"),
        ("Mr. Smith at the sea", "png", "Mr. Smith at the sea.png"),
        ("写真.jpg", "webp", "写真.webp"),
        ("👩‍👩‍👧‍👦.jpg", "jpeg", "👩‍👩‍👧‍👦.jpg"),
        ("page.html", "png", "page.png"),
        ("cat.jpg.exe", "jpeg", "cat.jpg"),
        ("cat.html. . ", "jpeg", "cat.jpg"),
        ("cat.ht\0ml", "gif", "cat.gif"),
        ("cat.ht\u200bml", "gif", "cat.gif"),
        ("cat\u202egpj.exe", "jpeg", "catgpj.jpg"),
        ("\u2066a\u2069\u200b\ufeff.jpg", "jpeg", "a.jpg"),
        ("../../etc/passwd", "jpeg", "passwd.jpg"),
        ("C:\\a\\cat.png", "png", "cat.png"),
        ("C:cat.png", "png", "C_cat.png"),
        (".htaccess", "png", "htaccess.png"),
        ("", "avif", "photo-7.avif"),
        ("..", "avif", "photo-7.avif"),
        (".jpg", "jpeg", "jpg.jpg"),
        ("\u202e.exe", "jpeg", "exe.jpg"),
        ("CON.jpg", "jpeg", "_CON.jpg"),
        ("lpt1.old.jpg", "jpeg", "_lpt1.old.jpg"),
        ("COM¹.png", "png", "_COM¹.png"),
        ("console.jpg", "jpeg", "console.jpg"),
    ],
    ids=ascii,
)
def test_photo_is_saved_under_its_name_with_the_extension_of_its_format(
    filename: str, form: str, saved: str
) -> None:
    for kept in (filename, sanitize_filename(filename)):
        assert download_filename(kept, FORMATS[form], default="photo-7") == saved


@pytest.mark.parametrize(
    "filename", ["写" * 1024, "n" * 1024, "a" * 300 + ".exe", "e" + "\u0301" * 200]
)
def test_name_fits_into_a_file_system(filename: str) -> None:
    saved = download_filename(filename, FORMATS["jpeg"], default="photo-7")
    assert len(saved.encode()) <= 255
    assert saved.endswith(".jpg")


def test_no_character_of_a_name_reorders_it_or_ends_a_line() -> None:
    embeddings = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    for char in map(chr, range(0x3000)):
        if unicodedata.bidirectional(char) in embeddings or unicodedata.category(char) in {
            *("Cc", "Zl", "Zp")
        }:
            name = download_filename(f"a{char}b.png", FORMATS["png"], default="x")
            assert name == "ab.png", ascii(char)
