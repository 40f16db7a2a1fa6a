"""The `lucid` command: what it trains, what it saves and says, and how it stops."""

import gzip
import json
import math
import os
import signal
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import lucid
from lucid import cli, metrics
from lucid.cli import data, model, training
from lucid.cli.errors import UsageError
from lucid.io import Dataset, load_checkpoint

for package in ("rich", "safetensors", "matplotlib", "threadpoolctl"):
    pytest.importorskip(package)
sparse = pytest.importorskip("scipy.sparse")


@pytest.fixture(autouse=True)
def _as_in_the_command():
    with training.one_blas_thread():
        yield


def write_xmc(path, dataset):
    features = dataset.features
    lines = ["{} {} {}".format(*features.shape, dataset.labels.num_classes)]
    for i, labels in enumerate(dataset.labels):
        start, stop = features.indptr[i], features.indptr[i + 1]
        stored = zip(features.indices[start:stop], features.data[start:stop], strict=True)
        lines.append(" ".join([",".join(map(str, labels)), *(f"{j}:{v}" for j, v in stored)]))
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return str(path)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A training file and a test file of the same small problem."""
    folder = tmp_path_factory.mktemp("data")
    whole = data.generate(seed=1, rows=300, num_features=30, num_classes=8)
    split = data.hold_out(whole, seed=1, origin="")
    return write_xmc(folder / "train.gz", split.train), write_xmc(folder / "test.gz", split.test)


def train_model(settings, split, hidden=0):
    lucid.manual_seed(settings.seed)
    ranker = model.Ranker(*data.sizes(split.train), hidden)
    ranker.fit_scaling(split.train.features)
    for _ in training.train(ranker, split.train, settings):
        pass
    return ranker


# Training.


@pytest.mark.parametrize("hidden", [0, 16])
@pytest.mark.parametrize("loss", ["margin", "soft-margin"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_training_is_that_of_pytorch(files, loss, optimizer, hidden):
    torch = pytest.importorskip("torch")
    split = data.load(*files, seed=0)
    settings = training.Settings(loss=loss, optimizer=optimizer, epochs=2)

    lucid.manual_seed(0)
    ranker = model.Ranker(*data.sizes(split.train), hidden)
    ranker.fit_scaling(split.train.features)
    layers = [m for m in ranker.modules() if isinstance(m, lucid.nn.Linear)]
    theirs = []
    for layer in layers:
        theirs += [torch.nn.Linear(layer.in_features, layer.out_features), torch.nn.ReLU()]
        theirs[-2].weight.data = torch.tensor(layer.weight.detach().numpy().copy())
        theirs[-2].bias.data = torch.tensor(layer.bias.detach().numpy().copy())
    net = torch.nn.Sequential(*theirs[:-1])
    make = {
        "sgd": partial(torch.optim.SGD, momentum=training.MOMENTUM),
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
    }[optimizer]
    steps = make(net.parameters(), lr=training.LEARNING_RATES[loss][optimizer])

    center, scale = ranker.center.detach().numpy(), ranker.scale.detach().numpy()
    x = torch.tensor(((split.train.features.toarray() - center) / scale).astype(np.float32))
    width = split.train.labels.num_classes
    padded = torch.tensor(split.train.labels.to_padded(width))
    multi_hot = torch.tensor(split.train.labels.to_multi_hot().astype(np.float32))
    rng = np.random.default_rng(settings.seed)
    their_losses = []
    for _ in range(settings.epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x), settings.batch_size):
            rows = order[start : start + settings.batch_size]
            if loss == "margin":
                value = torch.nn.functional.multilabel_margin_loss(net(x[rows]), padded[rows])
            else:
                value = torch.nn.functional.multilabel_soft_margin_loss(
                    net(x[rows]), multi_hot[rows]
                )
            steps.zero_grad()
            value.backward()
            steps.step()
            their_losses.append(value.item())

    our_losses = [step.loss for step in training.train(ranker, split.train, settings)]
    assert our_losses == pytest.approx(their_losses, rel=1e-3)


@pytest.mark.parametrize("loss", training.LOSSES)
@pytest.mark.parametrize(("optimizer", "hidden"), [("sgd", 0), ("sgd", 32), ("adam", 0)])
def test_defaults_train_well(loss, optimizer, hidden):
    split = data.load(None, None, seed=3)
    ranker = train_model(training.Settings(loss=loss, optimizer=optimizer), split, hidden)
    assert training.evaluate(ranker, split.test)["ranking loss"] < 0.15


def test_a_loss_that_is_no_longer_finite_stops_the_training(files):
    split = data.load(*files, seed=0)
    with (
        np.errstate(all="ignore"),
        pytest.raises(FloatingPointError, match=r"the loss became .* in epoch 1; a smaller --"),
    ):
        train_model(training.Settings(lr=1e39), split)


# Scaling.


def fitted(features, num_classes=2):
    ranker = model.Ranker(features.shape[1], num_classes)
    ranker.fit_scaling(features)
    return ranker


def column(values, dtype=np.float64):
    return sparse.csr_array(np.array(values, dtype=dtype)[:, np.newaxis])


def scaled(ranker, features):
    """Return scaled features as a list of rows, whichever form they come in."""
    return sparse.coo_array(ranker.scaled(features)).toarray().tolist()


def test_mostly_nonzero_features_are_centred_and_others_keep_their_zeros():
    ranker = fitted(sparse.csr_array([[-60.0, 0, 5], [-62.0, 0, 5], [-64.0, 4, 5]]))
    assert ranker.center.tolist() == [-62, 0, 5]
    assert ranker.scale.tolist() == [4, 4, math.inf]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [1.7e9, 0.1, -1e30, 1e-30, 3e38])
def test_the_mean_of_a_constant_feature_is_the_constant(value, dtype):
    features = column([value] * 1001, dtype)
    assert fitted(features).center.tolist() == features.data[:1].tolist()


@given(st.lists(st.floats(-1e308, 1e308), min_size=1, max_size=50))
def test_a_mean_is_never_outside_of_what_it_is_the_mean_of(values):
    assume(max(values) - min(values) < math.inf)
    center = fitted(column(values)).center.item()
    assert center == 0 or min(values) <= center <= max(values)


@pytest.mark.parametrize("constant", [0.0, 1.0, 1.7e9, -1e30])
@pytest.mark.parametrize("later", [0.0, 5.0, 1e30])
def test_a_feature_that_does_not_vary_is_zero_also_where_it_varies_after_all(constant, later):
    assert scaled(fitted(column([constant] * 7)), column([later])) == [[0]]


def test_training_is_the_same_with_and_without_a_feature_that_does_not_vary(files):
    plain = data.load(*files, seed=0)
    rows, width = plain.train.features.shape
    constant = sparse.csr_array(np.full((rows, 1), 1.7e9))
    more = Dataset(sparse.hstack([plain.train.features, constant], "csr"), plain.train.labels)
    lucid.manual_seed(0)
    rankers = model.Ranker(width, 8), model.Ranker(width + 1, 8)
    weight, bias = (part.numpy() for part in rankers[1].net.state_dict().values())
    rankers[0].net.load_state_dict({"weight": weight[:, :width], "bias": bias})
    losses = []
    for ranker, dataset in zip(rankers, (plain.train, more), strict=True):
        ranker.fit_scaling(dataset.features)
        steps = training.train(ranker, dataset, training.Settings(epochs=3))
        losses.append([step.loss for step in steps])
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_time_stamps_are_told_apart():
    seconds = column(1.7e9 + np.arange(5))
    assert scaled(fitted(seconds), seconds) == [[-0.5], [-0.25], [0], [0.25], [0.5]]


def test_time_stamps_of_a_file_are_told_apart(tmp_path):
    lines = [f"{k % 2} 0:{1_700_000_000 + k}" for k in range(4)]
    (tmp_path / "stamps.txt").write_text("\n".join(["4 1 2", *lines]))
    features = data.read_nonempty(tmp_path / "stamps.txt").features
    assert features.toarray().ravel().tolist() == [1.7e9 + k for k in range(4)]


def test_a_range_beyond_float32_is_a_range():
    features = column([3e38, -3e38], np.float32)
    assert scaled(fitted(features), features) == [[0.5], [-0.5]]


def test_a_range_beyond_float64_is_named():
    with pytest.raises(UsageError, match=r"feature 0 is from -1e\+308 to 1e\+308: too far apart"):
        fitted(column([1e308, -1e308]))


def test_a_feature_of_one_row_keeps_its_zeros():
    features = column([0, 0, 0, -8e5, 0])
    assert scaled(fitted(features), features) == [[0], [0], [0], [-1], [0]]


def test_features_that_are_stored_in_parts_or_as_zeros_are_scaled_as_others():
    parts = sparse.csr_array(
        (np.array([1.0, 2.0, 0.0, 5.0]), np.array([0, 0, 0, 0]), np.array([0, 2, 3, 4])), (3, 1)
    )
    plain = column([3.0, 0.0, 5.0])
    assert scaled(fitted(parts), parts) == scaled(fitted(plain), plain)


# Scores.

ROWS = np.array([[0.5, 0.0, 1.0], [0.0, 2.0, 0.0]])


@pytest.mark.parametrize(
    "form",
    [
        np.asarray,
        np.float32,
        np.ndarray.tolist,
        np.asfortranarray,
        lucid.tensor,
        lambda x: (2 * x).astype(np.int8) / 2,
        *(getattr(sparse, f"{name}_array") for name in ("csr", "csc", "coo", "lil")),
        sparse.csr_matrix,
    ],
)
def test_scores_take_features_in_every_form(form):
    ranker = fitted(sparse.csr_array([[-60.0, 0, 5], [-62.0, 0, 5], [-64.0, 4, 6]]))
    expected = ranker.scores(sparse.csr_array(ROWS))
    np.testing.assert_allclose(ranker.scores(form(ROWS)), expected, rtol=1e-6)


@pytest.mark.parametrize("form", [np.asarray, sparse.coo_array])
def test_scores_leave_the_features_as_they_are(form):
    features = form(ROWS)
    fitted(sparse.csr_array(ROWS)).scores(features)
    assert np.array_equal(sparse.coo_array(features).toarray(), ROWS)


def test_scores_do_not_look_at_what_comes_after_the_last_entry():
    ranker, features = fitted(sparse.csr_array(ROWS)), sparse.csr_array(ROWS)
    expected = ranker.scores(features)
    features.indices = np.append(features.indices, [99, -1]).astype(np.int32)
    features.data = np.append(features.data, np.nan)
    assert np.array_equal(ranker.scores(features), expected)


@pytest.mark.parametrize(
    ("features", "error", "message"),
    [
        (np.ones((5, 4)), ValueError, r"shape \(N, 3\), .*, got \(5, 4\)$"),
        (sparse.csr_array((5, 2)), ValueError, r"shape \(N, 3\), .*, got \(5, 2\)$"),
        (np.ones(3), ValueError, r"got \(3,\); one row is features\[np\.newaxis\]"),
        (1.0, ValueError, r"got \(\)"),
        ([[1.0], [1.0, 2.0]], ValueError, "features must have rows of one length"),
        ([["a", "b", "c"]], TypeError, "features must hold real numbers, got <U1"),
        (np.ones((1, 3), complex), TypeError, "features must hold real numbers, got complex128"),
        ([[1.0, np.nan, 0.0]], ValueError, "features must be finite"),
        (sparse.csr_array([[np.inf, 0.0, 0.0]]), ValueError, "features must be finite"),
    ],
)
def test_what_is_not_features_is_refused_in_words(features, error, message):
    with pytest.raises(error, match=message):
        model.Ranker(3, 2).scores(features)


def test_metrics_over_parts_are_those_of_all_rows(files, monkeypatch):
    split = data.load(*files, seed=0)
    ranker = model.Ranker(*data.sizes(split.test))
    scores, labels = ranker.scores(split.test.features), split.test.labels
    monkeypatch.setattr(training, "EVALUATION_ROWS", 7)
    values = training.evaluate(ranker, split.test)
    expected = {name: metric(scores, labels) for name, metric in training.METRICS.items()}
    expected |= {f"P@{k}": metrics.precision_at_k(scores, labels, k) for k in (1, 3, 5)}
    assert values == pytest.approx(expected, rel=1e-12)


def test_precision_is_shown_only_as_far_as_there_are_classes():
    made = data.generate(seed=0, rows=20, num_features=4, num_classes=4)
    assert [name for name in training.evaluate(model.Ranker(4, 4), made) if "@" in name] == [
        "P@1",
        "P@3",
    ]


# Data.


def test_the_same_seed_makes_the_same_data():
    first, again, other = (data.generate(seed, rows=50) for seed in (4, 4, 5))
    assert np.array_equal(first.features.toarray(), again.features.toarray())
    assert first.labels == again.labels
    assert first.labels != other.labels


def test_rows_held_out_are_not_trained_on():
    made = data.generate(seed=0, rows=50)
    split = data.hold_out(made, seed=0, origin="")
    rows = np.concatenate([split.train.features.toarray(), split.test.features.toarray()])
    assert len(split.test) == 10
    assert sorted(map(tuple, rows)) == sorted(map(tuple, made.features.toarray()))


# The command.


def test_a_saved_model_is_evaluated_to_the_same_table(files, tmp_path, capsys):
    saved = str(tmp_path / "m.safetensors")
    train_file, test_file = files
    assert (
        cli.main(["train", train_file, "--test", test_file, "--epochs", "2", "--save", saved]) == 0
    )
    trained = capsys.readouterr().out
    assert cli.main(["evaluate", saved, test_file]) == 0
    table = capsys.readouterr().out
    assert "ranking loss" in table
    assert trained.endswith(table)


def test_without_a_file_the_command_says_that_data_is_made(capsys):
    assert cli.main(["train", "--epochs", "1", "--seed", "7"]) == 0
    assert "no FILE given, so made from seed 7" in capsys.readouterr().out


@pytest.mark.parametrize("hidden", ["0", "8"])
def test_the_model_is_the_same_for_every_number_of_threads(files, tmp_path, hidden):
    saved = [tmp_path / f"{threads}.safetensors" for threads in (1, 2, 3)]
    for threads, path in enumerate(saved, start=1):
        options = ["--threads", str(threads), "--save", str(path), "--hidden", hidden]
        assert cli.main(["train", files[0], "--epochs", "2", *options]) == 0
    assert len({path.read_bytes() for path in saved}) == 1


def test_another_seed_gives_another_model(files, tmp_path):
    saved = [tmp_path / "1.safetensors", tmp_path / "2.safetensors"]
    for seed, path in enumerate(saved):
        cli.main(["train", files[0], "--epochs", "1", "--seed", str(seed), "--save", str(path)])
    assert saved[0].read_bytes() != saved[1].read_bytes()


def test_the_plot_is_an_svg_file(files, tmp_path):
    drawn = tmp_path / "p.svg"
    assert cli.main(["train", files[0], "--epochs", "2", "--plot", str(drawn)]) == 0
    assert "<svg" in drawn.read_text()


def test_a_plot_takes_the_ranking_loss_alone_after_an_epoch(files, tmp_path, monkeypatch):
    asked, real = [], training.evaluate

    def evaluate(*arguments):
        tested = real(*arguments)
        asked.append([*tested])
        return tested

    monkeypatch.setattr(training, "evaluate", evaluate)
    cli.main(["train", files[0], "--epochs", "2", "--plot", str(tmp_path / "p.svg")])
    assert asked[:2] == [["ranking loss"]] * 2
    assert len(asked[2]) > 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "{folder}/none.txt"], "none.txt: No such file or directory"),
        (["train", "{folder}/bad.txt"], "bad.txt:2: label out of range 0 .. 1: '7'"),
        (["train", "{folder}/empty.txt"], "empty.txt:1: the file is empty"),
        (["train", "{folder}/norow.txt"], "norow.txt:1: the file holds no row"),
        (["train", "{folder}/one.txt"], "too few rows to hold some out for a test; give --test"),
        (["train", "--test", "{folder}/one.txt"], "--test needs a FILE to train on"),
        (["train", "{train}", "--test", "{folder}/one.txt"], "its header says (1, 1) (features, l"),
        (["train", "{train}", "--save", "{folder}/no/m"], "no/m: there is no such folder"),
        (["train", "{train}", "--save", "{folder}"], "--save wants a regular file"),
        (["train", "{train}", "--save", "/dev/null"], "--save wants a regular file"),
        (["train", "{train}", "--save", "{train}"], "--save would overwrite the data"),
        (["train", "{train}", "--test", "{test}", "--plot", "{test}"], "--plot would overwrite"),
        (
            ["train", "{train}", "--save", "p.svg", "--plot", "p.svg"],
            "--plot would overwrite the m",
        ),
        (["train", "{train}", "--plot", "{folder}/p.xyz"], "p.xyz: the ending must be one of"),
        (["train", "{train}", "--threads", "99999"], "--threads: n must be from 1 to 1024"),
        (["train", "{train}", "--lr", "1e39"], "a smaller --lr may help"),
        (["train", "{train}", "--hidden", "9" * 18], "out of memory: array is too big"),
        (["train", "{train}", "--hidden", "9" * 20], "out of memory: Maximum allowed dimension"),
        (["evaluate", "{folder}/bad.txt", "{train}"], "bad.txt: not a whole safetensors file"),
        (["evaluate", "{folder}/m.safetensors", "{folder}/one.txt"], "the model has (3, 2)"),
        (["evaluate", "{folder}/foreign.safetensors", "{train}"], "not a model that"),
        (["evaluate", "{folder}/m.safetensors", "{folder}/bare.txt"], "bare.txt: no row has a lab"),
        (["evaluate", "{folder}/m.safetensors", "{folder}/full.txt"], "full.txt: each row has all"),
        (["train", "{folder}/bare.txt"], "bare.txt: no row has a label"),
        (["train", "{folder}/few.txt"], "few.txt, a random 20% held out (--test FILE takes anoth"),
        (["train", "{folder}/few.txt", "--test", "{folder}/bare.txt"], "bare.txt: no row has a l"),
        (["train", "{folder}/bare.txt", "--test", "{folder}/few.txt"], "bare.txt: no row has a l"),
        (["train", "{folder}/far.txt"], "feature 1 is from -1e+308 to 1e+308: too far apart to"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(files, tmp_path, capsys, arguments, message):
    (tmp_path / "bad.txt").write_text("1 2 2\n7 0:1\n")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "norow.txt").write_text("0 2 2\n")
    (tmp_path / "one.txt").write_text("1 1 1\n0 0:1\n")
    (tmp_path / "bare.txt").write_text("9 3 2\n" + " 0:1\n" * 9)
    (tmp_path / "full.txt").write_text("2 3 2\n0,1 0:1\n 0:1\n")
    (tmp_path / "few.txt").write_text("9 3 2\n0 0:1\n" + "0,1 0:1\n" * 8)
    (tmp_path / "far.txt").write_text("9 3 2\n" + "0 1:1e308\n" * 5 + "1 1:-1e308\n" * 4)
    model.save(tmp_path / "m.safetensors", model.Ranker(3, 2))
    lucid.io.save_checkpoint(tmp_path / "foreign.safetensors", {"w": np.ones(2)})
    places = {"folder": tmp_path, "train": files[0], "test": files[1]}
    assert cli.main([argument.format(**places) for argument in arguments]) == 2
    errors = capsys.readouterr().err.strip().splitlines()
    assert errors[-1].startswith("lucid: ")
    assert message in errors[-1]
    assert "Traceback" not in "".join(errors)


def test_a_model_that_the_last_step_broke_is_not_saved(files, tmp_path, capsys):
    saved = tmp_path / "m.safetensors"
    saved.write_text("the old model")
    options = ["--epochs", "1", "--batch-size", "1000000", "--lr", "1e300", "--save", str(saved)]
    assert cli.main(["train", files[0], *options]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("lucid: the last step broke the mod")
    assert saved.read_text() == "the old model"


@pytest.mark.parametrize(("part", "value"), [("net.weight", np.nan), ("scale", 0.0)])
def test_a_broken_model_is_one_line(files, tmp_path, capsys, part, value):
    saved = tmp_path / "m.safetensors"
    ranker = model.Ranker(*data.sizes(lucid.io.read_xmc(files[1])))
    shape = ranker.state_dict()[part].shape
    ranker.load_state_dict({part: np.full(shape, value)}, strict=False)
    model.save(saved, ranker)
    assert cli.main(["evaluate", str(saved), files[1]]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lucid: the model scores a test row with NaN")


def test_a_models_sizes_are_looked_at_before_memory_is_asked_for(tmp_path):
    path = tmp_path / "m.safetensors"
    for hidden in (0, 3):
        model.save(path, model.Ranker(6, 5, hidden))
        assert model.load(path).hidden == hidden
    arrays, _ = lucid.io.load_checkpoint(path)
    for sizes in ({"num_features": 10**9}, {"num_classes": 10**9}, {"hidden": 10**9}):
        sizes = {"num_features": 6, "num_classes": 5, "hidden": 3, **sizes}
        lucid.io.save_checkpoint(path, arrays, {"lucid ranker": json.dumps(sizes)})
        with pytest.raises(lucid.io.DataFileError, match="do not fit together: the sizes are"):
            model.load(path)


@pytest.mark.parametrize("size", [10**400, -6, 0, True, 6.0, "6", None])
def test_a_models_sizes_must_be_counts(tmp_path, size):
    path = tmp_path / "m.safetensors"
    model.save(path, model.Ranker(1, 5))
    sizes = {"num_features": size, "num_classes": 5, "hidden": 0}
    lucid.io.save_checkpoint(
        path, lucid.io.load_checkpoint(path)[0], {"lucid ranker": json.dumps(sizes)}
    )
    with pytest.raises(lucid.io.DataFileError, match=r"m\.safetensors: .* do not fit together"):
        model.load(path)


def test_a_hidden_layer_is_not_made_beside_a_layer_that_is_never_used(monkeypatch):
    made, real = [], lucid.nn.Linear.__init__

    def count(self, *sizes):
        made.append(sizes)
        real(self, *sizes)

    monkeypatch.setattr(lucid.nn.Linear, "__init__", count)
    model.Ranker(6, 5, hidden=3)
    assert made == [(6, 3), (3, 5)]


def test_a_plot_that_fails_leaves_the_old_one(files, tmp_path, monkeypatch, capsys):
    def fail(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    drawn = tmp_path / "p.svg"
    drawn.write_text("the old picture")
    assert cli.main(["train", files[0], "--epochs", "1", "--plot", str(drawn)]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"lucid: {drawn}: No space left on device"
    assert drawn.read_text() == "the old picture"
    assert os.listdir(tmp_path) == ["p.svg"]


def test_a_folder_that_cannot_be_written_is_found_before_training(
    files, tmp_path, monkeypatch, capsys
):
    def refuse(**options):
        raise PermissionError(13, "Permission denied", "draft")

    monkeypatch.setattr(cli.tempfile, "TemporaryFile", refuse)
    assert cli.main(["train", files[0], "--save", str(tmp_path / "m")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "its folder cannot be written: Permission denied" in captured.err


def test_a_file_name_that_is_too_long_is_found_before_training(files, tmp_path, capsys):
    assert cli.main(["train", files[0], "--save", str(tmp_path / ("b" * 999))]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.endswith("File name too long\n")


def test_a_save_that_fails_late_still_shows_the_metrics_and_names_the_users_path(
    files, tmp_path, monkeypatch, capsys
):
    def fail(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    saved = str(tmp_path / "m.safetensors")
    assert cli.main(["train", files[0], "--epochs", "1", "--save", saved]) == 2
    captured = capsys.readouterr()
    assert "ranking loss" in captured.out
    assert captured.err.splitlines()[-1] == f"lucid: {saved}: No space left on device"


def test_too_little_memory_is_one_line(files, monkeypatch, capsys):
    def fail(*arguments):
        raise MemoryError("Unable to allocate 9 TiB")

    monkeypatch.setattr(data, "load", fail)
    assert cli.main(["train", files[0]]) == 2
    assert capsys.readouterr().err == "lucid: out of memory: Unable to allocate 9 TiB\n"


# Standard output.

command = [sys.executable, "-P", "-c", "from lucid.cli import main; raise SystemExit(main())"]


def test_a_closed_standard_output_is_no_error(files, tmp_path):
    saved = str(tmp_path / "m.safetensors")
    for arguments in (["train", files[0], "--epochs", "1", "--save", saved], ["evaluate", saved]):
        arguments += files[1:] if arguments[0] == "evaluate" else []
        ended = subprocess.run(
            ["sh", "-c", 'exec "$@" >&-', "sh", *command, *arguments], stderr=subprocess.PIPE
        )
        assert ended.returncode == 0
        assert b"Traceback" not in ended.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's full device")
def test_a_full_standard_output_is_named(files):
    with open("/dev/full", "wb") as out:
        ended = subprocess.run(
            [*command, "train", files[0], "--epochs", "1"], stdout=out, stderr=subprocess.PIPE
        )
    assert ended.returncode == 2
    last = ended.stderr.decode().splitlines()[-1]
    assert last == "lucid: standard output: No space left on device"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere file names are text")
def test_file_names_need_not_be_text(files, tmp_path):
    data_file, saved = os.fsencode(tmp_path) + b"/\xfe.gz", os.fsencode(tmp_path) + b"/\xff.st"
    with open(files[0], "rb") as source, open(data_file, "wb") as copy:
        copy.write(source.read())
    strict = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    options = ["--epochs", "1", "--save", saved]
    for arguments in (["train", data_file, *options], ["evaluate", saved, data_file]):
        ended = subprocess.run([*command, *arguments], env=strict, capture_output=True)
        assert ended.returncode == 0
        assert b"ranking loss" in ended.stdout


def test_a_reader_that_leaves_ends_the_command_quietly(files):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as out:
        ended = subprocess.run(
            [*command, "train", files[0], "--epochs", "1"], stdout=out, stderr=subprocess.PIPE
        )
    assert ended.returncode in (1, 2)  # 1 when it is rich that finds nobody reading
    assert b"Broken pipe" not in ended.stderr
    assert b"Traceback" not in ended.stderr


# Options.


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["train", ""], "FILE"),
        (["train", "--test", ""], "--test"),
        (["train", "--save", ""], "--save"),
        (["train", "--plot", ""], "--plot"),
        (["evaluate", "", "data.txt"], "MODEL"),
        (["evaluate", "model", ""], "FILE"),
    ],
)
def test_an_empty_file_name_is_refused_by_name(arguments, name, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2
    message = f"argument {name}: expected a file name, got an empty one"
    assert capsys.readouterr().err.strip().endswith(message)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--lr=abc", "argument --lr: 'abc' is not a number"),
        ("--epochs=2.5", "argument --epochs: '2.5' is not a whole number"),
        ("--seed=x", "argument --seed: 'x' is not a whole number"),
    ],
)
def test_options_that_are_no_numbers_are_refused_in_words(option, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["train", option])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_the_version_is_the_packages(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"lucid {lucid.__version__}\n"


@pytest.mark.parametrize("option", ["--epochs=0", "--lr=-1", "--lr=nan", "--hidden=-1", "--loss=l"])
def test_options_out_of_range_are_refused_by_name(option, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["train", option])
    assert stopped.value.code == 2
    assert option.partition("=")[0] in capsys.readouterr().err


# Ctrl-C.


def interrupted_after(steps):
    """A training in which Ctrl-C is pressed once, after so many steps."""
    real = training.train

    def train(*arguments):
        for count, step in enumerate(real(*arguments), start=1):
            if count == steps:
                signal.raise_signal(signal.SIGINT)
            yield step

    return train


def test_ctrl_c_stops_after_the_step_and_saves_the_model(files, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(training, "train", interrupted_after(10))
    saved, drawn = tmp_path / "m.safetensors", tmp_path / "p.svg"
    options = ["--save", str(saved), "--plot", str(drawn), "--epochs", "99"]
    assert cli.main(["train", files[0], *options]) == 130
    assert set(load_checkpoint(saved)[0]) == {"center", "scale", "net.weight", "net.bias"}
    assert drawn.exists()
    out = capsys.readouterr().out
    assert "of 99 epochs" in out
    assert "ranking loss" in out


def test_ctrl_c_works_as_before_after_the_command(files, monkeypatch):
    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(training, "train", interrupted_after(1))
    cli.main(["train", files[0]])
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_ends_the_command_at_once(files, monkeypatch):
    def train(*arguments):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        yield pytest.fail("the training went on")

    monkeypatch.setattr(training, "train", train)
    assert cli.main(["train", files[0]]) == 130


# A missing extra.


@pytest.mark.parametrize("package", ["rich.progress", "safetensors.numpy", "matplotlib.figure"])
def test_a_missing_package_is_named_with_what_to_install(
    files, tmp_path, monkeypatch, capsys, package
):
    import importlib

    real = importlib.import_module

    def without(name, *rest):
        if name == package:
            raise ModuleNotFoundError(name=name)
        return real(name, *rest)

    monkeypatch.setattr("lucid.system.optional.importlib.import_module", without)
    outputs = ["--save", str(tmp_path / "m"), "--plot", str(tmp_path / "p.svg")]
    assert cli.main(["train", files[0], "--epochs", "1", *outputs]) == 2
    install = f"pip install {package.partition('.')[0]}, or '.[cli]' in a clone"
    assert install in capsys.readouterr().err
