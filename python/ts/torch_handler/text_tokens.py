"""From a text to the words that the default text handler knows."""

import html
import re
import unicodedata

_TAGS = re.compile(r"<[^>]*>")
# What stays of a word before the apostrophe where it is not simply the word without its ending.
_IRREGULAR = {
    "can't": "cannot",
    "won't": "will not",
    "shan't": "shall not",
    "let's": "let us",
    "y'all": "you all",
    "ma'am": "madam",
    "o'clock": "of the clock",
}
_ENDINGS = (
    ("n't", " not"),
    ("'re", " are"),
    ("'ve", " have"),
    ("'ll", " will"),
    ("'m", " am"),
    ("'d", " would"),
    ("'s", " is"),
)
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)+")
_PUNCTUATION = re.compile(r"[^\w\s]|_")


def strip_html(text):
    return html.unescape(_TAGS.sub(" ", text))


def expand_contractions(text):
    """can't becomes cannot, they've becomes they have; `text` is in lower case."""

    def expanded(match):
        word = match.group()
        if word in _IRREGULAR:
            return _IRREGULAR[word]
        for ending, replacement in _ENDINGS:
            if word.endswith(ending):
                return word[: -len(ending)] + replacement
        return word

    return _WORD.sub(expanded, text.replace("\u2019", "'"))


def remove_accents(text):
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")


def remove_punctuation(text):
    return _PUNCTUATION.sub(" ", text)


def clean(text):
    return remove_punctuation(remove_accents(expand_contractions(strip_html(text).lower())))


def ngrams(tokens, count):
    """The words, then the pairs, then the triples... up to `count` words, each joined by a blank."""
    found = list(tokens)
    for size in range(2, count + 1):
        found.extend(" ".join(tokens[start : start + size]) for start in range(len(tokens) - size + 1))
    return found
