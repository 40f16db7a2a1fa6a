"""`MultilabelRanker` is an estimator as scikit-learn wants one, and a ranker."""

import io
import pickle
import tracemalloc
import warnings

import joblib
import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix, random_array
from sklearn.base import clone
from sklearn.datasets import make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MultiLabelBinarizer
from sklearn.utils.estimator_checks import parametrize_with_checks

import lucid
from lucid import Labels, cli, metrics, nn
from lucid.losses.margin import MARGIN
from lucid.nn.losses.criterion import Criterion
from lucid.sklearn import MultilabelRanker, mini_batches
from lucid.sklearn.threshold import Cuts, best_cuts
from lucid.training import Diverged, Ranker, Validation, learning_rate, named, scaling

#: By mini-batches, also of losses that may diverge, and by all rows at once, to the last digits.
BY_BATCHES = [MultilabelRanker(loss) for loss in ("margin", "squared-margin", "bpmll")]
BY_ALL_ROWS = MultilabelRanker("lsep", solver="lbfgs", weight_decay=0.1, tol=1e-11)

REPETITIONS = "mini-batches are drawn by row: k repetitions are k draws, a weight of k is one"


def expected_failures(estimator):
    data = () if estimator.solver == "lbfgs" else ("dense", "sparse")
    if estimator.loss == "bpmll":  # where steps are so short that it makes no difference
        data = ("dense",)
    return {f"check_sample_weight_equivalence_on_{form}_data": REPETITIONS for form in data}


@parametrize_with_checks(
    [*BY_BATCHES, BY_ALL_ROWS],
    expected_failed_checks=expected_failures,
    xfail_strict=True,
)
def test_scikit_learns_check(estimator, check):
    check(estimator)


NAMES = np.array(["ant", "bee", "cat", "dog", "elk"])
X, Y = make_multilabel_classification(
    n_samples=120, n_features=8, n_classes=5, n_labels=2, random_state=0
)
X /= 10
LABELS = Labels.from_multi_hot(Y)
SETS = [set(NAMES[row]) for row in LABELS]


def fitted(labels=Y, features=X, sample_weight=None, **options):
    options = {"random_state": 0, "max_iter": 5, **options}
    return MultilabelRanker(**options).fit(features, labels, sample_weight)


def same(first, second, features=X):
    return np.array_equal(first.decision_function(features), second.decision_function(features))


# Labels.


@pytest.mark.parametrize(
    "labels",
    [
        LABELS,
        csr_array(Y),
        csr_matrix(Y.astype(bool)),
        Y.astype(bool),
        Y.astype(float),
        Y.tolist(),
        list(Y),
        SETS,
        [sorted(row) for row in SETS],
        [tuple(row) for row in LABELS],
    ],
    ids=lambda labels: type(labels).__name__,
)
def test_every_form_of_labels_trains_the_same_ranker(labels):
    assert same(fitted(labels), fitted(Y))


def test_lists_of_zeros_and_ones_are_a_matrix_as_in_scikit_learn_and_sets_are_classes():
    rows = [[0, 1], [1, 0], [1, 1], [0, 1]] * 30
    assert fitted(rows).predict(X[:1]).shape == (1, 2)
    assert fitted(list(map(set, rows))).predict(X[:1]) == [(0, 1)]


def test_predictions_have_the_form_of_the_labels():
    rows = X[:7]
    array = fitted(Y).predict(rows)
    assert array.dtype == Y.dtype
    assert fitted(LABELS).predict(rows) == Labels.from_multi_hot(array)
    for matrix in (csr_array(Y), csr_matrix(Y.astype(np.int8))):
        found = fitted(matrix).predict(rows)
        assert type(found) is type(matrix)
        assert found.dtype == matrix.dtype
        np.testing.assert_array_equal(found.toarray(), array)
    assert fitted(SETS).predict(rows) == [tuple(NAMES[row > 0]) for row in array]


def test_a_binariser_names_the_classes():
    binarizer = MultiLabelBinarizer()
    ranker = fitted(binarizer.fit_transform(SETS))
    assert binarizer.inverse_transform(ranker.predict(X)) == fitted(SETS).predict(X)


def test_tables_of_pandas_name_features_and_classes():
    pandas = pytest.importorskip("pandas")
    features = pandas.DataFrame(X, columns=[f"f{i}" for i in range(8)])
    labels = pandas.DataFrame(Y, columns=NAMES)
    ranker = fitted(labels, features)
    assert ranker.feature_names_in_.tolist() == features.columns.tolist()
    assert ranker.classes_.tolist() == NAMES.tolist()
    np.testing.assert_array_equal(ranker.predict(features), fitted().predict(X))
    assert fitted(pandas.Series(SETS), features).predict(features) == fitted(SETS).predict(X)


def test_one_label_a_row_is_a_classifier_of_names():
    y = NAMES[X[:, :3].argmax(axis=1)]
    ranker = fitted(y, max_iter=30)
    assert (ranker.predict(X) == y).mean() == ranker.score(X, y) > 0.8
    np.testing.assert_array_equal(
        ranker.predict(X), ranker.classes_[ranker.decision_function(X).argmax(axis=1)]
    )


def test_nan_is_an_unknown_entry():
    holes = np.where(X[:, :5] > 0.5, np.nan, Y)
    assert same(fitted(holes), fitted(Labels.from_multi_hot(holes)))
    assert not same(fitted(holes), fitted(Y))


@pytest.mark.parametrize("dtype", ["Int64", "boolean", "Float64", object])
def test_what_is_missing_in_a_table_is_an_unknown_entry(dtype):
    pandas = pytest.importorskip("pandas")
    missing = X[:, :5] > 0.5
    table = pandas.DataFrame(Y, columns=NAMES).astype(dtype).mask(missing, pandas.NA)
    assert table.isna().any(axis=None)
    assert same(fitted(table), fitted(np.where(missing, np.nan, Y)))


def table_of_labels(columns=NAMES):
    return pytest.importorskip("pandas").DataFrame(Y, columns=columns)


@pytest.mark.parametrize("form", [table_of_labels, lambda: SETS], ids=["table", "sets"])
def test_columns_of_labels_are_known_by_their_names(form):
    table = table_of_labels()
    other = table[["elk", "ant", "dog", "cat", "bee"]]
    assert fitted(form()).score(X, other) == fitted(Y).score(X, Y)
    first, second = (MultilabelRanker(random_state=0) for _ in range(2))
    for ranker, further in ((first, table), (second, other)):
        ranker.partial_fit(X, form(), classes=NAMES).partial_fit(X, further)
    assert same(first, second)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (["ant", "bee", "cat", "dog", "emu"], "missing: 'elk'; unknown: 'emu';"),
        (["ant", "bee", "cat", "dog", "ant"], "missing: 'elk'; more than once: 'ant';"),
        (range(5), "missing: 'ant', 'bee', 'cat' and 2 more; unknown: 0, 1, 2 and 2 more;"),
    ],
)
def test_columns_of_labels_that_are_not_the_classes_are_named(columns, words):
    ranker = MultilabelRanker().partial_fit(X, table_of_labels())
    for method in (ranker.score, ranker.partial_fit):
        with pytest.raises(ValueError, match=f"^y must have a column for each class, .*{words}"):
            method(X, table_of_labels(columns))


def test_a_column_too_few_or_too_many_is_named():
    ranker, table = fitted(table_of_labels()), table_of_labels()
    with pytest.raises(ValueError, match="as before, missing: 'cat';"):
        ranker.score(X, table.drop(columns="cat"))
    with pytest.raises(ValueError, match="as before, unknown: 'emu';"):
        ranker.score(X, table.assign(emu=0))


def test_columns_of_labels_go_by_their_places_where_the_classes_have_no_names():
    for labels in (Y, LABELS, csr_array(Y)):
        assert fitted(labels).score(X, table_of_labels(NAMES[::-1])) == fitted(Y).score(X, Y)


def test_what_is_wrong_in_columns_of_another_order_is_named_by_its_place():
    table = table_of_labels()[list(NAMES[::-1])]
    table.iloc[7, 1] = 2
    with pytest.raises(ValueError, match="got 2 in row 7, column 1"):
        fitted(table_of_labels()).score(X, table)


def test_what_is_missing_in_an_array_of_objects_is_an_unknown_entry():
    pandas = pytest.importorskip("pandas")
    for nothing in (pandas.NA, None, np.nan):
        objects = np.where(X[:, :5] > 0.5, nothing, Y.astype(object))
        assert same(fitted(objects), fitted(np.where(X[:, :5] > 0.5, np.nan, Y)))


@pytest.mark.parametrize("dtype", ["Int64", "boolean", object])
def test_a_table_of_a_nullable_type_that_lacks_nothing_is_one_of_numbers(dtype):
    pandas = pytest.importorskip("pandas")
    ranker = fitted(pandas.DataFrame(Y).astype(dtype))
    assert same(ranker, fitted())
    assert ranker.predict(X).dtype in (np.int64, bool)


@pytest.mark.parametrize("dtype", ["Int64", object])
def test_classes_that_float64_does_not_tell_apart_are_told_apart(dtype):
    y = pytest.importorskip("pandas").Series([2**60, 2**60 + 1, 3] * 40, dtype=dtype)
    assert fitted(y).classes_.tolist() == [3, 2**60, 2**60 + 1]


@pytest.mark.parametrize("rows", [["a", None, "b"], [["a"], None, ["a", "b"]]])
@pytest.mark.parametrize("form", [list, "Series"])
def test_a_row_that_lacks_its_names_is_named(form, rows):
    form = pytest.importorskip("pandas").Series if form == "Series" else form
    with pytest.raises(
        ValueError, match="y must not lack an entry beside names, as it does in row 1"
    ):
        fitted(form(rows * 40))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (None, "requires y to be passed"),
        (Y[:-1], "inconsistent numbers of samples"),
        (np.arange(240).reshape(120, 2), "list of lists"),
        (np.ones(120), "at least 2 classes"),
        (Labels.from_lists([[0]] * 120, 1), "at least 2 classes"),
        (X[:, 0], "continuous"),
        (2 * Y - 1, "^y must hold only 0 and 1, got -1 .* use Labels.from_multi_hot.y"),
    ],
)
def test_labels_that_cannot_be_meant_are_refused(labels, words):
    with pytest.raises(ValueError, match=words):
        fitted(labels)


@pytest.mark.parametrize("form", [list, tuple, "Series"])
@pytest.mark.parametrize("name", ["ant", 3])
def test_a_name_among_collections_of_names_is_named_with_its_row(form, name):
    form = pytest.importorskip("pandas").Series if form == "Series" else form
    labels = form([*SETS[:7], name, *SETS[8:]])
    with pytest.raises(TypeError, match=f"^y must hold a collection .* got {name!r} in row 7: "):
        fitted(labels)


def test_an_uncertain_mark_in_a_table_is_refused_with_a_way_that_keeps_the_names():
    table = table_of_labels()
    table.iloc[3, 2] = -1
    with pytest.raises(ValueError, match=r"y\.where\(y != -1\) makes it unknown too, and keeps"):
        fitted(table)
    assert fitted(table.where(table != -1)).classes_.tolist() == NAMES.tolist()


@pytest.mark.parametrize("labels", [[["a", 1]] * 120, np.array(["a", 1] * 60, object)])
def test_classes_of_two_types_are_refused_by_name(labels):
    with pytest.raises(TypeError, match=r"y must hold classes .* of one type: '<' not supported"):
        fitted(labels)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_columns_of_labels_of_one_name_are_refused_by_that_name(method):
    message = "^y must have columns of different names, got 'a', 3 more than once"
    with pytest.raises(ValueError, match=message):
        getattr(MultilabelRanker(), method)(X, table_of_labels(["a", "a", 3, 3, "b"]))


def test_a_column_of_labels_is_warned_of_once():
    with pytest.warns(DataConversionWarning) as caught:
        fitted(Y[:, :1])
    assert len(caught) == 1


# Parameters.


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"loss": "hinge"}, "loss must be one of margin"),
        ({"loss": nn.WARPLoss("sum")}, "reduction='mean'"),
        ({"loss": nn.Linear(2, 2)}, "a loss of lucid.nn"),
        ({"solver": "newton"}, "solver must be one of sgd, adam, adamw, lbfgs"),
        ({"loss": "warp", "solver": "lbfgs"}, "whose gradient is not"),
        ({"max_iter": 0}, "max_iter must be at least 1"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"hidden": -1}, "hidden must not be negative"),
        ({"early_stopping": True, "validation_fraction": 1.5}, "validation_fraction"),
        ({"weight_decay": -1.0}, "weight_decay must not be negative"),
        ({"learning_rate": -0.1}, "learning_rate must be a positive number, got -0.1"),
        ({"threads": 0}, "threads must be from 1 to 1024, got 0"),
        ({"tol": -1e-3}, "tol must not be negative"),
        ({"threshold": float("nan")}, "threshold must be a finite number, got nan"),
    ],
)
def test_parameters_out_of_range_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        fitted(**options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"threads": "2"}, "threads must be an integer, got '2'"),
        ({"learning_rate": "fast"}, "learning_rate must be a number, got 'fast'"),
        ({"max_iter": 2.5}, r"max_iter must be an integer, got 2\.5"),
        ({"hidden": None}, "hidden must be an integer, got None"),
        ({"threshold": "a"}, "threshold must be a number, got 'a'"),
    ],
)
def test_parameters_of_another_type_are_refused_by_name(options, words):
    with pytest.raises(TypeError, match=words):
        fitted(**options)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"threshold": float("nan")}, ValueError, "threshold must be a finite number, got nan"),
        ({"threads": 0}, ValueError, "threads must be from 1 to 1024, got 0"),
        ({"threads": "2"}, TypeError, "threads must be an integer, got '2'"),
    ],
)
def test_a_parameter_that_is_set_after_the_training_is_checked_too(options, error, words):
    ranker = fitted().set_params(**options)
    with pytest.raises(error, match=words):
        ranker.predict(X)


@pytest.mark.parametrize("loss", ["margin", "squared-margin", "lsep", "zlpr", "bpmll"])
@pytest.mark.parametrize("solver", ["sgd", "adam", "adamw", "lbfgs"])
def test_every_loss_and_solver_learns(loss, solver):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        ranker = fitted(loss=loss, solver=solver, max_iter=20)
    untrained = metrics.label_ranking_loss(np.zeros(Y.shape), LABELS)
    assert metrics.label_ranking_loss(ranker.decision_function(X), LABELS) < untrained / 2


def test_a_loss_may_bring_its_options():
    assert same(fitted(loss=nn.MultilabelMarginLoss()), fitted(loss="margin"))
    assert not same(fitted(loss=nn.MultilabelMarginLoss(margin=0.1)), fitted(loss="margin"))


def test_a_hidden_layer_starts_from_the_random_state_alone():
    lucid.manual_seed(3)
    expected = lucid.rand(1)
    lucid.manual_seed(3)
    ranker = fitted(hidden=4)
    assert lucid.rand(1) == expected
    assert same(ranker, fitted(hidden=4))
    assert not same(ranker, fitted(hidden=4, random_state=1))


def test_threads_do_not_change_a_bit():
    before = lucid.get_num_threads()
    assert same(fitted(threads=1), fitted(threads=2))
    assert lucid.get_num_threads() == before


def test_sparse_and_dense_features_train_nearly_the_same():
    np.testing.assert_allclose(
        fitted(features=csr_array(X)).decision_function(csr_array(X)),
        fitted().decision_function(X),
        atol=1e-4,
    )


def test_early_stopping_goes_back_to_the_best_epoch_of_the_rows_held_out():
    ranker = fitted(early_stopping=True, n_iter_no_change=2, max_iter=100, learning_rate=0.1)
    held_out = [epoch.metrics["label ranking average precision"] for epoch in ranker.history_]
    assert ranker.n_iter_ == len(held_out) == int(np.argmax(held_out)) + 3 < 100


def test_rows_held_out_count_by_their_weights(monkeypatch):
    held, weight = [], np.random.default_rng(0).random(len(X))
    monkeypatch.setattr(
        mini_batches, "Validation", lambda data, of: held.append(data) or Validation(data, of)
    )
    ranker = fitted(sample_weight=weight, early_stopping=True, max_iter=1)
    scores = ranker.model_.net(held[0].features).detach().numpy()
    expected = metrics.label_ranking_average_precision_score(
        scores, held[0].labels, sample_weight=held[0].sample_weight
    )
    (found,) = ranker.history_[0].metrics.values()
    assert found == pytest.approx(expected)


def test_the_losses_of_the_history_are_means_by_the_weights_of_rows():
    weight = np.random.default_rng(0).random(len(X))
    ranker = fitted(sample_weight=weight, learning_rate=1e-12, batch_size=7, max_iter=1)
    zeros = lucid.zeros(Y.shape, dtype="float64")
    expected = nn.MultilabelMarginLoss()(zeros, LABELS, sample_weight=weight).item()
    assert ranker.history_.losses == pytest.approx([expected], rel=1e-6)


def test_an_epoch_is_a_line_where_it_is_verbose(capsys):
    fitted(verbose=True, early_stopping=True, max_iter=2)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(",")[0][:13] for line in lines] == ["epoch 1: loss", "epoch 2: loss"]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("hidden", [0, 64])
def test_the_default_rate_of_bpmll_suits_features_that_are_alike(seed, hidden):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((250, 5)) @ rng.standard_normal((5, 72))
    features += 0.3 * rng.standard_t(3, (250, 72))
    features = (features - features.mean(0)) / features.std(0)
    scores = features @ rng.standard_normal((72, 6)) / 72**0.5
    labels = scores + 2 * rng.standard_normal((250, 6)) > 1
    ranker = fitted(labels, features, loss="bpmll", hidden=hidden, max_iter=None)
    assert ranker.history_.losses[-1] < ranker.history_.losses[0]


@pytest.mark.parametrize("classes", [2, 5, 50])
@pytest.mark.parametrize("width", [3, 20, 100])
@pytest.mark.parametrize("center", [1, 5, 100])
@pytest.mark.parametrize("loss", ["bpmll", "squared-margin"])
def test_the_default_rate_suits_features_that_are_not_centred(loss, classes, width, center):
    rng = np.random.default_rng(0)
    features = rng.normal(center, 1, (200, width))
    scores = (features - center) @ rng.standard_normal((width, classes)) / width**0.5
    labels = scores + 2 * rng.standard_normal(scores.shape) > 1
    ranker = fitted(labels, features, loss=loss, max_iter=None)
    assert np.isfinite(ranker.history_.losses).all()


@pytest.mark.parametrize("hidden", [0, 4])
def test_the_default_rate_is_that_of_the_rows_and_the_model(hidden):
    short = X / 5
    options = {"features": short, "loss": "soft-margin", "hidden": hidden}
    rate = learning_rate("soft-margin", "sgd", short, num_classes=Y.shape[1], hidden=hidden > 0)
    assert same(fitted(**options), fitted(**options, learning_rate=rate))


def test_a_training_that_diverges_says_what_may_help():
    with pytest.raises(Diverged, match="a smaller learning_rate, or scaled features, may help"):
        fitted(loss="squared-margin", learning_rate=1e30)


def test_features_of_which_one_is_far_larger_are_warned_of_once():
    features = X * np.where(np.arange(8) == 3, 1e4, 1)
    for solver in ("sgd", "lbfgs"):
        with pytest.warns(UserWarning, match="column 3 is .* StandardScaler") as caught:
            fitted(loss="lsep", features=features, solver=solver, weight_decay=1.0, tol=10.0)
        assert len(caught) == 1


def test_a_column_that_is_far_larger_is_called_by_its_name():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(X * [1, 1, 1e4, 1, 1, 1, 1, 1], columns=list("abcdefgh"))
    with pytest.warns(UserWarning, match="column 'c' is") as caught:
        fitted(features=table)
    assert len(caught) == 1


@pytest.mark.parametrize(
    "features",
    [
        X * 1e4,
        X / X.max(axis=0),
        (X - X.mean(axis=0)) / X.std(axis=0),
        np.hstack([X, np.zeros((120, 2)), np.eye(120)]),
        csr_array(np.hstack([np.ones((120, 1)), np.eye(120)])),
        csr_array(np.random.default_rng(0).poisson(9 / np.arange(1, 900), size=(120, 899))),
        np.random.default_rng(0).standard_t(2, size=(120, 9)),
    ],
    ids=["large", "to 1", "standardised", "indicators", "intercept", "word counts", "outliers"],
)
def test_features_of_like_sizes_are_not_warned_of(features):
    fitted(features=features, learning_rate=1e-3)


class OwnLoss(Criterion):
    """A loss that lucid.training has no name for."""

    _loss = MARGIN

    def __init__(self):
        super().__init__("mean")


def test_a_loss_without_a_name_takes_a_learning_rate_of_your_own():
    with pytest.raises(ValueError, match=r"learning_rate must be given .*OwnLoss is none of marg"):
        fitted(loss=OwnLoss())
    assert same(fitted(loss=OwnLoss(), learning_rate=0.2), fitted(learning_rate=0.2))


@pytest.mark.parametrize("loss", ["margin", "squared-margin", "bpmll"])
def test_what_lbfgs_has_not_reached_is_one_warning_that_says_what_to_raise(loss):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted(loss=loss, solver="lbfgs", features=X * 1e4, max_iter=3)
    (warning,) = caught
    assert warning.category is ConvergenceWarning
    assert "iterations, of max_iter=3" in str(warning.message)
    assert "raise max_iter or tol" in str(warning.message)
    assert warning.filename == __file__


@pytest.mark.parametrize("hidden", [0, 7])
@pytest.mark.parametrize("loss", ["margin", "warp", nn.MultilabelMarginLoss(p=2, margin=0.5)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("form", [np.asarray, csr_array])
def test_a_last_layer_that_is_fused_with_its_loss_and_step_gives_the_same(
    monkeypatch, hidden, loss, weighted, form
):
    weight = 0.5 + np.arange(120) % 3 if weighted else None
    options = {"loss": loss, "hidden": hidden, "weight_decay": 0.01, "sample_weight": weight}
    plain = fitted(features=form(X), **options)
    steps = []
    step = mini_batches.functional.linear_multilabel_margin_step

    def watched(*arguments, **options):
        steps.append(arguments)
        return step(*arguments, **options)

    monkeypatch.setattr(mini_batches.functional, "linear_multilabel_margin_step", watched)
    monkeypatch.setattr(mini_batches, "FUSED_FROM", 1)
    fused = fitted(features=form(X), **options)
    assert len(steps) == 5 * 4
    np.testing.assert_allclose(fused.history_.losses, plain.history_.losses, rtol=1e-4)
    np.testing.assert_allclose(
        fused.decision_function(form(X)), plain.decision_function(form(X)), atol=1e-3
    )


def test_a_loss_that_is_none_of_pairs_is_not_fused(monkeypatch):
    expected = fitted(loss="lsep")
    monkeypatch.setattr(mini_batches, "FUSED_FROM", 1)
    assert same(fitted(loss="lsep"), expected)


def test_a_fused_step_that_diverges_says_what_may_help(monkeypatch):
    monkeypatch.setattr(mini_batches, "FUSED_FROM", 1)
    with pytest.raises(Diverged, match="a smaller learning_rate, or scaled features, may help"):
        fitted(loss="squared-margin", learning_rate=1e30)


# Sample weights.


@pytest.mark.parametrize("solver", ["sgd", "lbfgs"])
def test_a_row_of_weight_0_is_not_there(solver):
    kept = np.arange(120) % 3 > 0
    options = {"loss": "lsep", "solver": solver, "weight_decay": 1.0, "max_iter": 100}
    weighted = fitted(Y, X, kept.astype(float), **options)
    assert same(weighted, fitted(Y[kept], X[kept], **options))


def test_weights_count_by_their_ratios():
    weight = np.where(Y[:, 0], 4.0, 1.0)
    assert same(fitted(Y, X, weight), fitted(Y, X, 2 * weight))
    assert not same(fitted(Y, X, weight), fitted())


def test_with_lbfgs_a_weight_is_so_many_repetitions_also_for_the_thresholds():
    weight = np.arange(120) % 3
    options = {"loss": "lsep", "solver": "lbfgs", "weight_decay": 0.1, "tol": 1e-11}
    weighted = fitted(Y, X, weight, max_iter=None, **options)
    repeated = fitted(Y.repeat(weight, 0), X.repeat(weight, 0), max_iter=None, **options)
    np.testing.assert_allclose(
        weighted.decision_function(X), repeated.decision_function(X), rtol=1e-7, atol=1e-9
    )


@pytest.mark.parametrize("weight", [np.zeros(120), -np.ones(120), np.ones(3)])
def test_weights_that_cannot_be_meant_are_refused(weight):
    with pytest.raises(ValueError, match="weight"):
        fitted(sample_weight=weight)


# Thresholds.


def f1(predicted, labels):
    return 2 * (predicted & labels).sum() / max(1, predicted.sum() + labels.sum())


def test_the_best_cut_of_a_row_has_the_best_f1_of_all_cuts():
    rng = np.random.default_rng(0)
    for _ in range(200):
        scores = rng.normal(size=(1, 6))
        labels = rng.random((1, 6)) < 0.4
        known = rng.random((1, 6)) < 0.8
        truth = Labels.from_multi_hot(np.where(known, labels, np.nan))
        cuts = np.concatenate([[-np.inf], scores[0]])
        best = max(f1((scores > cut)[known], labels[known]) for cut in cuts)
        cut = best_cuts(scores, truth)
        assert f1((scores > cut)[known], labels[known]) == best
        assert labels[known].any() or not (scores > cut).any()


@pytest.mark.parametrize("label", [0, 1])
def test_the_best_cut_of_equal_scores_has_all_labels_or_none_too(label):
    cut = best_cuts(np.full((1, 3), 0.7), Labels.from_multi_hot([[label] * 3]))
    assert ((cut < 0.7) == label).all()


def test_most_rows_without_labels_are_predicted_none_where_they_are_many():
    scores = np.random.default_rng(0).normal(size=(500, 5))
    labels = Labels.from_multi_hot((scores > 0.5) & (scores.sum(axis=1) > 1)[:, np.newaxis])
    cuts = Cuts()
    cuts.add(scores, labels, np.ones(500))
    predicted = scores > cuts.fitted()(scores)
    assert (~predicted.any(axis=1))[labels.lengths() == 0].mean() > 0.5


def test_a_row_of_which_nothing_is_known_tells_nothing_of_cuts():
    scores = fitted().model_.net(X).detach().numpy()
    of_known, of_all = Cuts(), Cuts()
    of_known.add(scores[:60], LABELS[:60], np.ones(60))
    unknown = np.where(np.arange(120)[:, np.newaxis] < 60, Y, np.nan)
    of_all.add(scores, Labels.from_multi_hot(unknown), np.ones(120))
    np.testing.assert_allclose(of_all.fitted()(scores), of_known.fitted()(scores), rtol=1e-12)
    nothing = Cuts()
    nothing.add(scores, Labels.from_multi_hot(np.full((120, 5), np.nan)), np.ones(120))
    assert not (scores > nothing.fitted()(scores)).any()


@pytest.mark.parametrize("loss", ["margin", "zlpr"])
@pytest.mark.parametrize("hidden", [0, 8])
@pytest.mark.parametrize("label", [1, 0])
def test_where_every_row_has_all_labels_or_none_so_has_every_prediction(loss, hidden, label):
    for classes in (2, 12):
        labels = np.full((120, classes), label)
        ranker = fitted(labels, loss=loss, hidden=hidden)
        assert (ranker.predict(X) == label).all()
        ranker = MultilabelRanker(loss, hidden=hidden, random_state=0)
        ranker.partial_fit(X[:60], labels[:60]).partial_fit(X[60:], labels[60:])
        assert (ranker.predict(X) == label).all()


def test_unknown_entries_do_not_tell_that_a_row_has_not_all_labels():
    labels = np.where(X[:, :5] > 0.7, np.nan, 1.0)
    assert (fitted(labels).predict(X) == 1).all()
    assert (fitted(1 - labels).predict(X) == 0).all()


def test_a_cut_that_depends_on_the_best_score_is_learnt():
    rng = np.random.default_rng(0)
    scores = np.sort(rng.normal(size=(500, 9)))[:, ::-1]
    labels = Labels.from_multi_hot(scores > scores[:, :1] / 2)
    cuts = Cuts()
    cuts.add(scores, labels, np.ones(500))
    cut = cuts.fitted()
    right = (scores > cut(scores)) == (scores > scores[:, :1] / 2)
    assert right.mean() > 0.9


def test_what_is_above_0_is_predicted_and_the_order_is_that_of_the_scores():
    ranker = fitted()
    decisions = ranker.decision_function(X)
    np.testing.assert_array_equal(ranker.predict(X), (decisions > 0).astype(int))
    scores = ranker.model_.net(X).detach().numpy()
    np.testing.assert_array_equal(decisions.argsort(axis=1), scores.argsort(axis=1))
    np.testing.assert_array_equal(fitted(threshold=0.25).decision_function(X), scores - 0.25)
    np.testing.assert_array_equal(
        ranker.set_params(threshold=0.25).decision_function(X), scores - 0.25
    )


def test_the_learnt_thresholds_predict_better_than_a_fixed_number_of_labels():
    ranker = fitted()
    places = np.argsort(np.argsort(-ranker.decision_function(X), axis=1), axis=1)
    of_each_number = [f1(places < number, Y > 0) for number in range(1, 6)]
    assert f1(ranker.predict(X) > 0, Y > 0) > max(of_each_number) + 0.03


# Predictions.


def test_the_best_k_are_those_of_the_decisions():
    ranker = fitted(SETS)
    best, scores = ranker.predict_topk(X, k=3)
    decisions = ranker.decision_function(X)
    np.testing.assert_array_equal(best, np.argsort(-decisions, axis=1, kind="stable")[:, :3])
    np.testing.assert_array_equal(scores, np.take_along_axis(decisions, best, axis=1))
    matrix = ranker.predict_topk(X, k=3, sparse=True)
    assert matrix.nnz == 3 * len(X)
    assert metrics.precision_at_k(matrix, LABELS, k=3) == metrics.precision_at_k(
        decisions, LABELS, k=3
    )
    assert ranker.classes_[best].shape == (120, 3)
    with pytest.raises(ValueError, match="k must be from 1 to C = 5, got 6"):
        ranker.predict_topk(X, k=6)


def test_the_best_k_of_many_classes_take_no_array_of_all_scores():
    rng = np.random.default_rng(0)
    classes, rows = 20_000, 2_000
    labels = Labels.from_lists([[int(label)] for label in rng.integers(classes, size=64)], classes)
    ranker = fitted(labels, random_array((64, 30), density=0.2, format="csr", rng=0), max_iter=1)
    features = random_array((rows, 30), density=0.2, format="csr", rng=1)
    tracemalloc.start()
    ranker.predict_topk(features, k=5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < rows * classes * 4 / 2


def test_the_score_is_the_label_ranking_average_precision():
    ranker = fitted()
    decisions = ranker.decision_function(X)
    assert ranker.score(X, LABELS) == pytest.approx(
        metrics.label_ranking_average_precision_score(decisions, LABELS)
    )
    weight = np.arange(120) % 4
    repeated = np.arange(120).repeat(weight)
    assert ranker.score(X, Y, weight) == pytest.approx(ranker.score(X[repeated], Y[repeated]))


def test_a_label_that_it_was_not_fitted_with_scores_as_missed_with_a_warning_that_names_it():
    ranker = fitted(SETS)
    rows = [{"emu"}, {"ant", "emu"}, {"bee"}, {"gnu", "ant", "emu", "cat"}, set()]
    with pytest.warns(UserWarning, match="count as missed: 'emu', 'gnu'$"):
        score = ranker.score(X[:5], rows, sample_weight=[1, 2, 3, 4, 5])
    known = [[], [0], [1], [0, 2], []]
    each = [ranker.score(X[[i]], Labels.from_lists([row], 5)) for i, row in enumerate(known)]
    shares = np.array([0, 1 / 2, 1, 2 / 4, 1])
    assert score == pytest.approx(np.average(shares * each, weights=[1, 2, 3, 4, 5]))


@pytest.mark.filterwarnings("ignore:y has labels that the estimator was not fitted with")
def test_a_class_that_a_fold_lacks_leaves_a_score_in_cross_validation_and_search():
    tags = [*SETS[:-1], {"emu"}]
    scores = cross_val_score(MultilabelRanker(random_state=0), X, tags, cv=KFold(3))
    assert np.all(scores > 0.7)
    search = GridSearchCV(MultilabelRanker(random_state=0), {"batch_size": [16, 32]}, cv=KFold(3))
    search.fit(X, tags)
    assert search.best_score_ > 0.7
    assert search.best_estimator_.classes_.tolist() == [*NAMES, "emu"]


def test_a_score_needs_a_row_that_counts():
    with pytest.raises(ValueError, match="sample_weight must not be zero for all rows"):
        fitted().score(X, Y, np.zeros(120))


# In pieces.


@pytest.mark.parametrize(
    ("first", "further", "got"),
    [(SETS, [{"ant"}, {"gnu", "bee", "emu"}], "'emu', 'gnu'"), (NAMES, ["ant", "emu"], "'emu'")],
    ids=["names", "one"],
)
def test_a_label_of_no_known_class_is_not_trained_on(first, further, got):
    known = "known are 'ant', 'bee', 'cat' and 2 more"
    ranker = MultilabelRanker().partial_fit(X[: len(first)], first, classes=NAMES)
    new = MultilabelRanker()
    for method in (ranker.partial_fit, lambda x, y: new.partial_fit(x, y, classes=NAMES)):
        with pytest.raises(ValueError, match=f"^y must hold known classes, got {got}; {known}$"):
            method(X[:2], further)


@pytest.mark.parametrize(
    ("form", "given", "words"),
    [
        (lambda: table_of_labels(), [*NAMES[:4], "emu"], "names, missing: 'elk'; unknown: 'emu'$"),
        (lambda: Y, range(6), "numbers, as they have no names, unknown: 5$"),
        (lambda: LABELS, range(4), "numbers, as they have no names, missing: 4$"),
        (lambda: csr_array(Y), NAMES, "numbers, as .*, missing: 0, .*; unknown: 'ant', "),
    ],
    ids=["table", "array", "Labels", "sparse"],
)
def test_classes_that_are_not_the_columns_of_the_first_piece_are_refused(form, given, words):
    labels = form()
    with pytest.raises(ValueError, match=f"^classes must be the columns of y by their {words}"):
        MultilabelRanker().partial_fit(X, labels, classes=given)


def test_data_may_come_in_pieces():
    ranker = MultilabelRanker(random_state=0)
    for _ in range(10):
        for rows in (slice(0, 60), slice(60, None)):
            ranker.partial_fit(X[rows], Y[rows])
    assert ranker.n_iter_ == 20
    assert ranker.score(X, Y) > 0.9
    again = pickle.loads(pickle.dumps(ranker))
    assert same(ranker.partial_fit(X, Y), again.partial_fit(X, Y))


def test_thresholds_are_learnt_from_the_rows_of_all_pieces():
    """Where the pieces are sorted, the last one tells nothing of the others."""
    ranker = fitted(max_iter=20).set_params(learning_rate=1e-12)  # the scores stay what they are
    scores = ranker.model_.net(X).detach().numpy()
    of_all, of_the_last = Cuts(), Cuts()
    of_all.add(scores, LABELS, np.ones(120))
    for rows in np.split(np.argsort(LABELS.lengths(), kind="stable"), 6):
        ranker.partial_fit(X[rows], Y[rows])
        of_all.add(scores[rows], LABELS[rows], np.ones(20))
    of_the_last.add(scores[rows], LABELS[rows], np.ones(20))
    np.testing.assert_allclose(ranker.cut_(scores), of_all.fitted()(scores), rtol=1e-5, atol=1e-5)
    of_the_last, of_all = (
        f1(scores > cuts.fitted()(scores), Y > 0) for cuts in (of_the_last, of_all)
    )
    assert of_all > of_the_last + 0.02


def test_what_is_known_of_cuts_does_not_depend_on_how_rows_are_taken_in():
    scores = fitted().model_.net(X).detach().numpy()
    weight = 0.5 + np.arange(120) % 3
    at_once, in_parts = Cuts(), Cuts()
    at_once.add(scores, LABELS, weight)
    for part in (slice(0, 7), slice(7, 8), slice(8, 120)):
        in_parts.add(scores[part], LABELS[part], weight[part])
    np.testing.assert_allclose(at_once.fitted().weights, in_parts.fitted().weights, rtol=1e-9)
    assert at_once.fitted().offset == pytest.approx(in_parts.fitted().offset, rel=1e-9)


def test_what_is_kept_for_the_thresholds_does_not_grow_with_the_calls():
    ranker = MultilabelRanker(random_state=0).partial_fit(X, Y)
    size = len(pickle.dumps(ranker._cuts))
    for _ in range(5):
        ranker.partial_fit(X, Y)
    assert len(pickle.dumps(ranker._cuts)) == size


def test_named_classes_must_be_known_in_the_first_piece():
    with pytest.raises(ValueError, match="classes must be passed in the first call"):
        MultilabelRanker().partial_fit(X, SETS)
    ranker = MultilabelRanker().partial_fit(X, SETS, classes=["fox", *NAMES])
    assert ranker.decision_function(X).shape == (120, 6)
    with pytest.raises(ValueError, match=r"must be those of the first call, missing: 'fox'$"):
        ranker.partial_fit(X, SETS, classes=NAMES)
    with pytest.raises(ValueError, match="must have 6 classes, as before, got 5"):
        ranker.partial_fit(X, Y)


def test_classes_may_be_said_in_each_call_in_any_order():
    table = table_of_labels(["elk", "ant", "dog", "cat", "bee"])
    ranker = MultilabelRanker(random_state=0)
    for classes in (NAMES, table.columns, NAMES[::-1].tolist()):
        ranker.partial_fit(X, table, classes=classes)
    assert ranker.classes_.tolist() == table.columns.tolist()


def test_lbfgs_wants_all_rows_at_once():
    assert not hasattr(MultilabelRanker(solver="lbfgs"), "partial_fit")


# Among scikit-learn's tools.


def test_it_is_the_end_of_a_pipeline():
    ranker = MultilabelRanker(random_state=0)
    pipeline = make_pipeline(MaxAbsScaler(), ranker).fit(X, Y)
    assert same(pipeline[-1], clone(ranker).fit(X / X.max(axis=0), Y), X / X.max(axis=0))


def test_it_is_searched_in_two_processes():
    losses = ["margin", nn.LSEPLoss(per_label=True)]
    search = GridSearchCV(MultilabelRanker(random_state=0), {"loss": losses}, cv=2, n_jobs=2)
    search.fit(X, Y)
    assert search.best_score_ > 0.8
    assert same(search.best_estimator_, clone(search.best_estimator_).fit(X, Y))


def test_it_is_cross_validated_also_with_labels():
    ranker = MultilabelRanker(random_state=0)
    scores = cross_val_score(ranker, X, LABELS, cv=KFold(3))
    np.testing.assert_allclose(scores, cross_val_score(ranker, X, Y, cv=KFold(3)))


def test_labels_are_split_like_arrays():
    x, x_test, labels, labels_test = train_test_split(X, LABELS, random_state=0)
    assert fitted(labels, x).score(x_test, labels_test) > 0.8


def test_it_is_cloned_pickled_and_dumped():
    ranker = fitted(loss=nn.LSEPLoss(per_label=True), hidden=3)
    assert same(ranker, pickle.loads(pickle.dumps(ranker)))
    assert same(ranker, clone(ranker).fit(X, Y))
    file = io.BytesIO()
    joblib.dump(ranker, file)
    file.seek(0)
    assert same(ranker, joblib.load(file))


def test_the_command_reads_its_model(tmp_path):
    ranker = fitted(SETS)
    ranker.model_.save(tmp_path / "model.safetensors")
    model = Ranker.load(tmp_path / "model.safetensors")
    assert model.class_names == tuple(NAMES)
    np.testing.assert_array_equal(model.top_k(X, 2)[0], ranker.predict_topk(X, 2)[0])


@pytest.mark.parametrize(
    ("classes", "texts"),
    [
        ([30, 10, 20], ["10", "20", "30"]),
        ([3.0, 1.0, 2.0], ["1", "2", "3"]),
        (np.float32([3, 1, 2]), ["1", "2", "3"]),
        (["c", "a", "b"], ["a", "b", "c"]),
    ],
)
@pytest.mark.parametrize("form", [lambda each: [each], lambda each: each], ids=["tags", "one"])
def test_the_model_keeps_the_names_of_classes_as_text(form, classes, texts):
    ranker = fitted([form(each) for each in classes], np.eye(3))
    assert ranker.model_.class_names == tuple(texts)
    assert ranker.classes_.tolist() == np.unique(classes).tolist()


@pytest.mark.parametrize(
    ("columns", "texts"),
    [
        ([10, 5, 7, 1, 2], ["10", "5", "7", "1", "2"]),
        (["cat", 2.5, 7, 8.0, np.int64(9)], ["cat", "2.5", "7", "8", "9"]),
        ([(0, "a"), (0, "b"), (1, "a"), (1, "b"), (2, "a")],
         ["(0, 'a')", "(0, 'b')", "(1, 'a')", "(1, 'b')", "(2, 'a')"]),
    ],
)  # fmt: skip
def test_the_model_keeps_the_names_of_columns_as_text(columns, texts):
    assert fitted(table_of_labels(columns)).model_.class_names == tuple(texts)


@pytest.mark.parametrize("method", ["predict", "decision_function", "predict_topk", "score", "fit"])
def test_masked_features_are_refused(method):
    ranker, features = fitted(), np.ma.array(X, mask=X > 0.5)
    rest = [Y] if method in ("score", "fit") else []
    with pytest.raises(ValueError, match=r"^X has masked entries: fill them first"):
        getattr(ranker, method)(features, *rest)
    getattr(ranker, method)(np.ma.array(X), *rest)


@pytest.mark.parametrize("method", ["fit", "partial_fit", "score"])
def test_masked_weights_are_refused(method):
    weights = np.ma.array(np.ones(len(X)), mask=X[:, 0] > 0.5)
    with pytest.raises(ValueError, match=r"^sample_weight has masked entries: fill them first"):
        getattr(fitted(), method)(X, Y, sample_weight=weights)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("form", [np.array, csr_array])
def test_features_that_do_not_fit_float32_are_refused_with_the_largest(method, form):
    features = X.copy()
    features[3, 2] = -1e300
    with pytest.raises(ValueError, match=r"^X must hold numbers that fit float32, got -1e\+300"):
        getattr(MultilabelRanker(early_stopping=method == "fit"), method)(form(features), Y)


def test_all_rows_at_once_may_have_larger_numbers_than_float32():
    with pytest.warns(ConvergenceWarning, match="scale the features"):
        fitted(features=X * 1e60, loss="lsep", solver="lbfgs")


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_the_length_of_rows_is_read_once(monkeypatch, solver):
    read, of = [], scaling.lengths_of_rows
    for module in (mini_batches, named, scaling):
        monkeypatch.setattr(
            module, "lengths_of_rows", lambda rows: read.append(rows) or of(rows), raising=False
        )
    fitted(solver=solver, max_iter=1)
    assert len(read) == 1


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("form", [np.array, csr_array])
@pytest.mark.parametrize(("solver", "scale"), [("sgd", 0.01), ("adam", 0.01)])
def test_short_rows_are_warned_of_where_the_learning_rate_is_not_given(method, form, solver, scale):
    with pytest.warns(
        UserWarning, match="not scaled: the rows have a length of .* little"
    ) as caught:
        getattr(MultilabelRanker(solver=solver), method)(form(scale * X), Y)
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("scale", "options"),
    [(0.2, {}), (0.0, {}), (0.01, {"learning_rate": 1.0}), (0.01, {"loss": "lsep", "tol": 1.0})],
)
def test_rows_that_can_be_learnt_from_are_not_warned_of(scale, options):
    solver = "lbfgs" if "tol" in options else "sgd"
    fitted(features=scale * X, solver=solver, **{"max_iter": None, **options})


@pytest.mark.parametrize(("rows", "fraction"), [(1, 0.1), (3, 0.9)])
def test_early_stopping_needs_rows_that_are_not_held_out(rows, fraction):
    message = f"^early_stopping holds out .*validation_fraction={fraction}.* all {rows} rows? of X"
    with pytest.raises(ValueError, match=message):
        fitted(Y[:rows], X[:rows], early_stopping=True, validation_fraction=fraction)


@pytest.mark.parametrize("labels", [Y, csr_array(Y), LABELS])
def test_classes_without_names_have_none_in_the_model(labels):
    assert fitted(labels).model_.class_names is None


def test_names_that_are_equal_as_text_are_refused():
    with pytest.raises(ValueError, match=r"^y must have classes .* as text, .* got 7 and '7'"):
        fitted(table_of_labels(["a", 7, "b", "7", 8]))


def test_the_command_predicts_names_that_were_numbers(tmp_path, capsys):
    fitted([[10], [20], [30]], np.eye(3), max_iter=50).model_.save(tmp_path / "model")
    lucid.io.write_xmc(tmp_path / "rows", csr_array(np.eye(3)), Labels.from_lists([[]] * 3, 3))
    cli.main(["predict", str(tmp_path / "model"), str(tmp_path / "rows"), "--top", "1"])
    assert [line.split(":")[0] for line in capsys.readouterr().out.split()] == ["10", "20", "30"]


def test_without_scikit_learn_the_error_says_what_to_install(fresh_python):
    code = "import sys; sys.modules['sklearn'] = None; import lucid.sklearn"
    error = fresh_python(code).stderr
    assert "needs scikit-learn: pip install scikit-learn, or '.[sklearn]' in a clone" in error


@pytest.mark.parametrize(
    "changed",
    [
        {"learning_rate": 1e-12},
        {"loss": "warp"},
        {"solver": "adam"},
        {"weight_decay": 0.5},
        {"batch_size": 4},
    ],
)
def test_what_is_set_between_pieces_holds_from_the_next_on(changed):
    def trained(**parameters):
        ranker = MultilabelRanker(random_state=0).partial_fit(X, Y).set_params(**parameters)
        return ranker.partial_fit(X, Y).decision_function(X)

    assert not np.array_equal(trained(), trained(**changed))


def test_a_hidden_layer_cannot_come_between_pieces():
    ranker = MultilabelRanker(random_state=0).partial_fit(X, Y).set_params(hidden=4)
    with pytest.raises(ValueError, match="hidden must stay 0 in partial_fit, got 4"):
        ranker.partial_fit(X, Y)


def test_a_fit_that_fails_leaves_nothing_behind():
    ranker = MultilabelRanker("bpmll", learning_rate=1e3, random_state=0)
    with pytest.raises(Diverged):
        ranker.fit(X, Y)
    with pytest.raises(NotFittedError):
        ranker.predict(X)


def test_a_fit_that_fails_leaves_the_model_of_before():
    ranker = MultilabelRanker("bpmll", random_state=0).fit(X, Y)
    before = ranker.predict(X)
    with pytest.raises(Diverged):
        ranker.set_params(learning_rate=1e3).fit(X, Y[:, :4])
    np.testing.assert_array_equal(ranker.predict(X), before)
    assert ranker.n_iter_ == len(ranker.history_) == 15


def test_early_stopping_is_a_truth_value():
    with pytest.raises(ValueError, match="early_stopping must be True or False, got 'yes'"):
        MultilabelRanker(early_stopping="yes").fit(X, Y)
