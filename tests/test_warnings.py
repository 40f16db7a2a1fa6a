"""Warnings about labels point at the user's line, and come once for each line."""

import warnings
from pathlib import Path

import numpy as np
import pytest

import lucid
from lucid import nn

SCORES = np.zeros((2, 4), np.float32)
STRAY = [[0, -1, 3, -1], [1, -1, -1, -1]]
SECOND_ROW = [[1, -1, -1, -1], [0, -1, 3, -1]]


def calls():
    criterion = nn.MultilabelMarginLoss()
    return [
        lambda target: lucid.multilabel_margin(SCORES, target),
        lambda target: criterion(SCORES, target),
        lambda target: nn.functional.multilabel_margin_loss(SCORES, target),
        lambda target: lucid.metrics.one_error(SCORES, np.array(target)),
    ]


@pytest.mark.parametrize("call", calls())
def test_a_warning_points_at_the_line_that_called(call):
    with pytest.warns(UserWarning, match="row 0 is") as caught:
        call(STRAY)
    assert [w.filename for w in caught] == [__file__]


@pytest.mark.parametrize("call", calls())
def test_a_line_is_warned_about_once_whatever_the_row(call):
    with warnings.catch_warnings(record=True, action="always") as caught:
        for target in (STRAY, SECOND_ROW, STRAY):
            call(target)
    assert [str(w.message)[:5] for w in caught] == ["row 0"]


def test_a_folder_whose_name_only_begins_like_the_package_is_the_users():
    filename = str(Path(lucid.__file__).parent) + "_of_mine/train.py"
    code = compile("lucid.multilabel_margin(SCORES, STRAY)", filename, "exec")
    with pytest.warns(UserWarning, match="row 0 is") as caught:
        exec(code, {"lucid": lucid, "SCORES": SCORES, "STRAY": STRAY})
    assert [w.filename for w in caught] == [filename]


def test_another_line_is_warned_about_too():
    with warnings.catch_warnings(record=True, action="always") as caught:
        lucid.multilabel_margin(SCORES, STRAY)
        lucid.multilabel_margin(SCORES, SECOND_ROW)
    assert [str(w.message)[:5] for w in caught] == ["row 0", "row 1"]


@pytest.mark.filterwarnings("error")
def test_a_warning_can_be_an_error():
    with pytest.raises(UserWarning, match="row 0 is"):
        lucid.multilabel_margin(SCORES, STRAY)


@pytest.mark.parametrize("dtype", ["int64", "int32"])
def test_a_label_is_looked_for_right_behind_the_minus_one_whatever_the_dtype(dtype):
    with warnings.catch_warnings(record=True, action="always") as caught:
        lucid.multilabel_margin(SCORES, np.array([[0, -1, -1, 3], [1, -1, -1, -1]], dtype))
        lucid.multilabel_margin(SCORES, np.array([[0, 2, -1, 3], [1, -1, -1, -1]], dtype))
    assert [str(w.message)[:25] for w in caught] == ["row 0 is [ 0,  2, -1,  3]"]


def test_a_warning_from_a_module_of_torch_points_at_the_line_that_called():
    torch = pytest.importorskip("torch")
    from lucid.torch import MultilabelMarginLoss

    with warnings.catch_warnings(record=True, action="always") as caught:
        MultilabelMarginLoss()(torch.zeros(2, 4), torch.tensor(STRAY))
        MultilabelMarginLoss()(torch.zeros(2, 4), torch.tensor(SECOND_ROW))
    assert [(w.filename, str(w.message)[:5]) for w in caught] == [
        (__file__, "row 0"),
        (__file__, "row 1"),
    ]
