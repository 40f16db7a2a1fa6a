"""The benchmark measures the same thing for all, and reports it faithfully."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import lucid

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
RUN = [sys.executable, str(BENCHMARKS / "run.py")]
sys.path.insert(0, str(BENCHMARKS))

import ablation  # noqa: E402
import calls  # noqa: E402
import compare  # noqa: E402
import contenders  # noqa: E402
import epochs  # noqa: E402
import exact  # noqa: E402
import instructions  # noqa: E402
import machine  # noqa: E402
import quality  # noqa: E402
import quality_table  # noqa: E402
import ranker_table  # noqa: E402
import summary  # noqa: E402
import table  # noqa: E402
from cases import BOTH, FORWARD, TABLE, Case, find  # noqa: E402
from measure import WrongAnswer, check  # noqa: E402
from pool import Pool  # noqa: E402
from worker import seconds_a_call  # noqa: E402

# Paddle is left to the benchmark itself: its import alone takes seconds.
CHECKED = [each for each in contenders.TABLE if each.checked and each.needs != "paddle"]


def pairwise(x, labels):
    """The definition, pair by pair; thresholds are rounded as the loss says."""
    loss, counts = 0.0, np.zeros(x.shape, int)
    for n, row in enumerate(labels):
        for i in row:
            for j in set(range(x.shape[1])) - set(row.tolist()):
                excess = float(x[n, j]) - float(x[n, i] - np.float32(1))
                if excess > 0:
                    loss += excess
                    counts[n, j] += 1
                    counts[n, i] -= 1
    return loss / x.size, counts


@pytest.mark.parametrize("scores", ["randn", "trained"])
def test_the_exact_answer_is_that_of_all_pairs(scores):
    x, labels = Case(4, 40, 5, scores).draw()
    answer = exact.solve(x, labels)
    loss, counts = pairwise(x, labels)
    assert answer.loss == pytest.approx(loss, rel=1e-13)
    assert answer.counts.tolist() == counts.tolist()
    assert np.count_nonzero(counts) > 0


@pytest.mark.parametrize("contender", CHECKED, ids=lambda each: each.name)
@pytest.mark.parametrize("name", ["1x5x2-randn", "7x300x40-randn", "3x70000x6-trained"])
def test_every_contender_gives_the_exact_answer(contender, name):
    if not contender.installed:
        pytest.skip(f"needs {contender.needs}")
    case = find(name)
    x, labels = case.draw()
    answer = exact.solve(x, labels)
    implementation = contender.make(x, labels)
    forward = implementation.forward()
    loss, gradient = implementation.forward_backward()
    errors = {
        "loss": answer.loss_error(float(loss.item() if hasattr(loss, "item") else loss)),
        "gradient": answer.gradient_error(np.asarray(gradient), contender.sums_serially),
    }
    check(contender, case, errors)
    assert float(forward) == pytest.approx(answer.loss, rel=1e-5)


@pytest.mark.parametrize("error", [1e-3, math.inf, math.nan])
def test_a_wrong_answer_stops_the_benchmark(error):
    with pytest.raises(WrongAnswer, match="lucid at 1x5x2-randn: gradient is off by"):
        check(contenders.LUCID, TABLE[0], {"loss": 0.0, "gradient": error})


def test_a_nan_in_a_gradient_is_an_error():
    x, labels = Case(3, 20, 2).draw()
    answer = exact.solve(x, labels)
    gradient = answer.counts / x.size
    gradient[1, 7] = np.nan
    assert math.isnan(answer.gradient_error(gradient, sums_serially=False))


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux's /proc")
def test_who_was_measured_stands_still_while_others_are(tmp_path):
    np.save(tmp_path / "scores-0.npy", np.ones((1, 4), np.float32))
    np.save(tmp_path / "labels-0.npy", np.array([[0]]))
    pool = Pool(1)
    try:
        pool.ask(contenders.LUCID, "memory", folder=str(tmp_path))
        pid = pool.process_id(contenders.LUCID)
        wait_for(lambda: Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1].split()[0] == "T")
        assert pool.ask(contenders.LUCID, "memory", folder=str(tmp_path)) >= 0
    finally:
        pool.close()


def wait_for(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_stall_of_the_first_call_is_not_timed():
    calls = []

    def call():
        calls.append(0)
        time.sleep(0.02 if len(calls) == 1 else 0.001)

    assert 0.001 <= seconds_a_call([call]) < 0.01
    assert len(calls) > 2


def test_calls_take_their_batches_in_turns():
    seen = []
    seconds_a_call([partial(seen.append, batch) for batch in range(3)])
    assert len(seen) > 30
    assert seen == [batch % 3 for batch in range(len(seen))]


@pytest.mark.parametrize(
    ("case", "batches"),
    [
        (Case(1, 5, 2), 64),
        (Case(128, 100, 5), 10),
        (Case(256, 10_000, 20), 1),
        (Case(1, 5, 2, repeated=True), 1),
    ],
)
def test_a_case_has_as_many_batches_as_a_cache_holds(case, batches):
    assert case.batches == batches
    assert replace(find(case.name), goals=None) == case


def test_batches_of_a_case_differ():
    (first, labels), (second, other) = (Case(3, 50, 4).draw(batch) for batch in (0, 1))
    assert (first != second).all()
    assert (labels != other).any()


def test_a_case_is_drawn_the_same_every_time():
    first, second = Case(3, 50, 4, "trained").draw(), Case(3, 50, 4, "trained").draw()
    assert all((a == b).all() for a, b in zip(first, second, strict=True))


def test_a_case_is_found_by_its_name_with_its_goals():
    assert [find(case.name) for case in TABLE] == TABLE


@pytest.mark.parametrize("name", ["256x1000", "1x2x3-randn", "0x5x2-randn", "1x5x2-other"])
def test_a_name_that_is_no_case_is_refused(name):
    with pytest.raises(ValueError, match=name):
        find(name)


RESULT = {
    "case": "256x1000x10-randn",
    "n": 256,
    "c": 1000,
    "p": 10,
    "seconds": {
        "lucid": {FORWARD: [1.0, 2.0, 4.0], BOTH: [1.0, 1.0, 1.0]},
        "PyTorch": {FORWARD: [30.0, 80.0], BOTH: [40.0, 45.0]},
        "NumPy, compares": {FORWARD: [6.0, 6.0, 6.0], BOTH: [9.0, 9.0, 9.0]},
        "NumPy, searchsorted": {FORWARD: [7.0, 5.0, 5.0], BOTH: [20.0, 20.0, 20.0]},
    },
}


def test_a_ratio_is_the_median_of_those_within_rounds():
    assert summary.ratio(RESULT, FORWARD, "NumPy, compares") == summary.Ratio(3.0, 1.5, 6.0)


def test_a_contender_that_was_not_in_every_round_is_compared_where_it_was():
    assert summary.ratio(RESULT, FORWARD, "PyTorch") == summary.Ratio(35.0, 30.0, 40.0)


@pytest.mark.parametrize(
    ("mode", "name"), [(FORWARD, "NumPy, searchsorted"), (BOTH, "NumPy, compares")]
)
def test_the_best_numpy_is_the_fastest_of_its_cell(mode, name):
    assert summary.best_numpy(RESULT, mode) == name


def test_verdicts_say_which_floors_hold():
    held = {v.what: v.holds for v in summary.verdicts({"cases": [RESULT]})}
    assert held["256x1000x10-randn, forward: times PyTorch"] is True  # 35 of 25
    assert held["256x1000x10-randn, forward+backward: times PyTorch"] is False  # 42.5 of 50


@pytest.mark.parametrize(("value", "holds"), [(1.29, True), (1.31, False)])
def test_where_less_is_better_the_floor_is_a_ceiling(value, holds):
    assert summary.Verdict("memory", value, 1.3, lower_is_better=True).holds is holds


@pytest.mark.parametrize(("value", "state"), [(1.9, "FAILS"), (2.1, "holds")])
def test_beside_other_programs_there_is_no_verdict(value, state):
    verdict = summary.Verdict("speed", value, 2)
    assert verdict.told() == f"{state}: speed {value:.2f}, at least 2.00"
    assert verdict.told(busy=True) == f"busy: speed {value:.2f}, at least 2.00"


@pytest.mark.parametrize(
    ("rounds", "state"),
    [
        ((1.9, 1.5, 3.0), "unclear"),  # far apart, and on both sides
        ((1.9, 1.8, 2.1), "FAILS"),  # near each other
        ((0.9, 0.5, 1.9), "FAILS"),  # far apart, but on one side
        ((5.0, 2.1, 9.0), "holds"),
    ],
)
def test_rounds_that_are_far_apart_around_the_floor_give_no_verdict(rounds, state):
    ratio = summary.Ratio(*rounds)
    assert summary.Verdict("speed", ratio.median, 2, rounds=ratio).told().startswith(f"{state}: ")


def test_what_is_unclear_shows_its_rounds():
    ratio = summary.Ratio(1.9, 1.5, 3.0)
    verdict = summary.Verdict("speed", ratio.median, 2, rounds=ratio)
    assert verdict.told() == "unclear: speed 1.90 (1.50–3.00), at least 2.00"


def test_what_is_used_of_processors_is_all_but_idle_and_waiting():
    stat = "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 1 2 4 8 16 32 64 128 1 1\ncpu1 5 0 0 7 0 0 0 0 0 0\n"
    assert machine.ticks_used(stat, {0}) == 1 + 2 + 4 + 32 + 64 + 128
    assert machine.ticks_used(stat, {0, 1}) == 231 + 5


@pytest.mark.parametrize(("used", "busy"), [(0.1, False), (0.5, True)])
def test_a_machine_is_busy_where_others_use_much_of_a_core(used, busy):
    assert (machine.busyness(used) is not None) is busy


def test_several_runs_are_compared_by_their_medians():
    runs = [
        {"seconds": {"lucid": {FORWARD: [1.0, 1.0, 1.0]}, "PyTorch": {FORWARD: times}}}
        for times in ([1.0, 2.0, 9.0], [4.0, 4.0, 4.0], [3.0, 3.0, 1.0])
    ]
    assert summary.over_runs(runs, FORWARD, "PyTorch") == summary.Ratio(3.0, 2.0, 4.0)


def test_a_contender_on_one_thread_has_one_in_every_library():
    contender = contenders.on_threads(1, contenders.LUCID_BASELINE)
    assert contender.name == "lucid, baseline, 1 thread"
    assert contender.environment == {
        "LUCID_CPU_LEVEL": "baseline",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
    }


def measured(processor, threads, **of):
    """What a machine has measured, as run.py writes it."""
    return {
        "machine": {"processor": processor, "cores": 2, "level": "x86_64_v3"},
        "versions": {"numpy": "2"},
        "settings": {"rounds": 5, "threads": threads, "others' cores": 0.0},
        **of,
    }


def targets(processor, names=("128x10x3-trained",)):
    times = {"lucid": 1.0, "lucid, baseline": 2.0, "PyTorch": 5.0}  # 5 times as fast, and 2.5
    seconds = {
        f"{name}, {threads}": {FORWARD: [time], BOTH: [time]}
        for name, time in times.items()
        for threads in ("1 thread", "2 threads")
    }
    runs = [[{"case": name, "seconds": seconds} for name in names]] * 3
    return measured(processor, [1, 2], runs=runs)


def lines_of(text):
    return [line for line in text.splitlines() if line.startswith("| ") and "---" not in line]


def test_the_tables_of_targets_mark_floors_and_aims_one_for_each_cpu_level():
    head, *chosen, again, slow, slow_both = lines_of(table.targets_table([targets("some")]))
    assert head == again == "| case | pass | floor / aim | some, 1 thread | some, 2 threads |"
    assert chosen == [
        "| 128x10x3-trained | forward | 2.5 / 4 | 5.00 (5.00–5.00) ✓✓ | 5.00 (5.00–5.00) ✓✓ |",
        "| 128x10x3-trained | forward+backward | 6 / 9 | 5.00 (5.00–5.00) | 5.00 (5.00–5.00) |",
    ]
    assert slow.endswith("| forward | 2.5 / 4 | 2.50 (2.50–2.50) ✓ | 2.50 (2.50–2.50) ✓ |")
    assert slow_both.endswith("| 6 / 9 | 2.50 (2.50–2.50) | 2.50 (2.50–2.50) |")


def test_the_targets_of_one_batch_again_and_again_have_a_table_of_their_own():
    new, same = "128x10x3-trained", "128x10x3-trained-repeated"
    text = table.targets_table([targets("some", [new, same]), targets("other", [same])])
    assert text.index("Another batch in each call") < text.index("The same batch in each call")
    heads = [line for line in lines_of(text) if line.startswith("| case")]
    assert ["other" in head for head in heads] == [False, True, False, True]
    assert "-repeated" not in text


def test_the_targets_of_machines_are_side_by_side():
    both = [targets("some", ["1x5x2-randn", "128x10x3-trained"]), targets("other")]
    head, *rows = lines_of(table.targets_table(both))
    assert head.endswith(
        "| some, 1 thread | some, 2 threads | other, 1 thread | other, 2 threads |"
    )
    assert len(rows) == 2 + 1 + 2  # both passes of the case that both have, at both levels


def test_machines_are_side_by_side_in_the_cases_that_all_have():
    without = {"lucid": RESULT["seconds"]["lucid"]}
    one = measured("some", 2, cases=[{**RESULT, "case": "1x5x2-randn"}, RESULT])
    other = measured("other", 2, cases=[{**RESULT, "seconds": without}])
    assert lines_of(table.machines_table([one, other])) == [
        "| case | pass | some | × PyTorch | other | × PyTorch |",
        "| 256x1000x10-randn | forward | 2,000 ms | 35.0 (30.0–40.0) | 2,000 ms | – |",
        "| 256x1000x10-randn | forward+backward | 1,000 ms | 42.5 (40.0–45.0) | 1,000 ms | – |",
    ]


def test_each_machine_is_said_below_the_table():
    one, other = measured("some", 2, cases=[RESULT]), measured("other", 1, cases=[RESULT])
    other["settings"]["others' cores"] = 0.5
    rest = "float32, CPU level x86_64_v3; numpy 2; medians of 5 rounds."
    assert table.machines_table([one, other]).endswith(
        f"\n\nsome, 2 cores, 2 threads, {rest} "
        f"other, 2 cores (other programs used 0.5), 1 thread, {rest}"
    )


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("AMD EPYC", "AMD EPYC"),
        ("Intel(R) Xeon(R) Processor", "Intel Xeon"),
        ("Intel(R) Core(TM) i7-8700 CPU @ 3.20GHz", "Intel Core i7-8700 CPU @ 3.20GHz"),
    ],
)
def test_a_processor_is_called_by_its_name_alone(said, name):
    assert f"| {name} |" in table.machines_table([measured(said, 2, cases=[RESULT])])


def test_the_first_machine_is_the_one_whose_file_has_no_name(tmp_path):
    assert table.read(tmp_path / "results.json") == []
    for name in ("results-b", "results", "results-a", "targets-c"):
        (tmp_path / f"{name}.json").write_text(json.dumps(name))
    assert table.read(tmp_path / "results.json") == ["results", "results-a", "results-b"]


def test_further_machines_change_only_what_is_side_by_side(tmp_path, monkeypatch):
    def written():
        return {name: text for _, name, text in table.tables()}

    monkeypatch.setattr(table, "RESULTS", Path(shutil.copy(table.RESULTS, tmp_path)))
    alone = written()
    assert alone["machines"] == ""
    results = json.loads(table.RESULTS.read_text())
    results["machine"]["processor"] = "other"
    (tmp_path / "results-other.json").write_text(json.dumps(results))
    both = written()
    assert "| other | × PyTorch |" in both["machines"]
    assert both == alone | {"machines": both["machines"]}


def test_the_table_replaces_only_what_is_between_its_markers():
    readme = "<!-- other -->\n<!-- some -->\nold\n<!-- /some -->\nafter"
    wanted = "<!-- other -->\n<!-- some -->\nnew\n<!-- /some -->\nafter"
    assert table.insert(readme, "new", "some") == wanted


def test_a_readme_without_markers_is_refused():
    with pytest.raises(ValueError, match="no <!-- benchmark -->"):
        table.insert("before, after", "new")


@pytest.mark.parametrize(
    ("file", "name", "text"), [pytest.param(*each, id=each[1]) for each in table.tables()]
)
def test_the_tables_are_those_of_the_results(file, name, text):
    present = file.read_text()
    assert table.insert(present, text, name) == present


@pytest.mark.parametrize("of", [quality_table, ranker_table], ids=lambda of: of.NAME)
def test_the_tables_of_quality_are_those_of_the_results(of):
    present = table.WIDE.read_text()
    text = of.tables(json.loads(of.RESULTS.read_text()))
    assert table.insert(present, text, of.NAME) == present


def test_every_loss_has_been_tried_on_every_data_set():
    data_sets = json.loads(quality_table.RESULTS.read_text())["data"]
    assert data_sets.keys() == quality.DATA_SETS.keys()
    for data in data_sets.values():
        assert data["losses"].keys() == {*quality.LOSSES, quality.LOGISTIC}
        assert all(
            each["test"].keys() == quality.METRICS.keys() for each in data["losses"].values()
        )


def test_a_setting_is_looked_for_until_no_step_makes_it_better():
    def error(setting):
        return abs(math.log10(setting[0]) - 1) + abs(math.log10(setting[1]) + 2)

    setting, lowest = quality.choose(error, (0.1, 1.0))
    assert setting == (10.0, 0.01)
    assert lowest == 0.0


def test_a_setting_that_diverges_is_not_chosen():
    labels = lucid.Labels.from_lists([[0]], num_classes=2)
    assert quality.error(np.array([[math.nan, 0.0]]), labels) == math.inf


def test_the_loss_is_chosen_by_what_was_held_out_not_by_the_test():
    def result(held_out, row):
        rows = {metric: np.array([row, row + 0.1]) for metric in quality.JUDGES}
        return {"held out": held_out, "rows": rows}

    results = {"a": result(0.1, 0.9), "b": result(0.2, 0.0), quality.LOGISTIC: result(0.0, 0.5)}
    summary = quality.compare(results)
    assert summary["chosen"] == "a"
    assert summary["difference"]["LRAP"] == {"mean": 0.4, "standard error": 0.0}


def test_a_class_that_was_never_seen_has_no_chance_in_logistic_regression():
    pytest.importorskip("sklearn")
    features = np.array([[0.0], [1.0], [2.0], [3.0]])
    labels = lucid.Labels.from_lists([[0], [0], [2], [2]], num_classes=3)
    scores = quality.logistic_scores(quality.Dataset(features, labels), features, c=1.0)
    assert scores[:, 1].tolist() == [0.0] * 4
    assert scores[0, 0] > scores[3, 0] > 0


@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [
        ((1.5, 1.4, 1.6), "faster"),
        ((0.8, 0.75, 0.85), "SLOWER"),
        ((1.01, 1.005, 1.02), "same"),
        ((1.01, 0.5, 2.0), "same"),
        ((0.98, 0.975, 0.99), "same"),
        ((1.2, 0.9, 1.5), "unclear"),
        ((0.7, 0.4, 0.97), "unclear"),  # of two equal builds, on a busy machine
        ((2.27, 1.05, 2.91), "unclear"),  # likewise
    ],
)
def test_two_commits_differ_where_runs_are_nearer_to_each_other_than_to_1(ratio, verdict):
    assert compare.verdict(summary.Ratio(*ratio)) == verdict


def test_a_commit_and_itself_are_told_apart(monkeypatch, tmp_path):
    monkeypatch.setattr(compare, "_run", lambda command, **environment: None)
    monkeypatch.setattr(shutil, "unpack_archive", lambda archive, folder: None)
    names = {compare.build(each, "HEAD", tmp_path / each, "float32").name for each in ("a", "b")}
    assert len(names) == 2


def test_a_comparison_runs_to_its_end(monkeypatch, capsys):
    def installed_here(name, commit, folder, dtype):
        return replace(contenders.LUCID, name=f"{name} {commit}", dtype=dtype)

    monkeypatch.setattr(compare, "build", installed_here)
    monkeypatch.setattr(compare, "commit_of", lambda name: name)
    wanted = ["--case", "2x50x3-randn", "--runs", "2", "--rounds", "1", "--threads", "1"]
    monkeypatch.setattr(sys, "argv", ["compare.py", "old", "new", *wanted])
    compare.main()
    printed = capsys.readouterr().out
    assert "| case | pass | base old, µs | other new, µs | times faster | |" in printed
    assert "| 2x50x3-randn | forward+backward |" in printed


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
def test_who_stops_a_comparison_stops_what_it_has_started(tmp_path):
    """As Ctrl-C does in the middle of a build, whose processes would go on writing."""
    started = tmp_path / "started"
    script = f"echo $$ > {started}.new; mv {started}.new {started}; sleep 60; true"

    def interrupt():
        wait_for(started.exists)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        compare._run(["sh", "-c", script])
    thread.join()
    with pytest.raises(ProcessLookupError):
        os.killpg(int(started.read_text()), 0)


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_each_section_is_marked_after_its_warm_up_and_after_what_counts(monkeypatch):
    made = []

    class Problem:
        def __init__(self, scores, labels):
            self.rows = len(scores)

        def forward(self):
            made.append((self.rows, "forward"))

        def forward_backward(self):
            made.append((self.rows, "forward+backward"))

    monkeypatch.setattr(calls, "LUCID", SimpleNamespace(make=Problem))
    monkeypatch.setattr(calls, "MARK", lambda: made.append("mark"))
    calls.main()
    expected = []
    for case, rows, mode in calls.SECTIONS:
        half = [(rows or case.n, mode)] * calls.CALLS + ["mark"]
        expected += half + half
    assert made == expected


def test_instructions_of_a_row_are_what_the_rows_after_the_first_add(monkeypatch, capsys):
    counts = {
        (case, rows, mode): 1000 + 30 * ((rows or case.n) - 1)
        for case, rows, mode in calls.SECTIONS
    }
    monkeypatch.setattr(instructions, "count", lambda contender: counts)
    monkeypatch.setattr(instructions.shutil, "which", lambda name: name)
    monkeypatch.setattr(sys, "argv", ["instructions.py"])
    instructions.main()
    printed = capsys.readouterr().out
    assert "| case | pass | lucid, a call | lucid, a row |" in printed
    assert "| 128x10x3-randn | forward | 4,810 | 30 |" in printed
    assert "| 512x80x3-trained | forward+backward | 16,330 | 30 |" in printed


def test_a_file_of_callgrind_without_a_sum_is_not_read_as_one():
    assert instructions.total("events: Ir\nfn=(1)\n1 7\ntotals: 7\n") == 7
    with pytest.raises(ValueError, match="not enough values"):
        instructions.total("events: Ir\n")


def test_a_name_that_is_no_commit_is_answered_in_one_line():
    command = [sys.executable, str(BENCHMARKS / "compare.py"), "no-such-commit"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "'no-such-commit' is not a commit of this repository" in done.stderr


@pytest.mark.parametrize("variant", ablation.VARIANTS)
def test_what_an_ablation_switches_off_is_in_the_source_once(variant):
    file, text, _ = ablation.VARIANTS[variant]
    assert not text or (ablation.KERNELS / file).read_text().count(text) == 1


def test_one_line_can_be_rerun(tmp_path):
    file = tmp_path / "line.json"
    line = ["--case", "2x50x3-randn", "--rounds", "2", "--json", str(file)]
    done = subprocess.run(
        [*RUN, *line, "--without", "PyTorch", "--without", "PaddlePaddle"],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "| 2x50x3-randn | forward+backward |" in done.stdout
    (result,) = json.loads(file.read_text())["cases"]
    assert len(result["seconds"]["lucid"][BOTH]) == 2
    assert result["errors"]["lucid"]["gradient"] < 1e-6


def test_a_wrong_name_is_answered_in_one_line():
    done = subprocess.run([*RUN, "--case", "1000"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "a case is NxCxP-randn or NxCxP-trained, got '1000'" in done.stderr


def test_every_epoch_of_every_training_is_timed(tmp_path):
    rows = "".join(f"{i % 3} {i % 4}:1 {i % 5}:0.5\n" for i in range(40))
    (tmp_path / "data.txt").write_text(f"40 5 3\n{rows}")
    wanted = ["--epochs", "3", "--optimizer", "Adam", "--optimizer", "AdamW"]
    done = subprocess.run(
        [
            sys.executable,
            str(BENCHMARKS / "epochs.py"),
            "data.txt",
            "--json",
            "times.json",
            *wanted,
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.stdout.count("| data.txt | Adam") == 2, done.stderr
    report = json.loads((tmp_path / "times.json").read_text())
    assert [(each["optimizer"], len(each["seconds"])) for each in report] == [
        ("Adam", 3),
        ("AdamW", 3),
    ]


def test_denormal_numbers_among_those_kept_are_counted():
    x = lucid.zeros(4, requires_grad=True)
    optimizer = lucid.optim.SGD([x], momentum=0.9)
    kept = np.array([1e-40, 0, 1, 1e-30], np.float32)
    optimizer.load_state_dict({**optimizer.state_dict(), "state": {0: {"momentum_buffer": kept}}})
    assert epochs.denormal_share(optimizer) == 0.25
