"""Files that are written whole or not at all: several at once, and after a process was killed."""

import os
import subprocess
import sys
import threading
import time

import pytest

from lucid.system import atomic
from lucid.system.atomic import replacing

DRAFT = ".lucid-0123456789abcdef.tmp"


def write(path, content=b"new"):
    with replacing(path) as file:
        file.write(content)


def drafts_in(folder):
    return [name for name in os.listdir(folder) if name.endswith(".tmp")]


KILLED = """
import os, signal
from lucid.system.atomic import replacing
with replacing("model") as file:
    file.write(b"half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_draft_of_a_killed_process_is_gone_after_the_next_save(tmp_path, fresh_python):
    (tmp_path / "model").write_bytes(b"old")
    assert fresh_python(KILLED).returncode == -9
    assert len(drafts_in(tmp_path)) == 1
    assert (tmp_path / "model").read_bytes() == b"old"
    write(tmp_path / "another")
    assert sorted(os.listdir(tmp_path)) == ["another", "model"]


STANDARD_OUTPUT = """
from lucid.system.atomic import replacing
print("before", flush=True)
try:
    with replacing("log") as file:
        file.write(b"new")
except OSError as error:
    print(error.filename, error.strerror)
"""


def test_the_file_that_standard_output_goes_to_is_not_replaced(tmp_path):
    with open(tmp_path / "log", "wb") as out:
        python = [sys.executable, "-P", "-c", STANDARD_OUTPUT]
        subprocess.run(python, stdout=out, cwd=tmp_path, check=True)
    found = (tmp_path / "log").read_text()
    assert found == "before\nlog is the standard output, which would be replaced\n"


@pytest.mark.parametrize("mode", [0o444, 0o600])
def test_a_draft_is_removed_whatever_its_permissions(tmp_path, mode):
    (tmp_path / DRAFT).touch(mode)
    write(tmp_path / "model")
    assert drafts_in(tmp_path) == []


def test_a_draft_that_is_being_written_is_left(tmp_path):
    with replacing(tmp_path / "slow") as file:
        file.write(b"whole")
        write(tmp_path / "fast")
        assert len(drafts_in(tmp_path)) == 1
    assert (tmp_path / "slow").read_bytes() == b"whole"


def test_a_draft_that_another_process_writes_is_left(tmp_path, fresh_python):
    writer = threading.Thread(
        target=fresh_python,
        args=(
            "from lucid.system.atomic import replacing\n"
            "import os, time\n"
            "with replacing('slow') as file:\n"
            "    file.write(b'whole')\n"
            "    while not os.path.exists('go on'): time.sleep(0.01)",
        ),
    )
    writer.start()
    while not drafts_in(tmp_path) and writer.is_alive():
        time.sleep(0.01)
    write(tmp_path / "go on")
    writer.join()
    assert (tmp_path / "slow").read_bytes() == b"whole"


def test_of_two_saves_at_once_the_last_stays_whole(tmp_path):
    path = tmp_path / "model"
    with replacing(path) as first:
        first.write(b"first")
        with replacing(path) as second:
            second.write(b"second, longer")
        assert path.read_bytes() == b"second, longer"
    assert path.read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["model"]


def test_many_saves_at_once_never_disturb_each_other(tmp_path):
    errors = []

    def save_often(content):
        try:
            for _ in range(30):
                write(tmp_path / "model", content)
        except OSError as error:
            errors.append(error)

    threads = [threading.Thread(target=save_often, args=(b"%d" % n * 9999,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(set((tmp_path / "model").read_bytes())) == 1
    assert os.listdir(tmp_path) == ["model"]


def test_what_is_not_a_draft_is_left(tmp_path):
    (tmp_path / "data.txt").write_text("precious")
    others = [".lucid-.tmp", ".lucid-0123.tmp", f"x{DRAFT}", f"{DRAFT}x", ".0a1b2c3d.tmp", "a.tmp"]
    for name in others:
        (tmp_path / name).touch()
    (tmp_path / DRAFT).symlink_to(tmp_path / "data.txt")
    (tmp_path / DRAFT.replace("0", "1")).mkdir()
    os.mkfifo(tmp_path / DRAFT.replace("0", "2"))
    before = set(os.listdir(tmp_path))
    write(tmp_path / "model")
    assert set(os.listdir(tmp_path)) == before | {"model"}


def test_a_draft_that_is_taken_for_abandoned_before_it_is_locked_is_made_anew(
    tmp_path, monkeypatch
):
    real, taken = atomic.fcntl.flock, []

    def remove_first(file, operation):
        if not taken:
            taken.extend(drafts_in(tmp_path))
            os.unlink(tmp_path / taken[0])
        real(file, operation)

    monkeypatch.setattr(atomic.fcntl, "flock", remove_first)
    write(tmp_path / "model")
    assert len(taken) == 1
    assert (tmp_path / "model").read_bytes() == b"new"


def test_without_locks_files_are_written_and_drafts_left(tmp_path, monkeypatch):
    def refuse(file, operation):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(atomic.fcntl, "flock", refuse)
    (tmp_path / DRAFT).touch()
    write(tmp_path / "model")
    assert sorted(os.listdir(tmp_path)) == [DRAFT, "model"]


def test_a_folder_that_cannot_be_listed_can_be_written_to(tmp_path, monkeypatch):
    def refuse(folder):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(atomic.os, "listdir", refuse)
    write(tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == b"new"
