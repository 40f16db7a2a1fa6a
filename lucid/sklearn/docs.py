"""What the docstrings of the estimator's methods say alike: see `lucid.system.docstrings`."""

PARTS = {
    "X": """
X : array_like, DataFrame, scipy.sparse matrix or array
    Features, shape ``(N, F)``, finite.""",
    "y": """
y : array_like, DataFrame, scipy.sparse matrix or array, Labels, or list of collections
    Labels of the ``N`` rows; see the notes of the class. As in scikit-learn, lists of one length
    that hold only 0 and 1 are a multi-hot matrix; sets say that 0 and 1 are classes.""",
    "sample_weight": """
sample_weight : array_like, optional
    How much each row counts, shape ``(N,)``, not negative.""",
    "self": """
MultilabelRanker
    The estimator itself.""",
}
