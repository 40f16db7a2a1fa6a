"""`MultilabelRanker` is an estimator as scikit-learn wants one."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from lucid.sklearn import MultilabelRanker

#: By mini-batches, and by all rows at once, to the last digits.
BY_BATCHES = MultilabelRanker()
BY_ALL_ROWS = MultilabelRanker("lsep", solver="lbfgs", weight_decay=0.1, tol=1e-11)

REPETITIONS = "mini-batches are drawn by row: k repetitions are k draws, a weight of k is one"


def expected_failures(estimator: MultilabelRanker) -> dict[str, str]:
    if estimator.solver == "lbfgs":
        return {}
    return {
        "check_sample_weight_equivalence_on_dense_data": REPETITIONS,
        "check_sample_weight_equivalence_on_sparse_data": REPETITIONS,
    }


@parametrize_with_checks(
    [BY_BATCHES, BY_ALL_ROWS], expected_failed_checks=expected_failures, xfail_strict=True
)
def test_scikit_learns_check(estimator, check):
    check(estimator)
