"""The `lucid` command: what it trains, what it saves and says, and how it stops."""

import csv
import itertools
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import lucid
from lucid import cli
from lucid.cli import data, options, outputs, reading
from lucid.io import load_checkpoint
from lucid.labels import Labels
from lucid.training import LOSSES, Ranker, Trainer, evaluate, learning_rate, save_training
from lucid.training.pieces import pieces_of

for package in ("rich", "safetensors", "matplotlib", "threadpoolctl"):
    pytest.importorskip(package)
pytest.importorskip("scipy.sparse")


def write_xmc(path, dataset):
    lucid.io.write_xmc(path, dataset.features, dataset.labels)
    return str(path)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A training file and a test file of the same small problem."""
    folder = tmp_path_factory.mktemp("data")
    whole = data.generate(seed=1, rows=300, num_features=30, num_classes=8)
    rest, apart = data.hold_out(np.arange(len(whole)), 0.2, seed=1)
    return write_xmc(folder / "train.gz", whole[rest]), write_xmc(folder / "test.gz", whole[apart])


# Training.


@pytest.mark.parametrize(
    ("loss", "options", "limit"),
    [
        *((loss, [], {"margin": 0.04, "bpmll": 0.08}.get(loss, 0.06)) for loss in LOSSES),
        ("margin", ["--hidden", "32"], 0.12),
        ("margin", ["--optimizer", "adam"], 0.06),
        ("margin", ["--optimizer", "adamw"], 0.06),
    ],
)
def test_defaults_train_well(loss, options, limit, capsys):
    assert cli.main(["train", "--seed", "3", "--loss", loss, *options]) == 0
    values = re.findall(r"ranking loss *│ *([0-9.]+) *│ *([0-9.]+)", capsys.readouterr().out)
    value, of_the_most_frequent = map(float, values[0])
    assert value < limit
    assert of_the_most_frequent > 0.4


# Data.


def test_time_stamps_of_a_file_are_told_apart(tmp_path):
    lines = [f"{k % 2} 0:{1_700_000_000 + k}" for k in range(4)]
    (tmp_path / "stamps.txt").write_text("\n".join(["4 1 2", *lines]))
    features = reading.Reading().read(reading.Source(tmp_path / "stamps.txt")).features
    assert features.toarray().ravel().tolist() == [1.7e9 + k for k in range(4)]


def test_the_same_seed_makes_the_same_data():
    first, again, other = (data.generate(seed, rows=50) for seed in (4, 4, 5))
    assert np.array_equal(first.features.toarray(), again.features.toarray())
    assert first.labels == again.labels
    assert first.labels != other.labels


def test_rows_held_out_are_not_trained_on():
    made = data.generate(seed=0, rows=50)
    rest, apart = (made[rows] for rows in data.hold_out(np.arange(50), 0.2, seed=0))
    rows = np.concatenate([rest.features.toarray(), apart.features.toarray()])
    assert len(apart) == 10
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "{folder}/none.txt"], "none.txt: No such file or directory"),
        (["train", "{folder}/bad.txt"], "bad.txt:2: label out of range 0 .. 1: '7'"),
        (["train", "{folder}/empty.txt"], "empty.txt:1: the file is empty"),
        (["train", "{folder}/norow.txt"], "norow.txt:1: the file holds no row"),
        (["train", "{folder}/one.txt"], "too few rows to hold some out; give --test FILE"),
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
        (["train", "{train}", "--threads", "99999"], "--threads must be from 1 to 1024, got 99999"),
        (["train", "{train}", "--lr", "1e39"], "a smaller --lr may help"),
        (["train", "{train}", "--hidden", "9" * 18], "out of memory: array is too big"),
        (["train", "{train}", "--hidden", "9" * 20], "out of memory: Maximum allowed dimension"),
        (["evaluate", "{folder}/m.safetensors", "{folder}/one.txt"], "the model has (3, 2)"),
        (["evaluate", "{folder}/m.safetensors", "{folder}/bare.txt"], "bare.txt: no row has a lab"),
        (["evaluate", "{folder}/m.safetensors", "{folder}/full.txt"], "full.txt: each row has all"),
        (["train", "{folder}/bare.txt"], "bare.txt: no row has a label"),
        (["train", "{folder}/few.txt"], "few.txt, a random 20% held out (--test FILE takes anoth"),
        (["train", "{folder}/few.txt", "--test", "{folder}/bare.txt"], "bare.txt: no row has a l"),
        (["train", "{folder}/bare.txt", "--test", "{folder}/few.txt"], "bare.txt: no row has a l"),
        (["train", "{folder}/far.txt"], "feature 1 is from -1e+308 to 1e+308: too far apart to"),
        (["train", "{train}", "--patience", "2"], "--patience needs --validation FRACTION, or FI"),
        (["train", "{train}", "--checkpoint-every", "2"], "--checkpoint-every needs --checkpoint"),
        (["train", "{train}", "--validation", "{folder}/none"], "none: No such file or directory"),
        (["train", "{train}", "--validation", "{folder}/one.txt"], "its header says (1, 1) (feat"),
        (["train", "{train}", "--validation", "0.001"], "too few rows to hold some out; give --va"),
        (["train", "{train}", "--validation", "{test}", "--save", "{test}"], "would overwrite the"),
        (["train", "{train}", "--class-names", "{folder}/one.txt"], "--class-names: 2 names, but "),
        (["train", "{train}", "--resume", "{folder}/none"], "none: No such file or directory"),
        (
            ["predict", "{folder}/m.safetensors", "{train}", "--top", "5"],
            "--top 5: the model has 2 classes",
        ),
        (["predict", "{folder}/m.safetensors", "{train}", "--top", "1"], "says 30 features, the m"),
        (
            ["predict", "{folder}/m.safetensors", "{train}", "--output", "{train}"],
            "would overwrite",
        ),
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
    Ranker(3, 2).save(tmp_path / "m.safetensors")
    places = {"folder": tmp_path, "train": files[0], "test": files[1]}
    assert cli.main([argument.format(**places) for argument in arguments]) == 2
    errors = capsys.readouterr().err.strip().splitlines()
    assert errors[-1].startswith("lucid: ")
    assert message in errors[-1]
    assert "Traceback" not in "".join(errors)


A_MODEL, A_CHECKPOINT = "a model that `lucid train --save` wrote", "the checkpoint of a training"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["train", "{m}"],
            "{m}: FILE must be data, got " + A_MODEL + ": with data, `lucid predict MODEL FILE` "
            "and `lucid evaluate MODEL FILE` take it",
        ),
        (
            ["train", "{train}", "--test", "{m}"],
            "{m}: --test must be data, got " + A_MODEL,
        ),
        (
            ["train", "{train}", "--validation", "{m}"],
            "{m}: --validation must be data or a fraction, got " + A_MODEL,
        ),
        (
            ["train", "{train}", "--class-names", "{m}"],
            "{m}: --class-names must be text with the name of a class on each line, got " + A_MODEL,
        ),
        (
            ["train", "{c}"],
            "{c}: FILE must be data, got " + A_CHECKPOINT + ": `lucid train FILE --resume {c}` "
            "goes on from it",
        ),
        (
            ["train", "{train}", "--resume", "{m}"],
            "{m}: --resume must be the checkpoint of a training, got " + A_MODEL + ": it lacks "
            "what it takes to go on, which --checkpoint writes",
        ),
        (
            ["train", "{c}", "--resume", "{c}"],
            "{c}: FILE must be data, got " + A_CHECKPOINT,
        ),
        (
            ["train", "{train}", "--resume", "{test}"],
            "{test}: --resume must be the checkpoint of a training, got another file",
        ),
        (
            ["predict", "{train}", "{train}"],
            "{train}: MODEL must be " + A_MODEL + ", got another file",
        ),
        (
            ["predict", "{train}", "{m}"],
            "{train}: MODEL must be " + A_MODEL + ", got another file: {m} is one, and comes first",
        ),
        (
            ["predict", "{m}", "{train}", "--output", "{m}"],
            "{m}: --output would overwrite the model",
        ),
        (
            ["train", "{train}", "--checkpoint", "{m}"],
            "--checkpoint {m}: there is such a file already: to begin anew, remove it",
        ),
        (
            ["predict", "{m}", "{m}"],
            "{m}: FILE must be data, got " + A_MODEL,
        ),
        (
            ["evaluate", "{train}", "{m}"],
            "{train}: MODEL must be " + A_MODEL + ", got another file: {m} is one, and comes first",
        ),
        (
            ["evaluate", "{c}", "{train}"],
            "{c}: MODEL must be " + A_MODEL + ", got " + A_CHECKPOINT + ": `lucid train FILE "
            "--resume {c} --save MODEL` makes a model of it",
        ),
        (
            ["evaluate", "{other}", "{train}"],
            "{other}: MODEL must be " + A_MODEL + ", got another file",
        ),
    ],
)
def test_a_file_in_the_place_of_another_kind_is_told_apart(
    files, tmp_path, capsys, arguments, message
):
    places = {"m": tmp_path / "m.safetensors", "c": tmp_path / "c", "other": tmp_path / "other"}
    Ranker(30, 8).save(places["m"])
    model = lucid.nn.Linear(30, 8)
    optimizer = lucid.optim.SGD(model.parameters(), lr=1.0)
    save_training(places["c"], Trainer(model, lucid.nn.WARPLoss(), optimizer))
    lucid.io.save_checkpoint(places["other"], {"w": np.ones(2)})
    places["train"], places["test"] = files
    assert cli.main([argument.format(**places) for argument in arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lucid: " + message.format(**places))


def test_a_model_that_the_last_step_broke_is_not_saved(files, tmp_path, capsys):
    saved = tmp_path / "m.safetensors"
    saved.write_text("the old model")
    options = ["--epochs", "1", "--batch-size", "1000000", "--lr", "1e300", "--save", str(saved)]
    assert cli.main(["train", files[0], *options]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("lucid: the last step broke the mod")
    assert saved.read_text() == "the old model"


@pytest.mark.parametrize("command", ["evaluate", "predict"])
@pytest.mark.parametrize(
    ("part", "value"), [("net.weight", np.nan), ("net.bias", np.inf), ("scale", 0.0)]
)
def test_a_broken_model_is_one_line(files, tmp_path, capsys, command, part, value):
    saved = tmp_path / "m.safetensors"
    ranker = Ranker(*data.sizes(lucid.io.read_xmc(files[1])))
    shape = ranker.state_dict()[part].shape
    ranker.load_state_dict({part: np.full(shape, value)}, strict=False)
    ranker.save(saved)
    assert cli.main([command, str(saved), files[1]]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lucid: the model scores row 0 with NaN or infinity: it has diverged")


@pytest.mark.parametrize("command", ["evaluate", "predict"])
def test_a_row_too_large_for_the_model_is_one_line_with_its_number(
    saved, tmp_path, monkeypatch, capsys, command
):
    file = tmp_path / "large.txt"
    file.write_text("6 30 8\n" + "0 0:1\n" * 5 + "0 0:1e300 1:-1e300\n")
    monkeypatch.setattr(cli.evaluate, "PIECE", 2)
    assert cli.main([command, saved, str(file)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lucid: the model scores row 5 with")
    assert line.endswith("or the row is too large")


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

    monkeypatch.setattr(outputs.tempfile, "TemporaryFile", refuse)
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
    assert capsys.readouterr().err == (
        "lucid: out of memory: Unable to allocate 9 TiB; --stream 10000 reads the file in pieces\n"
    )


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
        (["train", "--checkpoint", ""], "--checkpoint"),
        (["train", "--resume", ""], "--resume"),
        (["train", "--validation", ""], "--validation"),
        (["predict", "model", "data.txt", "--output", ""], "--output"),
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


DOCS = Path(__file__).parents[1] / "docs"
WRITTEN = {
    line.strip().partition("  #")[0]
    for page in DOCS.rglob("*.rst")
    for line in re.findall(r"(?:\$|terminal::) (lucid .*)", page.read_text(encoding="utf-8"))
    if "--help" not in line
}


@pytest.mark.parametrize("line", sorted(WRITTEN))
def test_command_lines_in_the_documentation_are_such(line):
    parser = options.parser(cli.train.train, cli.predict.predict, cli.evaluate.evaluate)
    assert parser.parse_args(shlex.split(line)[1:]).run


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


@pytest.fixture
def interrupt(monkeypatch):
    """Return a function that presses Ctrl-C, once or more often, after some steps."""

    def press(after, times=1):
        real, steps = Trainer.step, itertools.count(1)

        def step(self, batch):
            loss = real(self, batch)
            if next(steps) == after:
                for _ in range(times):
                    signal.raise_signal(signal.SIGINT)
            return loss

        monkeypatch.setattr(Trainer, "step", step)

    return press


def test_ctrl_c_stops_after_the_step_and_saves_the_model(files, tmp_path, interrupt, capsys):
    interrupt(after=10)
    saved, drawn = tmp_path / "m.safetensors", tmp_path / "p.svg"
    options = ["--save", str(saved), "--plot", str(drawn), "--epochs", "99"]
    assert cli.main(["train", files[0], *options]) == 130
    arrays = load_checkpoint(saved)[0]
    assert set(arrays) == {"center", "scale", "propensities", "net.weight", "net.bias"}
    assert drawn.exists()
    out = capsys.readouterr().out
    assert "of 99 epochs" in out
    assert "ranking loss" in out


def test_ctrl_c_works_as_before_after_the_command(files, interrupt):
    before = signal.getsignal(signal.SIGINT)
    interrupt(after=1)
    cli.main(["train", files[0]])
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_ends_the_command_at_once(files, interrupt, capsys):
    interrupt(after=1, times=2)
    assert cli.main(["train", files[0]]) == 130
    assert "ranking loss" not in capsys.readouterr().out


# Validation.


def test_patience_ends_the_training_and_keeps_the_best_model(files, tmp_path, capsys):
    saved = tmp_path / "m"
    options = ["--validation", files[1], "--patience", "2", "--epochs", "200", "--lr", "3"]
    assert cli.main(["train", files[0], "--test", files[1], "--save", str(saved), *options]) == 0
    out = capsys.readouterr().out
    best, epochs, value = re.search(
        r"kept the model of epoch (\d+) of (\d+), .* rows, (0\.\d+), is the best", out
    ).groups()
    assert int(epochs) == int(best) + 2 < 200
    assert re.search(rf"ranking loss *│ *{value} ", out)  # the validation rows are the test rows
    settings = Ranker.load(saved).settings
    assert settings["best_epoch"] == int(best)
    assert settings["patience"] == 2


def test_rows_of_the_validation_are_not_trained_on(files, capsys):
    assert cli.main(["train", files[0], "--validation", "0.25", "--epochs", "1"]) == 0
    out = capsys.readouterr().out
    rows = [int(n) for n in re.findall(r"^\w+ +(\d+) rows", out, re.MULTILINE)]
    assert rows == [144, 48, 48]
    assert "a random 25% held out" in out


@pytest.mark.parametrize("text", ["0", "1", "1.5", "-0.1", "nan"])
def test_a_share_that_is_no_fraction_is_refused(text, capsys):
    with pytest.raises(SystemExit):
        cli.main(["train", f"--validation={text}"])
    assert f"{text} is not a fraction between 0 and 1, or a file" in capsys.readouterr().err


# What it says at the end.


def test_the_end_says_what_was_trained_with(files, capsys):
    options = ["--loss", "warp", "--optimizer", "adamw", "--lr", "0.02", "--weight-decay", "0.003"]
    options += ["--epochs", "2", "--batch-size", "16", "--hidden", "4", "--seed", "9"]
    assert cli.main(["train", files[0], *options]) == 0
    assert (
        "trained with warp loss, adamw, learning rate 0.02 falling to 0, weight decay 0.003, "
        "2 epochs, batches of 16, hidden layer of 4, seed 9 trained at"
    ) in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("hidden", ["0", "4"])
def test_the_learning_rate_is_that_of_the_scaled_rows_and_the_model(files, hidden, capsys):
    options = ["--loss", "soft-margin", "--hidden", hidden, "--epochs", "1"]
    assert cli.main(["train", files[0], "--test", files[1], *options]) == 0
    rows = lucid.io.read_xmc(files[0], dtype="float64")
    ranker = Ranker(30, 8)
    ranker.fit_to(rows)
    features = ranker.prepared(rows).features
    rate = learning_rate("soft-margin", "sgd", features, num_classes=8, hidden=hidden != "0")
    assert f"learning rate {rate} " in " ".join(capsys.readouterr().out.split())


def test_metrics_are_shown_beside_those_of_the_most_frequent_labels(files, capsys):
    assert cli.main(["train", files[0], "--epochs", "1"]) == 0
    out = capsys.readouterr().out
    assert "most frequent labels" in out
    for name in ("ranking loss", "P@5", "nDCG@5", "PSP@5"):
        assert re.search(rf"{name} *│ *[0-9.]+ *│ *[0-9.]+ *│", out)


@pytest.fixture(scope="module")
def saved(files, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("model") / "m.safetensors")
    names = os.path.join(os.path.dirname(path), "names.txt")
    with open(names, "w", encoding="utf-8") as file:
        file.writelines(f"class-{k}\n" for k in range(8))
    options = ["--class-names", names, "--epochs", "3", "--save", path]
    assert cli.main(["train", *files[:1], "--test", files[1], *options]) == 0
    return path


def test_json_has_all_digits_and_the_settings(saved, files, capsys):
    assert cli.main(["evaluate", saved, files[1], "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    ranker, test = Ranker.load(saved), lucid.io.read_xmc(files[1], dtype="float64")
    scores = ranker.scores(test.features)
    assert content["rows"] == len(test)
    for name, metric in (
        ("ranking loss", lucid.metrics.label_ranking_loss(scores, test.labels)),
        ("nDCG@5", lucid.metrics.ndcg_at_k(scores, test.labels, k=5)),
        ("PSP@3", lucid.metrics.psp_at_k(scores, test.labels, ranker.propensities.numpy(), k=3)),
    ):
        assert content["metrics"][name] == pytest.approx(metric, rel=1e-12)
    assert content["metrics"].keys() == content["most frequent labels"].keys()
    assert content["settings"]["loss"] == "margin"
    assert content["settings"]["epochs"] == 3
    assert isinstance(content["settings"]["epochs"], int)


# Predicting.


def predicted(saved, file, *options):
    ranker, rows = Ranker.load(saved), lucid.io.read_xmc(file, dtype="float64")
    classes, scores = ranker.top_k(rows.features, 3)
    assert cli.main(["predict", saved, file, "--top", "3", *options]) == 0
    return [[f"class-{c}" for c in row] for row in classes], scores


def test_predictions_are_the_best_labels_by_name_with_their_scores(saved, files, tmp_path):
    output = tmp_path / "p.txt"
    names, scores = predicted(saved, files[1], "--output", str(output))
    lines = output.read_text().splitlines()
    assert len(lines) == len(names)
    for line, row, values in zip(lines, names, scores, strict=True):
        labels, texts = zip(*(pair.split(":") for pair in line.split()), strict=True)
        assert list(labels) == row
        assert np.array_equal(np.array(texts, np.float32), values)


def test_predictions_come_as_csv_and_json_lines(saved, files, tmp_path):
    names, scores = predicted(saved, files[1], "--output", str(tmp_path / "p.csv"))
    with open(tmp_path / "p.csv", newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [row["label"] for row in table] == list(itertools.chain.from_iterable(names))
    assert [int(row["row"]) for row in table[:4]] == [0, 0, 0, 1]
    predicted(saved, files[1], "--output", str(tmp_path / "p"), "--format", "jsonl")
    lines = [json.loads(line) for line in (tmp_path / "p").read_text().splitlines()]
    assert [line["labels"] for line in lines] == names
    assert np.array_equal(np.array([line["scores"] for line in lines], np.float32), scores)


def test_predictions_go_to_standard_output(saved, files, capfdbinary):
    names, _ = predicted(saved, files[1])
    assert len(capfdbinary.readouterr().out.splitlines()) == len(names)


def test_predictions_to_a_dash_go_to_standard_output(
    saved, files, tmp_path, monkeypatch, capfdbinary
):
    monkeypatch.chdir(tmp_path)
    names, _ = predicted(saved, files[1], "--output", "-")
    assert len(capfdbinary.readouterr().out.splitlines()) == len(names)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="needs such a name")
@pytest.mark.parametrize(
    ("option", "output", "stream"),
    [
        ("--output", "/dev/stdout", "standard output; --output - writes there"),
        ("--output", "{log}", "standard output; --output - writes there"),
        ("--output", "/dev/stderr", "standard error"),
        ("--save", "/dev/stdout", "standard output"),
        ("--checkpoint", "/dev/stdout", "standard output"),
        ("--plot", "/dev/stdout", "standard output"),
    ],
)
def test_what_the_shell_writes_to_is_not_replaced(saved, files, tmp_path, option, output, stream):
    log, errors = tmp_path / "log", tmp_path / "errors"
    run = ["predict", saved, files[1]] if option == "--output" else ["train", files[0]]
    with open(log, "wb") as out, open(errors, "wb") as err:
        out.write(b"before\n")
        out.flush()
        path = output.format(log=log)
        ended = subprocess.run([*command, *run, option, path], stdout=out, stderr=err)
        out.write(b"after\n")
    assert ended.returncode == 2
    assert log.read_text() == "before\nafter\n"
    expected = f"lucid: {path}: {option} wants a file of its own, not the {stream}"
    assert errors.read_text() == expected + "\n"


def test_a_threshold_leaves_labels_out(saved, files, tmp_path):
    output = tmp_path / "p.jsonl"
    _, scores = predicted(saved, files[1], "--output", str(output), "--threshold", "0.5")
    lines = [json.loads(line)["scores"] for line in output.read_text().splitlines()]
    assert [len(line) for line in lines] == (scores >= 0.5).sum(axis=1).tolist()
    assert 0 < sum(map(len, lines)) < scores.size


def test_predictions_do_not_depend_on_how_many_rows_are_read_at_once(
    saved, files, tmp_path, monkeypatch
):
    found = []
    for rows in (1, 7, 10_000):
        monkeypatch.setattr(cli.evaluate, "PIECE", rows)
        predicted(saved, files[1], "--output", str(tmp_path / "p.txt"))
        found.append((tmp_path / "p.txt").read_bytes())
    assert found[0] == found[1] == found[2]


def test_a_row_that_is_malformed_leaves_the_old_predictions(saved, tmp_path, capsys):
    output, bad = tmp_path / "p.txt", tmp_path / "bad.txt"
    output.write_text("the old predictions")
    bad.write_text("2 30 8\n0 0:1\n0 0:x\n")
    assert cli.main(["predict", saved, str(bad), "--output", str(output)]) == 2
    assert "bad.txt:3: not a feature" in capsys.readouterr().err
    assert output.read_text() == "the old predictions"


# Going on.

LONG = ["--epochs", "40", "--batch-size", "4", "--hidden", "8", "--validation", "0.2"]
LONG += ["--optimizer", "adamw", "--patience", "100"]


def check_killed(file, settings, tmp_path):
    saved, whole, checkpoint = (str(tmp_path / name) for name in ("m", "whole", "c"))
    assert cli.main(["train", file, *settings, "--save", whole]) == 0
    options = ["train", file, *settings, "--save", saved, "--checkpoint", checkpoint]
    with subprocess.Popen(
        [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as running:
        while not os.path.exists(checkpoint) and running.poll() is None:
            time.sleep(0.001)
        time.sleep(0.05)  # an epoch or some later, in the middle of whatever
        running.kill()
    assert running.returncode == -signal.SIGKILL
    assert not os.path.exists(saved)
    assert cli.main(["train", file, "--resume", checkpoint, "--save", saved]) == 0
    with open(saved, "rb") as first, open(whole, "rb") as second:
        assert first.read() == second.read()


def test_a_training_that_is_killed_goes_on_to_the_same_bytes(files, tmp_path):
    check_killed(files[0], LONG, tmp_path)


@pytest.mark.parametrize("after", [1, 100, 101])
def test_a_training_that_is_interrupted_goes_on_to_the_same_bytes(
    files, tmp_path, interrupt, monkeypatch, after
):
    saved, whole, checkpoint = (str(tmp_path / name) for name in ("m", "whole", "c"))
    options = ["train", files[0], *LONG[2:], "--epochs", "5"]
    with monkeypatch.context():
        assert cli.main([*options, "--save", whole]) == 0
    interrupt(after)
    assert cli.main([*options, "--checkpoint", checkpoint, "--checkpoint-every", "9"]) == 130
    assert cli.main(["train", files[0], "--resume", checkpoint, "--save", saved]) == 0
    with open(saved, "rb") as first, open(whole, "rb") as second:
        assert first.read() == second.read()


@pytest.mark.parametrize("again", [False, True])
def test_a_resumed_training_may_be_longer_and_writes_its_checkpoint(files, tmp_path, capsys, again):
    checkpoint = str(tmp_path / "c")
    options = ["--checkpoint", checkpoint]
    assert cli.main(["train", files[0], "--epochs", "2", *options]) == 0
    options = ["--resume", checkpoint, *(options if again else [])]
    assert cli.main(["train", files[0], "--epochs", "3", *options]) == 0
    assert "3 epochs" in capsys.readouterr().out
    state, _ = lucid.training.load_training(checkpoint)
    assert [epoch["number"] for epoch in state["history"]] == [1, 2, 3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--loss", "warp"], "--loss warp: the training of {c} was begun with margin, and goes"),
        (["--seed", "1"], "--seed 1: the training of {c} was begun with 0"),
        (["--batch-size", "9"], "--batch-size 9: the training of {c} was begun with 32"),
        (
            ["--test", "{test}"],
            "{c}: was trained on other rows: FILE, --test and --validation must be the same as "
            "before (train: {train}, test: a random 20% held out)",
        ),
    ],
)
def test_a_training_goes_on_only_as_it_was_begun(files, tmp_path, capsys, options, message):
    places = {"c": str(tmp_path / "c"), "train": files[0], "test": files[1]}
    assert cli.main(["train", files[0], "--epochs", "1", "--checkpoint", places["c"]]) == 0
    again = [option.format(**places) for option in options]
    assert cli.main(["train", files[0], "--resume", places["c"], *again]) == 2
    assert message.format(**places) in capsys.readouterr().err


def test_a_training_of_a_file_that_is_not_named_again_says_which_one(files, tmp_path, capsys):
    checkpoint = str(tmp_path / "c")
    assert cli.main(["train", files[0], "--epochs", "1", "--checkpoint", checkpoint]) == 0
    assert cli.main(["train", "--resume", checkpoint]) == 2
    assert f"(train: {files[0]}, test: a random 20% held out)" in capsys.readouterr().err


def test_a_training_that_is_done_says_so_and_saves_its_model(files, tmp_path, capsys):
    first, again, checkpoint = (str(tmp_path / name) for name in ("m", "again", "c"))
    options = ["--epochs", "2", "--checkpoint", checkpoint, "--save", first]
    assert cli.main(["train", files[0], *options]) == 0
    capsys.readouterr()
    assert cli.main(["train", files[0], "--resume", checkpoint, "--save", again]) == 0
    shown = capsys.readouterr()
    assert f"nothing is left to train: all 2 epochs of {checkpoint} are done; a lar" in shown.out
    assert "rows a second" not in shown.out
    assert "epoch" not in shown.err
    assert Path(first).read_bytes() == Path(again).read_bytes()


def test_a_training_that_patience_ended_says_so(files, tmp_path, capsys):
    saved, again, checkpoint = (str(tmp_path / name) for name in ("m", "again", "c"))
    options = ["--validation", files[1], "--patience", "2", "--epochs", "200", "--lr", "3"]
    options += ["--save", saved, "--checkpoint", checkpoint]
    assert cli.main(["train", files[0], *options]) == 0
    capsys.readouterr()
    assert cli.main(["train", files[0], "--resume", checkpoint, "--save", again]) == 0
    assert f"--patience ended the training of {checkpoint} after epoch" in capsys.readouterr().out
    assert Path(saved).read_bytes() == Path(again).read_bytes()


def test_a_checkpoint_that_is_there_is_not_overwritten_by_a_training_from_the_start(
    files, tmp_path, capsys
):
    checkpoint = tmp_path / "c"
    options = ["train", files[0], "--epochs", "1", "--checkpoint", str(checkpoint)]
    assert cli.main(options) == 0
    before = checkpoint.read_bytes()
    capsys.readouterr()
    assert cli.main(options) == 2
    captured = capsys.readouterr()
    assert f"--resume {checkpoint} goes on from it; to begin anew, remove it" in captured.err
    assert captured.out == ""
    assert checkpoint.read_bytes() == before


# In pieces.

IN_PIECES = ["--stream", "50", "--validation", "0.2", "--epochs", "40", "--batch-size", "4"]
IN_PIECES += ["--hidden", "8", "--optimizer", "adamw", "--patience", "100"]


def test_pieces_hold_out_the_rows_that_the_whole_file_does(files, tmp_path):
    for test in (None, reading.Source(files[1])):
        splits = [
            data.load(reading.Source(files[0]), test, 3, 0.25, reading.Reading(piece=piece))
            for piece in (None, 7)
        ]
        for name in ("train", "validation", "test"):
            whole, pieces = (
                sorted(
                    (tuple(x), *map(int, y))
                    for piece in pieces_of(getattr(split, name))
                    for x, y in zip(piece.features.toarray(), piece.labels, strict=True)
                )
                for split in splits
            )
            assert whole == pieces
        assert splits[0].origins == splits[1].origins


def test_one_piece_of_all_rows_in_their_order_is_the_whole_file(files, tmp_path):
    saved = [tmp_path / "whole", tmp_path / "piece"]
    for path, how in zip(saved, ([], ["--stream", "1000"]), strict=True):
        rest = ["--test", files[1], "--epochs", "2", "--save", str(path)]
        assert cli.main(["train", files[0], *how, *rest]) == 0
    first, second = (load_checkpoint(path)[0] for path in saved)
    for name in first:
        assert np.array_equal(first[name], second[name])


def test_pieces_train_well(files, capsys):
    assert cli.main(["train", files[0], "--test", files[1], "--stream", "50"]) == 0
    out = capsys.readouterr().out
    value = float(re.findall(r"ranking loss *│ *([0-9.]+)", out)[0])
    assert value < 0.15
    assert "in pieces of 50 rows" in out


def test_a_training_in_pieces_that_is_killed_goes_on_to_the_same_bytes(files, tmp_path):
    check_killed(files[0], IN_PIECES, tmp_path)


@pytest.mark.parametrize("after", [1, 20, 45])
def test_a_training_in_pieces_that_is_interrupted_goes_on_to_the_same_bytes(
    files, tmp_path, interrupt, monkeypatch, after
):
    saved, whole, checkpoint = (str(tmp_path / name) for name in ("m", "whole", "c"))
    options = ["train", files[0], *IN_PIECES, "--epochs", "3"]
    with monkeypatch.context():
        assert cli.main([*options, "--save", whole]) == 0
    interrupt(after)
    assert cli.main([*options, "--checkpoint", checkpoint]) == 130
    assert cli.main(["train", files[0], "--resume", checkpoint, "--save", saved]) == 0
    assert Path(saved).read_bytes() == Path(whole).read_bytes()


def test_pieces_are_of_a_file(capsys):
    assert cli.main(["train", "--stream", "100"]) == 2
    assert "--stream needs a FILE to train on" in capsys.readouterr().err


def test_a_file_larger_than_the_memory_of_the_machine_is_not_begun(files, monkeypatch, capsys):
    monkeypatch.setattr(data.os, "sysconf", lambda name: 1)
    assert cli.main(["train", files[0]]) == 2
    captured = capsys.readouterr()
    assert "--stream 10000 reads the file in pieces" in captured.err
    assert captured.out == ""


#: The command with so many MiB of memory beyond what Python and the packages take.
LIMITED = """
import resource, sys
import rich.console, rich.progress, rich.table, safetensors.numpy, scipy.sparse, threadpoolctl
from lucid.cli import main
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
limit = taken + (int(sys.argv[1]) << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
raise SystemExit(main(sys.argv[2:]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the memory that is taken")
def test_a_file_larger_than_the_memory_is_trained_on_tested_and_predicted(tmp_path):
    path, model, best = (str(tmp_path / name) for name in ("large.txt", "m", "best.txt"))
    rng = np.random.default_rng(0)
    block = "".join(
        f"{c} {c}:1 {c + 10}:{c}.5" + " " * 1000 + "\n" for c in rng.integers(0, 9, 1000)
    )
    with open(path, "w") as file:
        file.write("80000 20 9\n")
        file.writelines(itertools.repeat(block, 80))
    memory = 64
    assert os.path.getsize(path) > memory << 20
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

    def run(*arguments):
        limited = [sys.executable, "-P", "-c", LIMITED, str(memory), *arguments]
        return subprocess.run(limited, env=environment, capture_output=True, text=True)

    options = ["train", path, "--epochs", "1", "--batch-size", "1000", "--save", model]
    refused = run(*options)
    assert refused.returncode == 2
    assert "--stream 10000 reads the file in pieces" in refused.stderr
    trained = run(*options, "--stream", "2000", "--validation", "0.1")
    assert trained.returncode == 0, trained.stderr
    evaluated = run("evaluate", model, path)
    assert evaluated.returncode == 0, evaluated.stderr
    predicted = run("predict", model, path, "--top", "1", "--output", best)
    assert predicted.returncode == 0, predicted.stderr
    with open(best) as lines:
        labels = [line.partition(":")[0] for line in itertools.islice(lines, 1000)]
    assert labels == [line.partition(" ")[0] for line in block.splitlines()]


# Labels that are names.


@pytest.fixture(scope="module")
def named(files, tmp_path_factory):
    """The same files with names in place of numbers, and the names."""
    folder = tmp_path_factory.mktemp("named")
    names = [f"tag-{'hgfedcba'[k]}" for k in range(8)]
    paths = []
    for file in files:
        whole = lucid.io.read_xmc(file, dtype="float64")
        paths.append(str(folder / os.path.basename(file)))
        lucid.io.write_xmc(paths[-1], whole.features, whole.labels, class_names=names)
    return (*paths, names)


@pytest.mark.parametrize("options", [[], ["--stream", "100"]])
def test_labels_may_be_names_from_the_file_to_the_predictions(named, tmp_path, capsys, options):
    train, test, names = named
    saved, best = str(tmp_path / "m"), str(tmp_path / "best.txt")
    options = ["--named-labels", "--test", test, "--save", saved, *options]
    assert cli.main(["train", train, *options]) == 0
    trained = capsys.readouterr().out
    assert Ranker.load(saved).class_names == tuple(sorted(names))
    assert cli.main(["evaluate", saved, test]) == 0
    assert trained.endswith(capsys.readouterr().out)
    assert cli.main(["predict", saved, test, "--top", "1", "--output", best]) == 0
    first = [line.rpartition(":")[0] for line in Path(best).read_text().splitlines()]
    given = lucid.io.read_xmc(test, class_names=sorted(names)).labels
    hits = [name in [sorted(names)[c] for c in row] for name, row in zip(first, given, strict=True)]
    assert np.mean(hits) > 0.8


def test_a_model_whose_classes_have_names_evaluates_a_file_of_names(named, files, tmp_path, capsys):
    (tmp_path / "names.txt").write_text("\n".join(named[2]))
    saved, nameless = str(tmp_path / "m"), str(tmp_path / "nameless")
    options = ["--test", files[1], "--epochs", "2", "--save"]
    assert (
        cli.main(["train", files[0], "--class-names", str(tmp_path / "names.txt"), *options, saved])
        == 0
    )
    trained = capsys.readouterr().out
    assert cli.main(["evaluate", saved, named[1], "--named-labels"]) == 0
    assert trained.endswith(capsys.readouterr().out)
    assert cli.main(["train", files[0], *options, nameless]) == 0
    assert cli.main(["evaluate", nameless, named[1], "--named-labels"]) == 2
    assert "the classes of the model have no names" in capsys.readouterr().err


def test_names_give_the_model_that_numbers_give(named, files, tmp_path):
    (tmp_path / "names.txt").write_text("\n".join(named[2]))
    options = ["--class-names", str(tmp_path / "names.txt"), "--epochs", "2", "--save"]
    assert cli.main(["train", files[0], *options, str(tmp_path / "numbers")]) == 0
    assert cli.main(["train", named[0], "--named-labels", *options, str(tmp_path / "names")]) == 0
    first, second = (load_checkpoint(tmp_path / name)[0] for name in ("numbers", "names"))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_labels_of_rows_to_predict_are_not_looked_at(named, tmp_path, capfdbinary):
    saved, rows = str(tmp_path / "m"), tmp_path / "rows.txt"
    options = ["--named-labels", "--epochs", "1", "--save", saved]
    assert cli.main(["train", named[0], *options]) == 0
    rows.write_text("3 30 1\nnever-seen,tag-a 0:1\n 0:1\n0:1\n")
    capfdbinary.readouterr()
    assert cli.main(["predict", saved, str(rows)]) == 0
    first, second, third = capfdbinary.readouterr().out.splitlines()
    assert first == second == third


def test_a_training_with_names_goes_on_with_them(named, tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("\n".join(named[2]))
    whole, saved, checkpoint = (str(tmp_path / name) for name in ("whole", "m", "c"))
    options = ["--named-labels", "--class-names", str(names)]
    options = ["train", named[0], *options, "--epochs", "2", "--checkpoint", checkpoint]
    assert cli.main([*options, "--save", whole]) == 0
    assert cli.main(["train", named[0], "--resume", checkpoint, "--save", saved]) == 0
    assert Path(saved).read_bytes() == Path(whole).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "{train}"], "names are read by --named-labels, or class_names=True): 'tag-"),
        (["train", "--named-labels"], "--named-labels needs a FILE to train on"),
        (["train", "{train}", "--named-labels", "--test", "{other}"], "not one of the 8 names of"),
        (
            ["train", "{train}", "--named-labels", "--class-names", "{names}"],
            "--class-names: 2 names, but {train} has 8 classes",
        ),
    ],
)
def test_wrong_names_are_one_line(named, tmp_path, capsys, arguments, message):
    places = {name: str(tmp_path / name) for name in ("other", "names")} | {"train": named[0]}
    (tmp_path / "names").write_text("one\ntwo\n")
    (tmp_path / "other").write_text("1 30 8\ntag-x 0:1\n")
    assert cli.main([argument.format(**places) for argument in arguments]) == 2
    assert message.format(**places) in capsys.readouterr().err


# Features and labels apart.


@pytest.fixture(scope="module")
def apart(files, tmp_path_factory):
    """The same rows with features and labels in two files, by name."""
    folder = tmp_path_factory.mktemp("apart")

    def write(name, matrix):
        lines = [f"{len(matrix)} {len(matrix[0])}"]
        lines += [" ".join(f"{c}:{x}" for c, x in enumerate(row) if x) for row in matrix.tolist()]
        (folder / name).write_text("\n".join([*lines, ""]))
        return str(folder / name)

    found = {}
    for name, file in zip(("trn", "tst"), files, strict=True):
        rows = lucid.io.read_xmc(file, dtype="float64")
        found[f"{name}_x"] = write(f"{name}_X_Xf.txt", rows.features.toarray())
        found[f"{name}_y"] = write(f"{name}_X_Y.txt", rows.labels.to_multi_hot().astype(int))
    return found


def test_features_and_labels_apart_train_the_model_that_one_file_does(files, apart, tmp_path):
    rest = ["--epochs", "2", "--save"]
    pair = ["train", apart["trn_x"], "--labels", apart["trn_y"]]
    test = ["--test", apart["tst_x"], "--test-labels", apart["tst_y"]]
    held = ["--validation", apart["tst_x"], "--validation-labels", apart["tst_y"]]
    one = ["train", files[0], "--test", files[1], "--validation", files[1]]
    saved = [str(tmp_path / name) for name in ("pair", "one")]
    assert cli.main([*pair, *test, *held, *rest, saved[0]]) == 0
    assert cli.main([*one, *rest, saved[1]]) == 0
    first, second = (Ranker.load(path).state_dict() for path in saved)
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_a_model_is_evaluated_on_features_and_labels_apart(saved, files, apart, capsys):
    shown = []
    for rows in ([files[1]], [apart["tst_x"], "--labels", apart["tst_y"]]):
        assert cli.main(["evaluate", saved, *rows, "--json"]) == 0
        shown.append(json.loads(capsys.readouterr().out)["metrics"])
    assert shown[0] == pytest.approx(shown[1], rel=1e-12)


@pytest.mark.parametrize("form", ["one", "apart"])
def test_pairs_of_a_filter_file_are_not_counted(saved, files, apart, tmp_path, form, capsys):
    rows = lucid.io.read_xmc(files[1], dtype="float64")
    pairs = Labels.from_multi_hot(np.random.default_rng(0).random(rows.labels.shape) < 0.3)
    text = "".join(f"{n} {c}\n" for n, row in enumerate(pairs) for c in row)
    (tmp_path / "filter.txt").write_text(text)
    where = [files[1]] if form == "one" else [apart["tst_x"], "--labels", apart["tst_y"]]
    filtered = ["--filter-pairs", str(tmp_path / "filter.txt")]
    assert cli.main(["evaluate", saved, *where, "--json", *filtered]) == 0
    shown = json.loads(capsys.readouterr().out)["metrics"]
    ranker = Ranker.load(saved)
    p = ranker.propensities.numpy()
    assert shown == pytest.approx(evaluate(ranker, rows.leave_out(pairs), propensities=p))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--labels", "{trn_y}"], "--labels needs a FILE to train on as well"),
        (["train", "{one}", "--test-labels", "{tst_y}"], "--test-labels needs --test FILE as well"),
        (
            ["train", "{one}", "--validation", "0.1", "--validation-labels", "{tst_y}"],
            "--validation-labels needs --validation FILE as well",
        ),
        (["train", "{trn_x}"], "two files are read by lucid.io.read_xmc_pair, or with --labels"),
        (["train", "{trn_x}", "--labels", "{trn_y}", "--stream", "9"], "--labels: --stream reads"),
        (
            ["train", "{trn_x}", "--labels", "{trn_y}", "--named-labels"],
            "{trn_y}: labels in a file of their own are numbers, but those of",
        ),
        (["train", "{trn_x}", "--labels", "{tst_y}"], "{tst_y}: 60 rows, but {trn_x} has 240"),
        (
            ["train", "{trn_x}", "--labels", "{trn_y}", "--save", "{trn_y}"],
            "--save would overwrite the data",
        ),
        (
            ["train", "{one}", "--test", "{trn_y}", "--test-labels", "{trn_y}"],
            "{trn_y} and {trn_y}: their headers say (8, 8) (features, labels), that of {one} (30",
        ),
        (["train", "{trn_x}", "--labels", "{model}"], "{model}: --labels must be data, got a mod"),
        (["evaluate", "{model}", "{trn_y}", "--labels", "{trn_y}"], "the model has (30, 8)"),
        (["evaluate", "{model}", "{trn_x}", "--labels", "{trn_x}"], "{trn_x}:2: the value of a la"),
        (
            ["evaluate", "{model}", "{one}", "--filter-pairs", "{one}"],
            "{one}:1: not a pair `row class`",
        ),
    ],
)
def test_what_is_wrong_with_files_apart_is_one_line(
    saved, files, apart, capsys, arguments, message
):
    places = {**apart, "one": files[0], "model": saved}
    assert cli.main([argument.format(**places) for argument in arguments]) == 2
    errors = capsys.readouterr().err.strip().splitlines()
    assert errors[-1].startswith("lucid: ")
    assert message.format(**places) in errors[-1]


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


def test_a_name_that_text_cannot_hold_is_an_error_in_words(files, tmp_path, capsys):
    names, model = tmp_path / "names.txt", str(tmp_path / "named.safetensors")
    names.write_text("".join(f"class {n}\n" for n in range(8)))
    options = ["--class-names", str(names), "--epochs", "1", "--save", model]
    assert cli.main(["train", files[0], *options]) == 0
    assert cli.main(["predict", model, files[1]]) == 2
    assert "--format csv" in capsys.readouterr().err
    assert cli.main(["predict", model, files[1], "--output", str(tmp_path / "best.csv")]) == 0


def test_a_model_of_few_classes_predicts_all_of_them_by_default(tmp_path, capsysbinary):
    path, model = str(tmp_path / "small.txt"), str(tmp_path / "small.safetensors")
    lucid.io.write_xmc(path, np.eye(4), Labels.from_lists([[0], [1], [2], [0]], 3))
    assert cli.main(["train", path, "--test", path, "--epochs", "1", "--save", model]) == 0
    capsysbinary.readouterr()
    assert cli.main(["predict", model, path]) == 0
    lines = capsysbinary.readouterr().out.splitlines()
    assert [len(line.split()) for line in lines] == [3, 3, 3, 3]


def test_two_classes_of_one_name_are_refused(files, tmp_path, capsys):
    names = tmp_path / "names.txt"
    names.write_text("a\nb\nc\nd\ne\nf\ng\na\n")
    assert cli.main(["train", files[0], "--class-names", str(names)]) == 2
    assert "names.txt: class_names must be different, got 'a' twice" in capsys.readouterr().err


def test_a_training_is_not_resumed_for_fewer_epochs_than_are_done(files, tmp_path, capsys):
    checkpoint = str(tmp_path / "c.safetensors")
    assert cli.main(["train", files[0], "--epochs", "3", "--checkpoint", checkpoint]) == 0
    assert cli.main(["train", files[0], "--resume", checkpoint, "--epochs", "2"]) == 2
    assert "--epochs 2: 3 are done already" in capsys.readouterr().err
