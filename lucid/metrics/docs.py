"""What the docstrings of the metrics say alike, written once: see `lucid.system.docstrings`."""

_ROWS = {
    "labels": """
labels : Labels or array_like
    ``N`` rows, in any form that the module's page names.""",
    "sample_weight": """
sample_weight : array_like, optional
    A weight for each row, shape ``(N,)``, not negative.""",
}

#: Of those that rank all classes.
ALL = _ROWS | {
    "scores": """
scores : array_like
    Shape ``(N, C)``, real numbers.""",
    "ties": """
ties : {'worst', 'expected'}, default 'worst'
    Among equal scores labels come last, or the value is the expectation over all orders.""",
    "raises": """
ValueError
    If a score is NaN, or the labels do not fit the scores.""",
}

#: Of those that look at the highest scores alone.
BEST = _ROWS | {
    "scores": """
scores : array_like, scipy.sparse matrix or array, or TopK
    Shape ``(N, C)``, real numbers; also a SciPy sparse matrix or `TopK`, where a class without
    a score is not predicted.""",
    "k": """
k : int
    From 1 to ``C``.""",
    "ties": """
ties : {'column', 'expected'}, default 'column'
    Among equal scores the lowest column is first, or the value is the expectation over all
    orders of them.""",
    "raises": """
ValueError
    If a score is NaN, the labels do not fit the scores, or `k` is out of range.""",
    "propensity_paper": """
H. Jain, Y. Prabhu, M. Varma, "Extreme multi-label loss functions for recommendation, tagging,
ranking & other missing label applications", KDD 2016, doi:10.1145/2939672.2939756.""",
}

#: The same where ties count as in the literature on gains.
GAINS = BEST | {"ties": BEST["ties"].replace("default 'column'", "default 'expected'")}
