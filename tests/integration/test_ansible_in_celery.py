"""A playbook run inside a real Celery prefork worker: daemonic processes with signal handlers of their own."""

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]

WORKER = """
import uuid
from pathlib import Path

from celery import Celery

from govcloud.gateways.ansible import Host, run

folder = Path(__file__).parent
app = Celery("lab")
app.conf.update(
    broker_url="filesystem://",
    broker_transport_options={name: str(folder / "broker") for name in ("data_folder_in", "data_folder_out", "control_folder")},
    broker_connection_retry_on_startup=True,
)


@app.task(name="lab.play")
def play():
    host = Host(name="nobody", address="127.0.0.1", port=9, user="nobody", private_key="none", become=False)
    result = run(
        playbook="local.yml", playbooks=folder, hosts=[host], variables={}, ident=f"run-{uuid.uuid4()}", run_dir=folder / "runs", timeout=60
    )
    (folder / "outcome.new").write_text(f"{result.status} {result.facts}")
    (folder / "outcome.new").rename(folder / "outcome")
"""

PLAYBOOK = """
- name: A playbook that stays on this machine
  hosts: all
  connection: local
  gather_facts: false
  tasks:
    - name: Say which signals are ignored
      ansible.builtin.command: grep SigIgn /proc/self/status
      register: ignored
      changed_when: false
    - name: Report them
      ansible.builtin.set_stats:
        data: {ignored: "{{ ignored.stdout.split()[-1] }}"}
"""


def test_a_run_works_in_a_prefork_worker(tmp_path: Path) -> None:
    (tmp_path / "lab_worker.py").write_text(WORKER)
    (tmp_path / "local.yml").write_text(textwrap.dedent(PLAYBOOK))
    (tmp_path / "broker").mkdir()
    celery = [sys.executable, "-m", "celery", "-A", "lab_worker"]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{ROOT}:{tmp_path}", "HOME": str(tmp_path)}
    command = [
        *celery,
        "worker",
        "-P",
        "prefork",
        "-c",
        "1",
        "--without-mingle",
        "--without-gossip",
        "--loglevel",
        "INFO",
    ]
    log = tmp_path / "log"
    with log.open("w") as output:
        worker = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=output, stderr=output)
    try:
        subprocess.run(
            [*celery, "call", "lab.play"], cwd=tmp_path, env=environment, check=True, capture_output=True
        )
        limit = time.monotonic() + 90
        while not (tmp_path / "outcome").exists():
            assert worker.poll() is None, log.read_text()
            assert time.monotonic() < limit, log.read_text()
            time.sleep(0.1)
    finally:
        worker.terminate()
        worker.wait(30)

    status, facts = (tmp_path / "outcome").read_text().split(" ", 1)
    assert status == "successful"
    ignored = int(facts.split("'")[3], 16)
    # Neither interrupt nor termination is ignored, which a pool process would have passed on: the run can be ended.
    assert not ignored & (1 << signal.SIGINT - 1 | 1 << signal.SIGTERM - 1)
