#!/usr/bin/env python3
"""Tests of the table and its generator."""

import copy
import pathlib
import tempfile
import unittest

import yaml

import generate

TABLE = pathlib.Path(__file__).parent / "triton.yaml"

# Server-provided entries that the stock Python backends leave undefined, and those that stock C++ backends use,
# kept apart from the table on purpose: "Prefix: names".
PYTHON_BACKEND = """
TRITONBACKEND_: ApiVersion BackendArtifacts BackendConfig BackendMemoryManager BackendName BackendSetState BackendState
BackendAttributeAddPreferredInstanceGroup BackendAttributeSetParallelModelInstanceLoading InputBuffer
InputBufferAttributes InputBufferForHostPolicy InputProperties InputPropertiesForHostPolicy
InferenceRequestTimeoutMicroseconds MemoryManagerAllocate MemoryManagerFree ModelAutoCompleteConfig ModelBackend
ModelConfig ModelName ModelRepository ModelServer ModelSetConfig ModelSetState ModelState ModelVersion
ModelInstanceDeviceId ModelInstanceHostPolicy ModelInstanceKind ModelInstanceModel ModelInstanceName
ModelInstanceReportBatchStatistics ModelInstanceReportStatistics ModelInstanceSetState ModelInstanceState OutputBuffer
OutputBufferAttributes RequestCorrelationId RequestCorrelationIdString RequestFlags RequestId RequestInput
RequestInputByIndex RequestInputCount RequestInputName RequestIsCancelled RequestOutputCount RequestOutputName
RequestParameter RequestParameterCount RequestRelease RequestTrace ResponseDelete ResponseFactoryDelete
ResponseFactoryIsCancelled ResponseFactoryNew ResponseFactorySendFlags ResponseNew ResponseNewFromFactory
ResponseOutput ResponseSend ResponseSetBoolParameter ResponseSetIntParameter ResponseSetStringParameter StateBuffer
StateNew
TRITONSERVER_: BufferAttributesCudaIpcHandle BufferAttributesDelete BufferAttributesNew BufferAttributesSetByteSize
BufferAttributesSetMemoryType BufferAttributesSetMemoryTypeId DataTypeByteSize DataTypeString ErrorCode ErrorCodeString
ErrorDelete ErrorMessage ErrorNew GetMetricFamilyKind InferenceRequestAddInput InferenceRequestAddRequestedOutput
InferenceRequestAppendInputData InferenceRequestCancel InferenceRequestDelete InferenceRequestNew
InferenceRequestSetBoolParameter InferenceRequestSetCorrelationId InferenceRequestSetCorrelationIdString
InferenceRequestSetFlags InferenceRequestSetId InferenceRequestSetIntParameter InferenceRequestSetReleaseCallback
InferenceRequestSetResponseCallback InferenceRequestSetStringParameter InferenceRequestSetTimeoutMicroseconds
InferenceResponseDelete InferenceResponseError InferenceResponseOutput InferenceResponseOutputCount
InferenceResponseParameter InferenceResponseParameterCount InferenceTraceContext InferenceTraceSpawnChildTrace
InstanceGroupKindString LogMessage MemoryTypeString MessageDelete MessageNewFromSerializedJson MessageSerializeToJson
MetricArgsDelete MetricArgsNew MetricArgsSetHistogram MetricDelete MetricIncrement MetricNewWithArgs MetricObserve
MetricSet MetricValue MetricFamilyDelete MetricFamilyNew ParameterBytesNew ParameterDelete ParameterNew
ResponseAllocatorDelete ResponseAllocatorNew ResponseAllocatorSetQueryFunction ServerInferAsync
ServerLoadModelWithParameters ServerModelIsReady ServerModelTransactionProperties ServerUnloadModel
ServerUnloadModelAndDependents
"""
STOCK_BACKENDS = """
TRITONBACKEND_: ApiVersion BackendName BackendConfig BackendExecutionPolicy BackendArtifacts BackendSetState ModelName
ModelVersion ModelRepository ModelConfig ModelSetConfig ModelAutoCompleteConfig ModelServer ModelBackend ModelSetState
ModelInstanceName ModelInstanceKind ModelInstanceDeviceId ModelInstanceModel ModelInstanceSetState
ModelInstanceHostPolicy ModelInstanceProfileName ModelInstanceProfileCount RequestInput RequestInputByIndex
RequestInputName RequestInputCount RequestOutputName RequestOutputCount InputProperties InputPropertiesForHostPolicy
InputBuffer InputBufferForHostPolicy ResponseNew ResponseOutput ResponseSend OutputBuffer RequestRelease
ModelInstanceReportStatistics ModelInstanceReportBatchStatistics StateNew StateBuffer StateUpdate MemoryManagerAllocate
TRITONSERVER_: LogMessage LogIsEnabled ErrorNew ErrorDelete ErrorCode ErrorCodeString ErrorMessage
MessageNewFromSerializedJson MessageDelete MessageSerializeToJson DataTypeString StringToDataType DataTypeByteSize
"""


def names(text):
    result, prefix = set(), ""
    for word in text.split():
        if word.endswith(":"):
            prefix = word[:-1]
        else:
            result.add(prefix + word)
    return result


def minimal():
    return {
        "versions": {"TRITONSERVER": [1, 0]},
        "handles": [{"name": "TRITONSERVER_Error", "doc": "A failure."}],
        "enums": [{"name": "TRITONSERVER_Kind", "doc": "Kinds.", "values": {"TRITONSERVER_KIND_A": 0}}],
        "callbacks": [],
        "functions": [{"family": "f", "doc": "A family.", "provided_by": "server", "entries": [
            {"name": "TRITONSERVER_Do", "params": ["TRITONSERVER_Kind kind", "const char** text"]}]}],
    }


class RealTableTest(unittest.TestCase):
    def setUp(self):
        self.table = generate.load(TABLE)
        self.entries = {e.name: e for e in self.table.all_entries()}

    def test_names_every_entry_of_the_stock_python_backend(self):
        marked = {n for n, e in self.entries.items() if "python" in e.used_by}
        self.assertEqual(names(PYTHON_BACKEND), marked)
        self.assertEqual(134, len(marked))

    def test_names_every_entry_of_the_stock_cpp_backends(self):
        marked = {n for n, e in self.entries.items() if "stock" in e.used_by}
        self.assertEqual(set(), names(STOCK_BACKENDS) - marked)

    def test_declares_what_a_stock_server_exports_and_plugins_export(self):
        self.assertEqual(283, len(self.table.server_entries()))
        plugin = [e for e in self.table.all_entries() if e.provided_by != "server"]
        self.assertEqual(23, len(plugin))

    def test_exports_only_server_entries(self):
        exports = "\n".join(generate.Emitter(self.table).exports())
        self.assertIn("TRITONSERVER_ErrorNew;", exports)
        self.assertNotIn("TRITONBACKEND_ModelInstanceExecute", exports)
        self.assertNotIn("*", exports)


class GeneratorTest(unittest.TestCase):
    def test_unimplemented_entry_answers_unsupported_with_its_name(self):
        text = "\n".join(generate.Emitter(generate.Table(minimal())).unsupported())
        self.assertIn("TRITONSERVER_Do is not supported by this server", text)

    def test_implemented_entry_is_left_to_the_host(self):
        raw = minimal()
        raw["functions"][0]["entries"][0]["implemented"] = True
        self.assertNotIn("TRITONSERVER_Do", "\n".join(generate.Emitter(generate.Table(raw)).unsupported()))

    def test_prototype_tags_handles_only(self):
        emitter = generate.Emitter(generate.Table(minimal()))
        self.assertEqual("struct TRITONSERVER_Error* TRITONSERVER_Do(TRITONSERVER_Kind kind, const char** text)",
                         emitter.prototype(emitter.table.all_entries()[0]))

    def test_faulty_tables_are_refused(self):
        def entry(raw):
            return raw["functions"][0]["entries"][0]

        faults = {
            "unknown type": lambda raw: entry(raw)["params"].append("TRITONSERVER_Nothing* x"),
            "parameter without a name": lambda raw: entry(raw)["params"].append("int"),
            "name declared twice": lambda raw: raw["functions"][0]["entries"].append(copy.deepcopy(entry(raw))),
            "unknown key": lambda raw: entry(raw).update(note="x"),
            "foreign prefix": lambda raw: entry(raw).update(name="Do"),
            "unknown provider": lambda raw: raw["functions"][0].update(provided_by="nobody"),
            "plug-in entry implemented": lambda raw: (raw["functions"][0].update(provided_by="backend"),
                                                      entry(raw).update(implemented=True)),
        }
        for what, plant in faults.items():
            with self.subTest(what):
                raw = minimal()
                plant(raw)
                with self.assertRaises(generate.TableError):
                    generate.Table(raw)

    def test_unchanged_files_keep_their_time(self):
        with tempfile.TemporaryDirectory() as directory:
            out = pathlib.Path(directory)
            generate.generate(generate.load(TABLE), out)
            before = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}
            generate.generate(yaml_roundtrip(), out)
            self.assertEqual(before, {p: p.stat().st_mtime_ns for p in before})


def yaml_roundtrip():
    return generate.Table(yaml.safe_load(TABLE.read_text(encoding="utf-8")))


if __name__ == "__main__":
    unittest.main()
