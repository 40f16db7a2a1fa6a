"""A linear layer of sparse features: what it gives for the same features made dense."""

import re
import tracemalloc

import numpy as np
import pytest
from cpu_levels import CPU_LEVELS

import lucid
from lucid import _kernels, nn, optim
from lucid.arrays import features
from lucid.testing import gradcheck, gradgradcheck

sparse = pytest.importorskip("scipy.sparse")

random = np.random.default_rng(0)
DENSE = random.standard_normal((5, 8)) * (random.random((5, 8)) < 0.3)
DENSE[2] = 0  # a row without features
DENSE[:, 3] = 0  # a feature that no row has
WEIGHT = random.standard_normal((4, 8))
BIAS = random.standard_normal(4)

FORMS = ["csr_array", "csr_matrix", "csc_array", "coo_matrix"]


def outputs_and_gradients(x, bias=True):
    weight = lucid.tensor(WEIGHT, requires_grad=True)
    b = lucid.tensor(BIAS, requires_grad=True) if bias else None
    y = lucid.linear(x, weight, b)
    (y**3).sum().backward()
    return [y.detach().numpy(), weight.grad.numpy(), *([b.grad.numpy()] if bias else [])]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("bias", [True, False])
def test_sparse_features_give_what_dense_ones_give(form, bias):
    expected = outputs_and_gradients(DENSE, bias)
    found = outputs_and_gradients(getattr(sparse, form)(DENSE), bias)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_entries_stored_twice_are_added():
    once = sparse.csr_array(DENSE)
    twice = sparse.csr_array(
        (np.repeat(once.data / 2, 2), np.repeat(once.indices, 2), once.indptr * 2), once.shape
    )
    for a, b in zip(outputs_and_gradients(twice), outputs_and_gradients(once), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def layer_of_many_classes(classes, dtype="float64"):
    """Return features of 60 rows, a weight, and the gradient of some outputs."""
    rng = np.random.default_rng(classes)
    x = sparse.random_array((60, 90), density=0.1, rng=rng, format="csr", dtype=np.float64)
    weight, g = rng.standard_normal((classes, 90)), rng.standard_normal((60, classes))
    return x.astype(dtype), weight.astype(dtype), g.astype(dtype)


@pytest.mark.parametrize("classes", [1, 31, 32, 33, 64, 70])
def test_the_products_are_those_of_the_dense_matrix(classes):
    x, weight, g = layer_of_many_classes(classes)
    out, gradient = np.empty((60, classes)), np.ones((classes, 90))
    features.times_transposed(x, weight, out)
    features.add_transposed_times(g, x, gradient)
    np.testing.assert_allclose(out, x.toarray() @ weight.T, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(gradient, 1 + g.T @ x.toarray(), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_bits_are_the_same_for_every_level_and_number_of_threads(dtype, monkeypatch):
    x, weight, g = layer_of_many_classes(20_000, dtype)  # enough for several threads
    results = []
    for level in CPU_LEVELS:
        monkeypatch.setattr(features, "sparse", _kernels.load("sparse", level))
        for threads in (1, 2, 3):
            lucid.set_num_threads(threads)
            out, gradient = np.empty((60, 20_000), dtype), np.zeros((20_000, 90), dtype)
            features.times_transposed(x, weight, out)
            features.add_transposed_times(g, x, gradient)
            results.append(out.tobytes() + gradient.tobytes())
    assert len(set(results)) == 1


@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
def test_first_and_second_derivatives(check):
    x = sparse.csr_array(DENSE)
    inputs = [lucid.tensor(a, requires_grad=True) for a in (WEIGHT, BIAS)]
    assert check(lambda w, b: (lucid.linear(x, w, b) ** 3).sum(axis=0), inputs)


@pytest.mark.parametrize("values", ["float64", "int64", "bool"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_values_take_the_dtype_of_the_weight(values, dtype):
    x = sparse.csr_array(DENSE).astype(values)
    weight = lucid.tensor(WEIGHT, dtype, requires_grad=True)
    y = lucid.linear(x, weight)
    y.sum().backward()
    assert y.dtype == weight.grad.dtype == dtype
    expected = x.toarray().astype(dtype) @ WEIGHT.astype(dtype).T
    np.testing.assert_allclose(y.detach(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("bias", [True, False])
def test_a_float16_layer_is_computed_in_float32_and_rounded_once(bias):
    x = sparse.csr_array(DENSE)
    half = [lucid.tensor(a, "float16", requires_grad=True) for a in (WEIGHT, BIAS)[: 1 + bias]]
    single = [lucid.tensor(t.detach().numpy(), "float32", requires_grad=True) for t in half]
    y, wide = lucid.linear(x, *half), lucid.linear(x, *single)
    np.testing.assert_array_equal(y.detach(), wide.to("float16").detach(), strict=True)
    y.sum().backward()
    wide.sum().backward()
    for t, peer in zip(half, single, strict=True):
        np.testing.assert_array_equal(t.grad, peer.grad.to("float16"), strict=True)


@pytest.mark.parametrize("part", ["data", "indices", "indptr"])
def test_features_may_be_written_into_between_their_use_and_backward(part):
    x, weight = sparse.csr_array(DENSE), lucid.tensor(WEIGHT, requires_grad=True)
    y = lucid.linear(x, weight, BIAS)
    getattr(x, part)[:] = 0
    (y**3).sum().backward()
    np.testing.assert_array_equal(weight.grad, outputs_and_gradients(sparse.csr_array(DENSE))[1])


def test_the_gradient_has_the_memory_order_of_the_weight():
    assert outputs_and_gradients(sparse.csr_array(DENSE))[1].flags.c_contiguous


def test_the_features_are_never_made_dense():
    columns = np.random.default_rng(1).integers(0, 50_000, 5000)
    x = sparse.csr_array((np.ones(5000, "f"), columns, np.arange(0, 5001, 5)), (1000, 50_000))
    layer = nn.Linear(50_000, 4)
    tracemalloc.start()
    try:
        layer(x).sum().backward()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10e6  # dense they take 200 MB


def test_no_rows_give_no_outputs_and_a_gradient_of_zero():
    layer = nn.Linear(8, 4)
    y = layer(sparse.csr_array((0, 8)))
    y.sum().backward()
    assert y.shape == (0, 4)
    assert not layer.weight.grad.numpy().any()


@pytest.mark.parametrize(("n", "k", "c"), [(2, 0, 3), (2, 3, 0), (0, 3, 2), (2, 0, 0), (0, 0, 0)])
@pytest.mark.parametrize("form", FORMS)
def test_a_layer_of_no_width_goes_forward_and_back(form, n, k, c):
    x, layer = getattr(sparse, form)((n, k)), nn.Linear(k, c)
    y = layer(x)
    assert y.tolist() == [layer.bias.tolist()] * n
    (g,) = lucid.grad((y * y).sum(), layer.weight, create_graph=True)
    (g * g).sum().backward()
    assert layer.weight.grad.shape == (c, k)


def test_a_model_trains_on_sparse_features():
    lucid.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 3))
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    x, target = sparse.csr_array(DENSE), [[0], [1], [2], [0, 1], [1, 2]]
    losses = []
    for _ in range(100):
        loss = nn.MultilabelMarginLoss()(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]


# What it refuses.


def test_features_of_another_width():
    with pytest.raises(ValueError, match=re.escape("got (5, 8) and (4, 7)")):
        lucid.linear(sparse.csr_array(DENSE), WEIGHT[:, :7])


def test_features_that_are_no_real_numbers():
    with pytest.raises(TypeError, match=r"x: expected a sparse matrix of real .* got complex128"):
        lucid.linear(sparse.csr_array(DENSE * 1j), WEIGHT)


def test_features_of_one_axis():
    with pytest.raises(
        ValueError, match=re.escape("x must be a matrix of two axes, got shape (8,)")
    ):
        lucid.linear(sparse.coo_array(DENSE[0]), WEIGHT)


def test_features_may_have_room_behind_their_last_entry():
    x = sparse.csr_array(DENSE)
    x.indices = np.append(x.indices, [10**8, -1]).astype(x.indices.dtype)
    x.data = np.append(x.data, [np.nan, np.nan])
    for a, b in zip(outputs_and_gradients(x), outputs_and_gradients(DENSE), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def corrupt(form, place, value):
    """Return features one of whose indices is wrong; SciPy looks when they are made, not later."""
    x = getattr(sparse, f"{form}_array")(np.eye(3, dtype=np.float32))
    getattr(x, place)[1 if place == "indptr" else 0] = value
    return x


CORRUPT = [
    *[("csr", "indices", value) for value in (-1, 3, 10**8)],
    *[("csc", "indices", value) for value in (-1, 3, 50_000_000)],
    *[("bsr", "indices", value) for value in (-1, 3, 50_000_000)],
    *[("coo", "row", value) for value in (-1, 3, 50_000_000)],
    *[(form, "indptr", value) for form in ("csr", "csc", "bsr") for value in (-1, 10**7)],
]


@pytest.mark.parametrize(("form", "place", "value"), CORRUPT)
def test_features_whose_indices_are_out_of_range(form, place, value):
    x, weight = corrupt(form, place, value), np.ones((2, 3), np.float32)
    with pytest.raises(ValueError, match=f"x is not a valid {form} matrix"):
        lucid.linear(x, weight)
    with pytest.raises(ValueError, match=f"features is not a valid {form} matrix"):
        nn.functional.linear_multilabel_margin_loss(x, weight, None, [[0], [1], [0]])


@pytest.mark.parametrize("part", ["data", "indices"])
def test_features_whose_parts_differ_in_length(part):
    x = sparse.csr_array(np.eye(3))
    setattr(x, part, getattr(x, part)[:2])
    with pytest.raises(ValueError, match="x is not a valid csr matrix"):
        lucid.linear(x, np.ones((2, 3)))


@pytest.mark.parametrize("dtype", ["longdouble", "complex128"])
def test_a_weight_that_no_kernel_multiplies(dtype):
    with pytest.raises(TypeError, match=f"expected a weight of .* got {np.dtype(dtype)}"):
        lucid.linear(sparse.csr_array(DENSE), WEIGHT.astype(dtype))
