"""What the processors use, by their own counters."""

from pathlib import Path


class EnergyMeter:
    """Joules that the processor packages used, as Linux's powercap tells them (RAPL; Intel and AMD).

    The counters are of the whole machine, and begin again at 0 every few minutes: read them more often than that.

    Args:
        zones: the directory of the counters.
    """

    def __init__(self, zones: Path = Path("/sys/class/powercap")) -> None:
        # "intel-rapl:0:1" is a part of "intel-rapl:0"; the zone "psys" is the platform, packages included.
        self._ranges = {
            zone / "energy_uj": int(_read(zone / "max_energy_range_uj"))
            for zone in zones.glob("intel-rapl:*")
            if _read(zone / "name").startswith("package") and _read(zone / "energy_uj")
        }
        self._last = self._counters()

    def joules(self) -> float | None:
        """Since the last call; None where there is no counter that this process may read."""
        before, self._last = self._last, self._counters()
        if not self._last:
            return None
        return 1e-6 * sum((now - before[file]) % (self._ranges[file] + 1) for file, now in self._last.items())

    def _counters(self) -> dict[Path, int]:
        return {file: int(_read(file)) for file in self._ranges}


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:  # most systems let only root read the counters
        return ""
