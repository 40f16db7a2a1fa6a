"""The losses as operators of PyTorch's, which it can trace, transform, compile and export.

A loss `NAME` is two operators, `lucid::NAME` and `lucid::NAME_and_gradient`, with the same
arguments: what is traced cannot find out later whether a gradient will be wanted. Scores are
(N, C), float32 or float64; `lucid.torch.functions` brings what users give into this form. A second
derivative that is constant in steps is an operator, too, `lucid::NAME_curvature`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._C import _after_autograd_keyset, _AutoDispatchBelowAutograd
from torch._functorch.utils import enable_single_level_autograd_function
from torch.autograd import forward_ad

from lucid.arrays.checks import check_reduction
from lucid.losses.problem import Loss
from lucid.torch.anywhere import weighted
from lucid.torch.solving import curvature, not_floats, solve
from lucid.torch.targets import Parts
from lucid.torch.versions import UNRECORDED, register_vmap

_LIBRARY = torch.library.Library("lucid", "FRAGMENT")  # operators live as long as it does

#: From the type of an option's default to its arguments: a margin may be one for each class.
_ARGUMENTS = {
    bool: ("bool {}",),
    int: ("int {}",),
    str: ("str {}",),
    float: ("float {}", "Tensor? {}_by_class"),
    type(None): ("Tensor? {}",),
}


_COMMON = (
    "Tensor x, Tensor target, Tensor? indptr, Tensor? unknown_indices, Tensor? unknown_indptr, "
    "Tensor? sample_weight, str reduction"
)


class Given(NamedTuple):
    """The arguments of an operator that all losses have; those of the options follow."""

    x: Tensor
    target: Tensor
    indptr: Tensor | None
    unknown_indices: Tensor | None
    unknown_indptr: Tensor | None
    sample_weight: Tensor | None
    reduction: str

    @property
    def parts(self) -> Parts:
        return self[1:5]


class Curvature(NamedTuple):
    """How a loss is differentiated twice."""

    formula: Callable[..., Tensor] | None = None
    """``(v, x, parts, **options)`` to the second derivatives of the rows' losses times v, in
    PyTorch's operations."""
    steps: bool = False
    """Or that they are constant in steps, and an operator: that of `solving.curvature`."""
    is_there: Callable[[Mapping[str, Any]], bool] = lambda options: True
    """Whether they are not 0, for these options."""


class Operators:
    """The operators of a loss."""

    def __init__(self, loss: Loss, curvature: Curvature | None) -> None:
        self.loss = loss
        self.curved = curvature
        arguments = [_COMMON]
        for name, default in loss.defaults.items():
            arguments += [argument.format(name) for argument in _ARGUMENTS[type(default)]]
        taken = ", ".join(arguments)
        name = loss.name
        self.value = define(f"{name}({taken}) -> Tensor", self._value, self._fake_value)
        self.both = define(
            f"{name}_and_gradient({taken}) -> (Tensor, Tensor)", self._both, self._fake_both
        )
        _differentiate_through(self.value, lambda *args: self.both(*args)[0])
        _differentiate(self.both, self._save, self._backward, self._forward)
        register_vmap(self.value, self._batched_value, _LIBRARY)
        register_vmap(self.both, self._batched_both, _LIBRARY)
        if curvature is not None and curvature.steps:
            self.curvature = define(
                f"{name}_curvature(Tensor v, {taken}) -> Tensor", self._curvature, _fake_like
            )
            _differentiate(self.curvature, self._save_steps, self._backward_steps)
            register_vmap(self.curvature, self._batched_curvature, _LIBRARY)

    def flat(self, options: Mapping[str, Any]) -> list[Any]:
        """Return options as arguments of the operators."""
        found: list[Any] = []
        for name, default in self.loss.defaults.items():
            value = options.get(name, default)
            if isinstance(default, float):
                by_class = isinstance(value, Tensor)
                found += [default, value] if by_class else [value, None]
            else:
                found.append(value)
        return found

    def options(self, args: Sequence[Any]) -> dict[str, Any]:
        """Return the options of all arguments of an operator."""
        values = iter(args[len(Given._fields) :])
        found = {}
        for name, default in self.loss.defaults.items():
            value = next(values)
            if isinstance(default, float):
                by_class = next(values)
                value = value if by_class is None else by_class
            found[name] = value
        return self.loss.changed(found)

    # What the operators do.

    def _solve(self, args: Sequence[Any], want_gradient: bool) -> tuple[Tensor, Tensor | None]:
        given = Given(*args[:7])
        options = self.options(args)
        return solve(
            self.loss,
            given.x,
            given.parts,
            given.sample_weight,
            given.reduction,
            options,
            want_gradient,
        )

    def _value(self, *args: Any) -> Tensor:
        return self._solve(args, False)[0]

    def _both(self, *args: Any) -> tuple[Tensor, Tensor]:
        loss, gradient = self._solve(args, True)
        assert gradient is not None
        return loss, gradient

    def _curvature(self, v: Tensor, *args: Any) -> Tensor:
        given = Given(*args[:7])
        options = self.options(args)
        return curvature(
            self.loss, v, given.x, given.parts, given.sample_weight, given.reduction, options
        )

    def _fake_value(self, *args: Any) -> Tensor:
        x = _checked(Given(*args[:7]))
        return x.new_empty(x.shape[:1] if args[6] == "none" else ())

    def _fake_both(self, *args: Any) -> tuple[Tensor, Tensor]:
        x = args[0]
        return self._fake_value(*args), torch.empty_like(x, memory_format=torch.contiguous_format)

    # Their derivatives. The gradient is a result, and differentiable as such.

    def _product(self, args: Sequence[Any]) -> Callable[[Tensor], Tensor] | None:
        """Return the product with the second derivative, None where that is 0."""
        given, options = Given(*args[:7]), self.options(args)
        if self.curved is None or not self.curved.is_there(options):
            return None
        if self.curved.formula is None:
            return lambda v: self.curvature(v, *args)
        formula, options = self.curved.formula, {**self.loss.defaults, **options}

        def product(v: Tensor) -> Tensor:
            found = formula(v, given.x, given.parts, **options)
            return weighted(found, given.sample_weight, given.reduction)

        return product

    def _save(self, ctx: Any, args: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.set_materialize_grads(False)
        constant = self._product(args) is None
        _save_arguments(ctx, (None,) if constant else args, output[1])
        ctx.of_rows = args[6] == "none"

    def _backward(self, ctx: Any, g: Tensor | None, h: Tensor | None) -> Tensor | None:
        args, gradient = _saved_arguments(ctx)
        result = None if g is None else gradient * g.unsqueeze(-1)
        if h is None:
            return result
        curved = None if len(args) == 1 else self._product(args)
        more = torch.zeros_like(gradient) if curved is None else curved(h)
        return more if result is None else result + more

    def _forward(self, ctx: Any, v: Tensor) -> tuple[Tensor, Tensor]:
        args, gradient = _saved_arguments(ctx)
        change = gradient * v
        curved = None if len(args) == 1 else self._product(args)
        return (
            change.sum(-1) if ctx.of_rows else change.sum(),
            torch.zeros_like(gradient) if curved is None else curved(v),
        )

    def _save_steps(self, ctx: Any, args: tuple[Any, ...], output: Tensor) -> None:
        _save_arguments(ctx, args, None)

    def _backward_steps(self, ctx: Any, g: Tensor) -> Tensor:
        args, _ = _saved_arguments(ctx)
        return self.curvature(g, *args[1:])  # it is symmetric, and linear in v

    # What they do with a batch of arguments: one call with the rows of all.

    def _batched_value(self, info: Any, in_dims: Any, *args: Any) -> tuple[Any, Any]:
        if not _are_rows(in_dims, args):
            return _one_by_one(self.value, info, in_dims, args)
        given, rows = _rows_of_all(info.batch_size, in_dims, args)
        losses = self.value(*given, *args[7:]).reshape(info.batch_size, rows)
        return _reduced(losses, given, args[6]), 0

    def _batched_both(self, info: Any, in_dims: Any, *args: Any) -> tuple[Any, Any]:
        if not _are_rows(in_dims, args):
            return _one_by_one(self.both, info, in_dims, args)
        given, rows = _rows_of_all(info.batch_size, in_dims, args)
        losses, gradient = self.both(*given, *args[7:])
        losses = losses.reshape(info.batch_size, rows)
        gradient = gradient.reshape(info.batch_size, rows, -1)
        gradient = _divided(gradient, _divisor(losses, given, args[6]))
        return (_reduced(losses, given, args[6]), gradient), (0, 0)

    def _batched_curvature(self, info: Any, in_dims: Any, v: Tensor, *args: Any) -> tuple[Any, Any]:
        if not _are_rows(in_dims[1:], args):
            return _one_by_one(self.curvature, info, in_dims, (v, *args))
        size = info.batch_size
        given, rows = _rows_of_all(size, in_dims[1:], args)
        all_v = _in_front(v, in_dims[0], size).flatten(0, 1)
        result = self.curvature(all_v, *given, *args[7:]).reshape(size, rows, -1)
        return _divided(result, _divisor(result[..., 0], given, args[6])), 0


def define(schema: str, solve: Callable[..., Any], fake: Callable[..., Any]) -> Any:
    """Make an operator: what it does on every device, and what is known without doing it."""
    _LIBRARY.define(schema, tags=UNRECORDED)  # a bad label is an error now
    name = schema.partition("(")[0]
    _LIBRARY.impl(name, solve, "CompositeExplicitAutograd")
    torch.library.register_fake(f"lucid::{name}", fake, lib=_LIBRARY)
    return getattr(torch.ops.lucid, name).default


def _checked(given: Given) -> Tensor:
    """Refuse what can be refused without a look at the values."""
    check_reduction(given.reduction)
    x, target = given.x, given.target
    if x.dtype not in (torch.float32, torch.float64):
        raise not_floats("x", x)
    if x.ndim != 2:
        raise ValueError(f"x must have shape (N, C) or (C,), got {tuple(x.shape)}")
    if given.indptr is None and (target.ndim != 2 or target.shape[0] != x.shape[0]):
        raise ValueError(
            "target must have shape (N, K) with N the rows of x: got target "
            f"{tuple(target.shape)} for x {tuple(x.shape)}"
        )
    if given.indptr is not None and given.indptr.shape[0] != x.shape[0] + 1:
        raise ValueError(
            f"target: indptr of shape {tuple(given.indptr.shape)} does not fit x {tuple(x.shape)}"
        )
    return x


def _fake_like(v: Tensor, *args: Any) -> Tensor:
    _checked(Given(*args[:7]))
    return torch.empty_like(v, memory_format=torch.contiguous_format)


def _wants_gradient(tensors: Sequence[Any]) -> bool:
    return torch.is_grad_enabled() and any(
        isinstance(t, Tensor) and t.requires_grad for t in tensors
    )


def _below_autograd(op: Any, keys: Any, args: Sequence[Any]) -> Any:
    with _AutoDispatchBelowAutograd():
        return op.redispatch(keys & _after_autograd_keyset, *args)


def _differentiate_through(op: Any, differentiable: Callable[..., Any]) -> None:
    """Let another operator do the work where a gradient is wanted."""

    def autograd(keys: Any, *args: Any) -> Any:
        if _wants_gradient(args[:1]) or forward_ad._current_level >= 0:
            return differentiable(*args)
        return _below_autograd(op, keys, args)

    _LIBRARY.impl(op._opname, autograd, "Autograd", with_keyset=True)


def _differentiate(
    op: Any,
    save: Callable[..., None],
    backward: Callable[..., Tensor | None],
    forward: Callable[..., Any] | None = None,
) -> None:
    """Give an operator its derivatives with respect to its first argument.

    `torch.library.register_autograd` does the same, but refuses to within ``torch.func``'s
    transforms. There an operator is called once at every level, and belongs to one at a time.
    """

    class Differentiable(torch.autograd.function._SingleLevelFunction):
        @staticmethod
        def forward(ctx: Any, keys: Any, *args: Any) -> Any:
            with torch.enable_grad(), forward_ad._set_fwd_grad_enabled(True):  # of levels below
                output = _below_autograd(op, keys, args)
            save(ctx, args, output)
            return output

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            return None, backward(ctx, *gradients), *[None] * (len(ctx.needs_input_grad) - 2)

        @staticmethod
        def jvp(ctx: Any, keys: Any, v: Any, *tangents: Any) -> Any:
            if forward is None or any(t is not None for t in tangents):
                raise NotImplementedError(f"{op}: no forward derivative for these arguments")
            return forward(ctx, v)

    def autograd(keys: Any, *args: Any) -> Any:
        if not _wants_gradient(args[:1]) and forward_ad._current_level < 0:
            return _below_autograd(op, keys, args)
        with enable_single_level_autograd_function():
            return Differentiable.apply(keys, *args)

    _LIBRARY.impl(op._opname, autograd, "Autograd", with_keyset=True)


def _save_arguments(ctx: Any, args: Sequence[Any], result: Tensor | None) -> None:
    tensors = [a if isinstance(a, Tensor) else None for a in args]
    ctx.rest = tuple(None if isinstance(a, Tensor) else a for a in args)
    ctx.save_for_backward(result, *tensors)
    ctx.save_for_forward(result, *tensors)


def _saved_arguments(ctx: Any) -> tuple[tuple[Any, ...], Tensor]:
    result, *tensors = ctx.saved_tensors
    return tuple(r if t is None else t for t, r in zip(tensors, ctx.rest, strict=True)), result


def _are_rows(in_dims: Sequence[Any], args: Sequence[Any]) -> bool:
    """Whether the members of a batch differ only in what they say of each row."""
    dims, csr = Given(*in_dims[:7]), args[2] is not None
    of_all = (*dims[2:5], *in_dims[7:], dims.target if csr else None)
    return all(dim is None for dim in of_all)


def _in_front(tensor: Tensor, dim: Any, size: int) -> Tensor:
    """Return a tensor with the batch's axis first."""
    return tensor.expand(size, *tensor.shape) if dim is None else tensor.movedim(dim, 0)


def _rows_of_all(size: int, in_dims: Sequence[Any], args: Sequence[Any]) -> tuple[Given, int]:
    """Return the arguments of all rows of a batch, and how many each of its members has."""
    given, dims = Given(*args[:7]), Given(*in_dims[:7])
    all_x = _in_front(given.x, dims.x, size)
    rows = all_x.shape[1]
    parts: list[Any] = []
    for cuts in (1, 3):
        entries, indptr = given[cuts], given[cuts + 1]
        if entries is None:
            parts += [None, None]
        elif indptr is None:
            parts += [_in_front(entries, dims[cuts], size).flatten(0, 1), None]
        else:
            parts += _repeated(entries, indptr, size)
    weight = given.sample_weight
    if weight is not None:
        weight = _in_front(weight, dims.sample_weight, size).flatten(0, 1)
    return Given._make([all_x.flatten(0, 1), *parts, weight, "none"]), rows


def _repeated(entries: Tensor, indptr: Tensor, times: int) -> list[Tensor]:
    """Repeat rows in CSR form."""
    starts = torch.arange(times, device=indptr.device).unsqueeze(-1) * entries.shape[0]
    all_of_them = indptr + starts
    return [entries.repeat(times), torch.cat([all_of_them[:, :-1].flatten(), all_of_them[-1, -1:]])]


def _divisor(losses: Tensor, given: Given, reduction: str) -> Tensor | None:
    """Return what is divided by for a mean over the rows of each member of a batch (B, N)."""
    if reduction != "mean":
        return None
    if given.sample_weight is None:
        return losses.new_full((losses.shape[0],), losses.shape[1])
    return given.sample_weight.reshape(losses.shape).sum(-1).to(losses.dtype)


def _divided(gradient: Tensor, divisor: Tensor | None) -> Tensor:
    """Return the gradients of a batch (B, N, C) over a divisor for each; where all is 0, it is."""
    if divisor is None:
        return gradient
    return gradient / divisor.masked_fill(divisor == 0, 1).reshape(-1, 1, 1)


def _reduced(losses: Tensor, given: Given, reduction: str) -> Tensor:
    """Reduce the losses of the rows of each member of a batch (B, N)."""
    if reduction == "none":
        return losses
    divisor = _divisor(losses, given, reduction)
    return losses.sum(-1) if divisor is None else losses.sum(-1) / divisor


def _one_by_one(op: Any, info: Any, in_dims: Sequence[Any], args: Sequence[Any]) -> tuple[Any, Any]:
    """Call the operator for each member of a batch: options of classes hold for all rows."""
    found = []
    for n in range(info.batch_size):
        pairs = zip(args, in_dims, strict=True)
        found.append(op(*(a if d is None else a.select(d, n) for a, d in pairs)))
    if isinstance(found[0], Tensor):
        return torch.stack(found), 0
    return tuple(torch.stack(each) for each in zip(*found, strict=True)), (0, 0)
