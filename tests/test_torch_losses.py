"""`lucid.torch`: every loss of the family, the same as lucid's own."""

import copy
import inspect
import io
import itertools

import numpy as np
import pytest
from losses import ASKS, CASES, LOSSES, batch

import lucid
from lucid import Labels, nn
from lucid.nn import functional as F

torch = pytest.importorskip("torch")

import lucid.torch  # noqa: E402
from lucid.torch import tensor_labels  # noqa: E402


def function_of(case):
    return getattr(lucid.torch, case.loss.name)


def tensors(options):
    return {k: torch.from_numpy(v) if np.ndim(v) else v for k, v in options.items()}


def solved(case, x, target, reduction, **extra):
    leaf = torch.from_numpy(x).requires_grad_()
    loss = function_of(case)(leaf, target, reduction=reduction, **extra)
    loss.backward(torch.ones_like(loss))
    return loss.detach().numpy(), leaf.grad.numpy()


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_loss_and_gradient_have_the_bits_of_lucids_own(case, dtype, ask, reduction):
    given = batch(dtype)
    target, extra = given.asked(ask)
    expected = case.solve(given.x, target, reduction, **extra)
    options = tensors(case.options_for(7) | extra)
    for form in (target, tensor_labels(target, 7)):
        for ours, theirs in zip(
            solved(case, given.x, form, reduction, **options), expected, strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_half_precision_is_computed_in_float32_and_rounded_once(case, dtype):
    given = batch()
    x = torch.from_numpy(given.x).to(dtype).requires_grad_()
    options = tensors(case.options_for(7))
    loss = function_of(case)(x, given.target, reduction="sum", **options)
    loss.backward()
    wide = x.detach().float().requires_grad_()
    exact = function_of(case)(wide, given.target, reduction="sum", **options)
    exact.backward()
    assert loss == exact.to(dtype)
    assert torch.equal(x.grad, wide.grad.to(dtype))


@pytest.mark.parametrize("case", [c for c in CASES if c.smooth], ids=str)
@pytest.mark.parametrize("transform", [False, True], ids=["create_graph", "torch.func"])
def test_the_second_derivative_is_that_of_lucids_own(case, transform):
    given = batch().first(5)
    target, _ = given.asked("unknown")
    v = np.random.default_rng(0).standard_normal(given.x.shape)
    leaf = lucid.tensor(given.x, requires_grad=True)
    (gradient,) = lucid.grad(case.tensor(leaf, target, "mean"), [leaf], create_graph=True)
    (expected,) = lucid.grad((gradient * v).sum(), [leaf])
    options = tensors(case.options_for(7))
    x, weights = torch.from_numpy(given.x).requires_grad_(), torch.from_numpy(v)

    def loss(x):
        return function_of(case)(x, target, reduction="mean", **options)

    if transform:
        found = torch.func.grad(lambda x: (torch.func.grad(loss)(x) * weights).sum())(x)
    else:
        (gradient,) = torch.autograd.grad(loss(x), x, create_graph=True)
        (found,) = torch.autograd.grad((gradient * weights).sum(), x)
    np.testing.assert_allclose(found.detach(), expected.numpy(), rtol=1e-9, atol=1e-12)
    assert found.abs().max() > 0


@pytest.mark.parametrize("odd", ["unknown is NaN", "negatives are -inf"])
@pytest.mark.parametrize("case", [c for c in CASES if c.smooth], ids=str)
def test_scores_that_are_in_nothing_do_not_spoil_the_second_derivative(case, odd):
    labels = Labels.from_lists([[1, 3]], 7).with_unknown([[0]])
    x = np.array([[0.5, 0.1, 0.2, 0.3, 0.4, -0.3, 0.2]])
    x[0, [0] if odd == "unknown is NaN" else [2, 4, 5, 6]] = (
        np.nan if odd == "unknown is NaN" else -np.inf
    )
    leaf = lucid.tensor(x, requires_grad=True)
    with np.errstate(invalid="ignore"):
        (gradient,) = lucid.grad(case.tensor(leaf, labels, "mean"), [leaf], create_graph=True)
        (expected,) = lucid.grad((gradient * np.arange(7.0)).sum(), [leaf])
    scores, v = torch.from_numpy(x).requires_grad_(), torch.arange(7.0, dtype=torch.float64)
    loss = function_of(case)(scores, labels, **tensors(case.options_for(7)))
    (gradient,) = torch.autograd.grad(loss, scores, create_graph=True)
    (found,) = torch.autograd.grad((gradient * v).sum(), scores)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-9, atol=1e-12)
    assert found.isfinite().all()


@pytest.mark.parametrize("name", ["LSEPLoss", "ZLPRLoss", "BPMLLLoss"])
def test_the_third_derivative_is_that_of_differences(name):
    x = torch.from_numpy(batch().x[:2, :4]).requires_grad_()
    criterion = getattr(lucid.torch, name)("sum")

    def second(x):
        (first,) = torch.autograd.grad(criterion(x, [[0, 3], [2]]), x, create_graph=True)
        (found,) = torch.autograd.grad(first.square().sum(), x, create_graph=True)
        return found

    assert torch.autograd.gradcheck(second, x)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_module_has_the_parameters_and_the_looks_of_lucids_own(case):
    ours, other = (getattr(where, case.loss.module) for where in (lucid.torch, nn))
    names = [list(inspect.signature(m.__init__).parameters) for m in (ours, other)]
    assert names[0] == names[1]
    options = {k: v for k, v in case.options_for(7).items() if not np.ndim(v)}
    assert repr(ours(**options)) == repr(other(**options))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_module_survives_copies_and_pickles(case):
    given = batch()
    options = tensors(case.options_for(7))
    criterion = getattr(lucid.torch, case.loss.module)(reduction="sum", **options)
    file = io.BytesIO()
    torch.save(criterion, file)
    file.seek(0)
    x = torch.from_numpy(given.x)
    expected = function_of(case)(x, given.target, reduction="sum", **options)
    for twin in (criterion, copy.deepcopy(criterion), torch.load(file, weights_only=False)):
        assert twin(x, given.target) == expected


def test_what_an_option_holds_for_each_class_is_a_buffer():
    criterion = lucid.torch.MultiLabelMarginLoss(margin=torch.ones(5), weight=[1.0, 2, 3, 4, 5])
    assert set(criterion.state_dict()) == {"margin", "weight"}
    assert criterion.double().weight.dtype == torch.float64
    assert list(lucid.torch.MultiLabelMarginLoss().buffers()) == []


@pytest.mark.parametrize("option", ["weight", "sample_weight"])
@pytest.mark.parametrize("as_array", [True, False])
def test_weights_that_change_before_the_backward_pass_do_not_change_the_gradient(option, as_array):
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    weights = torch.ones(3 if option == "sample_weight" else 4, dtype=torch.float64)
    given = weights.numpy() if as_array else weights
    y = lucid.torch.multilabel_margin_loss(x, [[0], [1, 2], [3]], p=2, **{option: given})
    (before,) = torch.autograd.grad(y, x, create_graph=True)
    weights.zero_()
    (after,) = torch.autograd.grad(y, x, create_graph=True)
    assert before.abs().sum() > 0
    assert torch.equal(before, after)


def test_an_option_may_become_a_parameter():
    x, target = torch.randn(2, 3), torch.tensor([[0], [2]])
    loss = lucid.torch.MultilabelMarginLoss()
    loss.margin = torch.nn.Parameter(torch.tensor([0.5, 1.0, 2.0]), requires_grad=False)
    expected = lucid.torch.multilabel_margin_loss(x, target, margin=[0.5, 1.0, 2.0])
    assert loss(x, target) == expected


def test_an_option_is_a_buffer_when_it_becomes_one_for_each_class():
    criterion = lucid.torch.MultilabelMarginLoss()
    criterion.margin = torch.ones(4)
    assert set(criterion.state_dict()) == {"margin"}
    assert criterion.double().margin.dtype == torch.float64


def test_an_option_is_no_buffer_when_it_becomes_a_number():
    criterion = lucid.torch.MultilabelMarginLoss(margin=torch.ones(4))
    criterion.margin = 0.5
    assert not criterion.state_dict()
    assert criterion(torch.zeros(1, 4), [[0]]) == 0.5 * 3 / 4


def test_class_weights_may_be_given_later():
    criterion = lucid.torch.MultilabelMarginLoss()
    criterion.weight = [2.0, 1.0, 1.0, 1.0]
    assert criterion(torch.zeros(1, 4), [[0]]) == 2 * 3 / 4


def test_options_may_be_changed():
    criterion = lucid.torch.MultiLabelMarginLoss()
    x = torch.tensor([[0.5, 0.0, -1.0]])
    criterion.margin, criterion.weight = 2.0, torch.tensor([3.0, 1, 1])
    expected = lucid.torch.multilabel_margin_loss(x, [[0]], margin=2.0, weight=criterion.weight)
    assert criterion(x, [[0]]) == expected == 3 * (1.5 + 0.5) / 3


@pytest.mark.parametrize("options", [{"p": 3}, {"margin": float("nan")}, {"normalize": "rows"}])
def test_an_option_is_refused_where_it_is_given(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} must be"):
        lucid.torch.MultiLabelMarginLoss(**options)


#: What no option can be, or not for 7 classes and 7 rows; some of it PyTorch has its own words for.
BAD_OPTIONS = [
    ["classes"],
    ("a",) * 7,
    [1.0, "x"],
    [None] * 7,
    [[1.0], [2.0, 3.0]],
    [[1.0] * 7],
    [10**400] * 7,
    -(10**400),
    {"a": 1},
    {1},
    b"x",
    1j,
    np.inf,
    "2",
    "balanced",
    np.array(["classes"]),
    np.array("classes"),
    np.array(None),
    np.ones(7, bool),
    np.full(7, np.nan),
    np.ma.masked_array(np.ones(7), np.arange(7) < 2),
]
NAMED = [
    (loss, name)
    for loss in LOSSES
    for name in inspect.signature(getattr(lucid.losses, loss.name)).parameters
    if name not in ("x", "target")
]


def error_of(call):
    """What a call raises: its type and its words."""
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    return caught.type, str(caught.value)


@pytest.mark.parametrize("value", BAD_OPTIONS, ids=lambda value: repr(value)[:30])
@pytest.mark.parametrize(("loss", "name"), NAMED, ids=[f"{a.name}-{b}" for a, b in NAMED])
def test_an_option_that_cannot_be_has_the_words_of_lucids_own(loss, name, value):
    given = batch()
    own, ours = getattr(F, loss.name), getattr(lucid.torch, loss.name)
    expected = error_of(lambda: own(given.x, given.target, **{name: value}))
    assert expected[1].startswith(name)
    scores = lucid.tensor(given.x, requires_grad=True)
    x = torch.from_numpy(given.x)
    leaf = x.clone().requires_grad_()
    for call in (
        lambda: own(scores, given.target, **{name: value}),
        lambda: ours(x, given.target, **{name: value}),
        lambda: ours(leaf, given.target, **{name: value}),
        lambda: torch.func.grad(lambda x: ours(x, given.target, **{name: value}))(x),
    ):
        assert error_of(call) == expected


@pytest.mark.parametrize("value", BAD_OPTIONS, ids=lambda value: repr(value)[:30])
@pytest.mark.parametrize(
    ("loss", "name"), [(loss, name) for loss, name in NAMED if name != "sample_weight"]
)
def test_a_module_refuses_an_option_in_the_words_of_lucids_own(loss, name, value):
    own, ours = getattr(nn, loss.module), getattr(lucid.torch, loss.module)
    expected = error_of(lambda: own(**{name: value}))
    assert error_of(lambda: ours(**{name: value})) == expected


@pytest.mark.parametrize("weight", ["balanced", 2.0, [1.0, "x", 2.0]])
def test_a_weight_that_cannot_be_is_refused_where_it_is_changed(weight):
    criterion = lucid.torch.MultilabelMarginLoss(weight=[1.0, 2.0, 3.0])
    with pytest.raises((TypeError, ValueError), match=r"weight must .*got "):
        criterion.weight = weight
    assert criterion.weight.tolist() == [1, 2, 3]


@pytest.mark.parametrize("name", ["weight", "margin", "sample_weight"])
def test_an_option_whose_gradient_would_be_lost_is_refused(name):
    x = torch.zeros(3, 3, requires_grad=True)
    option = {name: torch.ones(3, requires_grad=True)}
    for call in (lambda f: f(x), lambda f: torch.func.grad(f)(x)):
        with pytest.raises(ValueError, match=f"{name} must not require a gradient"):
            call(lambda x: lucid.torch.multilabel_margin_loss(x, [[0], [1], []], **option))


@pytest.mark.parametrize("layout", ["to_sparse", "to_sparse_csr"])
def test_sparse_targets_are_labels_of_the_soft_margin_loss(layout):
    x = torch.from_numpy(batch().x)
    dense = (x > 0.5).double()
    sparse = getattr(dense, layout)()
    criterion = lucid.torch.MultiLabelSoftMarginLoss()
    assert criterion(x, sparse) == criterion(x, dense)


def test_a_sparse_tensor_names_a_label_once_and_zeros_are_none():
    indices, values = torch.tensor([[0, 0, 1], [2, 2, 1]]), torch.tensor([1.0, 1.0, 0.0])
    target = torch.sparse_coo_tensor(indices, values, (2, 4), check_invariants=True)
    assert tensor_labels(target, 4).indices.tolist() == [2]
    assert tensor_labels(target, 4).indptr.tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        (torch.tensor([[1.0, -1.0]]).to_sparse(), ValueError, r"nonzeros for labels, got -1\.0"),
        (torch.tensor([[1.0, np.nan]]).to_sparse_csr(), ValueError, "nonzeros for labels, got nan"),
        (torch.ones(1, 2, dtype=torch.complex64).to_sparse(), TypeError, "bools or real numbers"),
        (torch.ones(1, 2).to_sparse_csc(), TypeError, "must be dense, sparse_coo or sparse_csr"),
        (torch.ones(2, 1).to_sparse(), ValueError, "are they transposed"),
    ],
)
def test_a_sparse_tensor_that_cannot_be_labels_is_refused(target, error, message):
    with pytest.raises(error, match=message):
        lucid.torch.lsep_loss(torch.zeros(1, 2), target)


@pytest.mark.parametrize(
    "labels",
    [
        Labels.from_lists([[0], [3]], 5),
        tensor_labels([[0], [3]], 5),
        torch.eye(5)[[0, 3]].to_sparse(),
        torch.eye(5)[[0, 3]].bool(),
    ],
)
def test_labels_that_know_their_number_of_classes_need_no_other(labels):
    found = tensor_labels(labels)
    assert found.num_classes == 5
    assert found.indices.tolist() == [0, 3]
    with pytest.raises(ValueError, match="num_classes must be 5, as in labels, got 4"):
        tensor_labels(labels, 4)


def test_class_indices_need_the_number_of_classes():
    with pytest.raises(TypeError, match="class indices, which need num_classes"):
        tensor_labels([[0], [3]])


def test_tensors_of_labels_keep_what_is_unknown():
    labels = Labels.from_lists([[0], [3]], 5).with_unknown([[1, 2], []])
    *parts, num_classes = tensor_labels(labels, 5)
    assert num_classes == 5
    assert [part.tolist() for part in parts] == [[0, 3], [0, 1, 2], [1, 2], [0, 2, 2]]


@pytest.mark.parametrize("labels", [[0], [0, 1], [], [0, 1, 2]])
@pytest.mark.parametrize(
    "case", [case for case in CASES if case.loss.name in ("zlpr_loss", "lsep_loss")], ids=str
)
def test_of_scores_of_any_size_second_derivatives_are_lucids_own(case, labels):
    function, weights = function_of(case), [1.0, 2.0, 3.0]
    for scores in itertools.product([-np.inf, -1e30, 0.5, 2.0, 1e30, np.inf], repeat=3):
        own = lucid.tensor(np.array([scores]), requires_grad=True)
        (slope,) = lucid.grad(case.tensor(own, [labels]), [own], create_graph=True)
        (expected,) = lucid.grad((slope * lucid.tensor(weights)).sum(), [own])
        if np.isnan(slope.detach().numpy()).any():
            continue
        x = torch.tensor([scores], dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(function(x, [labels], **case.options), x, create_graph=True)
        (found,) = torch.autograd.grad((slope * torch.tensor(weights)).sum(), x)
        np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=1e-12)
