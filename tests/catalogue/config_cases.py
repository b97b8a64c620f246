"""Broken model configurations in the manner of Triton's L0_model_config: each is a model directory of its own.

An entry is (row, name, config.pbtxt, what the index says of it). A text of None is written by the test itself. In the
configurations @in and @out stand for a good input and output, @tensors for both, @b for the backend.
"""

IN = 'input { name: "INPUT0" data_type: TYPE_FP32 dims: [ 4 ] }\n'
OUT = 'output { name: "OUTPUT0" data_type: TYPE_FP32 dims: [ 4 ] }\n'


def expand(text):
    text = text.replace("@tensors", IN + OUT).replace("@in", IN).replace("@out", OUT)
    return text.replace("@b", 'backend: "identity"\n')


def _input(fields):
    return "@b input { " + fields + " } @out"


def _output(fields):
    return "@b @in output { " + fields + " }"


def _batching(fields, rest="max_batch_size: 4"):
    return f"@b @tensors {rest} dynamic_batching {{ {fields} }}"


def _sequence(fields):
    return f"@b @tensors max_batch_size: 4 sequence_batching {{ {fields} }}"


def _control(controls, name="START"):
    return _sequence(f'control_input {{ name: "{name}" {controls} }}')


def _step(model, flow):
    source, target = flow.split(">")
    text = f'step {{ model_name: "{model}" model_version: -1 '
    for i, tensor in enumerate(filter(None, source.split("+"))):
        text += f'input_map {{ key: "INPUT{i}" value: "{tensor}" }} '
    for i, tensor in enumerate(filter(None, target.split("+"))):
        text += f'output_map {{ key: "OUTPUT{i}" value: "{tensor}" }} '
    return text + "} "


def _ensemble(steps, rest=""):
    return f'platform: "ensemble" @tensors {rest} ensemble_scheduling {{ {steps} }}'


_SYNTAX = [
    ("brace_open", "@b input {", r"config\.pbtxt:\d+:\d+: "),
    ("brace_close", "@b\n}", r"config\.pbtxt:3:1: "),
    ("bracket", "@b\nversion_policy { specific { versions: [ 1, ", r"config\.pbtxt:3:"),
    ("colon", 'backend "identity"', r"config\.pbtxt:1:\d+: .*\":\""),
    ("value_missing", "@b\nmax_batch_size:", r"config\.pbtxt:\d+:\d+: "),
    ("string_open", 'backend: "identity\n', r"config\.pbtxt:1:\d+: String literals cannot cross line"),
    ("not_text", "\x01\x02\x03", r"config\.pbtxt:1:"),
    ("json", '{"backend":"identity"}', r"config\.pbtxt:1:1: "),
    ("xml", "<model/>", r"config\.pbtxt:1:1: "),
    ("comment_only_garbage", "# good\n/* bad */", r"config\.pbtxt:2:1: "),
    ("unknown_field", "@b\nfoo: 1", r"config\.pbtxt:3:\d+: .*no field named \"foo\""),
    ("unknown_nested", "@b\n@in\n@out instance_group { counts: 1 }", r'no field named "counts"'),
    ("unknown_message", "@b\nspecial_scheduling { }", r'no field named "special_scheduling"'),
    ("string_for_number", '@b\nmax_batch_size: "4"', r"config\.pbtxt:3:\d+: Expected integer"),
    ("number_for_string", "backend: 4", r"config\.pbtxt:1:\d+: Expected string"),
    ("real_for_integer", "@b max_batch_size: 1.5", r"Expected integer"),
    ("bool_number", "@b @in @out model_transaction_policy { decoupled: 2 }", r"Integer out of range"),
    ("enum_unknown", '@b input { name: "INPUT0" data_type: TYPE_FP33 dims: 1 } @out', r"TYPE_FP33"),
    ("enum_kind", "@b @tensors instance_group { kind: KIND_TPU }", r"KIND_TPU"),
    ("enum_number", '@b input { name: "INPUT0" data_type: 99 dims: 1 } @out', r"unknown 'data_type'"),
    ("field_twice", "@b\nmax_batch_size: 1\nmax_batch_size: 2", r"config\.pbtxt:4:\d+: .*specified multiple times"),
    ("oneof_twice", "@b @tensors dynamic_batching { } sequence_batching { }", r"specified along with"),
    ("policy_twice", "@b @tensors version_policy { latest { } all { } }", r"specified along with"),
    ("invalid_utf8_escape", '@b default_model_filename: "\\377\\376"', r"default_model_filename' is not valid UTF-8"),
    ("extension", "@b [some.extension]: 1", r"config\.pbtxt:"),
    ("empty", "", r"Could not determine backend for model"),
    ("blank", " \n\t\n# nothing\n", r"Could not determine backend for model"),
    ("too_long_number", "@b max_batch_size: 99999999999999999999", r"config\.pbtxt:.*[Ii]nteger out of range"),
    ("map_without_key", "@b @tensors parameters { value { string_value: \"x\" } } parameters: 3", r"config\.pbtxt:"),
]

_TENSORS = [
    ("batch_negative", "@b @tensors max_batch_size: -1", "'max_batch_size' must be non-negative value for"),
    ("batch_2_31", "@b max_batch_size: 2147483648", r"[Ii]nteger out of range"),
    ("input_name", _input("data_type: TYPE_FP32 dims: 4"), "model input must specify 'name'"),
    ("input_type", _input('name: "INPUT0" dims: 4'), "model input 'INPUT0' must specify 'data_type'"),
    ("input_dims", _input('name: "INPUT0" data_type: TYPE_FP32'), "model input must specify 'dims'"),
    ("output_name", _output("data_type: TYPE_FP32 dims: 4"), "model output must specify 'name'"),
    ("output_type", _output('name: "OUTPUT0" dims: 4'), "model output 'OUTPUT0' must specify 'data_type'"),
    ("output_dims", _output('name: "OUTPUT0" data_type: TYPE_FP32'), "model output must specify 'dims'"),
    ("dim_0", _input('name: "INPUT0" data_type: TYPE_FP32 dims: 0'), "dimension must be integer >= 1, or -1"),
    ("dim_minus_2", _input('name: "INPUT0" data_type: TYPE_FP32 dims: [ 4, -2 ]'), "dimension must be integer >= 1"),
    ("dim_output_0", _output('name: "OUTPUT0" data_type: TYPE_FP32 dims: [ 0 ]'), "dimension must be integer >= 1"),
    ("dim_2_63", _input('name: "INPUT0" data_type: TYPE_FP32 dims: 9223372036854775808'), "[Ii]nteger out of range"),
    ("dim_huge", _input('name: "INPUT0" data_type: TYPE_FP32 dims: 9223372036854775807'), "dimension"),
    ("input_twice", "@b @in @in @out", "model input 'INPUT0' is given twice"),
    ("output_twice", "@b @in @out @out", "model output 'OUTPUT0' is given twice"),
    (
        "reshape_size",
        _input('name: "INPUT0" data_type: TYPE_FP32 dims: 4 reshape { shape: [ 3 ] }'),
        "has different size for dims and reshape",
    ),
    (
        "reshape_variable",
        _input('name: "INPUT0" data_type: TYPE_FP32 dims: [ -1, 4 ] reshape { shape: [ 4 ] }'),
        "different number of variable-size dimensions for dims and reshape",
    ),
    (
        "reshape_empty",
        _input('name: "INPUT0" data_type: TYPE_FP32 dims: 1 reshape { }'),
        "cannot have empty reshape for non-batching model",
    ),
    (
        "reshape_0",
        _input('name: "INPUT0" data_type: TYPE_FP32 dims: 4 reshape { shape: [ 4, 0 ] }'),
        "reshape|dimension",
    ),
    (
        "reshape_output",
        _output('name: "OUTPUT0" data_type: TYPE_FP32 dims: 4 reshape { shape: [ 2, 3 ] }'),
        "has different size for dims and reshape",
    ),
    (
        "reshape_overflow",
        _input('name: "INPUT0" data_type: TYPE_FP32 dims: [ 4294967296, 4294967296 ] reshape { shape: [ 1 ] }'),
        "has more elements than can be counted",
    ),
    ("format_2d", _input('name: "INPUT0" data_type: TYPE_FP32 format: FORMAT_NCHW dims: [ 1, 2 ]'), "require 3 dims"),
    ("format_nhwc", _input('name: "INPUT0" data_type: TYPE_FP32 format: FORMAT_NHWC dims: [ 1 ]'), "require 3 dims"),
    ("ragged", _input('name: "INPUT0" data_type: TYPE_FP32 dims: 4 allow_ragged_batch: true'), "ragged"),
    (
        "batch_input_target",
        "@b @tensors batch_input { kind: BATCH_ELEMENT_COUNT source_input: \"INPUT0\" data_type: TYPE_FP32 }",
        "batch input must specify 'target_name'",
    ),
    (
        "batch_input_source",
        '@b @tensors batch_input { target_name: "T" source_input: "NONE" data_type: TYPE_FP32 }',
        "unknown source input 'NONE'",
    ),
    (
        "batch_input_sources",
        '@b @tensors batch_input { target_name: "T" data_type: TYPE_FP32 }',
        "exactly one 'source_input'",
    ),
    (
        "batch_input_type",
        '@b @tensors batch_input { target_name: "T" source_input: "INPUT0" data_type: TYPE_INT8 }',
        "must be TYPE_INT32 or TYPE_FP32",
    ),
    (
        "batch_output_source",
        '@b @tensors batch_output { target_name: "OUTPUT0" source_input: "NONE" }',
        "unknown source input 'NONE'",
    ),
    ("label_dots", _output('name: "OUTPUT0" data_type: TYPE_FP32 dims: 4 label_filename: "../labels"'), "inside"),
    ("label_absolute", _output('name: "OUTPUT0" data_type: TYPE_FP32 dims: 4 label_filename: "/etc/x"'), "inside"),
    ("label_missing", _output('name: "OUTPUT0" data_type: TYPE_FP32 dims: 4 label_filename: "none"'), "cannot open"),
    ("pairs", "@b @in @out @out".replace("@out @out", OUT + OUT.replace("OUTPUT0", "OUTPUT1")), "equal input/output"),
    ("pair_types", "@b @in " + OUT.replace("FP32", "INT8"), "have different datatypes"),
    ("pair_shapes", "@b @in " + OUT.replace("[ 4 ]", "[ 3 ]"), "have different shapes"),
    ("pair_names", "@b @in " + OUT.replace("OUTPUT0", "RESULT0"), "expected output name"),
    ("other_name", 'name: "another" @b @tensors', "directory name must equal model name"),
    ("no_version", None, "at least one version must be available under the version policy"),
    ("latest_0", "@b @tensors version_policy { latest { num_versions: 0 } }", "'num_versions' .* must be positive"),
    ("specific_none", "@b @tensors version_policy { specific { versions: 7 } }", "at least one version must be"),
    ("specific_0", "@b @tensors version_policy { specific { versions: 0 } }", "versions are >= 1"),
    ("specific_empty", "@b @tensors version_policy { specific { } }", "at least one version must be available"),
    ("shape_tensor", _input('name: "INPUT0" data_type: TYPE_INT32 dims: 4 is_shape_tensor: true'), "TensorRT"),
]

_BACKENDS = [
    ("backend_slash", 'backend: "a/b" @tensors', "invalid backend name 'a/b'"),
    ("backend_dots", 'backend: ".." @tensors', "invalid backend name"),
    ("backend_escape", 'backend: "../identity" @tensors', "invalid backend name"),
    ("backend_absolute", 'backend: "/tmp/x" @tensors', "invalid backend name"),
    ("backend_blank", 'backend: " identity" @tensors', "invalid backend name"),
    ("backend_newline", 'backend: "identity\\n" @tensors', "invalid backend name"),
    ("backend_nul", 'backend: "identity\\000" @tensors', "invalid backend name"),
    ("backend_shell", 'backend: "$(touch x)" @tensors', "invalid backend name"),
    ("backend_long", 'backend: "' + "x" * 300 + '" @tensors', "invalid backend name"),
    ("backend_unknown", 'backend: "nonexistent" @tensors', "unable to find backend library for backend 'nonexistent'"),
    ("runtime_slash", '@b runtime: "x/libtriton_identity.so" @tensors', "invalid runtime name"),
    ("runtime_escape", '@b runtime: "../../../../lib/x.so" @tensors', "invalid runtime name"),
    ("runtime_absolute", '@b runtime: "/lib/x.so" @tensors', "invalid runtime name"),
    ("runtime_dots", '@b runtime: ".." @tensors', "invalid runtime name"),
    ("runtime_unknown", '@b runtime: "libnone.so" @tensors', "unable to find 'libnone.so'"),
    ("platform_unknown", 'platform: "caffe" @tensors', "unexpected platform type 'caffe'"),
    ("platform_pair", '@b platform: "onnxruntime_onnx" @tensors', "unexpected 'platform' and 'backend' pair"),
    ("filename_dots", '@b default_model_filename: "../x" @tensors', "'default_model_filename' must be a path inside"),
    ("filename_absolute", '@b default_model_filename: "/x" @tensors', "'default_model_filename' must be a path inside"),
    ("operator_dots", '@b model_operations { op_library_filename: "../x.so" } @tensors', "'op_library_filename'"),
    ("cc_filename", '@b cc_model_filenames { key: "7.5" value: "../x" } @tensors', "'cc_model_filenames'"),
    ("strategy", '@b parameters { key: "TRITON_BATCH_STRATEGY_PATH" value { } } @tensors', "batching libraries"),
    ("agents", '@b model_repository_agents { agents { name: "x" } } @tensors', "repository agent 'x': unable to find its library"),
]

_INSTANCES = [
    ("count_0", "@b @tensors instance_group { count: 0 }", "must have a count of at least 1"),
    ("count_negative", "@b @tensors instance_group { count: -1 }", "must have a count of at least 1"),
    ("count_million", "@b @tensors instance_group { count: 1000000 }", "more than the 256 instances"),
    ("count_max", "@b @tensors instance_group { count: 2147483647 }", "more than the 256 instances"),
    ("count_2_31", "@b @tensors instance_group { count: 2147483648 }", "[Ii]nteger out of range"),
    (
        "count_sum",
        "@b @tensors " + "instance_group { count: 100 } " * 3,
        "more than the 256 instances",
    ),
    ("count_overflow", "@b @tensors " + "instance_group { count: 2147483647 } " * 4, "more than the 256 instances"),
    ("gpu", "@b @tensors instance_group { kind: KIND_GPU }", "KIND_GPU but"),
    ("gpus_of_cpu", "@b @tensors instance_group { kind: KIND_CPU gpus: 0 }", "KIND_CPU but specifies one or more GPUs"),
    ("gpus_of_model", "@b @tensors instance_group { kind: KIND_MODEL gpus: 0 }", "KIND_MODEL but specifies one or"),
    ("passive", "@b @tensors instance_group { count: 2 passive: true }", "has no active instance"),
    ("profile", '@b @tensors instance_group { profile: "0" }', "TensorRT"),
    ("secondary", "@b @tensors instance_group { secondary_devices { kind: KIND_NVDLA } }", "secondary_devices"),
]

_BATCHING = [
    ("preferred_0", _batching("preferred_batch_size: 0"), "preferred size must be positive for"),
    ("preferred_negative", _batching("preferred_batch_size: [ 2, -2 ]"), "preferred size must be positive for"),
    ("preferred_large", _batching("preferred_batch_size: 5"), "preferred size must be <= max batch size for"),
    ("preferred_unbatched", _batching("preferred_batch_size: 1", ""), "preferred size must be <= max batch size"),
    ("delay_2_63", _batching("max_queue_delay_microseconds: 9223372036854775808"), "'max_queue_delay_microseconds'"),
    ("delay_max", _batching("max_queue_delay_microseconds: 18446744073709551615"), "'max_queue_delay_microseconds'"),
    ("delay_2_64", _batching("max_queue_delay_microseconds: 18446744073709551616"), "[Ii]nteger out of range"),
    ("delay_negative", _batching("max_queue_delay_microseconds: -1"), "Expected integer"),
    ("levels_2_32", _batching("priority_levels: 4294967296 default_priority_level: 1"), "'priority_levels' must be at"),
    ("level_default_0", _batching("priority_levels: 2"), r"default priority level must be in range \[1, 2\]"),
    (
        "level_default_3",
        _batching("priority_levels: 2 default_priority_level: 3"),
        r"default priority level must be in range \[1, 2\]",
    ),
    (
        "level_policy",
        _batching("priority_levels: 2 default_priority_level: 1 priority_queue_policy { key: 3 value { } }"),
        r"priority queue policy must have priority level in range \[1, 2\]",
    ),
    (
        "level_ordering",
        _batching("priority_levels: 2 default_priority_level: 1 preserve_ordering: true"),
        "Only one priority level is allowed when 'preserve_ordering' is true",
    ),
    (
        "ordering_delay",
        _batching("preserve_ordering: true default_queue_policy { timeout_action: DELAY }"),
        "can not have DELAY as timeout action when 'preserve_ordering' is true",
    ),
    (
        "timeout_overflow",
        _batching("default_queue_policy { default_timeout_microseconds: 18446744073709551615 }"),
        "'default_timeout_microseconds'",
    ),
    (
        "timeout_of_level",
        _batching(
            "priority_levels: 1 default_priority_level: 1 priority_queue_policy { key: 1 value { "
            "default_timeout_microseconds: 9223372036854775808 } }"
        ),
        "'default_timeout_microseconds'",
    ),
    ("queue_size", _batching("default_queue_policy { max_queue_size: 4294967296 }"), "[Ii]nteger out of range"),
    ("cache_decoupled", "@b @tensors response_cache { enable: true } model_transaction_policy { decoupled: true }",
     "Response Cache does not currently support model .* with 'decoupled'"),
    ("sequence_cache", _sequence("") + " response_cache { enable: true }", "with sequence batching scheduler"),
    ("sequence_idle", _sequence("max_sequence_idle_microseconds: 18446744073709551615"), "microseconds for"),
    ("sequence_slots", _sequence("direct { minimum_slot_utilization: 1.5 }"), r"in range \(0.0, 1.0\]"),
    ("sequence_negative", _sequence("direct { minimum_slot_utilization: -0.5 }"), r"in range \(0.0, 1.0\]"),
    ("sequence_preferred", _sequence("oldest { preferred_batch_size: 0 }"), "preferred batch size must be positive"),
    ("sequence_large", _sequence("oldest { preferred_batch_size: 9 }"), "preferred batch size must be <= max batch"),
    ("control_kind", _control("control { int32_false_true: [ 0, 1 ] }", ""), "must have a name|control"),
    ("control_entries", _control("control { kind: CONTROL_SEQUENCE_START int32_false_true: [ 0 ] }"), "exactly 2"),
    ("control_values", _control("control { kind: CONTROL_SEQUENCE_START }"), "must specify either"),
    (
        "control_both",
        _control("control { kind: CONTROL_SEQUENCE_START int32_false_true: [ 0, 1 ] fp32_false_true: [ 0, 1 ] }"),
        "control|either",
    ),
    (
        "control_corrid",
        _control("control { kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_FP32 }", "ID"),
        "unexpected data type for control",
    ),
]

_ENSEMBLES = [
    ("no_scheduling", 'platform: "ensemble" @tensors', "ensemble scheduling must be set for ensemble"),
    ("with_backend", '@b platform: "ensemble" @tensors', "must have platform type 'ensemble' and empty backend type"),
    ("no_platform", "@b @tensors ensemble_scheduling { " + _step("pair", "INPUT0>OUTPUT0") + "}", "must have platform"),
    ("no_step", _ensemble(""), "must specify 'step' for ensemble"),
    ("no_model", _ensemble(_step("", "INPUT0>OUTPUT0")), "must specify 'model_name' in step 0 of ensemble"),
    ("no_input_map", _ensemble(_step("pair", ">OUTPUT0")), "must specify 'input_map' in step 0"),
    ("no_output_map", _ensemble(_step("pair", "INPUT0>")), "must specify 'output_map' in step 0"),
    ("missing_step", _ensemble(_step("nowhere", "INPUT0>OUTPUT0")), "models that are not available .*: nowhere"),
    ("broken_step", _ensemble(_step("tensor_dim_0", "INPUT0>OUTPUT0")), "depends on 'tensor_dim_0' which has no loaded"),
    ("self_loop", _ensemble(_step("ensemble_self_loop", "INPUT0>OUTPUT0")), "circular dependency between ensembles"),
    ("cycle_a", _ensemble(_step("ensemble_cycle_b", "INPUT0>OUTPUT0")), "circular dependency between ensembles"),
    ("cycle_b", _ensemble(_step("ensemble_cycle_c", "INPUT0>OUTPUT0")), "circular dependency between ensembles"),
    ("cycle_c", _ensemble(_step("ensemble_cycle_a", "INPUT0>OUTPUT0")), "circular dependency between ensembles"),
    (
        "not_produced",
        _ensemble(_step("pair", "INPUT0+x>OUTPUT0")),
        "is not written: at least one of its depending tensors, 'x', is not connected",
    ),
    (
        "produced_twice",
        _ensemble(_step("pair", "INPUT0>OUTPUT0") + _step("pair", "INPUT0>OUTPUT0")),
        "ensemble tensor 'OUTPUT0' can appear in an output map only once for ensemble",
    ),
    ("input_written", _ensemble(_step("pair", "INPUT0>OUTPUT0+INPUT0")), "can appear in an output map only once"),
    ("input_unused", _ensemble(_step("pair", "x>OUTPUT0") + _step("pair", "OUTPUT0>x")), "'INPUT0' .* is not used"),
    ("output_unused", _ensemble(_step("pair", "INPUT0>x")), "ensemble output 'OUTPUT0' .* is not used"),
    ("tensor_unused", _ensemble(_step("pair", "INPUT0>OUTPUT0+x")), "ensemble tensor 'x' is unused in ensemble"),
    (
        "steps_circle",
        _ensemble(_step("pair", "x>OUTPUT0") + _step("pair", "OUTPUT0+INPUT0>x")),
        "output 'OUTPUT0' for ensemble .* is not written",
    ),
    ("groups", _ensemble(_step("pair", "INPUT0>OUTPUT0"), "instance_group { count: 1 }"), "instance group should not"),
    ("steps_many", _ensemble(_step("pair", "INPUT0>OUTPUT0") * 1100), "has more than 1024 steps"),
    (
        "version_0",
        _ensemble(_step("pair", "INPUT0>OUTPUT0").replace("-1", "0")),
        "'model_version' must be a version, or -1 for the newest",
    ),
    (
        "version_missing",
        _ensemble(_step("pair", "INPUT0>OUTPUT0").replace("-1", "9")),
        "depends on 'pair' whose required version 9 is not loaded",
    ),
] + [
    (
        f"depth_{i}",
        _ensemble(_step(f"ensemble_depth_{i + 1}" if i < 40 else "pair", "INPUT0>OUTPUT0")),
        "nested more than 32 levels deep|depends on|INPUT1 in model pair is not mapped",
    )
    for i in range(41)
]


def _row(number, prefix, entries):
    return [(number, f"{prefix}_{name}", text, reason) for name, text, reason in entries]


CASES = [
    *_row(104, "syntax", _SYNTAX),
    *_row(105, "tensor", _TENSORS),
    *_row(106, "instances", _INSTANCES),
    *_row(107, "batching", _BATCHING),
    *_row(108, "ensemble", _ENSEMBLES),
    *_row(109, "backend", _BACKENDS),
]
