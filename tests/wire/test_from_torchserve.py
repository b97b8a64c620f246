"""The page docs/from_torchserve.md: its commands run, and its table has every key."""

import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest
from harness import peers, torchserve_program

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "from_torchserve.md").read_text(encoding="utf-8")
PORTS = ("8080", "8081", "8082", "7070", "7071")


def commands():
    """The page's commands, on ports that are free."""
    text = "\n".join(re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
    for port in PORTS:
        text = text.replace(port, str(peers.free_port()))
    return text


def test_every_command(tmp_path):
    settings = torchserve_program.environment(tmp_path)
    folders = [pathlib.Path(torchserve_program.program()).parent, pathlib.Path(sys.executable).parent]
    settings["PATH"] = ":".join([*map(str, folders), settings["PATH"]])
    script = tmp_path / "commands.sh"
    script.write_text("set -eux\n" + commands(), encoding="utf-8")
    try:
        done = subprocess.run(
            ["bash", str(script)], cwd=tmp_path, env=settings, capture_output=True, text=True, timeout=300, check=False
        )
        said = tmp_path / "torchserve.out"
        log = said.read_text(errors="replace")[-4000:] if said.exists() else ""
        assert done.returncode == 0, done.stdout + done.stderr + log
    finally:
        pid_file = tmp_path / ".model_server.pid"
        if pid_file.exists():
            os.kill(int(pid_file.read_text()), signal.SIGKILL)
    for expected in (
        "TorchServe Version is 0.12.0",
        '"status": "Healthy"',
        '"length": 5',
        '"modelName": "echo"',
        "Workers scaled to 2 for model: echo",
        'Model \\"again\\" Version: 1.0 registered with 1 initial workers',
        'Model \\"again\\" unregistered',
        'ACCESS_LOG - /127.0.0.1 "POST /predictions/echo HTTP/1.1" 200',
        "TorchServe has stopped.",
    ):
        assert expected in done.stdout


@pytest.mark.parametrize("source", ["torchserve_keys.cc"])
def test_the_table_has_every_key(source):
    text = (ROOT / "src" / "server" / source).read_text(encoding="utf-8")
    keys = set(re.findall(r'^    \{"(\w+)",', text, re.MULTILINE))
    assert len(keys) > 50
    table = PAGE[PAGE.index("## Keys of config.properties") :].split("\n## ")[0]
    shown = set(re.findall(r"`(\w+)`", "\n".join(line.split("|")[1] for line in table.splitlines() if "|" in line)))
    assert shown - {"use_env_allowed_urls", "enable_envvars_config"} == keys
