"""Options of the metrics: weights of rows, what equal scores are worth, predictions by index."""

from functools import partial
from itertools import permutations

import numpy as np
import pytest

from lucid import metrics
from lucid.labels import Labels
from lucid.metrics import TopK

peer = pytest.importorskip("sklearn.metrics")
sparse = pytest.importorskip("scipy.sparse")

P = np.array([0.9, 0.5, 0.25, 0.1, 0.7])  # propensities

ALL_RANKS = {
    "label_ranking_loss": metrics.label_ranking_loss,
    "coverage_error": metrics.coverage_error,
    "lrap": metrics.label_ranking_average_precision_score,
}
OF_BEST = {
    "one_error": metrics.one_error,
    "precision_at_k": partial(metrics.precision_at_k, k=2),
    "recall_at_k": partial(metrics.recall_at_k, k=2),
    "ndcg_at_k": partial(metrics.ndcg_at_k, k=3),
    "psp_at_k": partial(metrics.psp_at_k, propensities=P, k=2),
    "psndcg_at_k": partial(metrics.psndcg_at_k, propensities=P, k=3),
}
METRICS = {**ALL_RANKS, **OF_BEST}
every_metric = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
every_metric_of_best = pytest.mark.parametrize("metric", OF_BEST.values(), ids=OF_BEST)
near = partial(pytest.approx, rel=0, abs=1e-12)

random = np.random.default_rng(0)
TIED = random.integers(0, 3, (12, 5)).astype(np.float64)
MULTI_HOT = random.random((12, 5)) < 0.5
MULTI_HOT[:2] = [[False] * 5, [True] * 5]
WEIGHT = random.integers(0, 4, 12)
UNTIED = random.standard_normal((12, 5))


# Ties.


def in_order(scores, order):
    """Return scores without ties: of equal ones that is higher which comes first in an order."""
    ranks = np.lexsort((np.broadcast_to(np.argsort(order), scores.shape), -scores), axis=1)
    return -np.argsort(ranks, axis=1).astype(np.float64)


@every_metric
def test_the_expectation_is_the_mean_over_all_orders_of_equal_scores(metric):
    values = [metric(in_order(TIED, order), MULTI_HOT) for order in permutations(range(5))]
    assert metric(TIED, MULTI_HOT, ties="expected") == near(np.mean(values))


@every_metric
def test_the_expectation_over_one_row_of_equal_scores(metric):
    for labels in ([[0]], [[1, 3]], [[0, 1, 2, 4]]):
        labels = Labels.from_lists(labels, 5)
        values = [metric([order], labels) for order in permutations(range(5))]
        assert metric([[7.0] * 5], labels, ties="expected") == near(np.mean(values))


@every_metric_of_best
def test_ties_by_column_put_the_lowest_first(metric):
    assert metric(TIED, MULTI_HOT, ties="column") == near(
        metric(in_order(TIED, range(5)), MULTI_HOT)
    )


@pytest.mark.parametrize("metric", ALL_RANKS.values(), ids=ALL_RANKS)
def test_the_worst_order_of_ties_is_the_default_of_the_whole_ranking(metric):
    assert metric(TIED, MULTI_HOT, ties="worst") == metric(TIED, MULTI_HOT)


@every_metric
def test_without_ties_it_does_not_matter_what_they_are_worth(metric):
    assert metric(UNTIED, MULTI_HOT, ties="expected") == near(metric(UNTIED, MULTI_HOT))


@every_metric
def test_ties_are_said_in_one_of_the_words(metric):
    with pytest.raises(ValueError, match="ties must be one of"):
        metric(TIED, MULTI_HOT, ties="best")


@every_metric
def test_unknown_classes_are_left_out_of_ties(metric):
    labels = Labels.from_multi_hot([[1, 0, -1, 0, -1]] * 2, unknown=-1)
    expected = Labels.from_multi_hot(np.array([[True, False, False]] * 2))
    tied = np.array([[1, 1, 1, 0, 1], [0, 1, 0, 0, 0.0]])
    if "propensities" in getattr(metric, "keywords", {}):
        fewer = partial(metric, propensities=P[[0, 1, 3]])
    else:
        fewer = metric
    assert metric(tied, labels, ties="expected") == near(
        fewer(tied[:, [0, 1, 3]], expected, ties="expected")
    )


# Weights of rows.


@every_metric
@pytest.mark.parametrize("ties", ["expected", None])
def test_a_weight_is_so_many_repetitions(metric, ties):
    metric = metric if ties is None else partial(metric, ties=ties)
    repeated = np.repeat(np.arange(12), WEIGHT)
    expected = metric(TIED[repeated], MULTI_HOT[repeated])
    assert metric(TIED, MULTI_HOT, sample_weight=WEIGHT) == near(expected)


@every_metric
def test_equal_weights_are_as_none(metric):
    assert metric(TIED, MULTI_HOT, sample_weight=[0.3] * 12) == near(metric(TIED, MULTI_HOT))


@pytest.mark.parametrize(
    ("metric", "other"),
    [
        (metrics.label_ranking_loss, peer.label_ranking_loss),
        (metrics.coverage_error, peer.coverage_error),
        (
            metrics.label_ranking_average_precision_score,
            peer.label_ranking_average_precision_score,
        ),
        (partial(metrics.ndcg_at_k, k=3), partial(peer.ndcg_score, k=3)),
    ],
)
def test_weights_are_those_of_scikit_learn(metric, other):
    weight = random.random(12)
    expected = other(MULTI_HOT, TIED, sample_weight=weight)
    assert metric(TIED, MULTI_HOT, sample_weight=weight) == near(expected)


def test_ndcg_ignores_ties_as_scikit_learn_where_there_are_none():
    found = metrics.ndcg_at_k(UNTIED, MULTI_HOT, 3, ties="column")
    assert found == near(peer.ndcg_score(MULTI_HOT, UNTIED, k=3, ignore_ties=True))


@every_metric
def test_weights_of_zero_leave_nothing_to_average(metric):
    assert np.isnan(metric(TIED, MULTI_HOT, sample_weight=np.zeros(12)))


@every_metric
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1.0], r"sample_weight must be one number for each row .* \(12,\), got shape \(1,\)"),
        ([-1.0] + [1.0] * 11, "sample_weight must not be negative, got -1.0"),
        ([np.nan] + [1.0] * 11, "sample_weight must be finite, got nan"),
    ],
)
def test_wrong_weights_are_named(metric, weight, message):
    with pytest.raises(ValueError, match=message):
        metric(TIED, MULTI_HOT, sample_weight=weight)


# Propensity-scored NDCG.


def psndcg_by_definition(x, y, p, k):
    discounts = 1 / np.log2(np.arange(2, k + 2))
    gains = best_gains = 0
    for row, t in zip(x, y, strict=True):
        if not t.any():
            continue
        order = np.argsort(-row, kind="stable")[:k]
        best = np.sort(1 / p[t])[::-1][:k]
        norm = discounts[: min(k, t.sum())].sum()
        gains += (discounts * t[order] / p[order]).sum() / norm
        best_gains += (discounts[: best.size] * best).sum() / norm
    return gains / best_gains


@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize("scores", [TIED, UNTIED])
def test_propensity_scored_ndcg_is_its_definition(scores, k):
    expected = psndcg_by_definition(scores, MULTI_HOT, P, k)
    assert metrics.psndcg_at_k(scores, MULTI_HOT, P, k) == near(expected)


def test_propensity_scored_ndcg_of_the_best_ranking_is_one():
    assert metrics.psndcg_at_k(MULTI_HOT / P, MULTI_HOT, P, 3) == near(1)


def test_propensity_scored_ndcg_at_1_is_propensity_scored_precision_at_1():
    found = metrics.psndcg_at_k(UNTIED, MULTI_HOT, P, 1)
    assert found == near(metrics.psp_at_k(UNTIED, MULTI_HOT, P, 1))


def test_propensity_scored_ndcg_without_any_label_is_nan():
    assert np.isnan(metrics.psndcg_at_k([[1.0, 2.0]], [[]], [0.5, 0.5], 1))


# Predictions by index.


def top(scores, k):
    """Return the classes of the k highest scores, and these."""
    classes = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return classes, np.take_along_axis(scores, classes, axis=1)


@every_metric_of_best
@pytest.mark.parametrize("k", [3, 4, 5])
@pytest.mark.parametrize("scores", [TIED, UNTIED])
def test_the_highest_classes_give_what_all_scores_give(metric, scores, k):
    metric = partial(metric, ties="column")
    assert metric(TopK(top(scores, k)[0]), MULTI_HOT) == near(metric(scores, MULTI_HOT))


@every_metric_of_best
def test_indices_give_what_a_sparse_matrix_of_them_gives(metric):
    classes, scores = top(TIED, 4)
    matrix = sparse.csr_array(
        (scores.ravel(), classes.ravel(), np.arange(0, 49, 4)), shape=TIED.shape
    )
    for ties in "column", "expected":
        found = metric(TopK(classes, scores), MULTI_HOT, ties=ties)
        assert found == near(metric(matrix, MULTI_HOT, ties=ties))


def test_scores_need_not_come_in_their_order():
    labels = [[0]]
    assert metrics.precision_at_k(TopK([[2, 0]], [[0.1, 0.9]], num_classes=4), labels, 1) == 1
    assert metrics.precision_at_k(TopK([[2, 0]], num_classes=4), labels, 1) == 0


def test_a_row_may_predict_fewer_than_k_classes():
    predicted = TopK([[1, -1], [-1, -1], [-1, 2]])
    labels = Labels.from_lists([[1], [1], [2]], 4)
    assert metrics.precision_at_k(predicted, labels, 2) == near(2 / 6)
    assert metrics.recall_at_k(predicted, labels, 1) == near(2 / 3)


def test_what_is_not_there_may_have_any_score():
    labels = Labels.from_lists([[1]], 4)
    assert metrics.one_error(TopK([[-1, 1]], [[np.nan, 0.5]]), labels) == 0


@pytest.mark.parametrize(
    "labels",
    [MULTI_HOT, Labels.from_multi_hot(MULTI_HOT), sparse.csr_array(MULTI_HOT)],
    ids=["bool", "Labels", "sparse"],
)
def test_the_labels_may_tell_the_number_of_classes(labels):
    assert metrics.one_error(TopK(top(UNTIED, 2)[0]), labels) == near(
        metrics.one_error(UNTIED, MULTI_HOT)
    )


def test_no_array_as_wide_as_the_classes_is_made():
    classes = 10**12
    labels = Labels.from_lists([[classes - 1, 3], [5]], classes)
    assert metrics.ndcg_at_k(TopK([[classes - 1, 3], [7, 5]]), labels, 2) == near(
        (1 + 1 / np.log2(3)) / 2
    )


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([[0.5]],), TypeError, "classes must hold integers, got float64"),
        (([0, 1],), ValueError, r"classes must have shape \(N, K\), got \(2,\)"),
        (([[0, 0]],), ValueError, "classes must be different, got 0 twice in row 0"),
        (([[-2]],), ValueError, "classes must be at least -1"),
        (([[0]], [[0.5, 1]]), ValueError, r"scores must have shape \(1, 1\), that of the classes"),
    ],
)
def test_what_are_no_predictions_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        TopK(*arguments)


def test_a_class_that_there_is_not_is_named():
    with pytest.raises(ValueError, match="classes must be below 5, got 5 in row 1"):
        metrics.one_error(TopK([[0]] * 1 + [[5]] * 11), MULTI_HOT)


def test_class_indices_as_labels_need_the_number_of_classes():
    with pytest.raises(TypeError, match="TopK needs num_classes"):
        metrics.one_error(TopK([[0]]), [[0]])


def test_predictions_of_other_rows_than_the_labels_are_refused():
    with pytest.raises(ValueError, match="labels"):
        metrics.one_error(TopK([[0]]), MULTI_HOT)


def test_a_nan_score_is_named():
    with pytest.raises(ValueError, match="got NaN in row 0, column 3"):
        metrics.one_error(TopK([[0, 3]], [[1, np.nan]]), Labels.from_lists([[0]], 4))


def test_metrics_of_all_ranks_want_all_scores():
    with pytest.raises(TypeError, match="scores must be dense, got TopK"):
        metrics.coverage_error(TopK([[0]]), Labels.from_lists([[0]], 4))


def test_it_keeps_a_copy():
    classes = np.array([[0]])
    predicted = TopK(classes)
    classes[:] = 1
    assert metrics.one_error(predicted, Labels.from_lists([[0]], 4)) == 0
    assert repr(predicted) == "TopK(rows=1, k=1)"
