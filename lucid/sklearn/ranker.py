"""The estimator: what it is, and its parameters."""

from __future__ import annotations

from typing import Any

from lucid import nn
from lucid.sklearn.fitting import Fitting


class MultilabelRanker(Fitting):
    r"""A linear ranker, or one with a hidden layer, for scikit-learn.

    It scores every class so that a row's labels come first,

    .. math:: s(x) = W x + b \quad\text{or}\quad s(x) = W_2 \max(0, W_1 x + b_1) + b_2,

    trained with a loss that ranks, and then learns above which score a class is predicted.

    Parameters
    ----------
    loss : str or loss of lucid.nn, default 'margin'
        ``'margin'``, ``'squared-margin'``, ``'warp'``, ``'lsep'``, ``'zlpr'``, ``'bpmll'``,
        ``'soft-margin'``; or a loss with options of its own, such as
        ``nn.MultilabelMarginLoss(margin=0.5)`` or ``nn.LSEPLoss(per_label=True)``.
    hidden : int, default 0
        The width of the hidden layer; 0 for none.
    solver : {'sgd', 'adam', 'adamw', 'lbfgs'}, default 'sgd'
        An optimiser that takes a step for each mini-batch, ``'sgd'`` with a momentum of 0.9; or
        L-BFGS, which takes all rows at once and is for small data and smooth losses.
    learning_rate : float, optional
        By default one that suits the loss, the solver, the length of the rows, the number of
        classes and `hidden` (`lucid.training.learning_rate`). It falls to 0 in a straight line.
        L-BFGS needs none.
    weight_decay : float, default 0
        L2 regularisation: half of it times the sum of the squared weights, not of the biases, is
        added to the mean loss. In ``'adamw'`` the decay is decoupled.
    max_iter : int, optional
        Epochs, by default 15; or iterations of L-BFGS, by default at most 1000.
    batch_size : int, default 32
        Rows of a mini-batch.
    early_stopping : bool, default False
        Whether to hold rows out of the training, end it when their label ranking average precision
        has not improved for `n_iter_no_change` epochs, and go back to the best epoch. L-BFGS has
        no epochs.
    validation_fraction : float, default 0.1
        The share of rows that is held out.
    n_iter_no_change : int, default 5
        See `early_stopping`.
    threshold : float, optional
        A class with a higher score is predicted. By default it is learnt; see the notes. It may be
        set after the training, too.
    tol : float, default 1e-5
        L-BFGS ends where no element of the gradient is larger.
    threads : int, optional
        Threads of the kernels; by default those of `lucid.get_num_threads`. The result does not
        depend on it.
    random_state : int, RandomState or None, default None
        Of the order of the rows, of those that are held out, and of the first weights of a hidden
        layer.
    verbose : bool, default False
        Whether to print a line for each epoch.

    Attributes
    ----------
    classes_ : ndarray
        Shape ``(C,)``: what the classes are called.
    n_features_in_ : int
        The number of features ``F``.
    feature_names_in_ : ndarray
        Their names, where `X` was a DataFrame whose columns have names.
    n_iter_ : int
        The number of epochs, or of iterations of L-BFGS.
    model_ : lucid.training.Ranker
        The model, which ``model_.save(path)`` writes for ``lucid predict``. Its ``class_names`` are
        those of `classes_` as text: 10 and 10.0 are ``'10'``. It has none where classes have no
        names, as of a matrix without columns that have them, or of `lucid.Labels`.
    cut_ : callable
        From scores ``(N, C)`` to the thresholds of the rows ``(N, 1)``; None where ``threshold`` is
        given, and where each row has one label.
    history_ : lucid.training.History
        The mean loss of each epoch, and what was measured on the rows held out.

    Raises
    ------
    ImportError
        If scikit-learn, at least 1.6, is not installed; the extra ``[sklearn]`` brings it.

    See Also
    --------
    lucid.training.Trainer : The same training without scikit-learn.

    Notes
    -----
    **Features** are taken as they are, as all of scikit-learn does it: put a ``StandardScaler`` or
    ``MaxAbsScaler`` before it. Where one is over 100 times larger than the median one, or rows are
    shorter than 0.2 and no learning rate is given, `fit` warns. Sparse ones stay sparse.

    **Labels** are given as scikit-learn's multi-hot matrix (dense, a DataFrame with a column for
    each class, or sparse), as `lucid.Labels`, or as a list, tuple or set of names for each row. In
    a dense matrix of floats, NaN is an unknown entry, and so is NA in a DataFrame;
    ``y.where(y != -1)`` makes a mark one. Once classes have names, the columns of a DataFrame are
    known by theirs, in any order; no two may have the same one. One dimension is one label for each
    row, so that it is a binary or multi-class classifier. Predictions have the form that `fit` was
    given.

    **Threshold.** The loss of pairs knows only the order of a row's classes, so where to cut is
    learnt after the training, and changes no order: for each training row the cut of the best F1
    score is a target, and a row's threshold is a linear function of its five highest scores, by
    least squares [1]_. `decision_function` has it subtracted. On four data sets its micro F1 is
    well above that of one-versus-rest logistic regression, and within 0.02 of that of logistic
    regression with a tuned threshold: :doc:`/quality`. ``threshold=0.0`` is right for ``'zlpr'``
    and ``'soft-margin'``, whose scores have a sign that means it.

    **Same result.** With a `random_state`, the same bits come out for every number of threads.
    With ``solver='lbfgs'`` a weight of k is the same as k repetitions of the row; mini-batches are
    drawn by row, so that there it is so on average only.

    **Very many classes.** Where the last layer has 2\ :sup:`28` weights (1 GiB) or more, and the
    loss is one of pairs, the layer takes its step a few classes at a time, by
    `lucid.nn.functional.linear_multilabel_margin_step`: with SGD, a third less memory, the same
    results to rounding. It is not faster, and for smaller layers slower, so there it is not done.

    References
    ----------
    .. [1] A. Elisseeff and J. Weston, "A kernel method for multi-labelled classification", NIPS
       2001.

    Examples
    --------
    >>> from lucid.sklearn import MultilabelRanker
    >>> X = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 1.0]]
    >>> tags = [["cat"], ["dog", "grass"], ["grass"], ["cat", "grass"]]
    >>> ranker = MultilabelRanker(max_iter=50, random_state=0).fit(X, tags)
    >>> ranker.predict([[0.0, 1.0, 0.0]])
    [('dog', 'grass')]
    >>> best, scores = ranker.predict_topk([[1.0, 0.0, 0.0], [0.0, 0.0, 0.9]], k=2)
    >>> print(ranker.classes_[best])
    [['cat' 'grass']
     ['grass' 'cat']]
    >>> (scores > 0).tolist()
    [[True, False], [True, False]]
    """

    def __init__(
        self,
        loss: str | nn.Module = "margin",
        *,
        hidden: int = 0,
        solver: str = "sgd",
        learning_rate: float | None = None,
        weight_decay: float = 0.0,
        max_iter: int | None = None,
        batch_size: int = 32,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        threshold: float | None = None,
        tol: float = 1e-5,
        threads: int | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.loss = loss
        self.hidden = hidden
        self.solver = solver
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.threshold = threshold
        self.tol = tol
        self.threads = threads
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.input_tags.sparse = True
        return tags
