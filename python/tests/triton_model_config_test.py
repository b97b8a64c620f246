"""Tests of what auto_complete_config may do to a configuration."""

import json

import pytest
import triton_python_backend_utils as pb_utils


def _config(**given):
    return pb_utils.ModelConfig(json.dumps({"name": "m", "max_batch_size": 0, "input": [], "output": [], **given}))


_FP32 = {"name": "x", "data_type": "TYPE_FP32", "dims": [4]}


def test_everything_is_completed():
    config = _config(input=[{"name": "x", "data_type": "TYPE_INVALID", "dims": []}])
    config.set_max_batch_size(8)
    config.set_dynamic_batching()
    config.add_input({**_FP32, "optional": True})
    config.add_input({**_FP32, "name": "z"})
    config.add_output(_FP32)
    config.set_model_transaction_policy({"decoupled": True})
    assert config.as_dict() == {
        "name": "m",
        "max_batch_size": 8,
        "dynamic_batching": {},
        "input": [{**_FP32, "optional": True}, {**_FP32, "name": "z"}],
        "output": [_FP32],
        "model_transaction_policy": {"decoupled": True},
    }


@pytest.mark.parametrize(
    ("given", "change", "text"),
    [
        (
            {"max_batch_size": 8},
            lambda config: config.set_max_batch_size(4),
            "configuration specified max_batch_size 8, but in auto-complete-config function for model 'm' specified "
            "max_batch_size 4",
        ),
        (
            {"sequence_batching": {}},
            lambda config: config.set_dynamic_batching(),
            "Configuration specified scheduling_choice as 'sequence_batching', but auto-complete-config function for model "
            "'m' tries to set scheduling_choice as 'dynamic_batching'",
        ),
        (
            {},
            lambda config: config.add_input({**_FP32, "extra": 1}),
            "input 'x' in auto-complete-config function for model 'm' contains property other than 'name', 'data_type', "
            "'dims' and 'optional'.",
        ),
        (
            {},
            lambda config: config.add_output({**_FP32, "optional": True}),
            "output 'x' in auto-complete-config function for model 'm' contains property other than 'name', 'data_type' and "
            "'dims'.",
        ),
        (
            {},
            lambda config: config.add_input({"data_type": "TYPE_FP32", "dims": [4]}),
            "input in auto-complete-config function for model 'm' is missing 'name' property.",
        ),
        (
            {},
            lambda config: config.add_output({"name": "x", "dims": [4]}),
            "output 'x' in auto-complete-config function for model 'm' is missing 'data_type' property.",
        ),
        (
            {"input": [{**_FP32, "data_type": "TYPE_INT32"}]},
            lambda config: config.add_input(_FP32),
            "unable to load model 'm', configuration expects datatype TYPE_INT32 for input 'x', model provides TYPE_FP32",
        ),
        (
            {"output": [{**_FP32, "dims": [5]}]},
            lambda config: config.add_output(_FP32),
            "model 'm', tensor 'x': the model expects dims [4] but the model configuration specifies dims [5]",
        ),
        (
            {"input": [{**_FP32, "optional": False}]},
            lambda config: config.add_input({**_FP32, "optional": True}),
            "model 'm', tensor 'x': the model expects optional True but the model configuration specifies optional False",
        ),
        (
            {"model_transaction_policy": {"decoupled": False}},
            lambda config: config.set_model_transaction_policy({"decoupled": True}),
            "trying to change decoupled property in auto-complete-config for model 'm', which is already set to 'False'.",
        ),
        (
            {},
            lambda config: config.set_model_transaction_policy({"other": True}),
            "model transaction property in auto-complete-config function for model 'm' contains property other than "
            "'decoupled'.",
        ),
    ],
)
def test_what_contradicts_the_configuration_is_refused(given, change, text):
    with pytest.raises(ValueError) as caught:
        change(_config(**given))
    assert str(caught.value) == text
