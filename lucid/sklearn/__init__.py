"""A ranker in scikit-learn's manner, for its pipelines and searches."""

from lucid.system.listing import lists
from lucid.system.optional import require

require("sklearn", extra="sklearn", purpose="lucid.sklearn", project="scikit-learn")

from lucid.sklearn.ranker import MultilabelRanker  # noqa: E402  # with words of its own if missing

__all__ = ["MultilabelRanker"]

__dir__ = lists(__all__)
