"""From a text to the words that the default text handler knows: those of TorchServe's, whose models were trained on them."""

import re
import string
import unicodedata

_ENTITY = "&(?:[a-z0-9]+|#[0-9]{1,6}|#x[0-9a-f]{1,6});"
_ENTITIES = re.compile(_ENTITY)
_MARKUP = re.compile("<[^>\n]*>|" + _ENTITY)

# What may stand before an apostrophe and its ending, and what the ending becomes. Where a word goes on behind it, it is
# the first part alone that changes ("he'd've": he wouldve).
_ENDINGS = (
    ("n't", " not", "are could did does do had has have is may might must need ought should was were would"),
    ("'d", " would", "he i it she that there they we you"),
    ("'d", " did", "how where"),
    ("'ll", " will", "he how i it she they we what who you"),
    ("'m", " am", "i"),
    ("'re", " are", "they we what you"),
    ("'s", " is", "he how it she that there what when where who why"),
    ("'ve", " have", "could i might must should so they to we what when where who why will would you"),
)
_CONTRACTIONS = {
    # These two keep their first sign, whatever they become.
    "ain't": "as not",
    "'cause": "'ecause",
    "can't": "cannot",
    "let's": "let us",
    "ma'am": "madam",
    "o'clock": "of the clock",
    "sha'n't": "shall not",
    "shan't": "shall not",
    "so's": "so as",
    "won't": "will not",
    "y'all": "you all",
    **{word + ending: word + full for ending, full, words in _ENDINGS for word in words.split()},
}
# Anywhere, also within a word. None of them begins another one.
_CONTRACTION = re.compile("|".join(map(re.escape, _CONTRACTIONS)))
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def strip_html(text):
    """Without tags that end in their line, and without entities in lower case; nothing takes their place. Linear: behind
    the last ">" of a line no tag is looked for."""
    lines = []
    for line in text.split("\n"):
        end = line.rfind(">") + 1
        lines.append(_MARKUP.sub("", line[:end]) + _ENTITIES.sub("", line[end:]))
    return "\n".join(lines)


def expand_contractions(text):
    """can't becomes cannot, they've becomes they have; other apostrophes go. `text` is in lower case."""
    return _CONTRACTION.sub(lambda match: _CONTRACTIONS[match.group()], text).replace("'", "")


def remove_accents(text):
    """Without accents, and without whatever is not ASCII then."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")


def remove_punctuation(text):
    return text.translate(_NO_PUNCTUATION)


def clean(text):
    # Letters of mathematics and the like are capitals only when they have become ASCII.
    return remove_punctuation(remove_accents(expand_contractions(strip_html(text).lower()))).lower()


def ngrams(tokens, count):
    """The words, then the pairs, then the triples... up to `count` words, each joined by a blank."""
    found = list(tokens)
    for size in range(2, count + 1):
        found.extend(" ".join(tokens[start : start + size]) for start in range(len(tokens) - size + 1))
    return found
