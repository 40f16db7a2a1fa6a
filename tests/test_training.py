"""Training: what a step does, how it goes on where it was, and when it ends."""

import copy
import itertools
import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import lucid
from lucid import metrics, nn, optim
from lucid.io import Dataset, stream_svmlight, stream_xmc, write_svmlight, write_xmc
from lucid.labels import Labels
from lucid.training import (
    LOSSES,
    OPTIMIZERS,
    RANKING_LOSS,
    Checkpoints,
    Diverged,
    EarlyStopping,
    Epoch,
    Ranker,
    Trainer,
    Validation,
    evaluate,
    learning_rate,
    linear_decay,
    load_training,
    make_loss,
    make_optimizer,
    ranking_metrics,
    save_training,
)
from lucid.training.scaling import warn_if_unscaled
from lucid.training.stored import kind_of

sparse = pytest.importorskip("scipy.sparse")

ROWS, FEATURES, CLASSES = 50, 12, 6


def drawn(seed, rows=ROWS, weighted=False):
    """Rows whose labels depend on their features."""
    truth = np.random.default_rng(0).standard_normal((FEATURES, CLASSES))
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, FEATURES)) * (rng.random((rows, FEATURES)) < 0.4)
    labels = Labels.from_multi_hot(x @ truth > 1.5)
    weight = rng.random(rows) if weighted else None
    return Dataset(sparse.csr_array(x.astype(np.float32)), labels, sample_weight=weight)


def new_trainer(optimizer="adam", hidden=0, dropout=0.0, seed=0, **options):
    lucid.manual_seed(seed)
    layers = [nn.Linear(FEATURES, CLASSES)]
    if hidden:
        layers = [nn.Linear(FEATURES, hidden), nn.Dropout(dropout), nn.Linear(hidden, CLASSES)]
    model = nn.Sequential(*layers)
    steps = make_optimizer(optimizer, model, lr=0.05, weight_decay=0.01)
    return Trainer(model, nn.MultilabelMarginLoss(), steps, batch_size=8, seed=seed, **options)


def weights(trainer):
    return [value.numpy().copy() for value in trainer.model.state_dict().values()]


def assert_same(first, second):
    for a, b in zip(weights(first), weights(second), strict=True):
        assert np.array_equal(a, b)
    assert list(first.history) == list(second.history)


# What a step does.


@pytest.mark.parametrize("hidden", [0, 16])
@pytest.mark.parametrize("loss", ["margin", "soft-margin"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_is_that_of_pytorch(loss, optimizer, hidden):
    torch = pytest.importorskip("torch")
    data = drawn(1, 200)
    lucid.manual_seed(0)
    ranker = Ranker(FEATURES, CLASSES, hidden)
    rate = learning_rate(loss, optimizer, data.features)

    layers = [m for m in ranker.modules() if isinstance(m, nn.Linear)]
    theirs = []
    for layer in layers:
        theirs += [torch.nn.Linear(layer.in_features, layer.out_features), torch.nn.ReLU()]
        theirs[-2].weight.data = torch.tensor(layer.weight.detach().numpy().copy())
        theirs[-2].bias.data = torch.tensor(layer.bias.detach().numpy().copy())
    net = torch.nn.Sequential(*theirs[:-1])
    make = {
        "sgd": partial(torch.optim.SGD, momentum=0.9),
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
    }[optimizer]
    decay = {"weight_decay": 0.1}
    steps = make(
        [
            {"params": [p for p in net.parameters() if p.ndim > 1], **decay},
            {"params": [p for p in net.parameters() if p.ndim == 1], "weight_decay": 0},
        ],
        lr=rate,
    )
    x = torch.tensor(data.features.toarray())
    padded = torch.tensor(data.labels.to_padded(CLASSES))
    multi_hot = torch.tensor(data.labels.to_multi_hot().astype(np.float32))
    rng = np.random.default_rng(3)
    their_losses = []
    for _ in range(2):
        order = rng.permutation(len(x))
        for start in range(0, len(x), 32):
            rows = order[start : start + 32]
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

    ours = make_optimizer(optimizer, ranker.net, rate, **decay)
    trainer = Trainer(ranker.net, make_loss(loss), ours, seed=3)
    our_losses = [step.loss for step in trainer.steps(data, 2)]
    assert our_losses == pytest.approx(their_losses, rel=1e-3)


@pytest.mark.parametrize("dense", [False, True])
def test_sample_weights_are_those_of_the_loss(dense):
    data = drawn(2, weighted=True)
    if dense:
        data = Dataset(data.features.toarray(), data.labels, sample_weight=data.sample_weight)
    trainer = new_trainer(shuffle=False)
    scores = trainer.model(data.features[:8]).detach()
    expected = trainer.criterion(scores, data.labels[:8], sample_weight=data.sample_weight[:8])
    step = next(trainer.steps(data, 1))
    assert step.loss == expected.item()


def test_the_loss_of_an_epoch_is_the_mean_over_its_rows():
    steps = list(new_trainer().steps(drawn(3), 1))
    assert [step.rows for step in steps] == [8] * 6 + [2]
    expected = np.average([step.loss for step in steps], weights=[step.rows for step in steps])
    assert steps[-1].result.loss == steps[-1].mean_loss == pytest.approx(expected)
    assert [step.result is None for step in steps] == [True] * 6 + [False]
    assert [step.last for step in steps] == [False] * 6 + [True]


def test_the_loss_of_an_epoch_is_the_mean_by_the_weights_of_its_rows():
    data = drawn(3)
    counts = np.random.default_rng(0).integers(0, 4, ROWS)
    counts[:8] = 0  # a whole mini-batch
    rows = [replace(data, sample_weight=counts), data[np.repeat(np.arange(ROWS), counts)]]
    losses = []
    for each in rows:
        trainer = new_trainer(shuffle=False)
        trainer.optimizer = optim.SGD(trainer.model.parameters(), lr=0.0)
        losses += trainer.fit(each, 1).losses
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_rates_fall_from_what_they_are_to_almost_nothing():
    trainer = new_trainer(schedule=linear_decay)
    rates = [trainer.optimizer.param_groups[0]["lr"] for _ in trainer.steps(drawn(3), 4)]
    assert rates[0] == 0.05
    assert rates == sorted(rates, reverse=True)
    assert rates[7] == pytest.approx(0.05 * 3 / 4)
    assert rates[-1] == pytest.approx(0.05 / 28)  # of 4 times 7 steps


def test_a_loss_of_a_step_of_ones_own_that_is_not_finite_ends_the_training():
    trainer = new_trainer()
    trainer.step = lambda batch: np.nan
    with pytest.raises(Diverged, match="the loss became nan in epoch 1"):
        trainer.fit(drawn(4), 1)


def test_a_loss_that_is_no_longer_finite_ends_the_training():
    model = nn.Linear(FEATURES, CLASSES)
    trainer = Trainer(model, nn.MultilabelMarginLoss(), optim.SGD(model.parameters(), lr=1e39))
    with pytest.raises(Diverged, match=r"the loss became (inf|nan) in epoch 1"):
        trainer.fit(drawn(4), 5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_features_that_are_not_finite_are_not_taken_for_a_divergence(form, bad):
    x = np.eye(4, FEATURES, dtype=np.float32)
    x[2, 1] = bad
    data = Dataset(form(x), Labels.from_lists([[0]] * 4, CLASSES))
    with pytest.raises(ValueError, match="features must be finite, got NaN or infinity"):
        new_trainer().fit(data, 1)


def test_blas_has_one_thread_while_a_training_runs_and_as_many_as_before_afterwards():
    threadpoolctl = pytest.importorskip("threadpoolctl")

    def threads():
        pools = threadpoolctl.threadpool_info()
        return [
            pool["num_threads"]
            for pool in pools
            if pool["user_api"] == "blas" and "scipy.libs" not in pool["filepath"]
        ]

    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        before = threads()
        steps = new_trainer().steps(drawn(5), 1)
        next(steps)
        assert set(threads()) == {1}
        steps.close()
        assert threads() == before


def test_training_is_the_same_with_and_without_a_feature_that_does_not_vary():
    data = drawn(1, 200)
    constant = sparse.csr_array(np.full((len(data), 1), 1.7e9))
    more = Dataset(sparse.hstack([data.features, constant], "csr"), data.labels)
    lucid.manual_seed(0)
    rankers = Ranker(FEATURES, CLASSES), Ranker(FEATURES + 1, CLASSES)
    weight, bias = (part.numpy() for part in rankers[1].net.state_dict().values())
    rankers[0].net.load_state_dict({"weight": weight[:, :-1], "bias": bias})
    losses = []
    for ranker, each in zip(rankers, (data, more), strict=True):
        ranker.fit_scaling(each.features)
        optimizer = make_optimizer("sgd", ranker.net, lr=0.5)
        trainer = Trainer(ranker.net, nn.MultilabelMarginLoss(), optimizer)
        losses.append(trainer.fit(Dataset(ranker.scaled(each.features), each.labels), 3).losses)
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


# The order of the rows.


class Pieces:
    """A training set that comes in pieces of some sizes."""

    def __init__(self, data, sizes):
        self.data, self.sizes = data, sizes

    def __len__(self):
        return sum(self.sizes)

    def __iter__(self):
        for start, stop in itertools.pairwise(np.cumsum([0, *self.sizes])):
            yield self.data[int(start) : int(stop)]


class Watched(Trainer):
    """A trainer that notes the rows of each batch, told by their first feature."""

    def step(self, batch):
        self.seen.append(batch.features.toarray()[:, 0].astype(int).tolist())
        return super().step(batch)


def watched(sizes, epochs=2, **options):
    features = sparse.csr_array(np.arange(sum(sizes), dtype=np.float32)[:, np.newaxis])
    labels = Labels.from_lists([[0]] * sum(sizes), num_classes=2)
    model = nn.Linear(1, 2)
    optimizer = optim.SGD(model.parameters(), lr=1e-6)
    trainer = Watched(model, nn.WARPLoss(), optimizer, batch_size=4, **options)
    trainer.seen = []
    data = Dataset(features, labels)
    trainer.fit(data if len(sizes) == 1 else Pieces(data, sizes), epochs)
    return trainer.seen


@pytest.mark.parametrize("sizes", [[10], [4, 6], [0, 3, 5, 0, 2], [10, 0]])
def test_each_row_is_seen_once_an_epoch_in_an_order_of_its_own(sizes):
    seen = watched(sizes)
    epochs = seen[: len(seen) // 2], seen[len(seen) // 2 :]
    for batches in epochs:
        assert sorted(itertools.chain.from_iterable(batches)) == list(range(10))
    assert epochs[0] != epochs[1]


def test_no_batch_has_rows_of_two_pieces():
    assert all({row // 5 for row in batch} in ({0}, {1}) for batch in watched([5, 5]))


def test_rows_may_keep_their_order():
    assert watched([10], epochs=1, shuffle=False) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_a_file_that_is_read_in_pieces_trains_as_its_pieces_do_in_memory(tmp_path):
    data = drawn(6, 90)
    lucid.io.write_xmc(tmp_path / "train.txt", data.features, data.labels)
    stream = lucid.io.stream_xmc(tmp_path / "train.txt", rows=40)
    rankers = []
    for source in (stream, Pieces(data, [40, 40, 10])):
        lucid.manual_seed(0)
        ranker = Ranker(FEATURES, CLASSES)
        ranker.fit_scaling(piece.features for piece in source)
        ranker.fit_propensities(piece.labels for piece in source)
        optimizer = make_optimizer("adam", ranker.net, 0.01)
        Trainer(ranker.net, nn.WARPLoss(), optimizer).fit(ranker.prepared(source), 2)
        rankers.append(ranker)
    first, second = (ranker.state_dict() for ranker in rankers)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert np.array_equal(first["propensities"], metrics.propensities(data.labels))


def test_pieces_of_fewer_rows_than_they_say_are_an_error():
    pieces = Pieces(drawn(6), [20, 20])
    pieces.__class__ = type("Longer", (Pieces,), {"__len__": lambda self: 41})
    with pytest.raises(ValueError, match="data has a length of 41, but its pieces have 40 rows"):
        new_trainer().fit(pieces, 1)


def test_no_rows_are_an_error():
    with pytest.raises(ValueError, match="data must have at least one row to train on"):
        new_trainer().fit(drawn(6)[:0], 1)


# Features that are not scaled.


def unscaled():
    data = drawn(8)
    factor = np.where(np.arange(FEATURES) == 2, np.float32(1e4), np.float32(1))
    return Dataset(sparse.csr_array(data.features * factor), data.labels)


def test_a_feature_that_is_far_larger_than_others_is_warned_of_once():
    for data in (unscaled(), Pieces(unscaled(), [20, 30])):
        with pytest.warns(UserWarning, match=r"column 2 is \d+ times larger than") as caught:
            new_trainer().fit(data, 3)
        assert len(caught) == 1


@pytest.mark.parametrize("scale", [1e-310, 1e300])
def test_how_much_larger_a_feature_is_does_not_depend_on_the_unit(scale):
    features = np.where(np.arange(FEATURES) == 2, 1e4, 1.0) * scale
    for data in (features[np.newaxis], sparse.csr_array(features[np.newaxis])):
        with pytest.warns(UserWarning, match="column 2 is 10000 times larger than the median"):
            warn_if_unscaled(data)


def test_a_training_that_goes_on_is_not_warned_of_again(tmp_path):
    first = new_trainer()
    with pytest.warns(UserWarning, match="not scaled"):
        first.fit(unscaled(), 1)
    second = new_trainer()
    second.load_state_dict(first.state_dict())
    second.fit(unscaled(), 2)


def test_a_model_that_scales_is_not_warned_of():
    ranker = Ranker(FEATURES, CLASSES)
    ranker.fit_to(unscaled())
    optimizer = make_optimizer("sgd", ranker.net, 0.1)
    Trainer(ranker, nn.WARPLoss(), optimizer).fit(unscaled(), 1)
    Trainer(ranker.net, nn.WARPLoss(), optimizer).fit(ranker.prepared(unscaled()), 1)


# Going on.

TRAININGS = {
    "sgd": {"optimizer": "sgd"},
    "adam": {"optimizer": "adam"},
    "adamw": {"optimizer": "adamw"},
    "dropout": {"hidden": 9, "dropout": 0.5},
    "rates that fall": {"schedule": linear_decay},
    "no shuffling": {"shuffle": False},
}
SETS = {"whole": lambda: drawn(7), "in pieces": lambda: Pieces(drawn(7), [20, 0, 13, 17])}


@pytest.mark.parametrize("training", TRAININGS)
@pytest.mark.parametrize("data", SETS)
@pytest.mark.parametrize("after", [1, 3, 8, 15])
def test_a_training_taken_up_by_another_process_has_the_same_bits(training, data, after, tmp_path):
    whole = new_trainer(**TRAININGS[training])
    whole.fit(SETS[data](), 3)

    first = new_trainer(**TRAININGS[training])
    for _ in itertools.islice(first.steps(SETS[data](), 3), after):
        pass
    save_training(tmp_path / "c", first, {"seed": 0})
    first.fit(SETS[data](), 3)  # what comes later is forgotten
    second = new_trainer(seed=5, **TRAININGS[training])
    second.load_state_dict(load_training(tmp_path / "c")[0])
    second.fit(SETS[data](), 3)
    assert_same(first, whole)
    assert_same(second, whole)


def test_a_training_may_be_left_at_every_step():
    whole, left = new_trainer(), new_trainer()
    whole.fit(drawn(7), 3)
    while left.epoch < 3:
        next(left.steps(drawn(7), 3))
    assert_same(left, whole)


def test_a_training_may_be_left_in_its_validation():
    def trainer(interrupted_in):
        validation = Validation(drawn(8, 20))
        calls = itertools.count(1)

        def validate(model):
            if next(calls) == interrupted_in:
                raise KeyboardInterrupt
            return validation(model)

        return new_trainer("sgd", validation=validate, early_stopping=EarlyStopping(2))

    whole, left = trainer(None), trainer(2)
    whole.fit(drawn(7), 40)
    with pytest.raises(KeyboardInterrupt):
        left.fit(drawn(7), 40)
    assert left.epoch == 1
    left.fit(drawn(7), 40)
    assert_same(left, whole)


def test_an_epoch_is_not_over_where_early_stopping_does_not_find_its_metric():
    validation = Validation(drawn(8, 20))
    trainer = new_trainer(
        "sgd", validation=lambda model: validation(model), early_stopping=EarlyStopping(2, "P@7")
    )
    for _ in range(2):
        with pytest.raises(ValueError, match=r"metric must be one of .*, got 'P@7'"):
            trainer.fit(drawn(7), 3)
        assert trainer.epoch == 0


def test_more_epochs_go_on_where_the_first_ended():
    whole, parts = new_trainer(), new_trainer()
    whole.fit(drawn(7), 4)
    for epochs in (1, 2, 4):
        parts.fit(drawn(7), epochs)
    assert_same(parts, whole)


def test_early_stopping_goes_on_with_what_it_remembers(tmp_path):
    def trainer():
        return new_trainer(
            "sgd", validation=Validation(drawn(8, 20)), early_stopping=EarlyStopping(2)
        )

    whole, first, second = trainer(), trainer(), trainer()
    whole.fit(drawn(7), 40)
    assert whole.stopped_early
    first.fit(drawn(7), 40, [Checkpoints(first, tmp_path / "c", every=3), stop_after(first, 5)])
    second.load_state_dict(load_training(tmp_path / "c")[0])
    second.fit(drawn(7), 40)
    assert_same(second, whole)


def stops_early(patience=30):
    validation = Validation(drawn(8, 20))
    return new_trainer("sgd", validation=validation, early_stopping=EarlyStopping(patience))


def test_after_the_best_weights_came_back_the_training_goes_on_from_its_last():
    whole, parts = stops_early(), stops_early()
    whole.fit(drawn(7), 12)
    for epochs in (7, 8, 8, 11, 12):
        parts.fit(drawn(7), epochs)
        assert parts.early_stopping.best_epoch < epochs  # so that the two are not the same
    assert_same(parts, whole)


def test_a_training_that_is_saved_after_its_end_goes_on_as_one_saved_before(tmp_path):
    whole, first, second = stops_early(), stops_early(), stops_early()
    whole.fit(drawn(7), 12)
    first.fit(drawn(7), 8, [Checkpoints(first, tmp_path / "c")])
    save_training(tmp_path / "after", first)
    assert (tmp_path / "after").read_bytes() == (tmp_path / "c").read_bytes()
    second.load_state_dict(load_training(tmp_path / "after")[0])
    second.fit(drawn(7), 12)
    assert_same(second, whole)


def test_weights_that_the_model_is_given_after_its_best_ones_are_those_that_are_trained():
    trainer, other = stops_early(), new_trainer(seed=9).model.state_dict()
    trainer.fit(drawn(7), 8)
    trainer.model.load_state_dict(other)
    state = trainer.state_dict()["model"]
    for name, value in other.items():
        assert np.array_equal(state[name], value)
    trainer.optimizer.param_groups[0]["lr"] = trainer.optimizer.param_groups[1]["lr"] = 0.0
    next(trainer.steps(drawn(7), 9))
    for found, given in zip(weights(trainer), other.values(), strict=True):
        assert np.array_equal(found, given)


def stop_after(trainer, epoch):
    return lambda step: trainer.stop() if step.epoch > epoch else None


def test_a_state_of_something_else_is_refused_with_what_it_lacks():
    trainer = new_trainer()
    for state in (trainer.model.state_dict(), None):
        with pytest.raises(
            ValueError, match=r"state must be what state_dict\(\) .* lacks .*'rates'"
        ):
            trainer.load_state_dict(state)


def test_a_state_of_another_model_is_refused():
    state = new_trainer(hidden=3).state_dict()
    with pytest.raises(ValueError, match="state: model: state_dict does not fit Sequential"):
        new_trainer().load_state_dict(state)


def trainer_with(criterion=None, **options):
    """Return a trainer, all of whose settings may be others."""
    lucid.manual_seed(0)
    model = nn.Linear(FEATURES, CLASSES)
    options = {"batch_size": 5, "validation": lambda model: {"a": 1.0, "b": 1.0}, **options}
    optimizer = make_optimizer("adam", model, lr=0.01)
    return Trainer(model, criterion or nn.MultilabelMarginLoss(), optimizer, **options)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"batch_size": 7}, "batch_size must be 7, as this trainer has it, got 5"),
        ({"shuffle": False}, "shuffle must be False, as this trainer has it, got True"),
        ({"schedule": linear_decay}, "schedule must be 'linear_decay', .* got None"),
        ({"criterion": nn.WARPLoss()}, 'criterion must be "WARPLoss.*, got "MultilabelMarginLoss'),
        ({"criterion": nn.MultilabelMarginLoss(p=2)}, "criterion must be .*p=2.*, got .*"),
        (
            {"criterion": nn.MultilabelMarginLoss(margin=np.arange(CLASSES))},
            r"criterion must be .*margin=array\(\[0, 1.*, got .*",
        ),
        (
            {"early_stopping": EarlyStopping(2, "b", True)},
            "early_stopping.metric must be 'b', .*'a'",
        ),
        (
            {"early_stopping": EarlyStopping(2, "a", False)},
            "early_stopping.larger_is_better must be False, .* got True",
        ),
    ],
)
def test_a_state_of_other_settings_is_refused_by_name_and_nothing_is_changed(
    other, message, tmp_path
):
    if "early_stopping" in other:
        first = trainer_with(early_stopping=EarlyStopping(2, "a", True))
    else:
        first = trainer_with()
    first.fit(drawn(7), 2)
    save_training(tmp_path / "c", first)
    second = trainer_with(**other)
    next(second.steps(drawn(7), 9))
    before = copy.deepcopy(second.state_dict())
    for state in (first.state_dict(), load_training(tmp_path / "c")[0]):
        with pytest.raises(ValueError, match=f"^state: settings: {message}"):
            second.load_state_dict(state)
        np.testing.assert_equal(second.state_dict(), before)


def test_settings_are_the_same_however_numpy_prints(tmp_path):
    margin = np.full(CLASSES, 1 / 3)
    first, second = (trainer_with(nn.MultilabelMarginLoss(margin=margin)) for _ in range(2))
    with np.printoptions(precision=2, threshold=1, edgeitems=1):
        first.fit(drawn(7), 1)
        state = first.state_dict()
    second.load_state_dict(state)
    assert_same(first, second)


def test_a_state_that_was_saved_without_settings_is_taken_up():
    first, second = trainer_with(), trainer_with()
    first.fit(drawn(7), 1)
    state = first.state_dict()
    del state["settings"]
    second.load_state_dict(state)
    assert_same(first, second)


def test_a_state_that_was_saved_without_the_weight_of_its_rows_is_taken_up():
    first, second = new_trainer(), new_trainer()
    next(first.steps(drawn(7), 1))
    state = copy.deepcopy(first.state_dict())
    del state["place"]["weight"]
    second.load_state_dict(state)
    for trainer in (first, second):
        trainer.fit(drawn(7), 1)
    assert_same(first, second)


def test_a_state_without_early_stopping_is_refused_where_there_is_one():
    state = new_trainer().state_dict()
    stopping = EarlyStopping(2, metric="loss")
    with pytest.raises(ValueError, match="one training has early stopping, the other has none"):
        new_trainer(early_stopping=stopping).load_state_dict(state)


@pytest.mark.parametrize(
    ("part", "wrong"),
    [
        ("model", {"0.weight": np.zeros(3)}),
        ("model", None),
        ("optimizer", {}),
        ("optimizer", None),
        ("rates", [0.1]),
        ("rates", 0.1),
        ("rates", ["a", "b"]),
        ("place", {"rowz": 1}),
        ("place", {"row": 1}),
        ("place", None),
        (("place", "row"), "a"),
        (("place", "rows"), -1),
        (("place", "loss"), None),
        (("place", "weight"), "a"),
        (("place", "before"), {}),
        ("generator", {}),
        ("generator", 5),
        ("generator of lucid", {"bit_generator": "MT19937"}),
        ("history", [{"epoch": 1}]),
        ("history", 7),
        (("history", 0), {"number": 1, "loss": "low", "metrics": {}}),
        (("history", 0), {"number": 2, "loss": 0.5, "metrics": {}}),
        (("history", 0), {"number": 1, "loss": 0.5, "metrics": [1]}),
        ("stopped_early", "no"),
        ("settings", 3),
        (("settings", "batch_size"), 7),
        (("settings", "batch_size"), np.arange(2)),
        ("early_stopping", 3),
        (("early_stopping", "best"), None),
        (("early_stopping", "weights"), [1]),
        (("early_stopping", "weights"), {"0.weight": np.zeros(3)}),
    ],
)
def test_a_state_with_a_wrong_part_is_refused_by_name_and_nothing_is_changed(part, wrong):
    first, second = stops_early(), stops_early()
    first.fit(drawn(7), 1)
    next(first.steps(drawn(7), 9))
    state = copy.deepcopy(first.state_dict())
    inside, name = (state[part[0]], part[1]) if isinstance(part, tuple) else (state, part)
    inside[name] = wrong
    next(second.steps(drawn(7), 9))
    before = copy.deepcopy(second.state_dict())
    word = part[0] if isinstance(part, tuple) else part
    with pytest.raises(ValueError, match=f"^state: {word}: "):
        second.load_state_dict(state)
    np.testing.assert_equal(second.state_dict(), before)


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    Ranker(3, 2).save(tmp_path / "m")
    with pytest.raises(
        lucid.io.DataFileError, match="m: not the checkpoint of a training, but a m"
    ):
        load_training(tmp_path / "m")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            {"state": {}, "about": {}},
            "c: the checkpoint of a training, of lucid 0.1.0 before formats had "
            "numbers, which lucid .* does not read: begin the training anew",
        ),
        (
            {"format": 2, "lucid": "9.1"},
            "c: the checkpoint of a training, in format 2, which lucid 9.1 wrote; lucid .* reads "
            "formats up to 1: install that lucid or a later one, or begin the training anew",
        ),
        ([1], "c: the checkpoint of a training, but not whole"),
    ],
)
def test_a_checkpoint_of_another_format_is_refused_with_what_to_do(tmp_path, written, message):
    lucid.io.save_checkpoint(tmp_path / "c", {}, {"lucid training": json.dumps(written)})
    with pytest.raises(lucid.io.DataFileError, match=message):
        load_training(tmp_path / "c")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"3 4 6\n0 1:0.5\n",
        b"\1\0\0\0\0\0\0\0",
        b"\2\0\0\0\0\0\0\0[]",
        b"\2\0\0\0\0\0\0\0{}",
        b"\1\0\0\0\0\0\0\0\xff",
        b"\x15\0\0\0\0\0\0\0" + b'{"__metadata__":null}',
        (10**5).to_bytes(8, "little") + b"[" * 10**5,
    ],
)
def test_a_file_that_is_neither_model_nor_checkpoint_is_of_no_kind(tmp_path, content):
    (tmp_path / "f").write_bytes(content)
    assert kind_of(tmp_path / "f") is None


def test_a_checkpoint_says_its_format_and_what_wrote_it(tmp_path):
    save_training(tmp_path / "c", new_trainer())
    content = json.loads(lucid.io.load_checkpoint(tmp_path / "c")[1]["lucid training"])
    assert (content["format"], content["lucid"]) == (1, lucid.__version__)


@pytest.mark.parametrize("decimals", [np.float16, np.float32, np.float64, np.longdouble])
def test_numbers_of_numpy_are_kept_and_taken_up_as_others(tmp_path, decimals):
    def trainer():
        model = nn.Linear(FEATURES, CLASSES)
        return Trainer(
            model,
            nn.MultilabelMarginLoss(),
            optim.SGD(model.parameters(), lr=decimals(0.1), momentum=decimals(0.9)),
            schedule=linear_decay,
            validation=lambda model: {"mean": decimals(0.1), "sum": model.bias.sum()},
            early_stopping=EarlyStopping(3, "mean", larger_is_better=False),
        )

    lucid.manual_seed(0)
    whole = trainer()
    lucid.manual_seed(0)
    first, second = trainer(), trainer()
    whole.fit(drawn(7), 2)
    next(first.steps(drawn(7), 2))
    save_training(tmp_path / "c", first, {"x": np.float32(1), "n": np.int64(2), "b": np.bool_(1)})
    state, about = load_training(tmp_path / "c")
    assert about == {"x": 1.0, "n": 2, "b": True}
    second.load_state_dict(state)
    second.fit(drawn(7), 2)
    assert_same(second, whole)


def test_what_json_cannot_say_is_named(tmp_path):
    with pytest.raises(TypeError, match=r"to be kept in a file.* got complex64"):
        save_training(tmp_path / "c", new_trainer(), {"z": np.complex64(1)})


def test_a_metric_that_is_no_number_is_named():
    trainer = new_trainer(validation=lambda model: {"mean": "low"})
    with pytest.raises(TypeError, match="validation: 'mean' must be a number, got 'low'"):
        trainer.fit(drawn(7), 1)


# Listeners.


def test_listeners_hear_every_step_in_turn():
    heard = []
    trainer = new_trainer()
    trainer.fit(drawn(9), 2, [lambda s: heard.append((1, s)), lambda s: heard.append((2, s))])
    assert [who for who, _ in heard] == [1, 2] * 14
    assert [step.epoch for _, step in heard[::2]] == [1] * 7 + [2] * 7


def test_a_listener_may_stop_the_training_and_all_hear_the_last_step():
    trainer, heard = new_trainer(), []
    trainer.fit(drawn(9), 9, [lambda s: trainer.stop() if len(heard) == 2 else None, heard.append])
    assert [step.last for step in heard] == [False, False, False, True]
    trainer.fit(drawn(9), 1)
    assert trainer.epoch == 1


@pytest.mark.parametrize(("every", "saved"), [(1, [1, 2, 3, 4, 5]), (2, [2, 4, 5]), (9, [5])])
def test_checkpoints_are_written_in_turn_and_at_the_end(every, saved, tmp_path):
    trainer, found = new_trainer(), []

    def look(step):
        if (tmp_path / "c").exists():
            found.append(len(load_training(tmp_path / "c")[0]["history"]))
            (tmp_path / "c").unlink()

    trainer.fit(drawn(9), 5, [Checkpoints(trainer, tmp_path / "c", every), look])
    assert found == saved


# Validation and early stopping.


def test_validation_comes_after_each_epoch_and_leaves_the_mode_of_the_model():
    trainer = new_trainer(hidden=4, dropout=0.5, validation=Validation(drawn(10)))
    history = trainer.fit(drawn(9), 3)
    assert len(history.values(RANKING_LOSS)) == 3
    assert trainer.model.training
    assert history[-1].metrics == Validation(drawn(10))(trainer.model)


def test_the_best_weights_come_back():
    values = iter([0.5, 0.2, 0.3, 0.4, 0.1])
    trainer = new_trainer(
        validation=lambda model: {"ranking loss": next(values)}, early_stopping=EarlyStopping(2)
    )
    kept = {}
    for step in trainer.steps(drawn(9), 9):
        kept[step.epoch] = weights(trainer)
    assert trainer.epoch == 4
    trainer.fit(drawn(9), 9)
    for found, best in zip(weights(trainer), kept[2], strict=True):
        assert np.array_equal(found, best)


@pytest.mark.parametrize(
    ("larger", "values", "stops", "best"),
    [
        (False, [0.3, 0.2, 0.2, 0.2], [False, False, False, True], 2),
        (True, [0.1, 0.2, 0.1, 0.2], [False, False, False, True], 2),
        (False, [np.nan, 0.4, 0.3], [False, False, False], 3),
    ],
)
def test_patience_counts_epochs_that_are_not_better(larger, values, stops, best):
    stopping = EarlyStopping(2, "m", larger_is_better=larger)
    epochs = [Epoch(n, 1.0, {"m": value}) for n, value in enumerate(values, start=1)]
    assert [stopping.update(epoch, nn.Linear(1, 1)) for epoch in epochs] == stops
    assert stopping.best_epoch == best


@pytest.mark.parametrize("name", [*ranking_metrics(5), "PSP@3", "P@10"])
def test_the_better_value_of_a_known_metric_is_that_of_the_better_scores(name):
    labels = Labels.from_lists([[0], [1]], 10)
    best = labels.to_multi_hot().astype(np.float64)
    measured = {**ranking_metrics(10)}
    measured["PSP@3"] = partial(metrics.psp_at_k, propensities=np.ones(10), k=3)
    measured["P@10"] = lambda scores, labels: measured["P@1"](scores, labels)  # by its name alone
    worse, better = (measured[name](scores, labels) for scores in (-best, best))
    stopping = EarlyStopping(2, name)
    assert stopping.larger_is_better == (better > worse)
    for number, value in enumerate([worse, better, worse], start=1):
        stopping.update(Epoch(number, 1.0, {name: value}), nn.Linear(1, 1))
    assert (stopping.best, stopping.best_epoch) == (better, 2)


@pytest.mark.parametrize(("name", "wrong"), [("nDCG@5", False), ("one-error", True)])
def test_a_direction_that_a_known_metric_does_not_have_is_refused(name, wrong):
    assert EarlyStopping(2, name, larger_is_better=not wrong).larger_is_better is not wrong
    with pytest.raises(ValueError, match=f"larger_is_better must be {not wrong} for '{name}'"):
        EarlyStopping(2, name, larger_is_better=wrong)


@pytest.mark.parametrize("name", ["F1", "P@k", "ndcg@5"])
def test_whether_larger_is_better_must_be_said_of_a_metric_that_is_not_known(name):
    with pytest.raises(ValueError, match=f"larger_is_better must be .* for the metric '{name}'"):
        EarlyStopping(2, name)


@pytest.mark.parametrize("larger", [False, True])
def test_a_metric_that_is_never_a_number_is_warned_of_by_name(larger):
    stopping = EarlyStopping(2, "m", larger_is_better=larger)
    trainer = new_trainer(validation=lambda model: {"m": np.nan}, early_stopping=stopping)
    with pytest.warns(UserWarning, match="'m' was not finite after any epoch .now nan.*no best w"):
        trainer.fit(drawn(9), 9)
    assert trainer.stopped_early
    assert stopping.best_epoch == 0


def test_early_stopping_needs_a_validation():
    with pytest.raises(ValueError, match="'ranking loss' of a validation, so validation must be"):
        new_trainer(early_stopping=EarlyStopping(3))
    new_trainer(early_stopping=EarlyStopping(3, metric="loss"))


@pytest.mark.parametrize(
    ("rows", "wanted", "names"),
    [
        (drawn(9), None, [*ranking_metrics(CLASSES)]),
        (Pieces(drawn(9), [0, 50]), None, [*ranking_metrics(CLASSES)]),
        (drawn(9), {"m": None}, ["m"]),
        (drawn(9), {}, []),
    ],
)
def test_a_metric_that_the_validation_lacks_is_refused_before_the_first_step(rows, wanted, names):
    validation = Validation(rows, wanted)
    message = f"early_stopping: metric must be one of {', '.join([*names, 'loss'])}, got 'P@7'"
    with pytest.raises(ValueError, match=f"^{message}$"):
        new_trainer(early_stopping=EarlyStopping(1, "P@7"), validation=validation)


def test_a_metric_that_a_function_does_not_return_is_named_after_the_first_epoch():
    trainer = new_trainer(validation=lambda model: {"m": 1.0}, early_stopping=EarlyStopping(1))
    with pytest.raises(ValueError, match="metric must be one of m, loss, got 'ranking loss'"):
        trainer.fit(drawn(9), 2)


def test_metrics_of_pieces_are_those_of_all_rows():
    data, pieces = drawn(9), Pieces(drawn(9), [20, 0, 30])
    model, p = new_trainer().model, metrics.propensities(drawn(1).labels)
    whole, apart = (evaluate(model, rows, propensities=p) for rows in (data, pieces))
    assert whole == pytest.approx(apart, rel=1e-12)
    assert Validation(pieces)(model) == pytest.approx(Validation(data)(model), rel=1e-12)
    scores = model(data.features).detach().numpy()
    assert whole["PSP@3"] == pytest.approx(metrics.psp_at_k(scores, data.labels, p, k=3))


@pytest.mark.parametrize("sizes", [[50], [20, 0, 30]])
def test_rows_of_whole_weights_are_measured_as_rows_that_are_repeated(sizes, monkeypatch):
    monkeypatch.setattr("lucid.training.validation._SCORES_AT_ONCE", 7 * CLASSES)
    data, model, p = drawn(9), new_trainer().model, metrics.propensities(drawn(1).labels)
    counts = np.random.default_rng(0).integers(0, 4, ROWS)
    counts[21:28] = 0  # all that are scored at once
    weighted = Pieces(replace(data, sample_weight=counts), sizes)
    repeated = data[np.repeat(np.arange(ROWS), counts)]
    found, expected = (evaluate(model, rows, propensities=p) for rows in (weighted, repeated))
    assert found == pytest.approx(expected, rel=1e-12)
    assert Validation(weighted)(model) == pytest.approx(Validation(repeated)(model), rel=1e-12)


def test_a_metric_of_ones_own_gets_the_weights_where_there_are_some():
    def mean_loss(scores, labels, sample_weight=None):
        loss = nn.MultilabelMarginLoss()(lucid.tensor(scores), labels, sample_weight=sample_weight)
        return loss.item()

    data, model = drawn(9, weighted=True), new_trainer().model
    scores = model(data.features).detach().numpy()
    expected = mean_loss(scores, data.labels, data.sample_weight)
    assert evaluate(model, data, {"m": mean_loss})["m"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("call", [Validation, lambda data: evaluate(new_trainer().model, data)])
def test_metrics_of_rows_none_of_which_has_a_weight_are_refused(call):
    data = replace(drawn(9), sample_weight=np.zeros(ROWS))
    with pytest.raises(ValueError, match=r"^sample_weight must not be zero for all rows to"):
        call(data)


def test_a_metric_in_float32_is_summed_as_a_float():
    values = iter([np.float32(1), np.float32(1e-8)])
    metric = {"m": lambda scores, labels: next(values)}
    pieces = Pieces(drawn(9), [25, 25])
    mean = float(evaluate(new_trainer().model, pieces, metric)["m"])
    assert mean == pytest.approx(0.500000005, rel=1e-12)


def test_no_rows_have_no_metrics():
    with pytest.raises(ValueError, match="data must have at least one row to evaluate on"):
        evaluate(new_trainer().model, [])


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_metrics_over_parts_are_those_of_all_rows(rows, monkeypatch):
    monkeypatch.setattr("lucid.training.validation._SCORES_AT_ONCE", rows * CLASSES)
    data, model = drawn(11), nn.Linear(FEATURES, CLASSES)
    p = metrics.propensities(data.labels)
    scores = model(data.features).detach().numpy()
    named = ranking_metrics(CLASSES)
    expected = {name: metric(scores, data.labels) for name, metric in named.items()}
    expected |= {f"PSP@{k}": metrics.psp_at_k(scores, data.labels, p, k=k) for k in (1, 3, 5)}
    assert evaluate(model, data, propensities=p) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("share", [0.1, 0.6])
def test_unknown_entries_make_room_for_those_that_come_after_them(share):
    data, model = drawn(11), nn.Linear(FEATURES, CLASSES)
    p = metrics.propensities(data.labels)
    unknown = Labels.from_multi_hot(np.random.default_rng(0).random((ROWS, CLASSES)) < share)
    data = data.leave_out(unknown)
    scores = model(data.features).detach().numpy()
    expected = {f"PSP@{k}": metrics.psp_at_k(scores, data.labels, p, k=k) for k in (1, 3, 5)}
    found = evaluate(model, data, {}, propensities=p)
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("classes", "names"), [(1, ["P@1"]), (4, ["P@1", "P@3", "nDCG@3"])])
def test_metrics_of_the_best_go_as_far_as_there_are_classes(classes, names):
    assert [name for name in ranking_metrics(classes) if "@" in name] == names


def test_scores_that_are_not_finite_are_an_error():
    model = nn.Linear(FEATURES, CLASSES)
    model.load_state_dict({"bias": np.full(CLASSES, np.inf)}, strict=False)
    with pytest.raises(Diverged, match="the model scores row 0 with NaN or infinity"):
        evaluate(model, drawn(11))


def test_a_row_without_finite_scores_is_named_by_its_number_among_all(monkeypatch):
    monkeypatch.setattr("lucid.training.validation._SCORES_AT_ONCE", 7 * CLASSES)
    data = drawn(11)
    x = data.features.toarray()
    x[33] = np.inf
    with pytest.raises(Diverged, match="the model scores row 33 with NaN or infinity"):
        evaluate(nn.Linear(FEATURES, CLASSES), Pieces(Dataset(x, data.labels), [20, 30]))


# By name.


@pytest.mark.parametrize(("length", "counts_as"), [(0.5, 3.0), (3.0, 3.0), (8.0, 8.0)])
def test_with_a_hidden_layer_the_rate_is_that_of_rows_that_are_not_short(length, counts_as):
    rate = learning_rate("margin", "sgd", length * np.eye(4), hidden=True)
    assert rate == learning_rate("margin", "sgd", counts_as * np.eye(4))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_loss_has_a_rate(loss, optimizer):
    rate = learning_rate(loss, optimizer)
    assert 0 < rate < 100


def test_the_rate_of_pieces_is_that_of_all_rows():
    features = drawn(3).features
    for loss, x in (("margin", features), ("bpmll", sparse.csr_array(features.toarray() + 9))):
        pieces = (part for part in (x[:20], x[20:20], x[20:]))
        assert learning_rate(loss, "sgd", pieces) == learning_rate(loss, "sgd", x)


@pytest.mark.parametrize("scale", [1e-40, 1e-150, 1e-310])
def test_rows_that_float32_takes_for_zeros_have_the_rate_of_zeros(scale):
    zeros = learning_rate("margin", "sgd", np.zeros((4, 4)))
    assert learning_rate("margin", "sgd", scale * np.eye(4)) == zeros


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
@pytest.mark.parametrize("form", [np.array, sparse.csr_array])
def test_rows_whose_squares_are_not_finite_have_no_rate(form, bad):
    with pytest.raises(ValueError, match="features must be finite, and not so large"):
        learning_rate("margin", "sgd", form([[1.0, bad]]))


def test_rows_of_integers_have_the_rate_of_floats():
    rows = np.array([[-128, 127]], np.int8)
    rate = learning_rate("margin", "sgd", rows.astype(float))
    assert learning_rate("margin", "sgd", rows) == rate


def test_the_rate_of_sgd_is_smaller_for_longer_rows_in_either_form():
    rows = drawn(12).features
    rate = learning_rate("margin", "sgd", rows)
    assert learning_rate("margin", "sgd", rows.toarray()) == rate
    assert learning_rate("margin", "sgd", 10 * rows) == pytest.approx(rate / 10)
    assert learning_rate("margin", "adam", 10 * rows) == learning_rate("margin", "adam", rows)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize(
    "features",
    [drawn(12).features.toarray() + 30, drawn(12).features.toarray() * np.eye(FEATURES)[3] * 99],
    ids=["not centred", "one far larger"],
)
@pytest.mark.parametrize("loss", ["bpmll", "squared-margin"])
def test_rates_of_steep_losses_go_with_the_square_of_what_rows_have_in_one_direction(
    loss, form, features
):
    rate = learning_rate(loss, "sgd", form(features))
    assert learning_rate(loss, "sgd", form(10 * features)) == pytest.approx(rate / 100, rel=0.05)
    centred = features - features.mean(0)
    scaled = centred / np.maximum(centred.std(0), 1)
    assert learning_rate(loss, "sgd", form(scaled)) > 30 * rate


@pytest.mark.parametrize(("loss", "times"), [("soft-margin", 125), ("bpmll", 5), ("margin", 1)])
def test_the_rate_of_sgd_is_larger_for_more_classes_where_the_loss_is_a_mean_over_them(loss, times):
    few, many = (learning_rate(loss, "sgd", num_classes=n) for n in (4, 500))
    assert many == pytest.approx(times * few, rel=0.05)
    assert learning_rate(loss, "adam", num_classes=4) == learning_rate(loss, "adam")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make_loss("hinge"), "loss must be one of margin, .*, got 'hinge'"),
        (lambda: learning_rate("margin", "lion"), "optimizer must be one of sgd, adam, adamw, got"),
        (lambda: learning_rate("margin", "sgd", None, 0), "num_classes must be at least 1, got 0"),
        (lambda: make_optimizer("lion", nn.Linear(2, 2), 0.1), "optimizer must be one of sgd"),
        (lambda: EarlyStopping(0), "patience must be at least 1, got 0"),
        (lambda: Validation(drawn(1)[:0]), "data must have at least one row to validate on"),
        (lambda: new_trainer().__init__(None, None, None, batch_size=0), "batch_size must be at"),
        (lambda: Checkpoints(None, "c", every=0), "every must be at least 1, got 0"),
        (lambda: new_trainer().fit(drawn(1), epochs=-1), "epochs must not be negative, got -1"),
    ],
)
def test_what_cannot_be_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda value: new_trainer().fit(drawn(1), value), "epochs"),
        (lambda value: new_trainer().__init__(None, None, None, batch_size=value), "batch_size"),
        (EarlyStopping, "patience"),
        (lambda value: Checkpoints(None, "c", value), "every"),
    ],
)
@pytest.mark.parametrize("value", [1.5, "a"])
def test_counts_that_are_no_integers_are_refused_by_name(call, name, value):
    with pytest.raises(TypeError, match=f"{name} must be an integer, got {value!r}"):
        call(value)


@pytest.mark.parametrize(
    "call",
    [
        lambda data: new_trainer().fit(data, 1),
        lambda data: Validation(data)(new_trainer().model),
        lambda data: evaluate(new_trainer().model, data),
        lambda data: Ranker(FEATURES, CLASSES).fit_to(data),
        lambda data: next(iter(Ranker(FEATURES, CLASSES).prepared(data))),
    ],
)
def test_features_and_labels_that_are_no_data_set_are_refused(call):
    with pytest.raises(TypeError, match=r"data must be a .*Dataset.*got tuple with csr_array"):
        call((drawn(1).features, drawn(1).labels))


@pytest.mark.parametrize("call", [lambda data: new_trainer().fit(data, 1), Validation])
def test_what_has_no_rows_to_train_on_is_refused(call):
    with pytest.raises(TypeError, match=r"data must be a .*Dataset.*got int"):
        call(3)


def test_a_stream_is_trained_on_and_validated_on_as_its_pieces_are(tmp_path):
    write_xmc(tmp_path / "rows.txt", drawn(1).features, drawn(1).labels)
    stream = stream_xmc(tmp_path / "rows.txt", rows=20)
    trainers = [new_trainer(validation=Validation(rows)) for rows in (stream, drawn(1))]
    for trainer, rows in zip(trainers, (stream, Pieces(drawn(1), [20, 20, 10])), strict=True):
        trainer.fit(rows, 2)
    assert weights(trainers[0])[0] == pytest.approx(weights(trainers[1])[0], rel=1e-12)
    last = [trainer.history[-1].metrics for trainer in trainers]
    assert last[0] == pytest.approx(last[1], rel=1e-12)


def test_a_stream_without_a_row_is_refused(tmp_path):
    write_xmc(tmp_path / "rows.txt", drawn(1).features, drawn(1).labels)
    stream = stream_xmc(tmp_path / "rows.txt").select(np.zeros(ROWS, bool))
    with pytest.raises(ValueError, match="data must have at least one row to train on"):
        new_trainer().fit(stream, 1)


def test_a_stream_of_an_unknown_number_of_rows_is_told_what_counts_them(tmp_path):
    write_svmlight(tmp_path / "rows.svm", drawn(1).features, drawn(1).labels)
    stream = stream_svmlight(
        tmp_path / "rows.svm", num_features=FEATURES, num_classes=CLASSES, rows=20
    )
    with pytest.raises(TypeError, match=r"the rows of this stream are not counted: .*prepared"):
        new_trainer().fit(stream, 1)
    counted = replace(stream, num_rows=sum(map(len, stream)))
    assert len(new_trainer().fit(counted, 1)) == 1


def test_an_iterator_is_told_what_gives_it_a_length():
    with pytest.raises(TypeError, match=r"data must have a length, .* got list_iterator: Ranker.p"):
        new_trainer().fit(iter([drawn(1)]), 1)


@pytest.mark.parametrize(
    "fit", [lambda t, rows: t.fit(rows, 1), lambda t, rows: next(t.steps(rows, 1))]
)
def test_rows_of_which_none_has_a_weight_are_refused(fit):
    rows = replace(drawn(1), sample_weight=np.zeros(ROWS))
    with pytest.raises(ValueError, match=r"^sample_weight must not be zero for all rows"):
        fit(new_trainer(), rows)


def test_rows_that_weigh_nothing_are_not_there():
    x, labels = np.eye(6), Labels.from_lists([[0]] * 6, 3)
    weights = np.array([1.0, 1, 1, 0, 0, 0])
    found = []
    for data in (Dataset(x, labels, sample_weight=weights), Dataset(x[:3], labels[:3])):
        lucid.manual_seed(0)
        net = nn.Linear(6, 3)
        trainer = Trainer(net, nn.MultilabelMarginLoss(), optim.SGD(net.parameters(), 0.1),
                          batch_size=3, shuffle=False)  # fmt: skip
        trainer.fit(data, epochs=2)
        found.append(net.weight.detach().numpy())
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("row", [3, np.int64(3), np.array(3), None])
def test_data_are_cut_by_slices_and_arrays_not_by_numbers(row):
    data = Dataset(np.eye(6), Labels.from_lists([[0]] * 6, 3))
    message = r"rows must be a slice, or .* got .*: data\[3:4\] is row 3"
    with pytest.raises(TypeError, match=message):
        data[row]
    assert len(data[3:4]) == len(data[[3]]) == len(data[np.arange(6) == 3]) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": np.eye(5)}, r"features must have shape \(N, F\) with N = 6"),
        ({"features": [[1.0]] * 6}, "features must be an array or a CSR matrix, got list"),
        ({"labels": [[0]] * 6}, "labels must be lucid.Labels, got list"),
        ({"sample_weight": np.ones(5)}, r"sample_weight must have shape \(6,\)"),
        ({"sample_weight": -np.ones(6)}, "sample_weight must not be negative, got -1.0"),
        ({"sample_weight": np.full(6, np.nan)}, "sample_weight must be finite, got nan"),
        ({"features": np.ma.array(np.eye(6), mask=np.eye(6))}, "features has masked entries: fill"),
        ({"sample_weight": np.ma.array(np.ones(6), mask=np.eye(6)[0])}, "sample_weight has masked"),
        ({"features": np.full((6, 2), "a")}, "features must hold real numbers, got <U1"),
        ({"class_names": ("a",)}, "class_names must be 3, one for each class, got 1"),
    ],
)
def test_parts_of_data_that_do_not_fit_are_refused(change, message):
    parts = {"features": np.eye(6), "labels": Labels.from_lists([[0]] * 6, 3)}
    with pytest.raises((TypeError, ValueError), match=message):
        Dataset(**{**parts, **change})
