"""Published ONNX models, driven by their makers' own packages: once with ONNX Runtime as the packages do it, and once with
the server in its place."""

import importlib.util
import pathlib
import shutil

import numpy
import pytest
import tritonclient.http as client_module
from PIL import Image, ImageDraw, ImageFont
from tritonclient.utils import triton_to_np_dtype

from harness import backends
from harness import server as server_module

pytestmark = pytest.mark.skipif(not backends.built("onnxruntime"), reason="onnxruntime is left out of this build")

_MODELS = {
    "magika": ("magika", "models/standard_v3_3/model.onnx"),
    "detector": ("rapidocr_onnxruntime", "models/ch_PP-OCRv4_det_infer.onnx"),
    "classifier": ("rapidocr_onnxruntime", "models/ch_ppocr_mobile_v2.0_cls_infer.onnx"),
    "recogniser": ("rapidocr_onnxruntime", "models/ch_PP-OCRv4_rec_infer.onnx"),
    "voice": ("silero_vad", "data/silero_vad.onnx"),
}


@pytest.fixture(scope="module", name="server")
def _server(tmp_path_factory):
    """The models' files and nothing else: their configurations are completed."""
    repository = tmp_path_factory.mktemp("published")
    for name, (package, file) in _MODELS.items():
        spec = importlib.util.find_spec(package)
        (repository / name / "1").mkdir(parents=True)
        shutil.copyfile(pathlib.Path(spec.origin).parent / file, repository / name / "1" / "model.onnx")
    with server_module.Server(repository, "--backend-config=,default-max-batch-size=16") as running:
        yield running
        assert running.stop() == 0, running.output()


class _Served:
    """A model of the server with the face of an onnxruntime.InferenceSession, and of RapidOCR's own over it."""

    def __init__(self, client, model, original=None):
        self._client, self._model, self._original = client, model, original
        metadata = client.get_model_metadata(model)
        self._inputs = {entry["name"]: entry for entry in metadata["inputs"]}
        self._outputs = [entry["name"] for entry in metadata["outputs"]]
        self.calls = 0

    def run(self, names, inputs):
        """The wanted outputs, or all of them."""
        given = []
        for name, array in inputs.items():
            datatype = self._inputs[name]["datatype"]
            # A list of numbers, or a single one, is a tensor to ONNX Runtime.
            array = numpy.atleast_1d(numpy.asarray(array, triton_to_np_dtype(datatype)))
            given.append(client_module.InferInput(name, list(array.shape), datatype))
            given[-1].set_data_from_numpy(array)
        self.calls += 1
        answer = self._client.infer(self._model, given)
        return [answer.as_numpy(name) for name in names or self._outputs]

    def __call__(self, array):
        (name,) = self._inputs
        return self.run(None, {name: array})

    def __getattr__(self, name):
        return getattr(self._original, name)


@pytest.fixture(name="client")
def _client(server):
    # The networks for text take their time on a machine that does other work.
    with client_module.InferenceServerClient(server.url, network_timeout=300, connection_timeout=300) as client:
        yield client
    assert server.alive(), server.output()


def test_magika_tells_the_same_kinds_of_files(client, tmp_path):
    from magika import Magika

    root = pathlib.Path(__file__).resolve().parents[2]
    files = [pathlib.Path(__file__), root / "README.md", root / "CMakeLists.txt", root / "src" / "cli" / "main.cc"]
    files += [root / "CMakePresets.json", root / "tools" / "setup.sh"]
    Image.new("RGB", (40, 30), "red").save(tmp_path / "picture.png")
    files.append(tmp_path / "picture.png")
    alone, served = Magika(), Magika()
    served._onnx_session = _Served(client, "magika")
    expected, found = alone.identify_paths(files), served.identify_paths(files)
    assert served._onnx_session.calls > 0
    assert [result.output.label for result in found] == [result.output.label for result in expected]
    assert [result.output.label for result in found][:4] == ["python", "markdown", "cmake", "cpp"]
    numpy.testing.assert_allclose([r.score for r in found], [r.score for r in expected], rtol=0, atol=1e-4)


_LINES = ("Invoice 2026 117", "Total 173.50 EUR", "Thank you")


def _page():
    page = Image.new("RGB", (480, 220), "white")
    for number, line in enumerate(_LINES):
        ImageDraw.Draw(page).text((30, 20 + 65 * number), line, fill="black", font=ImageFont.load_default(34))
    return numpy.array(page)


def test_rapidocr_reads_the_same_text(client):
    from rapidocr_onnxruntime import RapidOCR

    alone, served = RapidOCR(), RapidOCR()
    served.text_det.infer = _Served(client, "detector", served.text_det.infer)
    served.text_cls.infer = _Served(client, "classifier", served.text_cls.infer)
    served.text_rec.session = _Served(client, "recogniser", served.text_rec.session)
    (expected, _), (found, _) = alone(_page()), served(_page())
    assert served.text_det.infer.calls > 0 and served.text_cls.infer.calls > 0 and served.text_rec.session.calls > 0
    assert [text for _, text, _ in found] == [text for _, text, _ in expected]
    assert "".join(text for _, text, _ in found).replace(" ", "") == "".join(_LINES).replace(" ", "")
    for (box, _, score), (expected_box, _, expected_score) in zip(found, expected):
        numpy.testing.assert_allclose(box, expected_box, rtol=0, atol=1)
        assert abs(score - expected_score) < 1e-3


def _speech(rate):
    """Two vowels of a synthetic voice between silences: pulses through three resonances each."""
    times = numpy.arange(int(0.6 * rate)) / rate
    parts = [numpy.zeros(rate // 4)]
    for formants in ((730, 1090, 2440), (270, 2290, 3010)):
        pitch = 120 * (1 + 0.03 * numpy.sin(2 * numpy.pi * 5 * times))
        phase = 2 * numpy.pi * numpy.cumsum(pitch) / rate
        vowel = numpy.zeros_like(times)
        for harmonic in range(1, 30):
            gain = sum(1 / (1 + ((120 * harmonic - formant) / 90) ** 2) for formant in formants)
            vowel += gain * numpy.sin(harmonic * phase)
        parts += [vowel * numpy.sin(numpy.pi * times / times[-1]), numpy.zeros(rate // 4)]
    wave = numpy.concatenate(parts)
    noise = numpy.random.default_rng(0).standard_normal(len(wave)) * 1e-3
    return (0.5 * wave / numpy.abs(wave).max() + noise).astype(numpy.float32)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("rate", [16000, 8000])
def test_silero_hears_a_voice_at_the_same_times(client, rate):
    # The package drives its ONNX model with PyTorch's tensors.
    torch = pytest.importorskip("torch")
    from silero_vad import load_silero_vad

    alone, served = load_silero_vad(onnx=True), load_silero_vad(onnx=True)
    served.session = _Served(client, "voice")
    wave = torch.from_numpy(_speech(rate))
    # Chunk by chunk; the state of one goes in with the next.
    expected, found = alone.audio_forward(wave, rate).numpy(), served.audio_forward(wave, rate).numpy()
    assert served.session.calls == found.size > 50
    numpy.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    assert found[0, :5].max() < 0.1 < 0.5 < found.max()
