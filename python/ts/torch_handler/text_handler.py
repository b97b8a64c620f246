"""What handlers of texts have in common: the vocabulary of the archive."""

import os

import torch

from ts.torch_handler.base_handler import BaseHandler


class TextHandler(BaseHandler):
    """`source_vocab`: from a word to its number. The file source_vocab.pt holds a dictionary, or an object of a
    vocabulary class whose package is installed."""

    def __init__(self):
        super().__init__()
        self.source_vocab = None

    def initialize(self, context):
        super().initialize(context)
        name = self.manifest["model"].get("sourceVocab") or "source_vocab.pt"
        path = os.path.join(context.system_properties.get("model_dir"), name)
        if not os.path.isfile(path):
            raise FileNotFoundError(
                f"{name} is missing in the archive: text handlers need the vocabulary that the model was trained with"
            )
        # The archive's own code runs here too: its vocabulary is trusted as that is.
        self.source_vocab = torch.load(path, map_location="cpu", weights_only=False)

    def word_numbers(self, words):
        """A plain dictionary gives words that it does not have the number of "<unk>", or 0, where TorchServe fails;
        a vocabulary, a Counter or a defaultdict knows by itself."""
        vocabulary = self.source_vocab
        if not isinstance(vocabulary, dict) or hasattr(vocabulary, "__missing__"):
            return [vocabulary[word] for word in words]
        unknown = vocabulary.get("<unk>", 0)
        return [vocabulary.get(word, unknown) for word in words]
