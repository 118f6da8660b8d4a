"""Calls in processes of their own."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from nmt_keras.system.processes import processors, run_in_processes

PROGRAM = """
import os, sys, time
begun = time.time()
time.sleep(1)
with open(sys.argv[1], "w") as file:
    print(begun, time.time(), *sorted(os.sched_getaffinity(0)), file=file)
print("done", file=sys.stderr)
sys.exit(int(sys.argv[2]))
"""


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system does not tell processors apart")
@pytest.mark.parametrize("jobs", [1, 2])
def test_calls_share_the_processors_and_a_failure_is_told(
    jobs: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    calls = {
        name: ([sys.executable, "-c", PROGRAM, str(tmp_path / name), code],)
        for name, code in {"a": "0", "b": "3", "c": "0"}.items()
    }
    assert run_in_processes(subprocess.check_call, calls, jobs) == {
        "b": f"CalledProcessError: Command '{calls['b'][0]}' returned non-zero exit status 3."
    }
    errors = capfd.readouterr().err.splitlines()
    assert next(line for line in errors if "failed" in line).startswith("b: failed: CalledProcessError: ")
    times, shares = [], set()
    for name in calls:
        begun, ended, *share = (tmp_path / name).read_text().split()
        times += [(float(begun), 1), (float(ended), -1)]
        shares.add(tuple(map(int, share)))
    changes = [change for _, change in sorted(times)]
    assert max(sum(changes[:end]) for end in range(len(changes) + 1)) == jobs
    assert {len(share) for share in shares} == {max(1, len(processors()) // jobs)}
    assert len(shares) == min(jobs, len(processors()))


def test_a_process_that_is_killed_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    failures = run_in_processes(subprocess.check_call, {"a": (["sh", "-c", "kill -KILL $PPID; sleep 1"],)}, 1)
    assert failures == {"a": "its process was ended by SIGKILL, often for want of memory"}
    assert capsys.readouterr().err == f"a: failed: {failures['a']}\n"


def test_an_interruption_ends_all_calls() -> None:
    calls = {name: (["sleep", "120"],) for name in ("a", "b", "c")}
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        threading.Timer(4, os.kill, (os.getpid(), signal.SIGTERM)).start()
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            run_in_processes(subprocess.check_call, calls, 2)
        assert time.monotonic() - began < 60
    finally:
        signal.signal(signal.SIGTERM, before)
