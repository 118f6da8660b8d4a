"""The C library's memory allocator, set for programs that allocate the same large arrays again and again."""

import ctypes

# glibc's malloc.h
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -4, -8


def keep_freed_memory() -> None:
    """Keeps freed memory for the next allocation, until the process ends.

    By default glibc returns large blocks to the system as soon as they are freed. A training step frees and allocates
    hundreds of megabytes of activations, and each page that comes back must be mapped and cleared anew. Without glibc
    (macOS, musl) this does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(_M_MMAP_MAX, 0)  # no blocks of their own, which are unmapped when freed
    mallopt(_M_ARENA_MAX, 1)  # the arenas of threads hold 64 MB each, and are unmapped when empty
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
    mallopt(_M_TOP_PAD, 64 * 2**20)
