"""The model configuration as `auto_complete_config` completes it."""

import json


class ModelConfig:
    """A configuration that a model may add to, within what it already says. What contradicts it is a ValueError."""

    def __init__(self, model_config):
        self._config = json.loads(model_config)
        self._config.setdefault("input", [])
        self._config.setdefault("output", [])

    def as_dict(self):
        """The configuration as it is now."""
        return self._config

    def set_max_batch_size(self, max_batch_size):
        """Raises the maximal batch size."""
        given = self._config.get("max_batch_size", 0)
        if given > max_batch_size:
            raise ValueError(
                f"configuration specified max_batch_size {given}, but in auto-complete-config function for model "
                f"'{self._name()}' specified max_batch_size {max_batch_size}"
            )
        self._config["max_batch_size"] = max_batch_size

    def set_dynamic_batching(self):
        """Chooses dynamic batching unless it is chosen already."""
        for other in ("sequence_batching", "ensemble_scheduling"):
            if other in self._config:
                raise ValueError(
                    f"Configuration specified scheduling_choice as '{other}', but auto-complete-config function for model "
                    f"'{self._name()}' tries to set scheduling_choice as 'dynamic_batching'"
                )
        self._config.setdefault("dynamic_batching", {})

    def add_input(self, input):
        """Adds {"name", "data_type", "dims"} and maybe "optional", or completes the one of that name."""
        self._add("input", input, ("name", "data_type", "dims", "optional"), "'name', 'data_type', 'dims' and 'optional'.")

    def add_output(self, output):
        """Adds {"name", "data_type", "dims"}, or completes the one of that name."""
        self._add("output", output, ("name", "data_type", "dims"), "'name', 'data_type' and 'dims'.")

    def set_model_transaction_policy(self, transaction_policy_dict):
        """{"decoupled": bool}"""
        for key in transaction_policy_dict:
            if key != "decoupled":
                raise ValueError(
                    f"model transaction property in auto-complete-config function for model '{self._name()}' contains "
                    "property other than 'decoupled'."
                )
        policy = self._config.setdefault("model_transaction_policy", {})
        if "decoupled" in transaction_policy_dict:
            wanted = transaction_policy_dict["decoupled"]
            if policy.get("decoupled", wanted) != wanted:
                raise ValueError(
                    f"trying to change decoupled property in auto-complete-config for model '{self._name()}', which is "
                    f"already set to '{policy['decoupled']}'."
                )
            policy["decoupled"] = wanted

    def _name(self):
        return self._config.get("name", "")

    def _add(self, kind, tensor, known, known_text):
        where = f"in auto-complete-config function for model '{self._name()}'"
        for key in tensor:
            if key not in known:
                raise ValueError(f"{kind} '{tensor.get('name', '')}' {where} contains property other than {known_text}")
        if "name" not in tensor:
            raise ValueError(f"{kind} {where} is missing 'name' property.")
        for key in ("data_type", "dims"):
            if key not in tensor:
                raise ValueError(f"{kind} '{tensor['name']}' {where} is missing '{key}' property.")
        for given in self._config[kind]:
            if given.get("name") == tensor["name"]:
                self._complete(kind, given, tensor)
                return
        self._config[kind].append(tensor)

    def _complete(self, kind, given, tensor):
        """Completes one that the configuration has."""
        name = tensor["name"]
        if given.get("data_type", "TYPE_INVALID") not in ("TYPE_INVALID", tensor["data_type"]):
            raise ValueError(
                f"unable to load model '{self._name()}', configuration expects datatype {given['data_type']} for {kind} "
                f"'{name}', model provides {tensor['data_type']}"
            )
        if given.get("dims") and given["dims"] != tensor["dims"]:
            raise ValueError(self._differs(name, "dims", given, tensor))
        if "optional" in given and "optional" in tensor and given["optional"] != tensor["optional"]:
            raise ValueError(self._differs(name, "optional", given, tensor))
        given.update(tensor)

    def _differs(self, name, key, given, tensor):
        return (
            f"model '{self._name()}', tensor '{name}': the model expects {key} {tensor[key]} but the model configuration "
            f"specifies {key} {given[key]}"
        )
