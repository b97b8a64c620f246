"""--rate-limit over the wire."""

import concurrent.futures
import json
import subprocess
import time

import pytest

from harness import models, prometheus, raw_http, wait
from harness import server as server_module

DELAY_S = 0.1
DELAY = models.parameter("execute_delay_ms", int(DELAY_S * 1000))


def group(resources, priority=0, count=1):
    text = "".join(
        f'resources {{ name: "{name}" count: {amount}{" global: true" if shared else ""} }} '
        for name, amount, shared in resources
    )
    return f"instance_group {{ count: {count} kind: KIND_CPU rate_limiter {{ {text}priority: {priority} }} }}\n"


def model(extra):
    return models.identity_config([("FP32", [-1])], 0, DELAY + extra)


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    directory = tmp_path_factory.mktemp("rate_limiter")
    models.add(directory, "first", model(group([("R", 1, True)], priority=1)))
    models.add(directory, "second", model(group([("R", 1, True)], priority=2)))
    models.add(directory, "free", model(""))
    return directory


@pytest.fixture(scope="module")
def server(repository):
    with server_module.running(repository, "--rate-limit=execution_count") as running:
        yield running


BODY = json.dumps({"inputs": [{"name": "INPUT0", "shape": [1], "datatype": "FP32", "data": [1]}]}).encode()


def ask(server, name):
    answer = raw_http.call(server, "POST", f"/v2/models/{name}/infer", BODY)
    assert answer.status == 200, answer
    return time.monotonic()


def at_once(server, names):
    """Asks all at the same time; seconds until each was answered."""
    with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
        start = time.monotonic()
        return [one.result() - start for one in [pool.submit(ask, server, name) for name in names]]


def test_models_that_share_a_resource_run_one_after_the_other(server):
    took = at_once(server, ["first", "second"])
    assert max(took) >= 2 * DELAY_S


def test_models_without_resources_are_not_held_back(server):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        start = time.monotonic()
        limited = [pool.submit(ask, server, name) for name in ("first", "second")]
        waiting = lambda: prometheus.scrape(server).value("headrace_rate_limit_waiting") == 1
        wait.until(waiting, "one of them waits")
        free = ask(server, "free") - start
        assert max(one.result() for one in limited) - start > free


def test_a_lower_priority_gets_the_smaller_share(server):
    """24 requests each: while both want to run, priority 1 runs twice for each run of priority 2."""
    names = ["first"] * 24 + ["second"] * 24
    took = at_once(server, names)
    first, second = sorted(took[:24]), sorted(took[24:])
    done = sum(1 for moment in second if moment < first[-1])
    assert 9 <= done <= 15


def test_off_means_that_all_run_and_is_said(repository):
    with server_module.running(repository) as running:
        assert "field 'instance_group.rate_limiter' has no effect" in "\n".join(running.lines)
        assert "headrace_rate_limit_waiting" not in prometheus.scrape(running).text


def test_resources_that_are_set_let_both_run(repository):
    options = ["--rate-limit=execution_count", "--rate-limit-resource=R:2"]
    with server_module.running(repository, *options) as running:
        page = prometheus.scrape(running)
        assert page.value("headrace_rate_limit_resource_limit", resource="R", device="global") == 2
        both = lambda: prometheus.scrape(running).value("headrace_rate_limit_resource_in_use", resource="R") == 2
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            asked = [pool.submit(ask, running, name) for name in ("first", "second")]
            wait.until(both, "both execute")
            for one in asked:
                one.result()


@pytest.mark.parametrize(
    "options, groups, text",
    [
        (
            ["--rate-limit-resource=R:1"],
            group([("R", 2, True)]),
            'Resource count for "R" is limited to 1 which will prevent scheduling of one or more model instances, '
            "the minimum required count is 2",
        ),
        (
            [],
            group([("R", 1, True), ("R", 1, False)]),
            'Resource "R" is present as both global and device-specific resource in the model configuration.',
        ),
    ],
)
def test_what_could_never_run_is_not_loaded(tmp_path, options, groups, text):
    models.add(tmp_path, "limited", model(groups))
    options = ["--rate-limit=execution_count", "--exit-on-error=false", *options]
    with server_module.running(tmp_path, *options) as running:
        index = raw_http.call(running, "POST", "/v2/repository/index").json()
        assert text in index[0]["reason"]


@pytest.mark.parametrize("option", ["--rate-limit=sometimes", "--rate-limit-resource=R", "--rate-limit-resource=R:a"])
def test_wrong_settings_are_refused(repository, option):
    command = [server_module.program(), "serve", f"--model-repository={repository}", option]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode != 0
    assert "expected" in result.stdout + result.stderr
