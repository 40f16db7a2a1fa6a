"""What the docstrings of the estimator's methods say alike: see `lucid.system.docstrings`."""

PARTS = {
    "X": """
X : array_like, DataFrame, scipy.sparse matrix or array
    Features, shape ``(N, F)``, finite.""",
    "y": """
y : array_like, DataFrame, scipy.sparse matrix or array, Labels, or list of collections
    Labels of the ``N`` rows; see the notes of the class.""",
    "sample_weight": """
sample_weight : array_like, optional
    How much each row counts, shape ``(N,)``, not negative.""",
    "self": """
MultilabelRanker
    The estimator itself.""",
}
