"""Rows of few scores and labels take a way of their own through the margin kernel.

It leads to the same bits. An unknown column that is named twice changes nothing, and leaves a row
to the way that all others take.
"""

import numpy as np
import pytest

from lucid.losses import pairs
from lucid.losses.solving import Terms

#: On both sides of every border: of groups of 8 columns, of words of 64, of what is small.
CLASSES = [2, 3, 7, 8, 9, 15, 16, 17, 24, 31, 33, 63, 64, 65, 100, 119, 120, 121, 127, 128, 129]

DTYPES = ["float32", "float64"]


def solve(x, labels, terms=None, gradient=True, threads=1):
    """Loss and gradient of rows from the kernel; labels are padded, or indices and ends."""
    kernel = pairs.KERNELS["margin"][x.dtype.char]
    indices, indptr = labels if isinstance(labels, tuple) else (labels, None)
    loss, grad = np.full(len(x), np.nan), np.full_like(x, 7) if gradient else None
    kernel(x, indices, indptr, 1.0, loss, grad, threads, terms)
    return loss, grad


def padded(rows):
    target = np.full((len(rows), 12), -1)
    for n, row in enumerate(rows):
        target[n, : len(row)] = row
    return target


def draw(rng, classes, most, dtype):
    """Rows of scores of all kinds, with distinct labels, of which the first class is none."""
    x = rng.standard_normal((12, classes))
    labels = [(1 + rng.permutation(classes - 1))[: rng.integers(most + 1)].tolist() for _ in x]
    for n, row in enumerate(labels):
        kind = rng.integers(6)
        if kind == 0:  # ties
            x[n] = np.round(2 * x[n])
        elif kind == 1:  # trained
            x[n] -= 3
            x[n, row] += 5
        elif kind == 2:  # nearly ties
            x[n] = np.round(x[n]) + 1e-7 * rng.integers(-3, 4, classes)
        elif kind == 3:  # far from 0
            x[n] += 1e5
        elif kind == 4:  # of very different size
            x[n] *= 10.0 ** rng.integers(-15, 15, classes)
    return x.astype(dtype), labels


def same_bits(a, b):
    return np.array_equal(a.view(np.uint8), b.view(np.uint8))


def terms_of(x, times):
    """The first class is unknown in each row, and named so many times."""
    columns, ends = np.zeros(times * len(x), np.int64), times * np.arange(len(x) + 1)
    return Terms(base=pairs.BASES[None], unknown_indices=columns, unknown_indptr=ends)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", CLASSES)
def test_a_small_row_has_the_bits_of_any_row(classes, dtype, cpu_level):
    rng = np.random.default_rng(classes)
    for _ in range(8):
        x, labels = draw(rng, classes, 8, dtype)
        loss, gradient = solve(x, padded(labels), terms_of(x, 1))
        expected, wanted = solve(x, padded(labels), terms_of(x, 2))
        assert same_bits(loss, expected)
        assert same_bits(gradient, wanted)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", [3, 8, 13, 40, 128])
def test_values_that_are_not_finite_mean_the_same_in_a_small_row(classes, dtype, bad, cpu_level):
    rng = np.random.default_rng(classes)
    for _ in range(4):
        x, labels = draw(rng, classes, 8, dtype)
        x[np.arange(len(x)), rng.integers(classes, size=len(x))] = bad
        loss, gradient = solve(x, padded(labels), terms_of(x, 1))
        expected, wanted = solve(x, padded(labels), terms_of(x, 2))
        np.testing.assert_array_equal(loss, expected)
        np.testing.assert_array_equal(gradient, wanted)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("offset", [1, 2, 3])
def test_scores_and_gradient_may_begin_at_any_number(offset, dtype, cpu_level):
    x, labels = draw(np.random.default_rng(offset), 21, 7, dtype)
    moved = np.empty(offset + x.size, dtype)[offset:].reshape(x.shape)
    moved[:] = x
    loss, gradient = solve(x, padded(labels))
    again, gradient_again = solve(moved, padded(labels))
    assert same_bits(loss, again)
    assert same_bits(gradient, gradient_again)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", [10, 128, 300])
@pytest.mark.parametrize("form", ["int8", "int16", "int32", "in one array", "without gradient"])
def test_a_row_has_the_same_bits_whatever_form_its_labels_have(form, classes, dtype, cpu_level):
    rng = np.random.default_rng(classes)
    x, labels = draw(rng, classes, 9, dtype)
    labels = [[i for i in row if i < 128] for row in labels]
    loss, gradient = solve(x, padded(labels))
    if form == "without gradient":
        assert same_bits(loss, solve(x, padded(labels), gradient=False)[0])
        return
    other = padded(labels)
    if form == "in one array":
        indices = np.array([i for row in labels for i in row], np.int64)
        other = (indices, np.cumsum([0, *map(len, labels)]))
    else:
        other = other.astype(form)
    again, gradient_again = solve(x, other)
    assert same_bits(loss, again)
    assert same_bits(gradient, gradient_again)


@pytest.mark.parametrize("dtype", DTYPES)
def test_margins_of_classes_that_are_all_equal_give_the_bits_of_one(dtype, cpu_level):
    x, labels = draw(np.random.default_rng(1), 21, 7, dtype)
    one = solve(x, padded(labels), Terms(margin=0.3))
    each = solve(x, padded(labels), Terms(margins=np.full(21, 0.3)))
    assert same_bits(one[0], each[0])
    assert same_bits(one[1], each[1])


@pytest.mark.parametrize("base", pairs.BASES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_unknown_columns_of_a_small_row_are_as_if_they_were_deleted(dtype, base, cpu_level):
    rng = np.random.default_rng(2)
    x, labels = draw(rng, 24, 5, dtype)
    unknown = [4, 8, 23]
    labels = [[i for i in row if i not in unknown] for row in labels]
    kept = np.delete(np.arange(24), unknown)
    columns = np.tile(unknown, len(x)), 3 * np.arange(len(x) + 1)
    weights = rng.choice([0.0, 1.0, 0.3], len(x))
    terms = {"base": pairs.BASES[base], "scale": weights}
    left_out = {"unknown_indices": columns[0], "unknown_indptr": columns[1]}
    loss, gradient = solve(x, padded(labels), Terms(**terms, **left_out))
    fewer = [np.searchsorted(kept, row).tolist() for row in labels]
    expected, wanted = solve(np.ascontiguousarray(x[:, kept]), padded(fewer), Terms(**terms))
    np.testing.assert_allclose(loss, expected, rtol=1e-15)
    assert same_bits(np.ascontiguousarray(gradient[:, kept]), wanted)
    assert not gradient[:, unknown].any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "row",
    [[5, -1], [-2, -1], [2**40, -1], [1, -1, 2], [4, 3, 2, 1, 0]],
    ids=["too high", "too low", "64 bits", "after the end", "as long as the scores"],
)
def test_labels_of_a_small_row_that_need_another_look_are_refused(row, dtype, cpu_level):
    with pytest.raises(ValueError, match="labels"):
        solve(np.zeros((2, 5), dtype), np.array([row, row]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_odd_rows_between_small_ones_change_nothing_for_any_number_of_threads(dtype, cpu_level):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((900, 41)).astype(dtype)
    labels = [rng.permutation(41)[: n % 11].tolist() for n in range(len(x))]  # none, or many
    labels[5] = [3, 3]
    x[77, 7] = np.nan
    loss, gradient = solve(x, padded(labels))
    alone = [solve(x[n : n + 1], padded([row])) for n, row in enumerate(labels)]
    for threads in (1, 2, 3):
        again, gradient_again = solve(x, padded(labels), threads=threads)
        assert same_bits(loss, again)
        assert same_bits(gradient, gradient_again)
    assert same_bits(loss, np.concatenate([row for row, _ in alone]))
    assert same_bits(gradient, np.concatenate([row for _, row in alone]))
