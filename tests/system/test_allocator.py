"""What the operating system counts: pages mapped for arrays that are allocated again and again."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from nmt_keras.system.allocator import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()


def allocate(_):
    np.ones(40 * 2**20, "uint8").sum()  # glibc keeps blocks of up to 32 MB in any case


with ThreadPoolExecutor(1) as pool:  # TensorFlow's arrays are those of threads
    list(pool.map(allocate, range(5)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    list(pool.map(allocate, range(20)))
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_freed_memory_is_not_mapped_again() -> None:
    def pages(way: str) -> int:
        output = subprocess.run([sys.executable, "-c", PROGRAM, way], check=True, capture_output=True, text=True)
        return int(output.stdout)

    kept, default = pages("keep"), pages("default")
    assert default > 20 * 40 * 2**20 / 2**21  # pages of up to 2 MB
    assert kept < default / 10
