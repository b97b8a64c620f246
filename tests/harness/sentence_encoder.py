"""A BERT sentence encoder in PyTorch, as all-MiniLM-L6-v2 is one, and its WordPiece tokenizer: written anew, so that the
published weights run without the packages of their makers."""

import json
import struct
import unicodedata

import numpy
import torch


class _Layer(torch.nn.Module):
    def __init__(self, size, heads, inner):
        super().__init__()
        self.query, self.key, self.value, self.joined = (torch.nn.Linear(size, size) for _ in range(4))
        self.after_attention = torch.nn.LayerNorm(size, eps=1e-12)
        self.widen = torch.nn.Linear(size, inner)
        self.narrow = torch.nn.Linear(inner, size)
        self.after_all = torch.nn.LayerNorm(size, eps=1e-12)
        self.heads = heads

    def forward(self, hidden, hide):
        rows, length, size = hidden.shape
        split = (rows, length, self.heads, size // self.heads)
        query = self.query(hidden).reshape(split).transpose(1, 2)
        key = self.key(hidden).reshape(split).transpose(1, 2)
        value = self.value(hidden).reshape(split).transpose(1, 2)
        scores = torch.matmul(query, key.transpose(2, 3)) / (size // self.heads) ** 0.5 + hide
        mixed = torch.matmul(torch.softmax(scores, -1), value).transpose(1, 2).reshape(rows, length, size)
        hidden = self.after_attention(hidden + self.joined(mixed))
        return self.after_all(hidden + self.narrow(torch.nn.functional.gelu(self.widen(hidden))))


class Encoder(torch.nn.Module):
    """Token numbers and a mask, both INT64 [rows, length], to normalised means of the last layer, [rows, size]."""

    def __init__(self, settings):
        super().__init__()
        size = settings["hidden_size"]
        self.words = torch.nn.Embedding(settings["vocab_size"], size)
        self.places = torch.nn.Embedding(settings["max_position_embeddings"], size)
        self.kinds = torch.nn.Embedding(settings["type_vocab_size"], size)
        self.first = torch.nn.LayerNorm(size, eps=settings["layer_norm_eps"])
        heads, inner = settings["num_attention_heads"], settings["intermediate_size"]
        self.layers = torch.nn.ModuleList(_Layer(size, heads, inner) for _ in range(settings["num_hidden_layers"]))

    def forward(self, tokens, mask):
        places = torch.arange(tokens.shape[1])
        hidden = self.first(self.words(tokens) + self.places(places) + self.kinds(torch.zeros_like(tokens)))
        hide = (1.0 - mask[:, None, None, :].to(hidden.dtype)) * -1e9
        for layer in self.layers:
            hidden = layer(hidden, hide)
        shown = mask[:, :, None].to(hidden.dtype)
        return torch.nn.functional.normalize((hidden * shown).sum(1) / shown.sum(1))


_PLACES = {
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "joined",
    "attention.output.LayerNorm": "after_attention",
    "intermediate.dense": "widen",
    "output.dense": "narrow",
    "output.LayerNorm": "after_all",
}
_FIRST = {
    "embeddings.word_embeddings": "words",
    "embeddings.position_embeddings": "places",
    "embeddings.token_type_embeddings": "kinds",
    "embeddings.LayerNorm": "first",
}


def _read_tensors(path):
    """The FP32 tensors of a safetensors file."""
    data = path.read_bytes()
    (size,) = struct.unpack_from("<Q", data)
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            begin, end = (8 + size + offset for offset in entry["data_offsets"])
            yield name, torch.from_numpy(numpy.frombuffer(data[begin:end], "f4").reshape(entry["shape"]).copy())


def _own_name(name):
    """The module's name of a published weight, or None for one that it does not need."""
    stem, kind = name.rsplit(".", 1)
    if stem.startswith("encoder.layer."):
        _, _, number, place = stem.split(".", 3)
        return f"layers.{number}.{_PLACES[place]}.{kind}"
    return f"{_FIRST[stem]}.{kind}" if stem in _FIRST else None


def load(folder):
    """The encoder of a published folder (config.json, model.safetensors)."""
    encoder = Encoder(json.loads((folder / "config.json").read_text(encoding="utf-8")))
    weights = {_own_name(name): tensor for name, tensor in _read_tensors(folder / "model.safetensors")}
    weights.pop(None, None)
    encoder.load_state_dict(weights)
    return encoder.eval()


class Tokenizer:
    """Lower-case WordPiece over vocab.txt."""

    _LONGEST = 254

    def __init__(self, folder):
        lines = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
        self._numbers = {word: number for number, word in enumerate(lines)}

    def encode(self, text):
        """The token numbers of a sentence with those that begin and end it."""
        pieces = [piece for word in _words(text) for piece in self._pieces(word)][: self._LONGEST]
        return [self._numbers["[CLS]"], *pieces, self._numbers["[SEP]"]]

    def batch(self, sentences):
        """(tokens, mask), padded to the longest."""
        rows = [self.encode(sentence) for sentence in sentences]
        tokens = numpy.zeros((len(rows), max(map(len, rows))), numpy.int64)
        mask = numpy.zeros_like(tokens)
        for i, row in enumerate(rows):
            tokens[i, : len(row)] = row
            mask[i, : len(row)] = 1
        return tokens, mask

    def _pieces(self, word):
        pieces = []
        begin = 0
        while begin < len(word):
            for end in range(len(word), begin, -1):
                number = self._numbers.get(("##" if begin else "") + word[begin:end])
                if number is not None:
                    break
            else:
                return [self._numbers["[UNK]"]]
            pieces.append(number)
            begin = end
        return pieces


def _words(text):
    """Words and signs of a text, without accents."""
    plain = unicodedata.normalize("NFD", text.lower())
    spaced = ""
    for char in plain:
        category = unicodedata.category(char)
        if category != "Mn":
            spaced += f" {char} " if category[0] == "P" or char in "$+<=>^`|~" else char
    return spaced.split()
