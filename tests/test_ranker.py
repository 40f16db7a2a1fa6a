"""The ranker: how features are scaled, what it scores, and its file."""

import json
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import lucid
from lucid import metrics, nn, optim, training
from lucid.io import Dataset
from lucid.labels import Labels
from lucid.training import Diverged, MostFrequent, Ranker, top_k
from lucid.training.best import highest

pytest.importorskip("safetensors")
sparse = pytest.importorskip("scipy.sparse")


# Scaling.


def fitted(features, num_classes=2):
    ranker = Ranker(features.shape[1], num_classes)
    ranker.fit_scaling(features)
    return ranker


def column(values, dtype=np.float64):
    return sparse.csr_array(np.array(values, dtype=dtype)[:, np.newaxis])


def scaled(ranker, features):
    """Return scaled features as a list of rows, whichever form they come in."""
    return sparse.coo_array(ranker.scaled(features)).toarray().tolist()


def test_mostly_nonzero_features_are_centred_and_others_keep_their_zeros():
    ranker = fitted(sparse.csr_array([[-60.0, 0, 5], [-62.0, 0, 5], [-64.0, 4, 5]]))
    assert ranker.center.tolist() == [-62, 0, 5]
    assert ranker.scale.tolist() == [4, 4, math.inf]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [1.7e9, 0.1, -1e30, 1e-30, 3e38])
def test_the_mean_of_a_constant_feature_is_the_constant(value, dtype):
    features = column([value] * 1001, dtype)
    assert fitted(features).center.tolist() == features.data[:1].tolist()


@given(st.lists(st.floats(-1e308, 1e308), min_size=1, max_size=50))
def test_a_mean_is_never_outside_of_what_it_is_the_mean_of(values):
    assume(max(values) - min(values) < math.inf)
    center = fitted(column(values)).center.item()
    assert center == 0 or min(values) <= center <= max(values)


@pytest.mark.parametrize("constant", [0.0, 1.0, 1.7e9, -1e30])
@pytest.mark.parametrize("later", [0.0, 5.0, 1e30])
def test_a_feature_that_does_not_vary_is_zero_also_where_it_varies_after_all(constant, later):
    assert scaled(fitted(column([constant] * 7)), column([later])) == [[0]]


def test_time_stamps_are_told_apart():
    seconds = column(1.7e9 + np.arange(5))
    assert scaled(fitted(seconds), seconds) == [[-0.5], [-0.25], [0], [0.25], [0.5]]


def test_a_range_beyond_float32_is_a_range():
    features = column([3e38, -3e38], np.float32)
    assert scaled(fitted(features), features) == [[0.5], [-0.5]]


def test_a_range_beyond_float64_is_named():
    with pytest.raises(ValueError, match=r"feature 0 is from -1e\+308 to 1e\+308: too far apart"):
        fitted(column([1e308, -1e308]))


def test_a_feature_of_one_row_keeps_its_zeros():
    features = column([0, 0, 0, -8e5, 0])
    assert scaled(fitted(features), features) == [[0], [0], [0], [-1], [0]]


def test_features_that_are_stored_in_parts_or_as_zeros_are_scaled_as_others():
    parts = sparse.csr_array(
        (np.array([1.0, 2.0, 0.0, 5.0]), np.array([0, 0, 0, 0]), np.array([0, 2, 3, 4])), (3, 1)
    )
    plain = column([3.0, 0.0, 5.0])
    assert scaled(fitted(parts), parts) == scaled(fitted(plain), plain)


# Scores.

ROWS = np.array([[0.5, 0.0, 1.0], [0.0, 2.0, 0.0]])


@pytest.mark.parametrize(
    "form",
    [
        np.asarray,
        np.float32,
        np.ndarray.tolist,
        np.asfortranarray,
        lucid.tensor,
        lambda x: (2 * x).astype(np.int8) / 2,
        *(getattr(sparse, f"{name}_array") for name in ("csr", "csc", "coo", "lil")),
        sparse.csr_matrix,
    ],
)
def test_scores_take_features_in_every_form(form):
    ranker = fitted(sparse.csr_array([[-60.0, 0, 5], [-62.0, 0, 5], [-64.0, 4, 6]]))
    expected = ranker.scores(sparse.csr_array(ROWS))
    np.testing.assert_allclose(ranker.scores(form(ROWS)), expected, rtol=1e-6)


@pytest.mark.parametrize("form", [np.asarray, sparse.coo_array])
def test_scores_leave_the_features_as_they_are(form):
    features = form(ROWS)
    fitted(sparse.csr_array(ROWS)).scores(features)
    assert np.array_equal(sparse.coo_array(features).toarray(), ROWS)


def test_scores_do_not_look_at_what_comes_after_the_last_entry():
    ranker, features = fitted(sparse.csr_array(ROWS)), sparse.csr_array(ROWS)
    expected = ranker.scores(features)
    features.indices = np.append(features.indices, [99, -1]).astype(np.int32)
    features.data = np.append(features.data, np.nan)
    assert np.array_equal(ranker.scores(features), expected)


@pytest.mark.parametrize(
    ("features", "error", "message"),
    [
        (np.ones((5, 4)), ValueError, r"shape \(N, 3\), .*, got \(5, 4\)$"),
        (sparse.csr_array((5, 2)), ValueError, r"shape \(N, 3\), .*, got \(5, 2\)$"),
        (np.ones(3), ValueError, r"got \(3,\); one row is features\[np\.newaxis\]"),
        (1.0, ValueError, r"got \(\)"),
        ([[1.0], [1.0, 2.0]], ValueError, "features must have rows of one length"),
        ([["a", "b", "c"]], TypeError, "features must hold real numbers, got <U1"),
        (np.ones((1, 3), complex), TypeError, "features must hold real numbers, got complex128"),
        ([[1.0, np.nan, 0.0]], ValueError, "features must be finite"),
        (sparse.csr_array([[np.inf, 0.0, 0.0]]), ValueError, "features must be finite"),
    ],
)
def test_what_is_not_features_is_refused_in_words(features, error, message):
    with pytest.raises(error, match=message):
        Ranker(3, 2).scores(features)


# The file.


def test_a_models_sizes_are_looked_at_before_memory_is_asked_for(tmp_path):
    path = tmp_path / "m.safetensors"
    for hidden in (0, 3):
        Ranker(6, 5, hidden).save(path)
        assert Ranker.load(path).hidden == hidden
    arrays, _ = lucid.io.load_checkpoint(path)
    for sizes in ({"num_features": 10**9}, {"num_classes": 10**9}, {"hidden": 10**9}):
        sizes = {"num_features": 6, "num_classes": 5, "hidden": 3, **sizes}
        lucid.io.save_checkpoint(path, arrays, {"lucid ranker": json.dumps(sizes)})
        with pytest.raises(lucid.io.DataFileError, match="do not fit together: the sizes are"):
            Ranker.load(path)


@pytest.mark.parametrize("size", [10**400, -6, 0, True, 6.0, "6", None])
def test_a_models_sizes_must_be_counts(tmp_path, size):
    path = tmp_path / "m.safetensors"
    Ranker(1, 5).save(path)
    sizes = {"num_features": size, "num_classes": 5, "hidden": 0}
    lucid.io.save_checkpoint(
        path, lucid.io.load_checkpoint(path)[0], {"lucid ranker": json.dumps(sizes)}
    )
    with pytest.raises(lucid.io.DataFileError, match=r"m\.safetensors: .* do not fit together"):
        Ranker.load(path)


def test_a_hidden_layer_is_not_made_beside_a_layer_that_is_never_used(monkeypatch):
    made, real = [], lucid.nn.Linear.__init__

    def count(self, *sizes):
        made.append(sizes)
        real(self, *sizes)

    monkeypatch.setattr(lucid.nn.Linear, "__init__", count)
    Ranker(6, 5, hidden=3)
    assert made == [(6, 3), (3, 5)]


def test_a_file_keeps_the_settings_and_the_names_of_the_classes(tmp_path):
    path = tmp_path / "m.safetensors"
    settings = {"loss": "margin", "lr": 0.5, "validation": None}
    Ranker(3, 2, class_names=["cat", "Käse"], settings=settings).save(path)
    loaded = Ranker.load(path)
    assert loaded.class_names == ("cat", "Käse")
    assert loaded.settings == settings


def test_a_file_keeps_scaling_propensities_and_weights(tmp_path):
    ranker = fitted(sparse.csr_array(ROWS))
    ranker.fit_propensities([[0], [0, 1]])
    ranker.save(tmp_path / "m.safetensors")
    loaded = Ranker.load(tmp_path / "m.safetensors")
    for name, value in ranker.state_dict().items():
        assert np.array_equal(loaded.state_dict()[name], value)


@pytest.mark.parametrize(
    "about",
    [
        {"class_names": ["a"]},
        {"class_names": ["a", "a"]},
        {"class_names": "ab"},
        {"class_names": [1, 2]},
        {"settings": [1]},
    ],
)
def test_a_file_with_other_names_or_settings_is_refused(tmp_path, about):
    path = tmp_path / "m.safetensors"
    Ranker(3, 2).save(path)
    sizes = {"num_features": 3, "num_classes": 2, "hidden": 0}
    arrays = lucid.io.load_checkpoint(path)[0]
    lucid.io.save_checkpoint(path, arrays, {"lucid ranker": json.dumps({**sizes, **about})})
    with pytest.raises(lucid.io.DataFileError, match="do not fit together"):
        Ranker.load(path)


def test_a_file_that_lacks_its_sizes_says_so(tmp_path):
    Ranker(3, 2).save(tmp_path / "m")
    rewritten(tmp_path / "m", lambda about: {"format": 1, "num_classes": 2})
    with pytest.raises(lucid.io.DataFileError, match=r"the sizes are \(None, 2, None\)"):
        Ranker.load(tmp_path / "m")


def test_reading_a_model_draws_no_random_number(tmp_path):
    Ranker(3, 2).save(tmp_path / "m")
    lucid.manual_seed(0)
    expected = lucid.rand(4).tolist()
    lucid.manual_seed(0)
    Ranker.load(tmp_path / "m")
    assert lucid.rand(4).tolist() == expected


def rewritten(path, change, drop=()):
    """Write a model's file again, with another entry and without some arrays."""
    arrays, metadata = lucid.io.load_checkpoint(path)
    about = change(json.loads(metadata["lucid ranker"]))
    kept = {name: array for name, array in arrays.items() if name not in drop}
    lucid.io.save_checkpoint(path, kept, {"lucid ranker": json.dumps(about)})


def without_number(about):
    return {name: value for name, value in about.items() if name not in ("format", "lucid")}


def test_a_file_says_its_format_and_what_wrote_it(tmp_path):
    Ranker(3, 2).save(tmp_path / "m")
    about = json.loads(lucid.io.load_checkpoint(tmp_path / "m")[1]["lucid ranker"])
    assert (about["format"], about["lucid"]) == (1, lucid.__version__)


def test_a_file_without_a_number_is_read_if_it_has_all_parts(tmp_path):
    Ranker(3, 2, class_names=["a", "b"]).save(tmp_path / "m")
    rewritten(tmp_path / "m", without_number)
    assert Ranker.load(tmp_path / "m").class_names == ("a", "b")


def test_a_file_from_before_propensities_is_refused_with_what_to_do(tmp_path):
    Ranker(3, 2).save(tmp_path / "m")
    rewritten(tmp_path / "m", without_number, drop=["propensities"])
    with pytest.raises(
        lucid.io.DataFileError,
        match=r"m: a model .* of lucid 0.1.0 before formats had numbers, "
        "which lucid .* does not read: train the model again",
    ):
        Ranker.load(tmp_path / "m")


@pytest.mark.parametrize("number", [2, 99, -1, "1", None, True, 1.0])
def test_a_file_of_an_unknown_format_is_refused_with_what_wrote_it(tmp_path, number):
    Ranker(3, 2).save(tmp_path / "m")
    rewritten(tmp_path / "m", lambda about: {**about, "format": number, "lucid": "9.1"})
    with pytest.raises(
        lucid.io.DataFileError,
        match=rf"m: a model .* in format {number}, which lucid 9.1 wrote; lucid "
        f"{lucid.__version__} reads formats up to 1: install that lucid or a later one, or train",
    ):
        Ranker.load(tmp_path / "m")


def test_a_format_is_looked_at_before_the_arrays(tmp_path):
    """A later version may keep them in types that NumPy lacks."""
    header = json.dumps(
        {
            "__metadata__": {"lucid ranker": json.dumps({"format": 2, "lucid": "9.1"})},
            "net.weight": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]},
        }
    ).encode()
    (tmp_path / "m").write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0")
    with pytest.raises(lucid.io.DataFileError, match=r"in format 2, which lucid 9\.1 wrote"):
        Ranker.load(tmp_path / "m")


@pytest.mark.parametrize(
    ("sizes", "error", "message"),
    [
        ((0, 2), ValueError, "num_features must be at least 1, got 0"),
        ((3, 0), ValueError, "num_classes must be at least 1, got 0"),
        ((3, -1), ValueError, "num_classes must be at least 1, got -1"),
        ((3, 2, -1), ValueError, "hidden must be at least 0, got -1"),
        ((3, 2.0), TypeError, "num_classes must be an integer, got 2.0"),
    ],
)
def test_sizes_that_cannot_be_are_refused_by_name(sizes, error, message):
    with pytest.raises(error, match=message):
        Ranker(*sizes)


def test_a_ranker_of_the_smallest_sizes_comes_back_also_as_numpy_has_them(tmp_path):
    Ranker(np.int64(1), np.int32(1), np.int8(0), settings={"lr": np.float32(0.5)}).save(
        tmp_path / "m"
    )
    loaded = Ranker.load(tmp_path / "m")
    assert (loaded.num_features, loaded.num_classes, loaded.settings) == (1, 1, {"lr": 0.5})


def test_a_row_without_finite_scores_is_named_by_its_number(monkeypatch):
    monkeypatch.setattr("lucid.training.ranker._SCORES_AT_ONCE", 4)  # 2 rows
    rows = np.ones((5, 3))
    rows[3] = 1e300
    with (
        np.errstate(over="ignore"),
        pytest.raises(Diverged, match="the model scores row 3 with NaN or infinity"),
    ):
        Ranker(3, 2).top_k(rows, 1)


def test_names_must_be_as_many_as_classes():
    with pytest.raises(ValueError, match="class_names must be 3, one for each class, got 2"):
        Ranker(4, 3, class_names=["a", "b"])


def test_names_must_be_different():
    with pytest.raises(ValueError, match="class_names must be different, got 'a' twice"):
        Ranker(4, 2, class_names=["a", "a"])


# Scaling in pieces.


@pytest.mark.parametrize("cuts", [[3], [1, 1, 4], [0, 6], [1, 2, 3, 4, 5]])
def test_scaling_from_pieces_is_that_from_all_rows(cuts):
    rows = np.random.default_rng(0).standard_normal((6, 5)) * [1, 0, 1e9, 1, 1]
    rows[::2, 3] = 0
    whole, apart = Ranker(5, 2), Ranker(5, 2)
    whole.fit_scaling(rows)
    apart.fit_scaling(sparse.csr_array(part) for part in np.split(rows, cuts))
    np.testing.assert_allclose(apart.center, whole.center, rtol=1e-12)
    assert np.array_equal(apart.scale, whole.scale)


def test_scaling_and_propensities_are_learnt_in_one_pass_over_the_pieces():
    rng = np.random.default_rng(0)
    labels = Labels.from_multi_hot(rng.choice([0, 1, np.nan], size=(30, 4)))
    data = Dataset(sparse.csr_array(rng.standard_normal((30, 5))), labels)
    one, other, third = (Ranker(5, 4) for _ in range(3))
    one.fit_scaling(data.features)
    one.fit_propensities(data.labels)
    other.fit_to(data)
    third.fit_to(part for part in (data[:7], data[7:7], data[7:]))  # which can be read only once
    for ranker in (other, third):
        np.testing.assert_allclose(ranker.center, one.center, rtol=1e-12, atol=1e-15)
        assert np.array_equal(ranker.scale, one.scale)
        assert np.array_equal(ranker.propensities, one.propensities)


def test_scaling_needs_a_row():
    with pytest.raises(ValueError, match="features must have at least one row"):
        Ranker(3, 2).fit_scaling(np.empty((0, 3)))


# The best classes.


@given(
    st.lists(st.lists(st.integers(-3, 3), min_size=6, max_size=6), min_size=1, max_size=4),
    st.integers(1, 6),
)
def test_the_best_are_those_that_a_stable_sort_puts_first(scores, k):
    x = np.array(scores, np.float32)
    classes, best = top_k(x, k)
    expected = np.argsort(-x, axis=1, kind="stable")[:, :k]
    assert np.array_equal(classes, expected)
    assert np.array_equal(best, np.take_along_axis(x, expected, axis=1))


@pytest.mark.parametrize("k", [1, 5, 300])
@pytest.mark.parametrize("levels", [1, 2, 50, 10**6])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8])
def test_the_best_of_wide_rows_are_those_that_a_stable_sort_puts_first(k, levels, dtype):
    rng = np.random.default_rng(levels)
    x = rng.integers(0, levels, (3, 10_000)).astype(dtype)
    x[1, 100:] = x[1, 0]  # nearly all are equal
    classes, best = top_k(x, k)
    expected = np.argsort(x.astype(np.int64) * -1, axis=1, kind="stable")[:, :k]
    assert np.array_equal(classes, expected)
    assert np.array_equal(best, np.take_along_axis(x, expected, axis=1))
    assert best.dtype == dtype
    assert np.array_equal(highest(x, k), best)


def test_the_best_may_be_infinite():
    x = np.zeros((2, 10_000))
    x[0, [7, 9_999]] = np.inf
    x[1] = -np.inf
    x[1, 5] = 3.0
    classes, best = top_k(x, 3)
    assert classes.tolist() == [[7, 9_999, 0], [5, 0, 1]]
    assert best.tolist() == [[np.inf, np.inf, 0.0], [3.0, -np.inf, -np.inf]]


@pytest.mark.parametrize("hidden", [0, 4])
@pytest.mark.parametrize("at_once", [1, 20, 10**6])
def test_the_best_of_a_ranker_are_those_of_its_scores(monkeypatch, hidden, at_once):
    monkeypatch.setattr("lucid.training.ranker._SCORES_AT_ONCE", at_once)
    lucid.manual_seed(0)
    ranker = Ranker(3, 7, hidden)
    rows = np.random.default_rng(0).standard_normal((11, 3))
    classes, best = ranker.top_k(sparse.csr_array(rows), 4)
    expected_classes, expected = top_k(ranker.scores(rows), 4)
    assert np.array_equal(classes, expected_classes)
    np.testing.assert_allclose(best, expected, rtol=1e-5)


def test_no_rows_have_no_best():
    classes, best = Ranker(3, 7).top_k(np.empty((0, 3)), 4)
    assert classes.shape == best.shape == (0, 4)


@pytest.mark.parametrize(
    ("scores", "k", "message"),
    [
        ([[1.0, 2.0]], 3, "k must be from 1 to C = 2, got 3"),
        ([[1.0, 2.0]], 0, "k must be from 1 to C = 2, got 0"),
        ([1.0, 2.0], 1, r"scores must have shape \(N, C\), got \(2,\)"),
        ([[1.0, np.nan]], 1, "scores must not be NaN"),
    ],
)
def test_best_of_what_cannot_be_ranked_is_refused(scores, k, message):
    with pytest.raises(ValueError, match=message):
        top_k(scores, k)


# The most frequent classes.


def test_the_baseline_ranks_by_the_number_of_rows():
    train = Labels.from_lists([[2], [2], [2], [0], [0], [1]], num_classes=4)
    baseline = MostFrequent(metrics.propensities(train))
    classes, _ = top_k(baseline(np.zeros((2, 9))).numpy(), 3)
    assert classes.tolist() == [[2, 0, 1]] * 2


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("b", "a"), "class 0 is 'b', but 'a' in the model"),
        (("a", "c"), "class 1 is 'c', but 'b' in the model"),
    ],
)
def test_classes_of_other_names_are_neither_trained_on_nor_judged_by(names, words):
    ranker = Ranker(3, 2, class_names=["a", "b"])
    data = Dataset(np.ones((4, 3), np.float32), Labels.from_lists([[0]] * 4, 2), class_names=names)
    trainer = training.Trainer(
        ranker, nn.MultilabelMarginLoss(), optim.SGD(ranker.parameters(), lr=0.1)
    )
    for use in (lambda: training.evaluate(ranker, data), lambda: trainer.fit(data, 1)):
        with pytest.raises(ValueError, match=words):
            use()
