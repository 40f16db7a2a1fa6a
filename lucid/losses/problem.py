"""One way in and one way out for the losses of arrays.

What the user has, scores, labels, a reduction, sample weights and options, is checked once and
brought into the form that kernels read: a `Problem`. A `Loss` solves it, and what it finds gets the
dtype and the shape that the user expects.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np
import numpy.typing as npt

from lucid.arrays.checks import (
    Reduction,
    as_array,
    check_reduction,
    check_scores,
    check_target,
)
from lucid.labels import Labels, as_labels, is_array_like, label_array, plain_labels
from lucid.losses.hinges import check_hinges
from lucid.losses.options import as_sample_weight
from lucid.losses.solving import FastPath, Problem, are_constant

Array = npt.NDArray[Any]

P = ParamSpec("P")
T = TypeVar("T")

#: The loss, or that of each row, in float64; and its gradient, unless it is not wanted.
Solution = tuple[Any, Array | None]

#: From a problem, and whether the gradient is wanted.
Solver = Callable[[Problem, bool], Solution]


class Loss:
    r"""A loss, as the rest of the library knows it.

    Parameters
    ----------
    arrays : callable
        What users call with arrays, ``(x, target, reduction, *, sample_weight, **options)``; it
        gives the loss its name, its options and their defaults.
    solver : callable
        ``(dtype, num_classes, **options)`` to the `Solver` of problems with scores of a
        `dtype.char`, ``"f"`` or ``"d"``; options are checked ones.
    check : callable
        ``(num_classes, **options)`` to the options as `solver` takes them; with None for the number
        of classes it checks what can be checked without.
    read_target : callable
        ``(target, x)`` to what a solver finds as `Problem.target`.
    padded : bool, default False
        Whether kernels read padded labels as they are, and refuse what they do not understand.
    hinges : bool, default False
        Whether a layer can be fused with it: fused layers do not call ``solver``, but compute

        .. math:: \frac{1}{n} \sum_{i \in \mathrm{pos}} w_i \sum_{j \notin \mathrm{pos}}
                  \max(0,\; m_i - x_i + x_j)^p

        from the loss's options, which are some of these four and no others: ``margin``, the
        :math:`m` of all classes or of each (1 where there is no such option); ``weight``, the
        :math:`w` of each class, or None for 1 (None); ``p``, 1 or 2 (1); and ``normalize``, which
        says what :math:`n` is: ``"classes"``, the number of known classes, ``"pairs"``, the sum of
        the weights of all pairs, or None, 1 (None). A loss that is not this sum is refused when it
        is defined.
    worth_of_count : callable, optional
        Of losses that weigh a label by how many negatives come too close to it: the number of
        classes to what the label's hinges count in all for 0, 1, .. of them, one more than classes:
        0 for 0 of them, and for others finite and not negative. Divided by the count it is the
        :math:`w` of ``hinges``, and ``margin`` the only option of such a loss.
        These weights are constants in the gradient, so that it is not that of the loss's value.
    """

    def __init__(
        self,
        arrays: Callable[..., Any],
        solver: Callable[..., Solver],
        check: Callable[..., dict[str, Any]],
        read_target: Callable[[Any, Array], Any] | None = None,
        padded: bool = False,
        hinges: bool = False,
        worth_of_count: Callable[[int], Array] | None = None,
    ) -> None:
        self.arrays = arrays
        self.name = arrays.__name__
        self.solver = solver
        self.check = check
        self.hinges = hinges
        self.worth_of_count = worth_of_count
        self.read_target = read_target or (lambda target, x: labels_for(x.shape, target))
        self.fast_path = FastPath(self, padded, reads_labels=read_target is None)
        #: From x, target, reduction, sample weights, options and whether the gradient is wanted to
        #: the loss of an array of scores and its gradient, or None.
        self.compute = self.fast_path.compute
        taken = inspect.signature(arrays).parameters
        self.defaults = {
            name: option.default
            for name, option in taken.items()
            if name not in ("x", "target", "reduction", "sample_weight")
        }
        self._checked_once = lru_cache(typed=True)(self._checked)
        self._solver_once = lru_cache(typed=True)(self._solver)
        if hinges:
            check_hinges(self, reads_labels=read_target is None)

    def compute_carefully(
        self,
        x: Array,
        target: Any,
        reduction: str,
        sample_weight: Any,
        options: Mapping[str, Any],
        want_gradient: bool,
    ) -> tuple[Array, Array | None]:
        """Compute what takes a closer look, or say what is wrong with it."""
        problem = self.problem(x, target, reduction, sample_weight)
        return self.solved(problem, x, options, want_gradient)

    def problem(self, x: Array, target: Any, reduction: str, sample_weight: Any) -> Problem:
        """Check the scores, their sample weights and the reduction, and read the labels."""
        check_reduction(reduction)
        check_scores(x)
        scale = None if sample_weight is None else as_sample_weight(sample_weight, x.shape)
        # float16 is computed in float32; the rest is a copy only where kernels could not read x.
        dtype = np.dtype(np.float64 if x.dtype.itemsize == 8 else np.float32)
        rows = np.require(np.atleast_2d(x), dtype, ["C", "ALIGNED"])
        return Problem(rows, self.read_target(target, x), scale, reduction)

    def solved(
        self, problem: Problem, x: Array, options: Mapping[str, Any], want_gradient: bool
    ) -> tuple[Array, Array | None]:
        """Solve the problem of the scores `x`, in their dtype and shape."""
        solve = self.solver_for(problem.x.dtype.char, problem.x.shape[1], options)
        loss, gradient = solve(problem, want_gradient)
        dtype = x.dtype.newbyteorder("=")
        with np.errstate(over="ignore", invalid="ignore"):  # inf and nan are results
            loss = np.asarray(loss).astype(dtype, copy=False)
            if gradient is not None:
                gradient = gradient.astype(dtype, copy=False)
        if x.ndim == 1:
            loss = loss.reshape(())
            if gradient is not None:  # a view, which the backward pass would copy
                gradient = gradient.reshape(x.shape)
        return loss, gradient

    def checked(self, num_classes: int | None, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options as `solver` takes them, or say what is wrong with one."""
        checked = self._checked_once if are_constant(options) else self._checked
        return checked(num_classes, **options)

    def solver_for(self, dtype: str, num_classes: int, options: Mapping[str, Any]) -> Solver:
        """Return what solves problems with scores of a `dtype.char`, or say what is wrong."""
        solver = self._solver_once if are_constant(options) else self._solver
        return solver(dtype, num_classes, **options)

    def _solver(self, dtype: str, num_classes: int, **options: Any) -> Solver:
        return self.solver(dtype, num_classes, **self._checked(num_classes, **options))

    def _checked(self, num_classes: int | None, **options: Any) -> dict[str, Any]:
        for name in options:
            if name not in self.defaults:
                raise TypeError(f"{self.name}() has no option {name!r}; it has {[*self.defaults]}")
        return self.check(num_classes, **{**self.defaults, **options})

    def changed(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options that are not the default."""
        changed = {}
        for name, value in options.items():
            default = self.defaults[name]
            if value is not default and (type(value) is not type(default) or value != default):
                changed[name] = value
        return changed

    def of_arrays(
        self, x: Any, target: Any, reduction: Reduction, sample_weight: Any, **options: Any
    ) -> tuple[Array, Array]:
        """Return loss and gradient of what can be made an array."""
        scores = as_array("x", x)
        if scores.dtype.kind in "iu" and not isinstance(x, np.ndarray):
            scores = scores.astype(np.float64)
        options = self.changed(options)
        loss = self.compute(scores, target, reduction, sample_weight, options, True)
        return cast(tuple[Array, Array], loss)


def function_like(
    arrays: Callable[P, Any],
    call: Callable[[Any, Any, str, Any, Mapping[str, Any]], T],
    docstring: str | None,
    returns: str,
) -> Callable[P, T]:
    """Return a function of a loss with the name and the parameters of that of arrays.

    ``call`` gets x, target, reduction, sample weights and the options that are given.
    """

    def function(
        x: Any,
        target: Any,
        reduction: Reduction = "mean",
        *,
        sample_weight: Any = None,
        **options: Any,
    ) -> T:
        return call(x, target, reduction, sample_weight, options)

    function.__name__ = function.__qualname__ = arrays.__name__
    function.__module__ = call.__module__
    function.__doc__ = docstring
    signature = inspect.signature(arrays).replace(return_annotation=returns)
    function.__signature__ = signature  # type: ignore[attr-defined]
    return cast(Callable[P, T], function)


def labels_for(shape: tuple[int, ...], target: Any) -> Labels:
    """Return the labels of scores of the given shape, ``(N, C)`` or ``(C,)``."""
    if (known := plain_labels(target, shape)) is not None:
        return known
    if is_array_like(target):
        target = label_array("target", target)
        check_target(target, shape)
    return as_labels(target, shape, "target")
