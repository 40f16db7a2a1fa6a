"""More than one process: data-parallel training, and classes divided among processes."""

import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
if not torch.distributed.is_available():
    pytest.skip("this PyTorch has no torch.distributed", allow_module_level=True)

import distributed as script  # noqa: E402

import lucid.torch as lt  # noqa: E402

WORLDS = [1, 2, 3]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What three processes found, as one, as two and as three."""
    folder = tmp_path_factory.mktemp("processes")
    processes = [
        subprocess.Popen(
            [sys.executable, script.__file__, str(rank), str(folder)],
            cwd=folder,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(3)
    ]
    try:
        for process in processes:
            _, errors = process.communicate(timeout=240)
            assert process.returncode == 0, errors
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    files = {world: [folder / f"{rank}of{world}.pt" for rank in range(world)] for world in WORLDS}
    return {w: [torch.load(f, weights_only=False) for f in files[w]] for w in WORLDS}


def joined(found, world, *key):
    """The results of all processes: losses, which are alike, and the gradient of all classes."""
    of_each = [of["sharded"][key[0] if len(key) == 1 else key] for of in found[world]]
    losses, gradients, means = zip(*of_each, strict=True)
    for other in losses[1:]:
        assert torch.equal(other.nan_to_num(7), losses[0].nan_to_num(7))
    assert len({mean.item() for mean in means}) == 1 or means[0].isnan()
    return losses[0], torch.cat(gradients, 1), means[0]


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("kind", script.targets())
@pytest.mark.parametrize("case", script.CASES)
def test_the_loss_and_gradient_of_shards_are_the_whole_ones(found, case, kind, world):
    loss, options = script.CASES[case]
    expected = script.solve(getattr(lt, loss), script.scores(), script.targets()[kind], options)
    torch.testing.assert_close(joined(found, world, case, kind), expected)


@pytest.mark.parametrize("world", WORLDS)
def test_the_gradient_of_plain_pairs_has_the_same_bits_for_any_number_of_shards(found, world):
    gradients = [joined(found, w, "hinge", "unknown")[1] for w in (1, world)]
    assert torch.equal(*gradients)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("world", WORLDS)
def test_every_dtype(found, world, dtype):
    expected = script.solve(lt.warp_loss, script.scores(dtype), script.LABELS, {})
    torch.testing.assert_close(joined(found, world, dtype), expected)


@pytest.mark.parametrize("world", WORLDS)
def test_nan_and_infinities_reach_every_process(found, world):
    expected = script.solve(lt.multilabel_margin_loss, script.broken(), script.LABELS, {})
    assert expected[0].isnan().tolist() == [True] + 5 * [False]
    assert expected[0].isinf().nonzero().flatten().tolist() == [1, 3]
    torch.testing.assert_close(joined(found, world, "broken"), expected, equal_nan=True)


@pytest.mark.parametrize("world", WORLDS)
def test_shards_are_transformed_by_torch_func(found, world):
    def losses(x):
        return lt.multilabel_margin_loss(x, script.LABELS, "none")

    of_sum = torch.func.grad(lambda x: losses(x).sum())(script.scores())
    jacobian = torch.func.jacrev(losses)(script.scores())
    parts = [of["sharded"]["transformed"] for of in found[world]]
    torch.testing.assert_close(torch.cat([part[0] for part in parts], 1), of_sum)
    torch.testing.assert_close(torch.cat([part[1] for part in parts], 2), jacobian)
    assert all("vmap cannot be used with a sharded loss" in part[2] for part in parts)


@pytest.mark.parametrize("world", WORLDS)
def test_what_is_exchanged_does_not_grow_with_the_classes(found, world):
    labels = int(script.LABELS.lengths().sum())
    shapes, rows = 16 * world, 8 * script.N
    for of in found[world]:
        sizes = of["sharded"]["bytes"]
        for case in ("hinge", "weighted", "pairs", "warp"):
            assert sizes[case] == [shapes, 4 * labels, 4 * labels, rows]
        assert sizes["squares"] == [shapes, 4 * labels, 8 * labels, rows]


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("of_first", [0.0, 2.0])
@pytest.mark.parametrize("name", ["multilabel_margin_loss", "warp_loss"])
def test_a_row_that_weighs_nothing_has_the_whole_ones_gradient(name, of_first, reduction):
    results = []
    for prefix in ("", "sharded_"):
        x = torch.tensor([[0.0, 1, 2], [torch.nan, 0, 0]], requires_grad=True)
        weights = torch.tensor([of_first, 0])
        options = {"reduction": reduction, "sample_weight": weights}
        loss = getattr(lt, prefix + name)(x, [[0], [1]], **options)
        loss.sum().backward()
        results.append((loss.detach(), x.grad))
    assert not results[0][1][1].any()
    torch.testing.assert_close(*results, equal_nan=True)


def test_the_mean_over_no_rows_is_nan():
    assert lt.sharded_multilabel_margin_loss(torch.zeros(0, 3), []).isnan()


@pytest.mark.parametrize("world", WORLDS)
def test_mistakes_are_errors_in_every_process(found, world):
    for of in found[world]:
        rows, label = of["sharded"]["errors"]
        assert "label 13 in row 0" in label
        if world > 1:
            assert "local_scores must have the same rows in every process" in rows


@pytest.mark.parametrize("world", [2, 3])
def test_data_parallel_training_gives_the_weights_of_one_process(found, world):
    expected = script.trained(0, 1)
    for of in found[world]:
        torch.testing.assert_close(of["trained"], expected)


@pytest.mark.parametrize("example", ["torch_data_parallel.py", "torch_sharded_classes.py"])
def test_the_examples_run_under_torchrun(example, tmp_path):
    small = {
        "torch_data_parallel.py": ["--rows", "100", "--epochs", "2"],
        "torch_sharded_classes.py": ["--classes", "2001", "--steps", "20"],
    }
    script_file = Path(__file__).parents[1] / "examples" / example
    run = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"),
            *(str(script_file), *small[example]),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=240,
    )
    assert run.returncode == 0, run.stderr
    before, after = (
        float(line.split()[-1]) for line in run.stdout.splitlines() if line.startswith("loss")
    )
    assert after < before / 2
