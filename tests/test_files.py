"""Files that appear whole or not at all: links, abandoned parts, kills; and arrays in files.

Saves that an error interrupts, and damaged files, are in `training/test_checkpoint.py`.
"""

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal

from rnncourse.files import load_arrays, replacing, require_place, save_arrays

HERE = socket.gethostname()


def write(path, content=b"new"):
    with replacing(path) as file:
        file.write(content)


def leave_part(target, writer, age=0.0):
    """Make a part of `target` that `writer`, host-process-thread, has last written `age` s ago."""
    part = target.with_name(f"{target.name}.{writer}.part")
    part.write_bytes(b"half")
    os.utime(part, (time.time() - age,) * 2)
    return part


@pytest.fixture
def target(tmp_path):
    return tmp_path / "run.npz"


@pytest.fixture
def child():
    """A process that does nothing until it is told to end."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process


# ---------------------------------------------------------------- where the file appears


@pytest.mark.parametrize("name", ["run.npz", "run", "run[1].npz", "*?", "läufe 1.npz", ".hidden"])
def test_a_file_has_the_name_that_was_given(tmp_path, name):
    for content in (b"old", b"new"):
        write(tmp_path / name, content)
        assert os.listdir(tmp_path) == [name]
        assert (tmp_path / name).read_bytes() == content


def test_a_path_is_text_or_a_path(target, monkeypatch):
    write(str(target))
    monkeypatch.chdir(target.parent)
    write("beside")
    assert sorted(os.listdir(target.parent)) == ["beside", "run.npz"]
    for path in (os.fsencode(target), 3, None):
        with pytest.raises(TypeError, match="expected a path: text or a"):
            write(path)


@pytest.mark.parametrize("there", [True, False], ids=["link", "dangling link"])
@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("elsewhere", [True, False])
def test_a_link_stays_a_link(tmp_path, there, relative, elsewhere):
    folder = tmp_path / "folder" if elsewhere else tmp_path
    folder.mkdir(exist_ok=True)
    real, link = folder / "real.npz", tmp_path / "link.npz"
    link.symlink_to(real.relative_to(tmp_path) if relative else real)
    if there:
        real.write_bytes(b"old")
    again = tmp_path / "again.npz"
    again.symlink_to("link.npz")
    for path, content in ((link, b"one"), (again, b"two")):
        require_place("path", path)
        write(path, content)
        assert link.is_symlink()
        assert again.is_symlink()
        assert not real.is_symlink()
        assert real.read_bytes() == content
    assert {p.name for p in tmp_path.rglob("*") if p.is_file()} == {
        "real.npz",
        "link.npz",
        "again.npz",
    }


def test_a_folder_a_device_and_a_missing_folder_are_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, error, message in (
        (tmp_path, IsADirectoryError, "a folder, expected a file"),
        ("", IsADirectoryError, "a folder, expected a file"),
        ("/", IsADirectoryError, "path is /, a folder, expected a file"),
        (pipe, OSError, "expected an ordinary file"),
        (os.devnull, OSError, "path is /dev/null, expected an ordinary file"),
        (tmp_path / "no" / "run.npz", FileNotFoundError, "expected a file in a folder that exists"),
        (tmp_path / "file" / "run.npz", FileNotFoundError, "in a folder that exists"),
    ):
        with pytest.raises(error, match=message):
            write(path)
        with pytest.raises(ValueError, match="expected a file in a folder that exists"):
            require_place("place", path)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    assert sorted(os.listdir(tmp_path)) == ["file", "pipe"]


def test_a_new_file_has_the_permissions_of_the_old_one(target):
    write(target)
    usual = stat.S_IMODE(target.stat().st_mode)
    for mode in (0o600, 0o640, usual):
        target.chmod(mode)
        write(target)
        assert stat.S_IMODE(target.stat().st_mode) == mode


def test_a_place_is_tried_and_nothing_is_left_there(target):
    require_place("path", target)
    require_place("path", str(target))
    assert os.listdir(target.parent) == []
    target.write_bytes(b"old")
    require_place("path", target)
    assert target.read_bytes() == b"old"
    assert os.listdir(target.parent) == [target.name]


def test_a_name_that_no_file_can_have_is_no_place(target):
    # Permissions do not hold back root, but nobody may write a name that is too long.
    expected = r"place is .*, expected a file in a folder that (exists|can be written) \(.*\)"
    with pytest.raises(ValueError, match=expected):
        require_place("place", target.parent / ("n" * 300))
    with pytest.raises(TypeError, match="place is None, expected a path"):
        require_place("place", None)


@pytest.mark.parametrize("error", [OSError(28, "No space left"), PermissionError("read-only")])
def test_a_folder_that_takes_no_file_is_no_place(target, monkeypatch, error):
    def refuse(*_):
        raise error

    monkeypatch.setattr("builtins.open", refuse)
    reason = str(error).split("]")[-1].strip()
    with pytest.raises(ValueError, match=rf"place is .* that can be written \(.*{reason}"):
        require_place("place", target)
    with pytest.raises(type(error), match=reason):
        write(target)
    assert os.listdir(target.parent) == []


# ---------------------------------------------------------------- parts that are left behind


def test_a_part_of_a_process_that_is_gone_is_removed(target, child):
    part = leave_part(target, f"{HERE}-{child.pid}-1")
    write(target)
    assert part.exists()  # it runs
    child.communicate(b"\n")
    write(target)
    assert os.listdir(target.parent) == [target.name]


def test_a_part_of_another_machine_waits_an_hour(target):
    fresh = leave_part(target, "elsewhere-1-1", age=3500)
    old = leave_part(target, "elsewhere-2-1", age=3700)
    with_dashes = leave_part(target, f"{HERE}-b-999999999-1", age=3500)
    write(target)
    assert fresh.exists()
    assert with_dashes.exists()
    assert not old.exists()


@pytest.mark.parametrize(
    "writer",
    ["", "a", f"{HERE}-", f"{HERE}-²-1", f"{HERE}-x-1", f"{HERE}--1-1", "-", "--", "a-b-c-d"],
)
def test_a_part_with_a_strange_name_waits_an_hour(target, writer):
    part = leave_part(target, writer)
    write(target)
    assert part.exists()
    os.utime(part, (0, 0))
    write(target)
    assert os.listdir(target.parent) == [target.name]


def test_no_process_has_a_number_of_twenty_digits(target):
    leave_part(target, f"{HERE}-{10**20}-1")
    write(target)
    assert os.listdir(target.parent) == [target.name]


@pytest.mark.parametrize("name", ["run[1].npz", "*", "?", "[!a]", "run].npz"])
def test_characters_that_are_patterns_elsewhere_mean_themselves(tmp_path, name):
    own = leave_part(tmp_path / name, "elsewhere-1-1", age=4000)
    others = [
        leave_part(tmp_path / other, "elsewhere-1-1", age=4000)
        for other in ("run1.npz", "ab", "b", "*x", "x?")
    ]
    write(tmp_path / name)
    assert not own.exists()
    assert all(part.exists() for part in others)


def test_what_cannot_be_removed_does_not_stop_a_save(target):
    folder = target.with_name(f"{target.name}.elsewhere-1-1.part")
    folder.mkdir()
    os.utime(folder, (0, 0))
    write(target)
    assert folder.is_dir()
    assert target.read_bytes() == b"new"


def test_parts_are_looked_for_where_a_link_leads(tmp_path):
    (tmp_path / "folder").mkdir()
    link = tmp_path / "link.npz"
    link.symlink_to("folder/real.npz")
    part = leave_part(tmp_path / "folder" / "real.npz", "elsewhere-1-1", age=4000)
    write(link)
    assert not part.exists()


# ---------------------------------------------------------------- several at once, and kills


def test_two_threads_that_write_at_once_do_not_meet(target):
    begun, may_end = threading.Event(), threading.Event()

    def slow():
        with replacing(target) as file:
            file.write(b"slow ")
            file.flush()
            begun.set()
            assert may_end.wait(60)
            file.write(b"one")

    thread = threading.Thread(target=slow)
    thread.start()
    assert begun.wait(60)
    write(target, b"quick one")
    assert target.read_bytes() == b"quick one"
    may_end.set()
    thread.join()
    assert target.read_bytes() == b"slow one"
    assert os.listdir(target.parent) == [target.name]


def test_a_kill_in_the_middle_leaves_the_old_file_and_the_next_save_cleans_up(target):
    save_arrays(target, {"a": np.arange(3)}, None, format="test 1")
    before = target.read_bytes()
    code = """
import sys
from rnncourse.files import replacing
with replacing(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    print("written", flush=True)
    input()
"""
    folder = Path(__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, "-c", code, str(target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(folder)},
    ) as process:
        assert process.stdout.readline() == b"written\n"
        process.send_signal(signal.SIGKILL)
    assert target.read_bytes() == before
    (part,) = set(os.listdir(target.parent)) - {target.name}
    assert part.startswith(f"run.npz.{HERE}-{process.pid}-")
    save_arrays(target, {"a": np.arange(4)}, None, format="test 1")
    assert os.listdir(target.parent) == [target.name]
    assert_array_equal(load_arrays(target, "test 1")[0]["a"], np.arange(4))


# ---------------------------------------------------------------- arrays and a header


@given(
    arrays=st.dictionaries(
        st.text("abW/._é[", min_size=1, max_size=8).filter(lambda n: n not in ("file", "header")),
        hnp.arrays(st.sampled_from([">f8", "<f4", "i8", "u1", "?"]), hnp.array_shapes(min_dims=0)),
        max_size=3,
    ),
    header=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=5,
    ),
)
def test_arrays_and_header_come_back_as_they_were(tmp_path_factory, arrays, header):
    path = tmp_path_factory.getbasetemp() / "arrays.npz"
    save_arrays(path, arrays, header, format="test 1")
    again, header_again = load_arrays(path, "another 1", "test 1")
    assert header_again == header
    assert set(again) == set(arrays)
    for name, array in arrays.items():
        assert again[name].dtype == array.dtype
        assert again[name].shape == array.shape
        assert again[name].tobytes() == array.tobytes()


def test_only_the_formats_that_are_asked_for_are_read(target):
    save_arrays(target, {}, None, format="test 1")
    for formats in (("test 2",), ("test", "test 11")):
        with pytest.raises(ValueError, match="its format is 'test 1', expected 'test"):
            load_arrays(target, *formats)


def test_a_header_that_json_cannot_hold_writes_nothing(target):
    for header in ({1, 2}, object()):
        with pytest.raises(TypeError):
            save_arrays(target, {}, header, format="test 1")
    assert os.listdir(target.parent) == []


def test_arrays_larger_than_their_file_are_refused(target):
    """A packed file of 100 kB could ask for 80 MB, and one of 100 MB for more than there is."""
    save_arrays(target, {"a": np.zeros(10_000)}, None, format="test 1")
    arrays, _ = load_arrays(target, "test 1")
    with np.load(target) as file:
        everything = {name: file[name] for name in file.files}
    with target.open("wb") as file:
        np.savez_compressed(file, **everything)
    with pytest.raises(ValueError, match=r"run\.npz .*its arrays are larger than the file"):
        load_arrays(target, "test 1")
    assert arrays["a"].nbytes > target.stat().st_size


def test_a_shape_larger_than_memory_is_refused(target):
    save_arrays(target, {"a": np.zeros(10)}, None, format="test 1")
    honest, shape = target.read_bytes(), b"'shape': (10,), "
    huge = b"'shape': (%d,), " % 10**15
    assert shape in honest
    with zipfile.ZipFile(target) as file:
        members = {name: file.read(name) for name in file.namelist()}
    padded = members["a.npy"].replace(shape + b"}" + b" " * 14, huge + b"}")
    assert padded != members["a.npy"]
    with zipfile.ZipFile(target, "w") as file:
        for name, content in {**members, "a.npy": padded}.items():
            file.writestr(name, content)
    with pytest.raises(ValueError, match="is not a whole file of rnncourse"):
        load_arrays(target, "test 1")


def test_an_entry_that_is_no_array_is_named(target):
    save_arrays(target, {"a": np.zeros(10)}, None, format="test 1")
    with zipfile.ZipFile(target, "a") as file:
        file.writestr("b", b"text")
    with pytest.raises(ValueError, match="it holds b, which is no array"):
        load_arrays(target, "test 1")


def test_a_path_that_is_none_is_no_damaged_file(target):
    for path in (None, 3):
        with pytest.raises(TypeError):
            load_arrays(path, "test 1")
    with pytest.raises(FileNotFoundError):
        load_arrays(target, "test 1")
