"""`headrace optimize` without a server: command line, child processes, waterfall, manifest."""

import errno
import json
import pathlib
import sys

import numpy
import pytest
from headrace_optimize import arguments, children, cli, examples, manifest, recipes, report, report_text, source, trial
from headrace_optimize import threads, waterfall
from headrace_optimize.accuracy import Accuracy, Bound, OutputDifference
from headrace_optimize.errors import NotApplicable, OptimizeError, UsageError, in_one_line
from headrace_optimize.load import Load
from headrace_optimize.measure import Measurement, batches_of
from headrace_optimize.model import ONNX, OPENVINO, TORCHSCRIPT, Artefact, Source, Tensor, original
from headrace_optimize.recipes.base import Recipe
from headrace_optimize.repository import config_text
from headrace_optimize.settings import Settings
from headrace_optimize.statistics import Interval
from headrace_optimize.trial import Trial


def _source(folder="", kind=ONNX, file="model.onnx", dims=(3, 8, 8)):
    inputs, outputs = [Tensor("x", "FP32", list(dims))], [Tensor("y", "FP32", [4])]
    return Source("m", kind, str(file), 8, inputs, outputs, version_folder=str(folder), source_files=["model.onnx"])


def _measured(rate, spread=0.0, accepted=None):
    interval = Interval(rate - spread, rate, rate + spread)
    load = Load(1, 1, 1.0, 10, 0, interval, 1.0, 2.0, 3.0)
    judged = None
    if accepted is not None:
        judged = Accuracy(4, {"y": OutputDifference(0.1, 0.01, 0.999, 40.0)}, 1.0, accepted=accepted, reason="wrong")
    return Measurement(0.1, 0.01, 1000, 2000, load, [load], judged)


class _Runner:
    """Knows the rate of each chain beforehand; a text is why a chain fails."""

    def __init__(self, kind, rates):
        self._rates = rates
        self._kind = kind
        base = _measured(rates[""])
        self.trials = {(): Trial([], "original", trial.BETTER, artefact=Artefact(kind, "f"), measured=base)}

    def run(self, chain: "list[Recipe]"):
        """As Runner.run."""
        key = tuple(recipe.name for recipe in chain)
        if key not in self.trials:
            self.trials[key] = self._made(key)
        return self.trials[key]

    def _made(self, key):
        found = self._rates.get("-".join(key), "broken")
        if isinstance(found, str):
            return Trial(list(key), key[-1], trial.FAILED, found)
        kind = OPENVINO if "openvino" in key else ONNX if "onnx" in key else self._kind
        measured = _measured(abs(found), accepted=found > 0)
        verdict, reason, speed_up = trial.judge(measured, self.trials[()].measured)
        return Trial(list(key), key[-1], verdict, reason, Artefact(kind, "f", list(key)), measured, speed_up)


def _recipes(*names):
    return [recipes.find(name) for name in names]


def test_waterfall_keeps_what_gains_and_stacks_it():
    rates = {"": 10, "freeze": 12, "fuse": 11, "freeze-onnx": 15, "freeze-openvino": 20}
    rates |= {"freeze-openvino-int8": 60, "freeze-openvino-int8-one_instance": 50}
    runner = _Runner(TORCHSCRIPT, rates)
    steps = waterfall.run(runner, _recipes("freeze", "fuse", "onnx", "openvino", "int8", "one_instance"))
    assert [step.trial.name for step in steps] == ["freeze", "freeze-openvino", "freeze-openvino-int8"]
    assert [step.gain.mid for step in steps] == pytest.approx([1.2, 20 / 12, 3.0])
    assert steps[1].tried == ["onnx", "openvino"]


def test_waterfall_brings_a_conversion_that_is_no_gain_by_itself():
    rates = {"": 10, "openvino": 9, "freeze": 11, "freeze-openvino": 9, "freeze-openvino-int8": 60}
    runner = _Runner(TORCHSCRIPT, rates | {"freeze-openvino-int8-one_instance": 70})
    steps = waterfall.run(runner, _recipes("freeze", "ort_extended", "openvino", "int8", "one_instance"))
    assert [step.trial.name for step in steps] == ["freeze", "freeze-openvino-int8", "freeze-openvino-int8-one_instance"]
    assert [step.added for step in steps] == [["freeze"], ["openvino", "int8"], ["one_instance"]]
    assert steps[1].gain.mid == pytest.approx(60 / 11) and steps[1].tried == ["int8"]
    assert ("onnx", "ort_extended") not in runner.trials


def test_waterfall_goes_on_past_failures_and_wrong_answers():
    runner = _Runner(TORCHSCRIPT, {"": 10, "freeze": "crashed", "openvino": 20, "openvino-int8": -90})
    runner.trials.pop(("x",), None)
    steps = waterfall.run(runner, _recipes("freeze", "openvino", "int8"))
    assert [step.trial.name for step in steps] == ["openvino"]
    assert runner.trials[("openvino", "int8")].verdict == trial.REJECTED
    assert runner.trials[("freeze",)].reason == "crashed"


def test_singles_get_the_conversion_that_they_need():
    runner = _Runner(TORCHSCRIPT, {"": 10, "openvino-int8": 30, "freeze": 9})
    found = waterfall.singles(runner, _source(kind=TORCHSCRIPT), _recipes("freeze", "int8", "int8_controlled"))
    assert [row.name for row in found] == ["freeze", "openvino-int8", "openvino-int8_controlled"]
    assert [row.verdict for row in found] == [trial.SLOWER, trial.BETTER, trial.LEFT_OUT]
    assert found[2].reason == "int8 is accurate enough"


def test_accuracy_control_is_tried_where_plain_int8_is_wrong():
    runner = _Runner(ONNX, {"": 10, "openvino-int8": -30, "openvino-int8_controlled": 25})
    assert waterfall.singles(runner, _source(), _recipes("int8_controlled"))[0].verdict == trial.BETTER


def test_a_recipe_without_a_way_from_the_source_is_left_out():
    found = waterfall.singles(_Runner(OPENVINO, {"": 10}), _source(kind=OPENVINO), _recipes("freeze"))
    assert (found[0].verdict, found[0].reason) == (trial.LEFT_OUT, "takes torchscript, not openvino")


def test_every_recipe_is_described():
    names = [recipe.name for recipe in recipes.ALL]
    assert len(set(names)) == len(names)
    for recipe in recipes.ALL:
        assert recipe.title and recipe.takes and recipe.stage in recipes.base.STAGES and "-" not in recipe.name


def _report(folder, trials, steps=()):
    values = numpy.zeros((2, 3, 8, 8), numpy.float32)
    settings = Settings(work=folder, bound=Bound())
    base = Trial([], "original", trial.BETTER, artefact=original(_source()), measured=_measured(10))
    given = examples.Examples({"x": values}, "2 files", is_real=True)
    return report.Report(_source(folder), given, settings, base, trials, list(steps))


def _variant(folder, name, rate, verdict=trial.BETTER):
    file = folder / f"made-{name}" / "model.xml"
    file.parent.mkdir()
    file.write_text("IR", encoding="utf-8")
    file.with_suffix(".bin").write_bytes(b"weights")
    artefact = Artefact(OPENVINO, str(file), [name], parameters={"P": "1"}, instruction_sets=["avx2"])
    measured = _measured(rate, accepted=True)
    return Trial([name], name, verdict, "", artefact, measured, measured.rate.over(Interval(10, 10, 10)))


@pytest.fixture(name="version")
def _version(tmp_path):
    folder = tmp_path / "m" / "1"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"model")
    return folder


def test_manifest_says_what_the_server_asks(version, tmp_path):
    found = _report(version, [_variant(tmp_path, "openvino", 20), _variant(tmp_path, "int8", 60)])
    folder = manifest.write(found, manifest.chosen(found, 3, "best"), "best")
    document = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert document["schema_version"] == 1 and document["applied"] == "best"
    sha = "9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4"
    assert document["source"]["files"] == [{"path": "model.onnx", "byte_size": 5, "sha256": sha}]
    assert [variant["name"] for variant in document["variants"]] == ["int8", "openvino"]
    first = document["variants"][0]
    assert (first["backend"], first["file"], first["parameters"]) == ("openvino", "model.xml", {"P": "1"})
    assert [file["path"] for file in first["files"]] == ["model.xml", "model.bin"]
    assert first["needs"]["instruction_sets"] == ["avx2"] and first["accuracy"]["accepted"] is True
    assert first["measured"]["speed_up"]["low"] == 6
    assert (folder / "int8" / "model.bin").read_bytes() == b"weights"
    assert "# m, optimised" in (folder / "report.md").read_text(encoding="utf-8")
    assert [path.name for path in version.iterdir()] == ["model.onnx", "variants"] or len(list(version.iterdir())) == 2


def test_only_what_is_surely_faster_is_kept(version, tmp_path):
    rows = [_variant(tmp_path, name, rate) for name, rate in (("a", 20), ("b", 60), ("c", 40))]
    rows.append(_variant(tmp_path, "d", 90, trial.REJECTED))
    rows.append(_variant(tmp_path, "e", 10, trial.NO_GAIN))
    found = _report(version, rows)
    assert [row.name for row in manifest.chosen(found, 2, "")] == ["b", "c"]
    assert [row.name for row in manifest.chosen(found, 1, "e")] == ["b", "e"]
    with pytest.raises(UsageError, match="'d' cannot be used: rejected"):
        manifest.chosen(found, 1, "d")
    with pytest.raises(UsageError, match="no variant 'f' was tried"):
        manifest.chosen(found, 1, "f")


def test_a_full_disk_leaves_what_was_there(version, tmp_path, monkeypatch):
    found = _report(version, [_variant(tmp_path, "a", 20)])
    manifest.write(found, manifest.chosen(found, 1, ""), "")
    before = sorted(str(path) for path in version.rglob("*"))

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(manifest.shutil, "copyfile", fail)
    with pytest.raises(OptimizeError, match="cannot be written .* No space left on device"):
        manifest.write(found, manifest.chosen(found, 1, ""), "best")
    assert sorted(str(path) for path in version.rglob("*")) == before


def test_apply_changes_what_is_in_force(version, tmp_path, capsys):
    found = _report(version, [_variant(tmp_path, "a", 20)])
    manifest.write(found, manifest.chosen(found, 1, ""), "")
    path = version / "variants" / "manifest.json"
    for word, applied in (("best", "best"), ("a", "a"), ("off", "")):
        assert cli.main(["apply", str(version.parent), word]) == 0
        assert json.loads(path.read_text(encoding="utf-8"))["applied"] == applied
    assert cli.main(["apply", str(version.parent), "b"]) == 1
    assert "there is no variant 'b'; there are a" in capsys.readouterr().err


def test_best_and_summary(version, tmp_path):
    found = _report(version, [_variant(tmp_path, "a", 20), _variant(tmp_path, "b", 90, trial.REJECTED)])
    assert found.best().name == "a"
    assert report_text.summary(found) == "best: a, 2.00 (2.00 to 2.00) times the original's throughput"
    assert report.to_json(found)["best"] == "a"
    assert json.loads(json.dumps(report.to_json(found), allow_nan=False))["trials"][1]["verdict"] == "rejected"
    assert "nothing is surely faster" in report_text.summary(_report(version, []))


def test_sources_leave_out_variants_and_hidden_files(version):
    (version / "variants" / "a").mkdir(parents=True)
    (version / "variants" / "a" / "model.xml").write_text("x", encoding="utf-8")
    (version / ".hidden").write_text("x", encoding="utf-8")
    (version / "data").mkdir()
    (version / "data" / "w.bin").write_text("x", encoding="utf-8")
    assert source.source_files(version) == ["data/w.bin", "model.onnx"]


@pytest.mark.parametrize("text", ["x", "x:fp32", "x:fp33:3", ":fp32:3", "x:fp32:3x-1", "x:fp32:a"])
def test_bad_inputs_are_told_how_they_should_be(text):
    with pytest.raises(UsageError, match="is not name:dtype:shape"):
        source.parse_input(text)


def test_good_inputs():
    assert source.parse_input("a:b:fp32:3x4") == Tensor("a:b", "FP32", [3, 4])
    assert source.parse_shape("x:3,4") == ("x", [3, 4])


@pytest.mark.parametrize(
    "words, says",
    [
        ([], "the following arguments are required: MODEL"),
        (["m", "--recipes", "none"], "there is no recipe 'none'"),
        (["m", "--recipes", "freeze", "--without", "fuse"], "exclude each other"),
        (["m", "--max-drop", "2"], "is not between 0 and 100 %"),
        (["m", "--batches", "0"], "sizes are at least 1"),
        (["m", "--no-such"], "unrecognized arguments: --no-such; try --help"),
        (["no/such/model"], "does not exist"),
        (["quantize", "no/such/model", "int3"], "invalid choice"),
    ],
)
def test_a_bad_command_line_is_exit_code_1(words, says, capsys):
    assert cli.main(words) == 1
    assert says in capsys.readouterr().err


def test_shares():
    assert arguments.share("0.5%") == 0.005 and arguments.share("0.25") == 0.25


def _interpreter(tmp_path, monkeypatch, script):
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    monkeypatch.setattr(children.sys, "executable", str(path))


def test_a_recipe_that_crashes_is_told_with_its_last_words(tmp_path, monkeypatch):
    _interpreter(tmp_path, monkeypatch, "echo bad operator; kill -SEGV $$")
    with pytest.raises(OptimizeError, match="its process died of SIGSEGV: bad operator"):
        children.run({"action": "recipe"}, tmp_path, 60)


def test_a_recipe_that_hangs_is_ended(tmp_path, monkeypatch):
    _interpreter(tmp_path, monkeypatch, "exec sleep 1000")
    with pytest.raises(OptimizeError, match="longer than 0.1 s"):
        children.run({"action": "recipe"}, tmp_path, 0.1)


def test_a_recipe_tells_of_its_progress(tmp_path, monkeypatch):
    progress = "/dev/fd/$5"  # the shell's own numbers have one digit
    script = f"printf 'one\\ntw' >{progress}; printf 'o\\n\\nnot a whole line' >{progress}; echo '{{}}' > $4"
    _interpreter(tmp_path, monkeypatch, script)
    told = []
    assert children.run({"action": "recipe"}, tmp_path, 60, told.append) == {}
    assert told == ["one", "two"]


def test_a_recipe_that_closes_its_progress_is_waited_for(tmp_path, monkeypatch):
    _interpreter(tmp_path, monkeypatch, "exec bash -c \"exec $5>&-; exec sleep 1000\"")
    with pytest.raises(OptimizeError, match="longer than 0.2 s"):
        children.run({"action": "recipe"}, tmp_path, 0.2)


def test_a_recipe_that_ends_without_a_result_is_told(tmp_path, monkeypatch):
    _interpreter(tmp_path, monkeypatch, "echo no result; exit 3")
    with pytest.raises(OptimizeError, match="ended with code 3: no result"):
        children.run({"action": "recipe"}, tmp_path, 60)


def test_failures_and_refusals_come_back_from_the_child(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(pathlib.Path(__file__).resolve().parent.parent))
    with pytest.raises(OptimizeError, match="KeyError: 'no_action'"):
        children.run({"action": "no_action"}, tmp_path, 60)
    assert sys.executable
    _interpreter(tmp_path, monkeypatch, "echo '{\"not_applicable\": \"no need\"}' > $4")
    with pytest.raises(NotApplicable, match="no need"):
        children.run({"action": "recipe"}, tmp_path, 60)


@pytest.mark.parametrize(
    "error, says",
    [
        (OSError(errno.ENOSPC, "x"), "the disk is full"),
        (RuntimeError("write: No space left on device"), "the disk is full"),
        (RuntimeError("InvalidCxxCompiler: No working C++ compiler found"), "there is no C++ compiler"),
        (ModuleNotFoundError("No module named 'nncf'", name="nncf"), "the Python package 'nncf' is missing"),
        (ValueError("first\nsecond\nlast"), "ValueError: first ... last"),
        (MemoryError(), "out of memory"),
    ],
)
def test_failures_are_told_in_one_line(error, says):
    assert in_one_line(error).startswith(says)


def test_a_missing_package_leaves_its_recipes_out(monkeypatch):
    monkeypatch.setattr("headrace_optimize.machine.version_of", lambda package: "" if package == "nncf" else "1")
    assert recipes.find("int8").missing_packages() == ["nncf"]
    assert recipes.find("openvino").missing_packages() == []


def test_parameters_of_another_backend_do_not_stay():
    first = Artefact(TORCHSCRIPT, "a.pt", parameters={"INTRA_OP_THREAD_COUNT": "1"})
    assert first.with_step("freeze", file="b.pt").parameters == {"INTRA_OP_THREAD_COUNT": "1"}
    moved = first.with_step("openvino", kind=OPENVINO, file="b.xml", parameters={"P": "2"})
    assert moved.parameters == {"P": "2"} and moved.served_by == "openvino" and moved.recipes == ["openvino"]


def test_configuration_of_what_is_measured():
    artefact = Artefact(OPENVINO, "x/model.xml", parameters={"K": 'a "b"'}, instances=2, graph_level=-1)
    text = config_text(_source(), artefact, "model.xml")
    assert 'backend: "openvino"\nmax_batch_size: 8\n' in text
    assert 'input { name: "x" data_type: TYPE_FP32 dims: [ 3, 8, 8 ] }' in text
    assert "instance_group { count: 2 kind: KIND_CPU }" in text and "graph { level: -1 }" in text
    assert r'parameters { key: "K" value: { string_value: "a \"b\"" } }' in text


@pytest.mark.parametrize(
    "parameters,instances,expected",
    [
        ({"INTRA_OP_THREAD_COUNT": "2", "K": "v"}, 3, 2),
        ({"INFERENCE_NUM_THREADS": "5", "K": "v"}, 2, 3),
        ({"intra_op_thread_count": "x", "K": "v"}, 1, None),
        ({"NUM_THREADS": "0", "K": "v"}, 1, None),
        ({"K": "v"}, 4, None),
    ],
)
def test_threads_are_those_of_an_instance(parameters, instances, expected):
    assert threads.take(parameters, instances) == expected
    assert parameters == {"K": "v"}


def test_threads_are_told_to_whoever_serves():
    given = _source()
    given.threads = 2
    for kind, text in ((TORCHSCRIPT, '"INTRA_OP_THREAD_COUNT" value: { string_value: "2" }'), (ONNX, '"intra_op_thread_count"')):
        assert text in config_text(given, Artefact(kind, "x/model"))
    given.instances = 3
    assert '"INFERENCE_NUM_THREADS" value: { string_value: "6" }' in config_text(given, Artefact(OPENVINO, "x/model.xml"))
    assert "thread" not in config_text(given, Artefact(ONNX, "x/model.onnx", instances=1)).lower()


def test_a_variant_keeps_to_itself_what_its_recipes_set(version, tmp_path):
    made = _variant(tmp_path, "freeze", 20)
    made.artefact.kind, made.artefact.parameters = ONNX, {"OF_MODEL": "1", "OF_BOTH": "2", "OF_RECIPE": "3"}
    found = _report(version, [made])
    found.source.parameters = {"OF_MODEL": "1", "OF_BOTH": "1"}
    folder = manifest.write(found, [made], "")
    (written,) = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["variants"]
    assert written["parameters"] == {"OF_BOTH": "2", "OF_RECIPE": "3"}


def test_batches_go_up_to_what_the_model_takes(tmp_path):
    settings = Settings(work=tmp_path, bound=Bound())
    assert batches_of(_source(), settings) == [1, 4, 8]
    settings.batches = [2, 100]
    assert batches_of(_source(), settings) == [2, 8]


def test_examples_say_what_does_not_fit(tmp_path):
    model = _source()
    numpy.save(tmp_path / "bad.npy", numpy.zeros((2, 3, 9, 8)))
    with pytest.raises(UsageError, match=r"shape \[2, 3, 9, 8\]; input 'x' takes \[n, 3, 8, 8\]"):
        examples.read(model, tmp_path / "bad.npy", None, 4)
    numpy.savez(tmp_path / "other.npz", z=numpy.zeros(3))
    with pytest.raises(UsageError, match="has no array 'x'; it holds z"):
        examples.read(model, tmp_path / "other.npz", None, 4)
    (tmp_path / "labels").write_text("1\n2\n3\n", encoding="utf-8")
    with pytest.raises(UsageError, match="3 labels for 4 samples"):
        examples.read(model, None, tmp_path / "labels", 4)
    (tmp_path / "labels").write_text("-1 -1 -1 -1", encoding="utf-8")
    with pytest.raises(UsageError, match="knows the class of no sample; leave the option out"):
        examples.read(model, None, tmp_path / "labels", 4)
    with pytest.raises(UsageError, match="neither images nor"):
        (tmp_path / "empty").mkdir()
        examples.read(model, tmp_path / "empty", None, 4)


def test_labels_go_with_the_examples(tmp_path):
    (tmp_path / "labels").write_text("3\n-1\n0\n", encoding="utf-8")
    found = examples.read(_source(), None, tmp_path / "labels", 3)
    assert found.origin == "3 random inputs (seed 1), 2 of them with labels"
    found.save(tmp_path / "examples.npz")
    arrays, labels = examples.load(tmp_path / "examples.npz")
    assert list(arrays) == ["x"] and numpy.array_equal(arrays["x"], found.arrays["x"])
    assert labels.tolist() == [3, -1, 0]
    found.labels = None
    found.save(tmp_path / "examples.npz")
    assert examples.load(tmp_path / "examples.npz")[1] is None


def test_examples_are_the_same_each_time_and_go_round():
    first, second = (examples.read(_source(), None, None, 3) for _ in range(2))
    assert numpy.array_equal(first.arrays["x"], second.arrays["x"]) and not first.is_real
    batch = first.batch(_source(), 5)["x"]
    assert batch.shape == (5, 3, 8, 8) and numpy.array_equal(batch[0], batch[3])


def test_images_are_prepared(tmp_path):
    image = pytest.importorskip("PIL.Image")
    image.new("RGB", (40, 20), (255, 0, 0)).save(tmp_path / "a.png")
    found = examples.read(_source(dims=(3, 8, 8)), tmp_path, None, 4)
    assert found.is_real and found.arrays["x"].shape == (1, 3, 8, 8)
    assert found.arrays["x"][0, 0, 0, 0] == pytest.approx((1 - 0.485) / 0.229, rel=1e-5)
