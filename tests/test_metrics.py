"""Ranking metrics: equal to scikit-learn's where it has them, to their definition elsewhere."""

import math

import numpy as np
import pytest

from lucid import _kernels, metrics
from lucid.labels import Labels
from lucid.metrics import rows
from lucid.system.threads import set_num_threads

peer = pytest.importorskip("sklearn.metrics")
sparse = pytest.importorskip("scipy.sparse")

FEW = 256  # labels in a row up to which the kernel compares one by one

METRICS = {
    "label_ranking_loss": metrics.label_ranking_loss,
    "coverage_error": metrics.coverage_error,
    "lrap": metrics.label_ranking_average_precision_score,
    "one_error": metrics.one_error,
    "precision_at_k": lambda x, y: metrics.precision_at_k(x, y, 3),
    "recall_at_k": lambda x, y: metrics.recall_at_k(x, y, 3),
    "ndcg_at_k": lambda x, y: metrics.ndcg_at_k(x, y, 3),
    "psp_at_k": lambda x, y: metrics.psp_at_k(x, y, np.linspace(0.1, 1, np.shape(x)[1]), 3),
}


def pairs(x, y):
    return zip(x, y, strict=True)


def top_k(row: np.ndarray, k: int) -> set[int]:
    return set(np.argsort(-row, kind="stable")[:k].tolist())


# What each metric is: scikit-learn's, or its definition row by row.


def precision_by_definition(x, y, k):
    return np.mean([len(top_k(row, k) & set(np.flatnonzero(t))) / k for row, t in pairs(x, y)])


def recall_by_definition(x, y, k):
    labels = [set(np.flatnonzero(t)) for t in y]
    return np.mean([len(top_k(row, k) & t) / max(len(t), 1) for row, t in pairs(x, labels)])


def one_error_by_definition(x, y):
    return np.mean([not t[row.argmax()] for row, t in pairs(x, y)])


def psp_by_definition(x, y, propensities, k):
    gain = sum(1 / propensities[j] for row, t in pairs(x, y) for j in top_k(row, k) if t[j])
    best = sum(sum(sorted(1 / propensities[np.flatnonzero(t)])[-k:]) for t in y)
    return gain / best


ORACLES = {
    "label_ranking_loss": lambda x, y: peer.label_ranking_loss(y, x),
    "coverage_error": lambda x, y: peer.coverage_error(y, x),
    # With some versions of NumPy it computes in the dtype of the scores.
    "lrap": lambda x, y: peer.label_ranking_average_precision_score(y, x.astype(np.float64)),
    "one_error": one_error_by_definition,
    "precision_at_k": lambda x, y: precision_by_definition(x, y, 3),
    "recall_at_k": lambda x, y: recall_by_definition(x, y, 3),
    "ndcg_at_k": lambda x, y: peer.ndcg_score(y, x, k=3),
    "psp_at_k": lambda x, y: psp_by_definition(x, y, np.linspace(0.1, 1, x.shape[1]), 3),
}


def case(shape, share_of_labels, *, num_values=None, dtype=np.float64, seed=0):
    """Scores, with ties if they take few values, and multi-hot labels, some rows none or all."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape) if num_values is None else rng.integers(num_values, size=shape)
    y = rng.random(shape) < share_of_labels
    y[0], y[-1] = False, True
    return x.astype(dtype), y


CASES = {
    "no ties": case((50, 12), 0.3),
    "ties": case((50, 12), 0.3, num_values=4),
    "only ties": case((20, 7), 0.5, num_values=1),
    "float32": case((30, 20), 0.2, dtype=np.float32),
    "integers": case((30, 20), 0.2, num_values=9, dtype=np.int64),
    "blocks": case((5, 5000), 0.003),
    "blocks with ties": case((5, 5000), 0.003, num_values=40),
    "many labels": case((6, 3 * FEW), 0.6),
    "many labels with ties": case((6, 3 * FEW), 0.6, num_values=50),
    "many labels, only ties": case((4, 3 * FEW), 0.6, num_values=1, dtype=np.float32),
    "three classes": case((9, 3), 0.5, num_values=3),
}


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", CASES)
def test_metric_equals_its_oracle(metric, name):
    x, y = CASES[name]
    assert METRICS[metric](x, y) == pytest.approx(ORACLES[metric](x, y), rel=0, abs=1e-12)


@pytest.mark.parametrize("k", [1, 2, 5, 12])
def test_top_k_metrics_equal_their_oracles_for_every_k(k):
    x, y = CASES["ties"]
    p = np.linspace(0.2, 1, 12)
    near = {"rel": 0, "abs": 1e-12}
    assert metrics.precision_at_k(x, y, k) == pytest.approx(
        precision_by_definition(x, y, k), **near
    )
    assert metrics.recall_at_k(x, y, k) == pytest.approx(recall_by_definition(x, y, k), **near)
    assert metrics.ndcg_at_k(x, y, k) == pytest.approx(peer.ndcg_score(y, x, k=k), **near)
    assert metrics.psp_at_k(x, y, p, k) == pytest.approx(psp_by_definition(x, y, p, k), **near)


# Laws.


@pytest.mark.parametrize("metric", METRICS)
def test_every_form_of_labels_gives_the_same_value(metric):
    x, y = CASES["ties"]
    labels = Labels.from_multi_hot(y)
    value = METRICS[metric](x, labels)
    forms = [y, sparse.csr_array(y), labels.to_padded(), [row.tolist() for row in labels]]
    assert [METRICS[metric](x, form) for form in forms] == [value] * 4


@pytest.mark.parametrize("metric", METRICS)
def test_a_label_listed_twice_is_one_label(metric):
    x = [[0.1, 0.4, 0.3, 0.2], [0.9, 0.1, 0.2, 0.3]]
    twice, once = [[3, 1, 1], [2, 2, 0]], [[1, 3], [0, 2]]
    assert METRICS[metric](x, np.array(twice)) == METRICS[metric](x, np.array(once))


@pytest.mark.parametrize("metric", METRICS)
def test_only_the_order_of_scores_matters(metric):
    x, y = CASES["no ties"]
    assert METRICS[metric](np.exp(x), y) == METRICS[metric](x, y)


@pytest.mark.parametrize("metric", METRICS)
def test_infinite_scores_are_ordered_like_any_others(metric):
    x, y = CASES["three classes"]
    infinite = np.array([-np.inf, 0.0, np.inf])[x.astype(int)]
    assert METRICS[metric](infinite, y) == METRICS[metric](x, y)


@pytest.mark.parametrize("metric", METRICS)
def test_scores_may_have_any_layout(metric):
    x, y = CASES["ties"]
    wide = np.zeros((24, 50), dtype=">f8")
    wide[::2] = x.T
    assert METRICS[metric](wide[::2].T, y) == METRICS[metric](x, y)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("share_of_labels", [0.05, 0.7])
def test_every_number_of_threads_gives_the_same_bits(metric, share_of_labels):
    x, y = case((40, 2 * FEW), share_of_labels, num_values=100)
    values = []
    for threads in (1, 2, 5):
        set_num_threads(threads)
        values.append(METRICS[metric](x, y))
    assert values[0] == values[1] == values[2]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("counts", ["above", "not_below", "labels_not_below", "place", "depth"])
def test_every_cpu_level_counts_the_same(name, counts, monkeypatch):
    x, y = CASES[name]
    found = rows.Rows(x, y).count(counts)[0]
    monkeypatch.setattr(rows, "ranking", _kernels.load("ranking", "baseline"))
    assert np.array_equal(rows.Rows(x, y).count(counts)[0], found)


# The edges.


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("label_ranking_loss", 0),
        ("coverage_error", 0),
        ("lrap", 1),
        ("one_error", 1),
        ("precision_at_k", 0),
        ("recall_at_k", 0),
        ("ndcg_at_k", 0),
    ],
)
def test_a_row_without_labels_counts_what_the_docs_say(metric, value):
    assert METRICS[metric](np.ones((2, 4)), Labels.from_lists([[], []], 4)) == value


def test_psp_without_any_label_is_nan():
    assert math.isnan(METRICS["psp_at_k"](np.ones((2, 4)), Labels.from_lists([[], []], 4)))


@pytest.mark.parametrize("metric", METRICS)
def test_without_rows_the_value_is_nan(metric):
    assert math.isnan(METRICS[metric](np.zeros((0, 4)), np.zeros((0, 4), dtype=bool)))


def test_a_perfect_ranking_has_the_best_values():
    y = CASES["no ties"][1][1:-1]
    p = np.linspace(0.1, 1, 12)
    best_first = y / p  # labels above the rest, and rare labels above frequent ones
    assert metrics.label_ranking_loss(best_first, y) == 0
    assert metrics.label_ranking_average_precision_score(best_first, y) == 1
    assert metrics.psp_at_k(best_first, y, p, 5) == pytest.approx(1)


# What is wrong is named.


@pytest.mark.parametrize("metric", METRICS)
def test_a_nan_score_is_named(metric):
    x = np.zeros((3, 4), dtype=np.float32)
    x[1, 2] = np.nan
    with pytest.raises(ValueError, match="scores must not be NaN, got NaN in row 1, column 2"):
        METRICS[metric](x, [[0], [1], [2]])


@pytest.mark.parametrize("metric", METRICS)
def test_labels_that_do_not_fit_are_refused(metric):
    with pytest.raises(
        ValueError, match=r"shape \(2, 4\) \(rows, classes\) do not fit .* \(3, 4\)"
    ):
        METRICS[metric](np.zeros((3, 4)), Labels.from_lists([[0], [1]], 4))


@pytest.mark.parametrize("shape", [(4,), (2, 0), (1, 2, 3), ()])
def test_scores_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"scores must have shape \(N, C\) with C >= 1, got"):
        metrics.label_ranking_loss(np.zeros(shape), [[0]])


@pytest.mark.parametrize("dtype", [complex, bool, object])
def test_scores_that_are_no_real_numbers_are_refused(dtype):
    with pytest.raises(TypeError, match="scores must hold real numbers"):
        metrics.label_ranking_loss(np.zeros((1, 2), dtype=dtype), [[0]])


@pytest.mark.parametrize("metric", ["precision_at_k", "recall_at_k", "ndcg_at_k"])
@pytest.mark.parametrize("k", [0, -1, 5])
def test_k_out_of_range_is_refused(metric, k):
    with pytest.raises(ValueError, match=f"k must be from 1 to C = 4, got {k}"):
        getattr(metrics, metric)(np.zeros((1, 4)), [[0]], k)


@pytest.mark.parametrize("metric", ["psp_at_k", "psndcg_at_k"])
@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, 2.0, np.inf, 1e-320])
def test_propensities_must_be_probabilities(metric, bad):
    words = f"propensities must be from 1e-280 to 1, got {bad} for class 1"
    with pytest.raises(ValueError, match=words):
        getattr(metrics, metric)(np.zeros((1, 3)), [[0]], [1.0, bad, 1.0], 1)


def test_the_least_propensities_do_not_overflow():
    labels = np.ones((50, 3), bool)
    assert metrics.psp_at_k(np.zeros((50, 3)), labels, [1e-280] * 3, 2) == 1


def test_propensities_must_be_one_for_each_class():
    with pytest.raises(ValueError, match=r"propensities must have shape \(3,\), got \(2,\)"):
        metrics.psp_at_k(np.zeros((1, 3)), [[0]], [1.0, 1.0], 1)


# Propensities.


def test_propensities_follow_the_formula_of_the_paper():
    labels = Labels.from_lists([[0, 1]] * 40 + [[0]] * 60, num_classes=3)
    c = (math.log(100) - 1) * 2.5**0.55
    expected = [1 / (1 + c * math.exp(-0.55 * math.log(n + 1.5))) for n in (100, 40, 0)]
    assert metrics.propensities(labels) == pytest.approx(expected, rel=1e-12)


def test_propensities_count_rows_not_mentions():
    twice = Labels.from_lists([[0, 0], [1]] * 20, num_classes=2)
    once = Labels.from_lists([[0], [1]] * 20, num_classes=2)
    assert np.array_equal(metrics.propensities(twice), metrics.propensities(once))


def test_propensities_of_very_few_rows_are_one():
    assert metrics.propensities(Labels.from_lists([[0], [1]], 2)).tolist() == [1, 1]


def test_propensities_need_rows():
    with pytest.raises(ValueError, match="at least one row"):
        metrics.propensities(Labels.from_lists([], 2))


def test_scores_and_labels_in_the_other_order_are_recognised():
    with pytest.raises(TypeError, match=r"the order is \(scores, labels\)"):
        metrics.label_ranking_loss(np.array([[1, 0]]), np.array([[0.5, 0.2]]))


PROPENSITY_LABELS = Labels.from_lists([[0, 2], [2], [1, 2]] * 5, 4)


@pytest.mark.parametrize(
    "form",
    [
        PROPENSITY_LABELS.to_multi_hot(),
        PROPENSITY_LABELS.to_multi_hot().tolist(),
        PROPENSITY_LABELS.to_csr(),
        PROPENSITY_LABELS.to_csr().tocoo(),
    ],
    ids=["bools", "lists of bools", "CSR", "COO"],
)
def test_propensities_take_every_form_that_tells_the_number_of_classes(form):
    expected = metrics.propensities(PROPENSITY_LABELS)
    assert metrics.propensities(form).tolist() == expected.tolist()
    assert metrics.propensities(form, num_classes=4).tolist() == expected.tolist()


@pytest.mark.parametrize(
    "form",
    [
        PROPENSITY_LABELS.to_padded(),
        PROPENSITY_LABELS.to_padded(4),
        [row.tolist() for row in PROPENSITY_LABELS],
        [set(row.tolist()) for row in PROPENSITY_LABELS],
    ],
    ids=["padded", "as wide as the classes", "lists", "sets"],
)
def test_propensities_of_class_indices_need_the_number_of_classes(form):
    expected = metrics.propensities(PROPENSITY_LABELS)
    assert metrics.propensities(form, num_classes=4).tolist() == expected.tolist()
    with pytest.raises(TypeError, match="labels are class indices, which need num_classes; multi"):
        metrics.propensities(form)


@pytest.mark.parametrize("form", [PROPENSITY_LABELS, PROPENSITY_LABELS.to_csr()])
def test_propensities_want_the_number_of_classes_that_the_labels_have(form):
    with pytest.raises(ValueError, match="num_classes is 5, but labels have 4 classes"):
        metrics.propensities(form, num_classes=5)


@pytest.mark.parametrize("labels", [[[0.0, 1.0]], None, "ab", [0, 1]])
def test_propensities_of_what_are_no_labels_are_refused(labels):
    with pytest.raises((TypeError, ValueError), match="labels must"):
        metrics.propensities(labels)


@pytest.mark.parametrize("b", [0, -1.0, float("nan")])
def test_propensities_want_a_positive_b(b):
    with pytest.raises(ValueError, match="b must be positive"):
        metrics.propensities(Labels.from_lists([[0]], 2), b=b)


@pytest.mark.parametrize("labels", [[[0], [2]], [[True, False, False], [False, False, True]]])
def test_labels_may_be_tensors_of_torch(labels):
    torch = pytest.importorskip("torch")
    x = [[0.5, 0.1, 0.2], [0.4, 0.9, 0.3]]
    assert metrics.precision_at_k(x, torch.tensor(labels), 1) == 0.5


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1], r"labels must be 2-D, got shape \(2,\)"),
        ([[0.0, 1.0]], r"labels must be Labels, .* got float64; the order is \(scores, labels\)"),
        ([[0.5], []], "labels must hold integers, got float64"),
        (np.ma.masked_equal([[0, 1]], 1), "labels has masked entries"),
    ],
)
def test_labels_are_named_as_the_user_knows_them(labels, message):
    with pytest.raises((TypeError, ValueError), match=message):
        metrics.one_error(np.zeros((2, 3)), labels)


@pytest.mark.parametrize("scores", [[[1.0], [1.0, 2.0]], np.ma.masked_equal([[0.0, 1.0]], 1)])
def test_scores_that_are_no_array_are_named(scores):
    with pytest.raises(ValueError, match=r"scores (must have rows of one length|has masked)"):
        metrics.one_error(scores, [[0]])


def test_without_rows_the_labels_may_be_an_empty_list():
    assert math.isnan(metrics.one_error(np.zeros((0, 3)), []))


@pytest.mark.parametrize("k", [1.0, "a"])
def test_k_must_be_an_integer(k):
    with pytest.raises(TypeError, match=f"k must be an integer, got {k!r}"):
        metrics.precision_at_k(np.zeros((1, 3)), [[0]], k)


@pytest.mark.parametrize(
    "scores",
    [
        np.array([[2**53 + 1, 0]]),
        np.array([[-(2**53) - 2, 0]]),
        np.array([[2**64 - 1, 0]], np.uint64),
        np.zeros((1, 2), np.longdouble),
    ],
)
def test_scores_that_float64_does_not_tell_apart_are_refused(scores):
    with pytest.raises((TypeError, ValueError), match="scores must"):
        metrics.one_error(scores, [[0]])


def test_integer_scores_up_to_the_last_that_float64_holds_are_taken():
    assert metrics.one_error(np.array([[2**53, 2**53 - 1]]), [[0]]) == 0


def test_propensities_must_be_numbers():
    with pytest.raises(TypeError, match="propensities must hold real numbers, got <U3"):
        metrics.psp_at_k(np.zeros((1, 3)), [[0]], "abc", 1)


@pytest.mark.parametrize(
    ("a", "b"), [(1e5, 1e-3), (1e5, 1.0), (float("nan"), 1.0), (float("inf"), 1.0)]
)
@pytest.mark.parametrize("rows", [2, 100])
def test_parameters_that_leave_no_propensity_are_refused(a, b, rows):
    words = f"a and b must give propensities of at least 1e-280, got a={a}, b={b}: .* for class"
    with pytest.raises(ValueError, match=words):
        metrics.propensities(Labels.from_lists([[0]] * rows, 2), a=a, b=b)


@pytest.mark.parametrize("name", ["a", "b"])
def test_the_parameters_of_propensities_must_be_numbers(name):
    with pytest.raises(TypeError, match=f"{name} must be a number, got 'x'"):
        metrics.propensities(Labels.from_lists([[0]], 2), **{name: "x"})


# Labels that cannot be what they are read as.


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    "labels",
    [
        [[1, 1, -1, -1], [1, -1, -1, -1]],
        [[1, -1, 1, -1], [-1, 1, 1, -1]],
        [[0, 1, 0, 1], [1, 0, -1, 0]],
        [[0, 1, 0, 1], [1, 0, 1, 0]],
        [[3, 2, 3, 0], [1, 2, 0, 0]],
    ],
    ids=["signs that end", "signs", "unknown", "0 and 1", "grades"],
)
def test_labels_as_wide_as_the_classes_that_cannot_be_indices_are_refused(metric, labels):
    with pytest.raises(ValueError, match=r"labels cannot be class indices.*Labels\.from_multi_hot"):
        METRICS[metric](np.zeros((2, 4)), labels)


@pytest.mark.parametrize("metric", METRICS)
def test_a_label_out_of_range_is_named_with_its_argument(metric):
    with pytest.raises(ValueError, match="labels: label 4 in row 1, column 0 is out of range"):
        METRICS[metric](np.zeros((2, 4)), [[0, -1], [4, 1]])


def test_multi_hot_floats_are_told_from_scores():
    with pytest.raises(TypeError, match=r"got float64; the order is .*, and .*pass them as bool"):
        metrics.one_error([[0.5, 0.2]], [[0.0, 1.0]])


def test_labels_given_as_scores_are_recognised():
    labels = Labels.from_lists([[0]], 2)
    with pytest.raises(TypeError, match=r"scores must be an array, got Labels; the order is"):
        metrics.label_ranking_loss(labels, [[0.5, 0.2]])


# Scores that are stored for few classes.

OF_BEST = ["one_error", "precision_at_k", "recall_at_k", "ndcg_at_k", "psp_at_k"]


def stored_for_some(x, share, seed=0, at_least=3):
    """Scores at random places, ``at_least`` so many in a row: as a sparse matrix, and with -inf."""
    rng = np.random.default_rng(seed)
    rank = rng.random(x.shape).argsort(axis=1).argsort(axis=1)
    stored = (rank < at_least) | (rng.random(x.shape) < share)
    row, column = np.nonzero(stored)  # zeros are stored as well
    matrix = sparse.coo_array((x[stored], (row, column)), shape=x.shape)
    return matrix.tocsr(), np.where(stored, x, -np.inf)


@pytest.mark.parametrize("metric", OF_BEST)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_stored_scores_give_what_dense_ones_give(metric, name, share):
    x, y = CASES[name]
    matrix, dense = stored_for_some(x, share)
    assert METRICS[metric](matrix, y) == METRICS[metric](dense, y)


@pytest.mark.parametrize("metric", OF_BEST)
@pytest.mark.parametrize("form", ["csc", "coo", "lil", "bsr"])
def test_every_sparse_form_of_scores_is_taken(metric, form):
    x, y = CASES["no ties"]
    matrix, _ = stored_for_some(x, 0.3)
    assert METRICS[metric](matrix.asformat(form), y) == METRICS[metric](matrix, y)


def test_a_row_that_stores_fewer_than_k_scores_misses_the_other_places():
    scores = sparse.csr_array(([0.5, 0.1], [2, 0], [0, 2, 2]), shape=(2, 5))
    labels = [[0, 1, 2], [3]]
    discounts = 1 / np.log2([2, 3, 4])
    assert metrics.precision_at_k(scores, labels, 4) == (2 / 4 + 0) / 2
    assert metrics.recall_at_k(scores, labels, 4) == pytest.approx((2 / 3 + 0) / 2)
    assert metrics.ndcg_at_k(scores, labels, 3) == pytest.approx(
        discounts[:2].sum() / discounts.sum() / 2
    )
    assert metrics.psp_at_k(scores, labels, np.ones(5), 4) == 2 / 4
    assert metrics.one_error(scores, labels) == 1 / 2


@pytest.mark.parametrize("value", [0.0, -1.0, -np.inf])
def test_a_stored_score_is_above_those_that_are_not_stored(value):
    scores = sparse.csr_array(([value], [2], [0, 1]), shape=(1, 5))
    assert metrics.precision_at_k(scores, [[2]], 1) == 1
    assert metrics.ndcg_at_k(scores, [[2]], 1) == 1
    assert metrics.precision_at_k(scores, [[0]], 1) == 0


def test_scores_stored_twice_are_added():
    scores = sparse.coo_array(([1.0, 1.0, 1.5], ([0, 0, 0], [3, 3, 1])), shape=(1, 5))
    assert metrics.precision_at_k(scores, [[3]], 1) == 1


def test_stored_scores_are_never_made_dense():
    scores = sparse.csr_array(([0.9, 0.4], [7, 2**40], [0, 1, 2]), shape=(2, 2**41))
    labels = Labels.from_lists([[7, 9], [2**40]], 2**41)
    assert metrics.precision_at_k(scores, labels, 1) == 1
    assert metrics.recall_at_k(scores, labels, 1) == 0.75


def test_the_scores_of_the_caller_stay_as_they_were():
    scores = sparse.csr_array(([1.0, 2.0, 3.0], [3, 1, 1], [0, 3]), shape=(1, 5))
    metrics.precision_at_k(scores, [[1]], 1)
    assert scores.indices.tolist() == [3, 1, 1]


@pytest.mark.parametrize("metric", sorted(METRICS.keys() - OF_BEST))
def test_metrics_of_all_ranks_want_dense_scores(metric):
    message = "scores must be dense, got csr_array: this metric ranks all classes"
    with pytest.raises(TypeError, match=message) as caught:
        METRICS[metric](sparse.csr_array([[0.1, 0.0, 0.3]]), [[0, 2]])
    assert "features" not in str(caught.value)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (sparse.csr_array([[0.0, np.nan]]), "got NaN in row 0, column 1"),
        (sparse.csr_array([[1j, 0]]), "scores must hold real numbers of up to 64 bits, got comp"),
        (sparse.csr_array([[True, False]]), "scores must hold real numbers of up to 64 bits, got"),
        (sparse.csr_array((2, 0)), r"scores must have shape \(N, C\) with C >= 1, got \(2, 0\)"),
        (sparse.coo_array([1.0, 2.0]), "scores must be a matrix of two axes"),
        (sparse.csr_array([[2**53 + 1, 0]]), r"scores must be within 2\*\*53"),
        (sparse.csr_array((2, 2**62)), r"scores must be fewer than 2\*\*63"),
        (sparse.csr_array([[0.5, 0, 0]]), r"labels: labels of shape \(1, 2\)"),
    ],
)
def test_sparse_scores_that_cannot_be_ranked_are_named(scores, message):
    with pytest.raises((TypeError, ValueError), match=message):
        metrics.precision_at_k(scores, Labels.from_lists([[0]], 2), 1)


def test_sparse_scores_of_classes_out_of_range_are_refused():
    scores = sparse.csr_array(np.eye(2))
    scores.indices = np.array([0, 9])
    with pytest.raises(ValueError, match="scores is not a valid csr matrix: index 9 is out of"):
        metrics.one_error(scores, [[0], [1]])
