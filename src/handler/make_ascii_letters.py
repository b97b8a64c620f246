"""Writes what Unicode's characters beyond ASCII become as ASCII: in lower case, decomposed (NFKD), without what is not
ASCII then, and without punctuation. Usage: make_ascii_letters.py OUT"""

import string
import sys
import unicodedata

_SURROGATES = range(0xD800, 0xE000)


def letters(character):
    text = unicodedata.normalize("NFKD", character.lower()).encode("ascii", "ignore").decode("ascii").lower()
    return text.translate(str.maketrans("", "", string.punctuation))


with open(sys.argv[1], "w", encoding="ascii") as out:
    for point in range(0x80, sys.maxunicode + 1):
        text = "" if point in _SURROGATES else letters(chr(point))
        if text:
            assert text.isalnum() or text.isspace(), (hex(point), text)
            out.write(f'{{0x{point:X}, "{text}"}},\n')
