"""Growth is told by what one more tenant costs beside what it cost before."""

from __future__ import annotations

from lab.bench.scale.measure import growth


def test_what_grows_as_its_tenants_do_is_linear() -> None:
    memory, cpu = growth({10: (100.0, 0.2), 100: (190.0, 0.1), 1000: (1090.0, 0.1)})
    assert (memory.middle, cpu.middle) == (1.0, 1.0)
    assert memory.met(1.0) and cpu.met(1.0)


def test_what_grows_faster_than_they_do_misses_the_goal() -> None:
    memory, cpu = growth({10: (100.0, 0.1), 100: (190.0, 0.1), 1000: (1990.0, 0.2)})
    assert (memory.middle, cpu.middle) == (2.0, 2.0)
    assert memory.met(1.0) is False and cpu.met(1.0) is False


def test_of_two_sizes_nothing_is_said() -> None:
    assert growth({10: (100.0, 0.1), 100: (190.0, 0.1)}) == []
