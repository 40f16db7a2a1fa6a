"""Threads of `lucid.torch`: as many as PyTorch has, and none in a forked process."""

import pytest

import lucid
from lucid.losses.margin import MARGIN
from lucid.system import threads

torch = pytest.importorskip("torch")

from lucid.torch import multilabel_margin_loss  # noqa: E402


@pytest.mark.parametrize("traced", [False, True])
def test_there_are_as_many_threads_as_in_torch(monkeypatch, traced):
    compute, seen = MARGIN.compute, []

    def spy(*args):
        seen.append(threads.get_num_threads())
        return compute(*args)

    monkeypatch.setattr(MARGIN, "compute", spy)
    lucid.set_num_threads(2)
    before = torch.get_num_threads()
    loss = torch.func.vmap(multilabel_margin_loss) if traced else multilabel_margin_loss
    shape = (2, 3, 20_000) if traced else (3, 20_000)  # fewer scores are always for one thread
    try:
        for n in (3, 1):
            torch.set_num_threads(n)
            seen.clear()
            loss(torch.zeros(shape), torch.zeros((*shape[:-1], 1), dtype=torch.int64))
            assert set(seen) == {n}
    finally:
        torch.set_num_threads(before)
    assert lucid.get_num_threads() == 2


WORKERS = """
import torch
from torch.utils.data import DataLoader, Dataset
from lucid.torch import multilabel_margin_loss

torch.set_num_threads(2)
x, target = torch.randn(64, 20_000), torch.randint(20_000, (64, 5))

class Losses(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, n):
        return multilabel_margin_loss(x[n : n + 8], target[n : n + 8], "none")

expected = torch.stack([Losses()[n] for n in range(8)])
multilabel_margin_loss(x, target)  # on both threads
workers = DataLoader(Losses(), batch_size=4, num_workers=2, multiprocessing_context="fork")
assert torch.equal(torch.cat(list(workers)), expected)
print("done")
"""


def test_workers_that_are_forked_after_a_parallel_call_do_not_hang(fresh_python):
    run = fresh_python(WORKERS, OMP_NUM_THREADS="2")
    assert run.stdout == "done\n", run.stderr
