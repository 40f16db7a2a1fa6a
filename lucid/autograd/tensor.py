"""Tensor: a NumPy array that remembers how it was computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from numpy import ndarray  # looked up in one step: tensors are made all the time

from lucid.arrays.checks import refuse_masked
from lucid.arrays.reduction import Axis
from lucid.autograd.grad_mode import grad_mode
from lucid.autograd.graph import Node, backpropagate, pull_to_leaf

__all__ = ["Tensor"]

F = TypeVar("F", bound=Callable[..., Any])
Array: TypeAlias = npt.NDArray[Any]

#: What every function that takes a Tensor also accepts: arrays, numbers, nested lists of numbers.
TensorLike: TypeAlias = "Tensor | npt.ArrayLike"


class Tensor:
    """An array of numbers with an optional gradient.

    Tensors are made by `lucid.tensor` and the other creation functions, and by operations on
    tensors; calling the class wraps an array as it is, without a copy.

    Parameters
    ----------
    data : numpy.ndarray
        The values.

    Attributes
    ----------
    grad : Tensor or None
    requires_grad : bool
        Whether operations on this tensor are recorded, so that it can get a gradient.
    shape : tuple of int
    dtype : numpy.dtype
    ndim : int
    size : int
        The number of elements.

    Notes
    -----
    Arithmetic follows NumPy: operands are broadcast, dtypes are promoted, and a Python number takes
    the dtype of the tensor that it meets. ``x[...] = y`` and
    ``x += y`` write into the memory of `x`. Both are refused for a leaf that requires a gradient,
    except under `no_grad`; where ``x + y`` is recorded, ``x += y`` names the new tensor `x`.

    A tensor is equal to another in each element (``==`` gives a bool tensor), but is hashed by
    identity.

    Examples
    --------
    >>> import lucid
    >>> x = lucid.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> y = (x * x).sum()
    >>> y
    tensor(14., requires_grad=True)
    >>> y.backward()
    >>> x.grad
    tensor([2., 4., 6.])
    """

    __slots__ = ("__weakref__", "_data", "_grad", "_node", "_version", "requires_grad")

    # ndarray + Tensor is then left to Tensor.__radd__.
    __array_ufunc__ = None

    def __init__(self, data: npt.ArrayLike) -> None:
        if type(data) is not ndarray:
            refuse_masked("data", data)
            data = np.asarray(data)
        self._data: Array = data
        self._node: Node | None = None
        # Counts writes into the memory: one list, shared by all tensors that look at that memory.
        self._version: list[int] = [0]
        self._grad: Tensor | None = None
        self.requires_grad: bool = False

    # What the tensor is

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return self._data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the elements."""
        return self._data.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._data.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._data.size

    @property
    def is_leaf(self) -> bool:
        """Whether the tensor was made by hand, not by a recorded operation."""
        return self._node is None

    def __len__(self) -> int:
        if not self._data.ndim:
            raise TypeError("a 0-d tensor has no length")
        return len(self._data)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        data = self._data
        text = np.array2string(data, separator=", ", prefix="tensor(")
        if data.size == 0 and data.ndim > 1:
            text += f", shape={data.shape}"
        if data.dtype not in (np.float32, np.int64, np.bool_):
            text += f", dtype={data.dtype}"
        if self.requires_grad:
            text += ", requires_grad=True"
        return f"tensor({text})"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    # Out of lucid

    def item(self) -> Any:
        """Return the value of a tensor with one element as a Python number.

        Returns
        -------
        bool, int or float

        Raises
        ------
        ValueError
            If the tensor has not exactly one element.

        Examples
        --------
        >>> import lucid
        >>> lucid.tensor([2.5]).item()
        2.5
        """
        if self._data.size != 1:
            raise ValueError(
                f"only a tensor with one element is a Python number: this one has shape "
                f"{self._data.shape}"
            )
        return self._data.item()

    def tolist(self) -> Any:
        """Return the values as nested lists of Python numbers (a 0-d tensor: as one number).

        Returns
        -------
        list, bool, int or float

        Examples
        --------
        >>> import lucid
        >>> lucid.tensor([[1, 2], [3, 4]]).tolist()
        [[1, 2], [3, 4]]
        """
        return self._data.tolist()

    def __bool__(self) -> bool:
        return bool(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def numpy(self) -> Array:
        """Return the values as a NumPy array that shares memory with the tensor.

        Returns
        -------
        numpy.ndarray

        Raises
        ------
        RuntimeError
            If the tensor requires a gradient, which the array would lose.

        Examples
        --------
        >>> import lucid
        >>> lucid.ones(2).numpy()
        array([1., 1.], dtype=float32)
        """
        if self.requires_grad:
            raise RuntimeError(
                "this tensor requires a gradient, which an array cannot carry: "
                "use tensor.detach().numpy()"
            )
        return self._data

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __dlpack__(self, **options: Any) -> Any:
        return self.numpy().__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._data.__dlpack_device__()

    def __reduce__(self) -> tuple[Callable[..., Tensor], tuple[Any, ...]]:
        if self._node is not None:
            raise RuntimeError(
                "only a tensor that is no result of recorded operations can be copied or "
                "pickled: detach() or clone() it"
            )
        return _restore, (type(self), self._data, self.requires_grad, self.grad)

    # Gradients

    @property
    def grad(self) -> Tensor | None:
        """What `backward` has accumulated; what is set must have this shape and dtype."""
        return self._grad

    @grad.setter
    def grad(self, grad: Tensor | None) -> None:
        if grad is not None:
            if not isinstance(grad, Tensor):
                raise TypeError(f"grad: expected a Tensor or None, got {type(grad).__name__}")
            if self._data.dtype.kind != "f":
                raise TypeError(
                    f"grad: only a floating-point tensor can have one, this one is {self.dtype}"
                )
            if grad._data.shape != self._data.shape:
                raise ValueError(
                    f"grad: expected the tensor's shape {self.shape}, got {grad.shape}"
                )
            if grad._data.dtype != self._data.dtype:
                raise TypeError(
                    f"grad: expected the tensor's dtype {self.dtype}, got {grad.dtype}: "
                    f"convert it with .to({str(self.dtype)!r})"
                )
        self._grad = grad

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set whether operations on this tensor are recorded, and return the tensor.

        Parameters
        ----------
        requires_grad : bool, default True

        Returns
        -------
        Tensor
            This tensor itself.

        Raises
        ------
        TypeError
            If the dtype is not a floating-point one.
        RuntimeError
            If it should be switched off for the result of a recorded operation.

        Examples
        --------
        >>> import lucid
        >>> lucid.zeros(2).requires_grad_()
        tensor([0., 0.], requires_grad=True)
        """
        if requires_grad and self._data.dtype.kind != "f":
            raise TypeError(
                f"only a floating-point tensor can require a gradient: this one is "
                f"{self._data.dtype}"
            )
        if not requires_grad and self._node is not None:
            raise RuntimeError(
                "requires_grad can be switched off for leaf tensors only: use detach()"
            )
        self.requires_grad = requires_grad
        return self

    def detach(self) -> Tensor:
        """Return a tensor that shares this one's memory, without its history.

        Returns
        -------
        Tensor
            It does not require a gradient.

        Examples
        --------
        >>> import lucid
        >>> x = lucid.ones(2, requires_grad=True)
        >>> (x * 2).detach()
        tensor([2., 2.])
        """
        detached = Tensor(self._data)
        detached._version = self._version
        return detached

    def backward(
        self,
        gradient: TensorLike | None = None,
        *,
        create_graph: bool = False,
        retain_graph: bool | None = None,
    ) -> None:
        r"""Add the gradient of this tensor to the `grad` of every leaf that it was computed from.

        .. math:: x.grad \mathrel{+}= \sum_k g_k \, \frac{\partial y_k}{\partial x}

        Parameters
        ----------
        gradient : Tensor, optional
            The gradient `g` of the final quantity with respect to this tensor `y`, of the same
            shape. May be left out for a tensor with one element: it is 1 then.
        create_graph : bool, default False
            Record the backward pass too, so that the gradients can be differentiated again.
        retain_graph : bool, optional
            Keep the graph for another backward pass. By default as `create_graph`: the graph is
            freed.

        Raises
        ------
        RuntimeError
            If the tensor does not require a gradient; if it has more than one element and no
            `gradient` was given; if the graph was freed; if a tensor in it was modified in place.
        ValueError
            If `gradient` has another shape.

        Examples
        --------
        >>> import lucid
        >>> x = lucid.tensor(3.0, requires_grad=True)
        >>> (x**2).backward()
        >>> x.grad
        tensor(6.)
        >>> (x**2).backward()
        >>> x.grad
        tensor(12.)
        """
        retain = create_graph if retain_graph is None else retain_graph
        seed = seed_of(self, gradient)
        node = self._node
        if node is None:
            gradients = {self: seed.clone()}
        elif (
            len(node.inputs) == 1 and node.inputs[0]._node is None and not (create_graph or retain)
        ):
            gradients = pull_to_leaf(self, seed)
        else:
            gradients = backpropagate({self: seed}, create_graph, retain)
        for x, g in gradients.items():
            old = x._grad
            if old is None:
                x._grad = g
            elif create_graph or old.requires_grad:
                x._grad = old + g
            else:
                old._data += g._data
                old._count_write()

    # Writing into the memory

    def __setitem__(self, index: Any, value: TensorLike) -> None:
        tracked = self.requires_grad or (isinstance(value, Tensor) and value.requires_grad)
        if tracked and grad_mode.enabled:
            raise RuntimeError(
                "writing into a tensor is not recorded: do it under lucid.no_grad(), "
                "or build a new tensor with lucid.where"
            )
        if not isinstance(value, Tensor):
            refuse_masked("value", value)
        self._data[as_index(index)] = value._data if isinstance(value, Tensor) else value
        self._count_write()

    def _count_write(self) -> None:
        """Tell the graphs that hold this memory that it was written into."""
        self._version[0] += 1

    __hash__ = object.__hash__

    if TYPE_CHECKING:
        # The differentiable methods: `method` and lucid.autograd.ops.operators set them.
        def __add__(self, other: TensorLike) -> Tensor: ...
        def __radd__(self, other: TensorLike) -> Tensor: ...
        def __sub__(self, other: TensorLike) -> Tensor: ...
        def __rsub__(self, other: TensorLike) -> Tensor: ...
        def __mul__(self, other: TensorLike) -> Tensor: ...
        def __rmul__(self, other: TensorLike) -> Tensor: ...
        def __truediv__(self, other: TensorLike) -> Tensor: ...
        def __rtruediv__(self, other: TensorLike) -> Tensor: ...
        def __pow__(self, other: TensorLike) -> Tensor: ...
        def __rpow__(self, other: TensorLike) -> Tensor: ...
        def __matmul__(self, other: TensorLike) -> Tensor: ...
        def __rmatmul__(self, other: TensorLike) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __lt__(self, other: TensorLike) -> Tensor: ...
        def __le__(self, other: TensorLike) -> Tensor: ...
        def __gt__(self, other: TensorLike) -> Tensor: ...
        def __ge__(self, other: TensorLike) -> Tensor: ...
        def __eq__(self, other: TensorLike) -> Tensor: ...  # type: ignore[override]
        def __ne__(self, other: TensorLike) -> Tensor: ...  # type: ignore[override]
        def __getitem__(self, index: Any) -> Tensor: ...
        @property
        def T(self) -> Tensor: ...
        def abs(self) -> Tensor: ...
        def exp(self) -> Tensor: ...
        def log(self) -> Tensor: ...
        def sqrt(self) -> Tensor: ...
        def tanh(self) -> Tensor: ...
        def sigmoid(self) -> Tensor: ...
        def relu(self) -> Tensor: ...
        def clip(self, min: float | None = None, max: float | None = None) -> Tensor: ...
        def sum(self, axis: Axis = None, keepdims: bool = False) -> Tensor: ...
        def mean(self, axis: Axis = None, keepdims: bool = False) -> Tensor: ...
        def max(self, axis: Axis = None, keepdims: bool = False) -> Tensor: ...
        def min(self, axis: Axis = None, keepdims: bool = False) -> Tensor: ...
        def softmax(self, axis: int = -1) -> Tensor: ...
        def log_softmax(self, axis: int = -1) -> Tensor: ...
        def reshape(self, *shape: int | Sequence[int]) -> Tensor: ...
        def transpose(self, *axes: int | Sequence[int]) -> Tensor: ...
        def clone(self) -> Tensor: ...
        def to(self, dtype: npt.DTypeLike) -> Tensor: ...
        def astype(self, dtype: npt.DTypeLike) -> Tensor: ...


def method(op: F) -> F:
    """Make an op a method of Tensor too, under the same name; the class declares its signature."""
    setattr(Tensor, op.__name__, op)
    return op


def _restore(cls: type[Tensor], data: Array, requires_grad: bool, grad: Tensor | None) -> Tensor:
    tensor = cls.__new__(cls)
    Tensor.__init__(tensor, data)
    tensor.requires_grad = requires_grad
    tensor._grad = grad
    return tensor


def as_tensor(x: TensorLike) -> Tensor:
    """Return `x` itself if it is a Tensor, else a new one that shares memory where it can.

    Arrays and NumPy scalars keep their dtype; Python floats, alone or in lists, become float32.
    """
    if isinstance(x, Tensor):
        return x
    data = np.asarray(x)
    if data is not x:
        refuse_masked("the array", x)
    if data.dtype.kind not in "biufc":
        raise TypeError(f"a tensor holds numbers: got {type(x).__name__} ({data.dtype})")
    if data.dtype == np.float64 and not hasattr(x, "dtype"):
        data = data.astype(np.float32)
    return Tensor(data)


def as_index(index: Any) -> Any:
    """Replace the tensors in an index by their arrays."""
    if isinstance(index, tuple):
        return tuple(i._data if isinstance(i, Tensor) else i for i in index)
    return index._data if isinstance(index, Tensor) else index


# The gradient that nearly every backward pass starts with, made once; broadcast_to: read-only.
_ONES = {np.dtype(t): Tensor(np.broadcast_to(np.array(1, t), ())) for t in "efd"}


def seed_of(output: Tensor, gradient: TensorLike | None) -> Tensor:
    """Return the gradient that a backward pass from `output` starts with."""
    if not output.requires_grad:
        raise RuntimeError(
            "this tensor does not require a gradient: it was computed from no tensor with "
            "requires_grad=True, or under no_grad()"
        )
    data = output._data
    if gradient is None:
        if data.size != 1:
            raise RuntimeError(
                f"backward of a tensor of shape {data.shape} needs a gradient of that shape: "
                f"only with one element is it 1 by default"
            )
        one = None if data.ndim else _ONES.get(data.dtype)
        return Tensor(np.ones(data.shape, data.dtype)) if one is None else one
    seed = as_tensor(gradient)
    if seed is not gradient:  # the caller may go on writing into an array
        seed = Tensor(seed._data.copy())
    if seed._data.shape != data.shape:
        raise ValueError(
            f"gradient: expected the tensor's shape {data.shape}, got {seed._data.shape}"
        )
    return seed if seed._data.dtype == data.dtype else seed.to(data.dtype)
