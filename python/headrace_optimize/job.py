"""What a child process does: `python -m headrace_optimize.job REQUEST RESULT PROGRESS`; PROGRESS is a descriptor."""

import json
import logging
import os
import pathlib
import sys
import traceback
import warnings
from typing import Any

from headrace_optimize import model
from headrace_optimize.errors import NotApplicable, in_one_line


def _tell(descriptor: int, text: str) -> None:
    """A line for whoever waits for this process; nothing where nobody does any more."""
    try:
        os.write(descriptor, f"{text}\n".encode())
    except OSError:
        pass


def _recipe(job: dict[str, Any], progress: int) -> dict[str, Any]:
    from headrace_optimize import recipes  # pylint: disable=import-outside-toplevel
    from headrace_optimize.recipes.base import Context  # pylint: disable=import-outside-toplevel

    recipe = recipes.find(job["recipe"])
    context = Context(
        source=model.source_from_json(job["source"]),
        folder=pathlib.Path(job["folder"]),
        examples_file=pathlib.Path(job["examples"]),
        calibration_samples=job["calibration_samples"],
        prune_amount=job["prune_amount"],
        max_drop=job["max_drop"],
        seconds_max=job["seconds_max"],
        tell=lambda text: _tell(progress, text),
    )
    context.folder.mkdir(parents=True, exist_ok=True)
    return {"artefact": model.to_json(recipe.apply(model.artefact_from_json(job["artefact"]), context))}


def _outputs(job: dict[str, Any], _: int) -> dict[str, Any]:
    from headrace_optimize import torch_models  # pylint: disable=import-outside-toplevel

    return {"outputs": torch_models.describe_outputs(model.source_from_json(job["source"]))}


def _trace(job: dict[str, Any], _: int) -> dict[str, Any]:
    from headrace_optimize import torch_models  # pylint: disable=import-outside-toplevel

    torch_models.trace_eager(model.source_from_json(job["source"]), pathlib.Path(job["target"]))
    return {}


_ACTIONS = {"recipe": _recipe, "outputs": _outputs, "trace": _trace}


def main() -> int:
    """Writes the result, or why there is none."""
    request, result, progress = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    job = json.loads(request.read_text(encoding="utf-8"))
    try:
        answer = _ACTIONS[job["action"]](job, progress)
    except NotApplicable as error:
        answer = {"not_applicable": str(error)}
    except BaseException as error:  # pylint: disable=broad-exception-caught  # whatever a library throws
        traceback.print_exc()
        answer = {"error": in_one_line(error)}
    result.write_text(json.dumps(answer), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
