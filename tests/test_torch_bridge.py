"""`lucid.torch`: the loss within a model of PyTorch's."""

import numpy as np
import pytest

import lucid

torch = pytest.importorskip("torch")

from lucid.torch import (  # noqa: E402
    MultiLabelMarginLoss,
    MultilabelMarginLoss,
    multilabel_margin_loss,
    tensor_labels,
)

MULTI_HOT = [[1, 0, 0, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]]
TARGET = torch.tensor([[0, 3, -1, -1, -1], [2, -1, -1, -1, -1], [-1, -1, -1, -1, -1]])


@pytest.fixture
def x():
    torch.manual_seed(0)
    return torch.randn(3, 5, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_loss_and_gradient_are_those_of_torch(x, reduction):
    ours = multilabel_margin_loss(x, TARGET, reduction)
    theirs = torch.nn.functional.multilabel_margin_loss(x, TARGET, reduction=reduction)
    torch.testing.assert_close(ours, theirs)
    g = torch.randn(ours.shape, dtype=x.dtype)
    (mine,), (other,) = (torch.autograd.grad(loss, x, g) for loss in (ours, theirs))
    torch.testing.assert_close(mine, other)


def test_a_target_of_signs_is_refused(x):
    signs = torch.tensor([[1, -1, 1, -1, -1]] * 3)
    with pytest.raises(ValueError, match="target cannot be class indices"):
        multilabel_margin_loss(x, signs)


def test_one_row_of_scores_without_a_batch_axis(x):
    loss = multilabel_margin_loss(x[0], TARGET[0], "none")
    assert loss.shape == ()
    (gradient,) = torch.autograd.grad(loss, x)
    assert gradient[0].abs().sum() > 0
    assert gradient[1:].abs().sum() == 0


@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_first_and_second_derivatives_are_those_of_differences(x, reduction):
    def loss(scores):
        return multilabel_margin_loss(scores, TARGET, reduction)

    assert torch.autograd.gradcheck(loss, x)
    assert torch.autograd.gradgradcheck(loss, x)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_loss_and_gradient_have_the_dtype_of_the_scores(x, dtype):
    scores = x.detach().to(dtype).requires_grad_()
    loss = multilabel_margin_loss(scores, TARGET)
    loss.backward()
    assert loss.dtype == scores.grad.dtype == dtype
    exact = multilabel_margin_loss(scores.detach().double(), TARGET)
    torch.testing.assert_close(loss.double(), exact, rtol=2 * torch.finfo(dtype).eps, atol=0)


def test_the_loss_is_float32_within_autocast(x):
    scores = x.detach().to(torch.bfloat16).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        ours = multilabel_margin_loss(scores, TARGET)
        theirs = torch.nn.functional.multilabel_margin_loss(scores, TARGET)
    ours.backward()
    assert ours.dtype == theirs.dtype == torch.float32
    assert scores.grad.dtype == torch.bfloat16
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(
    "target",
    [
        TARGET.numpy(),
        TARGET.to(torch.int32)[:, :2],
        [[0, 3], [2], []],
        lucid.Labels.from_lists([[0, 3], [2], []], num_classes=5),
        lucid.Labels.from_padded(TARGET.numpy(), num_classes=5).to_csr(),
        torch.tensor(MULTI_HOT, dtype=torch.bool),
        torch.tensor(MULTI_HOT).to_sparse_csr(),
        torch.tensor(MULTI_HOT).to_sparse(),
        torch.tensor(MULTI_HOT, dtype=torch.bool).to_sparse(),
        tensor_labels([[0, 3], [2], []], num_classes=5),
    ],
    ids=[
        *("array", "narrow", "lists", "labels", "scipy", "multi-hot"),
        *("sparse_csr", "sparse_coo", "sparse bool", "tensors"),
    ],
)
def test_the_target_has_any_form_of_labels(x, target):
    assert multilabel_margin_loss(x, target) == multilabel_margin_loss(x, TARGET)


def test_scores_that_do_not_lie_in_c_order_are_read_rightly(x):
    transposed = x.detach().t().contiguous().t()
    assert not transposed.is_contiguous()
    assert multilabel_margin_loss(transposed, TARGET) == multilabel_margin_loss(x, TARGET)


def test_without_a_gradient_there_is_no_graph(x):
    assert not multilabel_margin_loss(x.detach(), TARGET).requires_grad
    with torch.no_grad():
        assert not multilabel_margin_loss(x, TARGET).requires_grad


def test_backward_twice_adds_up(x):
    loss = multilabel_margin_loss(x, TARGET)
    loss.backward(retain_graph=True)
    once = x.grad.clone()
    loss.backward(retain_graph=True)
    assert torch.equal(x.grad, 2 * once)
    x.grad.zero_()
    loss.backward()
    assert torch.equal(x.grad, once)


@pytest.mark.skipif(
    not hasattr(torch._C._autograd, "_get_current_graph_task_keep_graph"),
    reason="this PyTorch does not tell whether the graph is kept",
)
def test_an_upstream_gradient_of_one_copies_nothing_into_a_model(x):
    seen = []
    scores = x * 1
    scores.register_hook(lambda g: seen.append(g.data_ptr()))
    loss = multilabel_margin_loss(scores, TARGET)
    (saved,) = loss.grad_fn.saved_tensors
    loss.backward()
    assert seen == [saved.data_ptr()]


WRITES = {
    "in place": lambda g: g.mul_(2),
    "past PyTorch's counter": lambda g: g.data.zero_(),
    "through NumPy": lambda g: g.numpy().fill(7),
}


@pytest.mark.parametrize("write", WRITES)
def test_writing_into_a_gradient_leaves_that_of_the_next_backward_alone(x, write):
    loss = multilabel_margin_loss(x, TARGET)
    (first,) = torch.autograd.grad(loss, x, retain_graph=True)
    expected = first.clone()
    WRITES[write](first)
    (second,) = torch.autograd.grad(loss, x)
    assert torch.equal(second, expected)


def test_a_hook_that_scales_in_place_scales_each_backward_once(x):
    scores = x * 1
    scores.register_hook(lambda g: g.mul_(2))
    loss = multilabel_margin_loss(scores, TARGET)
    (first,) = torch.autograd.grad(loss, x, retain_graph=True)
    (second,) = torch.autograd.grad(loss, x)
    assert torch.equal(first, second)


def test_the_module_trains_a_model():
    torch.manual_seed(0)
    model = torch.nn.Linear(8, 30)
    features = torch.randn(64, 8)
    labels = (features @ torch.randn(8, 30)).topk(3).indices
    criterion = MultilabelMarginLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    losses = []
    for _ in range(50):
        loss = criterion(model(features), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 4


def test_the_module_is_found_under_both_spellings_and_prints_its_option():
    assert MultiLabelMarginLoss is MultilabelMarginLoss
    assert repr(MultilabelMarginLoss("sum")) == "MultilabelMarginLoss(reduction='sum')"


def test_nan_reaches_loss_and_gradient_of_its_row():
    x = torch.tensor([[0.0, float("nan"), 1.0], [0.0, 1.0, 2.0]], requires_grad=True)
    loss = multilabel_margin_loss(x, [[0], [1]], "none")
    loss.sum().backward()
    assert loss.isnan().tolist() == [True, False]
    assert x.grad.isnan().all(1).tolist() == [True, False]


def test_an_empty_batch_has_a_sum_of_0():
    x = torch.empty(0, 5, requires_grad=True)
    multilabel_margin_loss(x, torch.empty(0, 5, dtype=torch.int64), "sum").backward()
    assert x.grad.shape == (0, 5)


FLOATS = "float32, float64, float16 or bfloat16"


@pytest.mark.parametrize(
    ("x", "target", "error", "message"),
    [
        (np.zeros((1, 3)), [[0]], TypeError, r"x must be a torch\.Tensor, got ndarray"),
        (torch.zeros(1, 3, dtype=int), [[0]], TypeError, f"x must be {FLOATS}, got torch.int64"),
        (torch.zeros(1, 3), [[3]], ValueError, "label 3 in row 0"),
        (torch.zeros(1, 3), torch.zeros(1, 3), TypeError, "target must hold integer"),
        (torch.zeros(1, 3), torch.zeros(2, 3, dtype=int), ValueError, "target must have shape"),
        (torch.zeros(1, 3), np.ma.masked_equal([[0, 2]], 2), ValueError, "masked entries"),
    ],
)
def test_what_cannot_be_meant_is_refused(x, target, error, message):
    with pytest.raises(error, match=message):
        multilabel_margin_loss(x, target)


@pytest.mark.parametrize("name", ["x", "target"])
@pytest.mark.parametrize(
    "make",
    [lambda t: t.to_sparse_csc(), lambda t: t.to(torch.float8_e4m3fn)],
    ids=["csc", "float8"],
)
def test_tensors_that_are_no_arrays_are_named(name, make):
    arguments = {"x": torch.zeros(1, 3), "target": torch.zeros(1, 3, dtype=torch.int64)}
    arguments[name] = make(torch.ones(1, 3))
    with pytest.raises(TypeError, match=f"{name} (cannot be read as an array|must be)"):
        multilabel_margin_loss(**arguments)


def test_tensors_with_the_negative_bit_are_read_rightly():
    negative = torch.randn(3, 5, dtype=torch.complex64).conj().imag
    assert negative.is_neg()
    plain = negative.resolve_neg()
    assert multilabel_margin_loss(negative, TARGET) == multilabel_margin_loss(plain, TARGET)


MEMORY = torch.arange(30, dtype=torch.float32)
LAID_OUT = {
    "transposed": MEMORY.view(5, 6).t()[:3],
    "every other column": MEMORY.view(3, 10)[:, ::2],
    "from the middle": MEMORY[7:22].view(3, 5),
    "one row for all": MEMORY[:5].expand(3, 5),
    "negated": torch._neg_view(MEMORY[:15].view(3, 5)),
    "between two numbers": torch.frombuffer(bytearray(62), dtype=torch.float32, offset=2).view(
        3, 5
    ),
    "a parameter": torch.nn.Parameter(MEMORY[:15].view(3, 5)),
}


@pytest.mark.parametrize("name", LAID_OUT)
def test_scores_are_read_however_they_lie_in_memory(name):
    x = LAID_OUT[name]
    with torch.no_grad():
        copy = torch.tensor(x.tolist())
        assert multilabel_margin_loss(x, TARGET) == multilabel_margin_loss(copy, TARGET)


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64])
def test_labels_have_any_dtype_of_integers(x, dtype):
    target = TARGET[:2, :1]
    assert multilabel_margin_loss(x[:2], target.to(dtype)) == multilabel_margin_loss(x[:2], target)


@pytest.mark.parametrize("name", ["x", "target"])
def test_tensors_whose_memory_was_given_back_are_refused(name):
    arguments = {"x": torch.zeros(3, 5), "target": TARGET.clone()}
    arguments[name].untyped_storage().resize_(0)
    with pytest.raises(TypeError, match=f"{name} cannot be read as an array: its storage is empty"):
        multilabel_margin_loss(**arguments)


def test_tensors_of_zeros_without_memory_are_refused():
    with pytest.raises(TypeError, match="x cannot be read as an array"):
        multilabel_margin_loss(torch._efficientzerotensor((3, 5)), TARGET)


def test_a_gradient_outlives_what_it_was_made_with(x):
    loss = multilabel_margin_loss(x, TARGET)
    (gradient,) = torch.autograd.grad(loss, x)
    expected = gradient.tolist()
    del loss
    for _ in range(100):
        multilabel_margin_loss(x + 1, TARGET).backward()
    assert gradient.tolist() == expected


def test_a_loss_and_a_gradient_can_be_written_into_and_kept_in_a_file(x, tmp_path):
    loss = multilabel_margin_loss(x, TARGET)
    loss.backward()
    expected = 2 * x.grad
    x.grad.mul_(2)
    torch.save({"loss": loss.detach(), "grad": x.grad}, tmp_path / "file")
    found = torch.load(tmp_path / "file", weights_only=True)
    assert torch.equal(found["grad"], expected)
    assert found["loss"] == loss


def test_a_scaled_loss_keeps_the_small_gradients_of_half_precision():
    x = torch.zeros(64, 3000, dtype=torch.float16, requires_grad=True)
    loss = multilabel_margin_loss(x, torch.zeros(64, 1, dtype=torch.int64))
    (loss.float() * 1024).backward()  # 1 / (64 * 3000) is no float16
    assert x.grad[0, 1].item() == pytest.approx(1024 / (64 * 3000), rel=2**-11)


def test_an_unknown_reduction_is_refused():
    for call in (MultilabelMarginLoss, lambda r: multilabel_margin_loss(torch.zeros(3), [0], r)):
        with pytest.raises(ValueError, match="reduction must be 'none', 'mean' or 'sum'"):
            call("average")


def test_arrays_refuse_a_tensor_with_a_gradient_and_say_where_to_go():
    with pytest.raises(TypeError, match=r"x cannot be read as an array: .*lucid\.torch"):
        lucid.multilabel_margin(torch.zeros(1, 3, requires_grad=True), [[0]])
