"""text_classifier: the probabilities of all classes of a text."""

import torch

from ts.handler_utils.timer import timed
from ts.torch_handler import text_tokens
from ts.torch_handler.text_handler import TextHandler
from ts.utils.util import map_class_to_label


class TextClassifier(TextHandler):
    """Answers {label: probability} of all classes. The model is called with the numbers of words and pairs of words,
    and where each text of the batch begins among them, as an EmbeddingBag takes them."""

    ngrams = 2

    @timed
    def preprocess(self, data):
        numbers, offsets, texts = [], [], []
        for row in data:
            text = row.get("data") or row.get("body")
            if isinstance(text, (bytes, bytearray)):
                text = text.decode("utf-8")
            text = text_tokens.clean(text)
            texts.append(text)
            offsets.append(len(numbers))
            numbers.extend(self.word_numbers(text_tokens.ngrams(text.split(), self.ngrams)))
        # Of this type also where no word is left.
        numbers = torch.as_tensor(numbers, dtype=torch.int64, device=self.device)
        return (numbers, torch.as_tensor(offsets, device=self.device)), texts

    @timed
    def inference(self, data, *args, **kwargs):
        (numbers, offsets), _ = data
        with torch.inference_mode():
            return self.model(numbers, offsets, *args, **kwargs)

    @timed
    def postprocess(self, data):
        return map_class_to_label(torch.softmax(data, dim=1).tolist(), self.mapping)

    def get_insights(self, tensor_data, _, target=0):
        """How much each word of the first text adds to the class `target`; needs captum."""
        from captum.attr import LayerIntegratedGradients

        (numbers, offsets), texts = tensor_data
        layers = [
            layer for layer in self.model.modules() if isinstance(layer, (torch.nn.Embedding, torch.nn.EmbeddingBag))
        ]
        if not layers:
            raise NotImplementedError("text_classifier explains models with an embedding")
        target = int(target.decode() if isinstance(target, (bytes, bytearray)) else target)
        gradients = LayerIntegratedGradients(self.model, layers[0])
        attributions = gradients.attribute(
            numbers, baselines=torch.zeros_like(numbers), additional_forward_args=(offsets[:1],), target=target
        )
        importances = attributions.sum(dim=-1).reshape(-1)
        return [{"importances": importances.tolist(), "words": text_tokens.ngrams(texts[0].split(), self.ngrams)}]
