"""The energy meter, on files as Linux shows them."""

from pathlib import Path

import pytest

from nmt_keras.system.energy import EnergyMeter


def zone(directory: Path, name: str, energy: int) -> Path:
    directory.mkdir(parents=True)
    (directory / "name").write_text(f"{name}\n")
    (directory / "max_energy_range_uj").write_text("262143328850\n")
    (directory / "energy_uj").write_text(f"{energy}\n")
    return directory / "energy_uj"


def test_packages_are_summed_over_and_counters_begin_again(tmp_path: Path) -> None:
    first = zone(tmp_path / "intel-rapl:0", "package-0", 262_143_000_000)
    second = zone(tmp_path / "intel-rapl:1", "package-1", 5_000_000)
    parts = [zone(tmp_path / "intel-rapl:0:0", "core", 0), zone(tmp_path / "intel-rapl:2", "psys", 0)]
    meter = EnergyMeter(tmp_path)
    first.write_text("671149\n")
    second.write_text("7500000\n")
    for part in parts:
        part.write_text("9000000\n")
    assert meter.joules() == pytest.approx(1.0 + 2.5, rel=1e-9)
    second.write_text("7500001\n")
    assert meter.joules() == pytest.approx(1e-6)


def test_a_machine_that_does_not_tell(tmp_path: Path) -> None:
    zone(tmp_path / "intel-rapl:0", "package-0", 1).unlink()
    assert EnergyMeter(tmp_path).joules() is None
    assert EnergyMeter(tmp_path / "none").joules() is None
