"""CPU levels: one is picked at import, the highest unless `LUCID_CPU_LEVEL` says otherwise."""

import platform

import pytest
from cpu_levels import CPU_LEVELS

from lucid import _kernels

SHOW = "from lucid import _kernels; print(_kernels.CPU_LEVEL, _kernels.margin.__name__)"


def test_the_baseline_is_always_there():
    assert CPU_LEVELS[0] == "baseline"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the higher level is for x86-64")
def test_the_higher_level_is_built_on_x86_64():
    assert _kernels._built("x86_64_v3")


def test_the_highest_level_is_the_default(fresh_python):
    level = CPU_LEVELS[-1]
    ended = fresh_python(SHOW, LUCID_CPU_LEVEL="")
    assert ended.stdout.split() == [level, f"lucid._kernels.margin_{level}"]


@pytest.mark.parametrize("level", CPU_LEVELS)
@pytest.mark.parametrize("spelled", [str, str.upper, lambda level: level.replace("_", "-")])
def test_a_level_can_be_forced(level, spelled, fresh_python):
    ended = fresh_python(SHOW, LUCID_CPU_LEVEL=spelled(level))
    assert ended.stdout.split() == [level, f"lucid._kernels.margin_{level}"]


@pytest.mark.parametrize("level", ["x86_64_v9", "fast", "baseline,x86_64_v3"])
def test_a_level_that_is_not_there_is_refused_and_the_others_are_listed(level, fresh_python):
    ended = fresh_python("import lucid", LUCID_CPU_LEVEL=level)
    assert ended.returncode == 1
    assert f"ImportError: LUCID_CPU_LEVEL='{level}' is not a level" in ended.stderr
    assert f"choose one of {', '.join(CPU_LEVELS)}" in ended.stderr


def test_a_level_above_the_processors_is_refused(monkeypatch):
    monkeypatch.setitem(_kernels._SUPPORTED, "x86_64_v3", False)
    with pytest.raises(ImportError, match="choose one of baseline"):
        _kernels._pick_level("x86_64_v3")
    assert _kernels._pick_level(None) == "baseline"
