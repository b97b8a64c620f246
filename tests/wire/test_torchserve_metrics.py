"""TorchServe's metrics page and metric lines (contracts, TorchServe 3 and 10.2)."""

import pathlib
import re

import grpc
import pytest

from harness import archives, grpc_stubs, torchserve_program, wait

HANDLERS = pathlib.Path(__file__).parent / "handlers"
CATALOGUE = """
dimensions:
  - &level "Level"
ts_metrics:
  counter:
    - {name: Requests2XX, unit: Count, dimensions: [*level, Hostname]}
model_metrics:
  counter:
    - {name: Orders, unit: orders, dimensions: [ModelName, *level]}
    - {name: Colours, unit: count, dimensions: [ModelName, Colour]}
    - {name: Faults, unit: count, dimensions: [*level]}
  histogram:
    - {name: Sizes, unit: B, dimensions: [ModelName]}
"""


def start(root, **keys):
    store, work = root / "store", root / "work"
    store.mkdir()
    work.mkdir()
    (store / "orders.mar").write_bytes(archives.handler_mar("orders", HANDLERS / "orders.py"))
    return torchserve_program.TorchServeProgram(
        store, work, "--ncs", "--disable-token-auth", "--models=orders.mar", default_workers_per_model=1, **keys
    )


def page(program, query=""):
    status, headers, text = program.ask("GET", f"/metrics{query}", port=program.metrics_port)
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return text


def value(program, sample):
    """Of a sample with its labels; nothing if it is not there."""
    found = re.search(rf"^{re.escape(sample)} (\S+)$", page(program), re.MULTILINE)
    return float(found.group(1)) if found else None


def predict(program, text, model="orders"):
    return program.ask(
        "POST", f"/predictions/{model}", body=text, headers={"Content-Type": "application/octet-stream"}
    )[0]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with start(
        tmp_path_factory.mktemp("metrics"),
        model_metrics_auto_detect="true",
        disable_system_metrics="false",
        metric_time_interval=1,
    ) as program:
        page(program)  # is counted, so that the next one has a label
        program.hostname = re.search(r'Hostname="([^"]*)"', page(program)).group(1)
        yield program
        assert program.alive(), program.output()


def host(server, name):
    return f'{name}{{Level="Host",Hostname="{server.hostname}",}}'


def of_model(server, name, version="default"):
    return f'{name}{{model_name="orders",model_version="{version}",hostname="{server.hostname}",}}'


def test_the_page_counts_what_was_answered(server):
    names = [host(server, f"Requests{kind}XX") for kind in (2, 4, 5)]
    totals = [of_model(server, "ts_inference_requests_total", version) for version in ("default", "1.0")]
    before = [value(server, name) or 0 for name in (*names, *totals)]
    assert [predict(server, "a"), predict(server, "a"), predict(server, "a", "orders/1.0")] == [200] * 3
    assert [predict(server, "a", "nope"), predict(server, "fail")] == [404, 503]
    # The pages themselves are answers, too: one for each value before this one.
    after = [value(server, name) for name in (*names, *totals)]
    grown = [new - old for old, new in zip(before, after)]
    assert grown[0] >= 3 and grown[1:] == [1, 1, 3, 1]
    text = page(server)
    assert "# HELP Requests2XX Torchserve prometheus counter metric with unit: Count\n" in text
    assert "# TYPE ts_queue_latency_microseconds counter\n" in text
    assert 'headrace_model_ready{model="orders"' in text
    assert f'ts_queue_depth{{model_name="orders",model_version="1.0",hostname="{server.hostname}",}} 0.0\n' in text


def test_times_are_summed_and_spread(server):
    predict(server, "a")
    latency = of_model(server, "ts_inference_latency_microseconds")
    wait.until(lambda: (value(server, latency) or 0) > 0, "the prediction is counted")
    assert value(server, of_model(server, "ts_queue_latency_microseconds")) < value(server, latency)
    count = value(server, of_model(server, "ts_inference_duration_seconds_count"))
    infinite = of_model(server, "ts_inference_duration_seconds_bucket").replace(",}", ',le="+Inf",}')
    assert count >= 1 and value(server, infinite) >= count
    assert value(server, host(server, "QueueTime")) >= 0
    assert value(server, host(server, "WorkerThreadTime")) >= 0
    loaded = re.search(r'^WorkerLoadTime\{WorkerName="W-\d+-orders_1\.0",Level="Host",.* (\S+)$', page(server), re.M)
    assert float(loaded.group(1)) > 0


def test_the_page_tells_of_the_machine(server):
    for name in ("CPUUtilization", "MemoryUtilization", "DiskUtilization"):
        assert 0 <= wait.until(lambda name=name: value(server, host(server, name)), name, 60) <= 100
    for name in ("MemoryUsed", "MemoryAvailable", "DiskUsage", "DiskAvailable"):
        assert value(server, host(server, name)) > 0


def test_names_choose_families(server):
    predict(server, "a")
    text = page(server, "?name[]=Requests2XX&name[]=headrace_model_ready&name[]=nothing")
    families = re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE)
    assert families == ["Requests2XX", "headrace_model_ready"]
    assert all(line.startswith(("#", *families)) for line in text.splitlines())


def test_metrics_of_handlers_come_by_every_way(server):
    labels = f'ModelName="orders",Level="Model",Hostname="{server.hostname}",'
    before = value(server, f"Orders{{{labels}}}") or 0
    assert predict(server, "count 3") == predict(server, "count 4") == 200
    wait.until(lambda: value(server, f"Orders{{{labels}}}") == before + 7, "the handler's counter")
    wait.until(lambda: (value(server, f"Weight_count{{{labels}}}") or 0) >= 2, "the handler's histogram")
    printed = f'Printed{{ModelName="orders",Hostname="{server.hostname}",}}'
    wait.until(lambda: value(server, printed) == 4, "what the handler has printed")
    wait.until(lambda: (value(server, f"PredictionTime{{{labels}}}") or 0) > 0, "PredictionTime")


def test_lines_are_read_by_the_benchmarks_rule(server):
    """Each line with the name; what is before the first '|', cut at ':', the fourth field."""

    def numbers(name):
        fields = [line.split("|")[0].split(":") for line in server.lines if name in line]
        return [float(field[3].split(" ")[0]) for field in fields]

    before = {name: len(numbers(name)) for name in ("PredictionTime", "QueueTime", "WorkerThreadTime")}
    for _ in range(5):
        assert predict(server, "a") == 200
    for name, count in before.items():
        wait.until(lambda name=name, count=count: len(numbers(name)) >= count + 5, f"lines of {name}")
        assert all(0 <= number < 60_000 for number in numbers(name))
    files = server.work / "logs"
    request = r"PredictionTime\.ms:\S+\|#ModelName:orders,Level:Model\|#hostname:\S+,requestID:[^,]+,timestamp:\d+$"
    wait.until(lambda: re.search(request, (files / "model_metrics.log").read_text(), re.M), "model_metrics.log")
    total = r"ts_inference_requests_total\.Count:1\.0\|#model_name:orders,model_version:default\|#hostname:\S+,timestamp:"
    wait.until(lambda: re.search(total, (files / "ts_metrics.log").read_text()), "ts_metrics.log")


def test_predictions_over_grpc_count_as_others(server):
    total = of_model(server, "ts_inference_requests_total")
    before = value(server, total) or 0
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        message = grpc_stubs.messages("grpc_inference").PredictionsRequest(model_name="orders")
        grpc_stubs.inference(channel).Predictions(message)
    assert value(server, total) == before + 1


def test_a_catalogue_decides_what_there_is(tmp_path):
    catalogue = tmp_path / "metrics.yaml"
    catalogue.write_text(CATALOGUE)
    with start(tmp_path, metrics_config=catalogue) as program:
        assert predict(program, "count 2") == 200
        wait.until(lambda: "Orders{" in page(program), "the handler's counter")
        # Metrics that a handler has not added, but found: the catalogue's.
        assert predict(program, "colour red") == predict(program, "colour blue") == 200
        wait.until(lambda: re.search(r"^Faults\{.* 2\.0$", page(program), re.M), "the handler's errors")
        text = page(program)
        (hostname,) = re.findall(r'^Colours\{ModelName="orders",Colour="red",Hostname="(.*)",\} 1\.0$', text, re.M)
        assert f'Faults{{Level="Error",Hostname="{hostname}",}} ' in text
        sizes = f'ModelName="orders",Hostname="{hostname}",'
        for bound, count in (("2.5", 0), ("5.0", 2), ("10.0", 2), ("+Inf", 2)):
            assert f'Sizes_bucket{{{sizes}le="{bound}",}} {count}.0\n' in text
        assert f"Sizes_count{{{sizes}}} 2.0\nSizes_sum{{{sizes}}} 7.0\n" in text
        assert "# HELP Orders Torchserve prometheus counter metric with unit: orders\n" in text
        assert "Requests2XX{" in text
        for name in ("Requests4XX", "ts_inference_requests_total", "PredictionTime", "Weight", "Printed"):
            assert f"# TYPE {name} " not in text


def test_log_mode_keeps_the_lines_alone(tmp_path):
    with start(tmp_path, metrics_mode="log") as program:
        assert predict(program, "a") == 200
        program.wait_line(r"TS_METRICS - ts_inference_requests_total\.Count:1\.0\|")
        text = page(program)
        assert "Requests2XX" not in text and "ts_inference" not in text
        assert "headrace_model_ready" in text


def test_a_catalogue_that_is_none_is_refused(tmp_path):
    catalogue = tmp_path / "metrics.yaml"
    catalogue.write_text("ts_metrics: {counter: [{name: a}]}")
    torchserve_program.write_config(tmp_path, metrics_config=catalogue)
    code, text = torchserve_program.run(tmp_path, "--start", "--foreground", f"--model-store={tmp_path}", "--ncs")
    assert code != 0
    assert "metrics_config" in text and "metric 'a' needs a name and a unit" in text
