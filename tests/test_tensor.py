"""Tensors: how they are made, printed, converted, written into, copied."""

import copy
import pickle

import numpy as np
import pytest

import lucid

# Creation


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (1.5, "float32"),
        ([[1.0, 2.0]], "float32"),
        ([1, 2.5], "float32"),
        ([], "float32"),
        (3, "int64"),
        ([1, 2], "int64"),
        ([True, False], "bool"),
        (np.float64(1.5), "float64"),
        (np.ones(2), "float64"),
        (np.ones(2, np.float16), "float16"),
        (np.ones(2, np.uint8), "uint8"),
        (np.ones(2, ">i4"), ">i4"),
    ],
)
def test_dtype_follows_the_data(data, dtype):
    assert lucid.tensor(data).dtype == np.dtype(dtype)


def test_dtype_can_be_chosen():
    assert lucid.tensor([1, 2], dtype=lucid.float16).dtype == lucid.float16
    assert lucid.tensor([1.0], "float64").dtype == lucid.float64


def test_floats_reach_float64_unrounded():
    assert lucid.tensor([0.1], dtype=lucid.float64).item() == 0.1


def test_tensor_copies():
    array = np.zeros(2)
    x = lucid.tensor(array)
    array[0] = 1
    assert x.tolist() == [0, 0]


def test_tensor_of_a_tensor_is_a_new_leaf():
    x = lucid.ones(2, requires_grad=True) * 2
    y = lucid.tensor(x)
    assert y.is_leaf
    assert not y.requires_grad
    assert y.tolist() == [2, 2]


def test_from_numpy_shares_memory():
    array = np.zeros(2)
    x = lucid.from_numpy(array)
    array[0] = 1
    x[1] = 2.0
    assert x.tolist() == array.tolist() == [1, 2]


def test_from_numpy_refuses_a_list():
    with pytest.raises(TypeError, match="expected a NumPy array, got list"):
        lucid.from_numpy([1.0])


@pytest.mark.parametrize("data", ["text", None, ["a"], object(), 2**70])
def test_what_is_no_number_is_refused(data):
    with pytest.raises(TypeError, match="a tensor holds numbers: got"):
        lucid.tensor(data)


def test_ragged_lists_are_refused():
    with pytest.raises(ValueError, match="inhomogeneous"):
        lucid.tensor([[1.0], [1.0, 2.0]])


@pytest.mark.parametrize("data", [[1, 2], [True], [1j]])
def test_only_floating_point_tensors_can_require_a_gradient(data):
    with pytest.raises(TypeError, match="floating-point tensor can require a gradient: this one"):
        lucid.tensor(data, requires_grad=True)


@pytest.mark.parametrize("make", [lucid.zeros, lucid.ones, lucid.rand, lucid.randn])
def test_a_shape_is_a_tuple_or_numbers(make):
    assert make(2, 3).shape == make((2, 3)).shape == (2, 3)
    assert make(4).shape == make([4]).shape == (4,)
    assert make(()).shape == ()


@pytest.mark.parametrize("make", [lucid.zeros, lucid.ones, lucid.rand, lucid.randn])
@pytest.mark.parametrize("dtype", [lucid.float16, lucid.float32, lucid.float64])
def test_creation_takes_dtype_and_requires_grad(make, dtype):
    x = make(2, dtype=dtype, requires_grad=True)
    assert x.dtype == dtype
    assert x.requires_grad


def test_full_repeats_a_value_in_its_dtype():
    assert lucid.full((2,), 7).dtype == np.int64
    assert lucid.full((2, 2), 0.5).dtype == np.float32
    assert lucid.full(2, 0.1, lucid.float64).tolist() == [0.1, 0.1]


def test_arange_counts_as_numpy_does():
    assert lucid.arange(3).tolist() == [0, 1, 2]
    assert lucid.arange(1, 8, 3).tolist() == [1, 4, 7]
    assert lucid.arange(3, 0, -1).tolist() == [3, 2, 1]
    assert lucid.arange(0.0, 1.0, 0.25).tolist() == [0, 0.25, 0.5, 0.75]


def test_arange_of_ints_is_int64_and_of_floats_float32():
    assert lucid.arange(3).dtype == lucid.arange(0).dtype == np.int64
    assert lucid.arange(3.0).dtype == lucid.arange(0.0).dtype == np.float32


def test_the_same_seed_gives_the_same_numbers():
    lucid.manual_seed(3)
    first = [lucid.randn(4).tolist(), lucid.rand(4).tolist()]
    lucid.manual_seed(3)
    assert [lucid.randn(4).tolist(), lucid.rand(4).tolist()] == first


def test_rand_stays_below_1_in_every_dtype():
    for dtype in (lucid.float16, lucid.float32, lucid.float64):
        assert lucid.rand(10_000, dtype=dtype).max().item() < 1


# What a tensor says of itself


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (lucid.tensor(1.06), "tensor(1.06)"),
        (lucid.tensor([[1, 2], [3, 4]]), "tensor([[1, 2],\n        [3, 4]])"),
        (lucid.tensor([True]), "tensor([ True])"),
        (lucid.tensor([0.5], dtype=lucid.float64), "tensor([0.5], dtype=float64)"),
        (lucid.tensor([1], dtype=lucid.int32), "tensor([1], dtype=int32)"),
        (lucid.ones(1, requires_grad=True), "tensor([1.], requires_grad=True)"),
        (lucid.zeros(0), "tensor([])"),
        (lucid.zeros(0, 3), "tensor([], shape=(0, 3))"),
    ],
)
def test_repr(x, text):
    assert repr(x) == text


def test_shape_dtype_ndim_size_len():
    x = lucid.zeros(2, 3)
    assert (x.shape, x.dtype, x.ndim, x.size, len(x)) == ((2, 3), np.float32, 2, 6, 2)


def test_a_number_has_no_length():
    with pytest.raises(TypeError, match="0-d"):
        len(lucid.tensor(1.0))


def test_iteration_gives_the_rows():
    assert [row.tolist() for row in lucid.tensor([[1, 2], [3, 4]])] == [[1, 2], [3, 4]]


def test_iteration_over_a_number_is_refused():
    with pytest.raises(TypeError, match="0-d"):
        iter(lucid.tensor(1.0))


def test_python_numbers_come_out_of_one_element():
    x = lucid.tensor([[2.5]])
    assert (x.item(), float(x), int(x), bool(x)) == (2.5, 2.5, 2, True)
    assert f"{x:.3f}" == "2.500"


@pytest.mark.parametrize("convert", [bool, int, float, lucid.Tensor.item])
def test_many_elements_are_no_python_number(convert):
    with pytest.raises(ValueError, match=r"one element.*this one has shape \(2,\)"):
        convert(lucid.ones(2))


def test_tensors_are_hashed_by_identity():
    x, y = lucid.ones(2), lucid.ones(2)
    assert len({x, y, x}) == 2


# Into other libraries


def test_numpy_shares_memory():
    x = lucid.zeros(2)
    x.numpy()[0] = 1
    assert x.tolist() == [1, 0]


@pytest.mark.parametrize("convert", [lucid.Tensor.numpy, np.asarray, np.from_dlpack])
def test_a_tensor_with_a_gradient_must_be_detached_first(convert):
    x = lucid.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"use tensor.detach\(\).numpy\(\)"):
        convert(x)
    assert convert(x.detach()).tolist() == [1, 1]


def test_asarray_shares_memory_and_array_copies():
    x = lucid.zeros(2)
    assert np.shares_memory(np.asarray(x), x.numpy())
    assert not np.shares_memory(np.array(x), x.numpy())
    assert np.asarray(x, dtype=np.float64).dtype == np.float64


def test_dlpack_shares_memory_with_pytorch():
    torch = pytest.importorskip("torch")
    x = lucid.zeros(2)
    torch.from_dlpack(x)[0] = 1
    assert x.tolist() == [1, 0]


# Writing into the memory


def test_setitem_writes():
    x = lucid.zeros(2, 2)
    x[0] = 1.0
    x[:, 1] = lucid.tensor([5.0, 6.0])
    x[lucid.tensor([[False, False], [True, False]])] = 7.0
    assert x.tolist() == [[1, 5], [7, 6]]


def test_writing_into_a_tensor_with_a_gradient_is_refused():
    x = lucid.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="no_grad"):
        x[0] = 2.0


def test_writing_a_tensor_with_a_gradient_is_refused():
    with pytest.raises(RuntimeError, match="no_grad"):
        lucid.zeros(2)[0] = lucid.tensor(1.0, requires_grad=True)


def test_under_no_grad_a_tensor_with_a_gradient_can_be_written_into():
    x = lucid.ones(2, requires_grad=True)
    with lucid.no_grad():
        x[0] = 2.0
    assert x.tolist() == [2, 1]
    assert x.requires_grad


# Copies


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_leaf_can_be_copied_and_pickled(duplicate):
    x = lucid.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    y = duplicate(x)
    assert (y.tolist(), y.grad.tolist(), y.requires_grad) == ([1, 2], [2, 4], True)
    with lucid.no_grad():
        y[0] = 9.0
    assert x.tolist() == [1, 2]


@pytest.mark.parametrize("duplicate", [copy.deepcopy, pickle.dumps])
def test_a_result_of_recorded_operations_cannot_be_copied(duplicate):
    with pytest.raises(RuntimeError, match=r"detach\(\) or clone\(\)"):
        duplicate(lucid.ones(2, requires_grad=True) * 2)


def test_detach_shares_memory_and_drops_the_history():
    x = lucid.ones(2, requires_grad=True)
    y = x.detach()
    y[0] = 5.0
    assert x.tolist() == [5, 1]
    assert not y.requires_grad


def test_clone_keeps_the_history():
    x = lucid.ones(2, requires_grad=True)
    (x.clone() * 3).sum().backward()
    assert x.grad.tolist() == [3, 3]


def test_a_result_cannot_stop_requiring_a_gradient():
    y = lucid.ones(2, requires_grad=True) * 2
    with pytest.raises(RuntimeError, match=r"use detach\(\)"):
        y.requires_grad_(False)


@pytest.mark.parametrize("dtype", [None, "float32"])
def test_a_masked_array_makes_no_tensor(dtype):
    with pytest.raises(ValueError, match="data has masked entries"):
        lucid.tensor(np.ma.masked_equal([1.0, 2.0], 2), dtype)
    with pytest.raises(ValueError, match="has masked entries"):
        lucid.ones(2) + np.ma.masked_equal([1.0, 2.0], 2)
    with pytest.raises(ValueError, match="data has masked entries"):
        lucid.Tensor(np.ma.masked_equal([1.0, 2.0], 2))


@pytest.mark.parametrize(
    "use",
    [
        lucid.tensor,
        lambda x: lucid.tensor([x, x]),
        lucid.Tensor,
        lucid.exp,
        lambda x: lucid.ones(2, 2) + x,
        lambda x: x + lucid.ones(2, 2),
        lambda x: lucid.ones(2, 2) @ x,
        lambda x: lucid.ones(2, 2).__setitem__(slice(None), x),
        lambda x: lucid.ones(2, 2, requires_grad=True).backward(x),
        lambda x: lucid.losses.lsep_loss(x, [[0], [1]]),
        lambda x: lucid.nn.functional.lsep_loss(x, [[0], [1]]),
        lambda x: lucid.metrics.label_ranking_loss(x, [[0], [1]]),
    ],
)
def test_no_mask_is_dropped_from_arrays_in_lists(use):
    row = np.ma.masked_equal([1.0, 2.0], 2)
    for rows in ([row, row], (row, row), [[1.0, 2.0], row]):
        with pytest.raises(ValueError, match="has masked entries"):
            use(rows)


def test_a_masked_value_is_not_written_into_a_tensor():
    x = lucid.ones(2)
    with pytest.raises(ValueError, match="value has masked entries"):
        x[:] = np.ma.masked_equal([1.0, 2.0], 2)
    assert x.tolist() == [1, 1]
