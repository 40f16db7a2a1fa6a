"""The last layer fused with the margin loss: the two steps' result, without their memory."""

import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lucid
from lucid import Labels, nn
from lucid.losses import fused
from lucid.nn import functional as F
from lucid.testing import gradcheck, gradgradcheck

sparse = pytest.importorskip("scipy.sparse")

N, D, C = 7, 5, 40
REDUCTIONS = ["none", "sum", "mean"]
CHUNKS = [1, C, 2 * C + 3, N * C, 10**9]

random = np.random.default_rng(0)
FEATURES = random.standard_normal((N, D)) * (random.random((N, D)) < 0.7)
WEIGHT = random.standard_normal((C, D))
BIAS = random.standard_normal(C)
LABELS = Labels.from_lists([[1, 2], [3], [], [4, 4], [39], [0, 5, 6], [2]], C)


@pytest.fixture(autouse=True, scope="module", params=[1, 3, 4096])
def narrowest_tile(request):
    """Run every test with tiles of one class, of a few, and of all that there are here."""
    before = fused._NARROWEST
    fused._NARROWEST = request.param
    yield
    fused._NARROWEST = before


def two_steps(features, weight, bias, target, reduction="mean", chunk=None):
    return F.multilabel_margin_loss(lucid.linear(features, weight, bias), target, reduction)


def loss_and_gradients(function, features, bias=BIAS, reduction="mean", dtype="float64", **options):
    """The loss, and the gradients of weight, bias and dense features, under random weights."""
    weight = lucid.tensor(WEIGHT, dtype, requires_grad=True)
    b = None if bias is None else lucid.tensor(bias, dtype, requires_grad=True)
    if isinstance(features, np.ndarray):
        features = lucid.tensor(features, dtype, requires_grad=True)
    loss = function(features, weight, b, LABELS, reduction, **options)
    loss.backward(np.random.default_rng(1).standard_normal(loss.shape))
    leaves = [t for t in (weight, b, features) if isinstance(t, lucid.Tensor)]
    return [loss.detach().numpy(), *(t.grad.numpy() for t in leaves)]


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("features", [FEATURES, sparse.csr_array(FEATURES)], ids=["dense", "csr"])
@pytest.mark.parametrize("bias", [BIAS, None], ids=["bias", "no bias"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_equals_the_two_steps_to_rounding(features, bias, reduction, chunk, dtype):
    expected = loss_and_gradients(two_steps, features, bias, reduction, dtype)
    found = loss_and_gradients(
        F.linear_multilabel_margin_loss, features, bias, reduction, dtype, chunk=chunk
    )
    eps = np.finfo(dtype).eps
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype == dtype
        np.testing.assert_allclose(a, b, rtol=50 * eps, atol=10 * eps)


@given(st.integers(0, 5), st.integers(1, 4), st.integers(1, 30), st.integers(1, 100), st.data())
def test_it_equals_the_two_steps_for_every_shape_and_chunk(n, d, c, chunk, data):
    draw = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    features, weight, bias = (draw.standard_normal(s) for s in ((n, d), (c, d), c))
    target = np.full((n, 31), -1)  # wider than the classes: a row may name one twice
    target[:, :3] = -np.sort(-draw.integers(-1, c, (n, 3)))  # the -1s last
    found = F.linear_multilabel_margin_loss(features, weight, bias, target, "none", chunk=chunk)
    expected = two_steps(features, weight, bias, target, "none")
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_it_equals_pytorchs_two_steps():
    torch = pytest.importorskip("torch")
    found = loss_and_gradients(F.linear_multilabel_margin_loss, FEATURES, reduction="sum")
    weight, bias, x = (torch.tensor(a, requires_grad=True) for a in (WEIGHT, BIAS, FEATURES))
    loss = torch.nn.functional.multilabel_margin_loss(
        x @ weight.T + bias, torch.tensor(LABELS.to_padded(C)), reduction="sum"
    )
    loss.backward(torch.tensor(np.random.default_rng(1).standard_normal(), dtype=torch.float64))
    for a, b in zip(found, [loss.detach(), weight.grad, bias.grad, x.grad], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("features", [FEATURES, sparse.csr_array(FEATURES)], ids=["dense", "csr"])
def test_classes_are_worked_on_in_blocks_without_a_trace(features, monkeypatch):
    whole = loss_and_gradients(F.linear_multilabel_margin_loss, features)
    monkeypatch.setattr("lucid.arrays.features._BLOCK", 50)  # a few classes at a time
    blocks = loss_and_gradients(F.linear_multilabel_margin_loss, features)
    for a, b in zip(blocks, whole, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("loss", [nn.MultilabelMarginLoss(), nn.WARPLoss()])
@pytest.mark.parametrize("features", [FEATURES, sparse.csr_array(FEATURES)], ids=["dense", "csr"])
def test_threads_that_share_out_the_tiles_give_the_same_bits(features, loss, monkeypatch):
    monkeypatch.setattr(fused, "_NEAR", 6 * N)
    monkeypatch.setattr(fused, "_NARROWEST", 1)
    shared = []
    share_out = fused.share_out

    def spy(tiles, totals, worker, most_threads):
        shared.append(min(len(tiles), most_threads))
        share_out(tiles, totals, worker, most_threads)

    monkeypatch.setattr(fused, "share_out", spy)
    found = []
    for threads in 1, 2, 5:
        lucid.set_num_threads(threads)
        found.append(loss_and_gradients(F.linear_multilabel_margin_loss, features, BIAS, loss=loss))
    for other in found[1:]:
        for a, b in zip(other, found[0], strict=True):
            np.testing.assert_array_equal(a, b)
    assert min(shared) > 1


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_one_row_without_a_batch_axis_gives_a_number(reduction):
    x = lucid.tensor(FEATURES[0], requires_grad=True)
    loss = F.linear_multilabel_margin_loss(x, WEIGHT, BIAS, [1, 2, -1], reduction)
    loss.backward()
    assert loss.shape == ()
    assert x.grad.shape == (D,)
    assert loss.item() == pytest.approx(
        two_steps(FEATURES[0], WEIGHT, BIAS, [1, 2, -1], reduction).item(), rel=1e-12
    )


def test_a_batch_of_no_rows():
    weight = lucid.tensor(WEIGHT, requires_grad=True)
    for reduction, expected in (("sum", 0.0), ("mean", np.nan)):
        loss = F.linear_multilabel_margin_loss(
            np.zeros((0, D)), weight, BIAS, LABELS[:0], reduction
        )
        np.testing.assert_equal(loss.item(), expected)
        loss.backward()
    assert not weight.grad.numpy().any()


@pytest.mark.parametrize(
    "target",
    [
        LABELS.to_padded(),
        LABELS.to_padded(C),
        [[1, 2], [3], [], [4, 4], [39], [0, 5, 6], [2]],
        lucid.tensor(LABELS.to_padded()),
    ],
    ids=["narrow", "wide", "lists", "Tensor"],
)
def test_targets_in_the_forms_that_the_margin_loss_takes(target):
    expected = F.linear_multilabel_margin_loss(FEATURES, WEIGHT, BIAS, LABELS).item()
    assert F.linear_multilabel_margin_loss(FEATURES, WEIGHT, BIAS, target).item() == expected


@pytest.mark.parametrize("wanted", ["features", "weight", "bias"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_each_input_gets_its_gradient_without_the_others(wanted, reduction):
    arrays = {"weight": WEIGHT, "bias": BIAS, "features": FEATURES}
    inputs = {k: lucid.tensor(v, requires_grad=k == wanted) for k, v in arrays.items()}
    loss = F.linear_multilabel_margin_loss(**inputs, target=LABELS, reduction=reduction)
    loss.backward(np.random.default_rng(1).standard_normal(loss.shape))
    everything = loss_and_gradients(F.linear_multilabel_margin_loss, FEATURES, reduction=reduction)
    expected = dict(zip(arrays, everything[1:], strict=True))[wanted]
    np.testing.assert_array_equal(inputs[wanted].grad, expected)
    assert all(t.grad is None for k, t in inputs.items() if k != wanted)


def test_a_second_backward_adds_the_same_gradient():
    weight = lucid.tensor(WEIGHT, requires_grad=True)
    loss = F.linear_multilabel_margin_loss(FEATURES, weight, BIAS, LABELS)
    loss.backward(retain_graph=True)
    once = weight.grad.numpy().copy()
    loss.backward()
    np.testing.assert_array_equal(weight.grad, 2 * once)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_gradcheck(reduction):
    inputs = [lucid.tensor(a, requires_grad=True) for a in (FEATURES, WEIGHT, BIAS)]
    assert gradcheck(
        lambda *i: F.linear_multilabel_margin_loss(*i, LABELS, reduction, chunk=2 * C), inputs
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_second_derivatives(reduction):
    inputs = [lucid.tensor(a, requires_grad=True) for a in (FEATURES, WEIGHT, BIAS)]
    assert gradgradcheck(
        lambda *i: F.linear_multilabel_margin_loss(*i, LABELS, reduction, chunk=2 * C), inputs
    )


def test_second_derivatives_where_the_features_come_from_the_weight():
    weight = lucid.tensor(WEIGHT, requires_grad=True)
    assert gradgradcheck(
        lambda w: F.linear_multilabel_margin_loss(w[:N] * FEATURES, w, None, LABELS), [weight]
    )


def test_float16_is_computed_in_float32():
    half = [lucid.tensor(a, "float16", requires_grad=True) for a in (FEATURES, WEIGHT, BIAS)]
    wide = [lucid.tensor(t.detach().numpy(), "float32") for t in half]
    loss = F.linear_multilabel_margin_loss(*half, LABELS)
    loss.backward()
    assert loss.dtype == "float16"
    assert {t.grad.dtype.name for t in half} == {"float16"}
    expected = F.linear_multilabel_margin_loss(*wide, LABELS).item()
    assert loss.item() == np.float16(expected)


def test_the_gradient_of_the_bias_is_exact_over_many_rows():
    n = 100_000
    labels = Labels.from_lists([[0]] * n, 2)
    bias = lucid.zeros(2, requires_grad=True)
    loss = F.linear_multilabel_margin_loss(
        np.zeros((n, 1), "f"), np.zeros((2, 1), "f"), bias, labels
    )
    (loss * 0.1).backward()
    np.testing.assert_allclose(bias.grad, [-0.05, 0.05], rtol=1e-6)


@pytest.mark.parametrize("part", ["data", "indices", "indptr"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("create_graph", [False, True])
def test_sparse_features_may_be_written_into_before_backward(part, reduction, create_graph):
    features, weight = sparse.csr_array(FEATURES), lucid.tensor(WEIGHT, requires_grad=True)

    def loss():
        return F.linear_multilabel_margin_loss(features, weight, BIAS, LABELS, reduction).sum()

    (expected,) = lucid.grad(loss(), weight, create_graph=create_graph)
    changed = loss()
    getattr(features, part)[:] = 0
    (found,) = lucid.grad(changed, weight, create_graph=create_graph)
    np.testing.assert_array_equal(found.detach(), expected.detach())


def test_a_nan_logit_gives_nan_in_its_row_only():
    features = FEATURES.copy()
    features[1, 0] = np.nan
    loss = F.linear_multilabel_margin_loss(features, WEIGHT, BIAS, LABELS, "none")
    assert np.flatnonzero(np.isnan(loss.numpy())).tolist() == [1]


@pytest.mark.parametrize("loss", [nn.MultilabelMarginLoss("none"), nn.WARPLoss("none")])
def test_a_nan_logit_of_a_negative_gives_nan_where_it_is_in_a_pair(loss):
    weight = WEIGHT.copy()
    weight[37] = np.nan
    fused = F.linear_multilabel_margin_loss(
        FEATURES, weight, BIAS, LABELS, "none", loss=loss, chunk=7
    )
    expected = loss(lucid.linear(FEATURES, weight, BIAS), LABELS)
    np.testing.assert_equal(fused.numpy(), expected.numpy())
    assert np.flatnonzero(np.isnan(fused.numpy())).tolist() == [0, 1, 3, 4, 5, 6]


# Memory


@pytest.mark.parametrize("features", [FEATURES, sparse.csr_array(FEATURES)], ids=["dense", "csr"])
@pytest.mark.parametrize(
    "logits", [{3: np.inf}, {3: -np.inf}, {1: -np.inf, 2: np.inf}, {20: np.inf}]
)
def test_infinite_logits_of_labels_and_others_mean_what_they_mean_in_two_steps(features, logits):
    bias = BIAS.copy()
    bias[list(logits)] = list(logits.values())
    expected = loss_and_gradients(two_steps, features, bias, "none")
    actual = loss_and_gradients(F.linear_multilabel_margin_loss, features, bias, "none", chunk=7)
    assert np.isinf(expected[0]).any() or 20 not in logits
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("bias", [[np.inf, 0, 0], [-np.inf, 0, 0], [np.nan, 0, 0]])
def test_a_row_whose_only_label_is_not_finite(bias):
    arguments = np.ones((1, 1)), np.zeros((3, 1)), bias, [[0]]
    expected = two_steps(*arguments).item()
    np.testing.assert_equal(F.linear_multilabel_margin_loss(*arguments).item(), expected)


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array], ids=["dense", "csr"])
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_memory_is_that_of_the_gradients_and_of_two_chunks(make, reduction):
    n, d, c = 64, 4, 100_000  # the logits would take 25.6 MB
    weight = lucid.randn(c, d, requires_grad=True)
    features = make(np.random.default_rng(0).standard_normal((n, d)).astype("float32"))
    target = np.random.default_rng(0).integers(0, c, (n, 5))
    tracemalloc.start()
    try:
        loss = F.linear_multilabel_margin_loss(features, weight, None, target, reduction, chunk=c)
        loss.sum().backward()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    gradients = 4 * (c * d + c)
    chunks = 2 * 4 * c
    assert peak < gradients + chunks + 6e6


# What it refuses.


def refuses(error, message, features=FEATURES, weight=WEIGHT, bias=BIAS, target=LABELS, **options):
    with pytest.raises(error, match=re.escape(message)):
        F.linear_multilabel_margin_loss(features, weight, bias, target, **options)


def test_features_of_another_width():
    for x in (FEATURES[:, :4], sparse.csr_array(FEATURES[:, :4])):
        refuses(ValueError, "D = 5 as in weight (40, 5), got (7, 4)", x)


def test_a_weight_that_is_no_matrix():
    refuses(ValueError, "weight must have shape (C, D), C >= 1, got (5,)", weight=WEIGHT[0])


def test_a_bias_of_another_length():
    refuses(ValueError, "bias must have shape (C,), C = 40 as in weight (40, 5)", bias=BIAS[1:])


@pytest.mark.parametrize("name", ["features", "weight", "bias"])
def test_integers_where_floats_are_meant(name):
    array = {"features": FEATURES, "weight": WEIGHT, "bias": BIAS}[name].astype(int)
    message = f"{name} must be float32, float64 or float16, got int64"
    refuses(TypeError, message, **{name: array})


def test_a_target_of_other_rows():
    refuses(ValueError, "target must have shape (N, K)", target=np.zeros((6, 1), int))
    refuses(ValueError, "(6, 40)", target=LABELS[:6])


def test_a_label_out_of_range():
    refuses(ValueError, "40", target=[[40]] * N)


@pytest.mark.parametrize("chunk", [0, -5])
def test_a_chunk_that_is_not_positive(chunk):
    refuses(ValueError, f"chunk must be at least 1, got {chunk}", chunk=chunk)


def test_a_chunk_that_is_no_integer():
    refuses(TypeError, "chunk must be an integer, got 1000000.0", chunk=1e6)


def test_a_bad_reduction():
    refuses(ValueError, "reduction must be 'none', 'mean' or 'sum', got 'avg'", reduction="avg")


def test_it_takes_the_parameters_of_a_layer():
    layer = nn.Linear(D, C)
    x = FEATURES.astype("float32")
    F.linear_multilabel_margin_loss(x, layer.weight, layer.bias, LABELS).backward()
    fused = layer.weight.grad.numpy()
    layer.zero_grad()
    nn.MultilabelMarginLoss()(layer(x), LABELS).backward()
    np.testing.assert_allclose(fused, layer.weight.grad, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_a_row_whose_labels_are_all_classes_has_no_pairs_whatever_the_logits_are(broken):
    weight = np.zeros((5000, 1))
    weight[0] = broken
    everything = lucid.Labels.from_lists([[*range(5000), 3], [1]], 5000)
    features = np.array([[1.0], [0.0]])
    for chunk in (1, 1 << 22):
        loss = F.linear_multilabel_margin_loss(
            features[:1], weight, None, everything[:1], "none", chunk=chunk
        )
        assert loss.tolist() == [0.0]
