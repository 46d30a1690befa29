"""What is installed: the files of the distributions, and the lowest versions that are allowed."""

import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.version import Version

import rnncourse

ROOT = Path(__file__).parent.parent
PACKAGE = Path(rnncourse.__file__).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# What the source distribution holds beside the package. The package alone runs without the rest.
BESIDE = {"pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff"}
USE = """
import sys
sys.path.insert(0, sys.argv[1])
import rnncourse
from rnncourse.experiments import characters, forget_bias
assert rnncourse.__file__.startswith(sys.argv[1]), rnncourse.__file__
years, numbers = rnncourse.datasets.sunspots()
assert len(years) == len(numbers) > 200
assert forget_bias.saved() and characters.saved()
from rnncourse.explorables import OneUnit
assert "<script" in OneUnit().to_html()
"""


def run(*command, cwd):
    """Run a command of this Python, and return what it printed."""
    result = subprocess.run(
        [sys.executable, *command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def package(folder):
    """Return the files of the package in `folder`, less compiled ones."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {p.relative_to(folder).as_posix() for p in paths if p.suffix != ".pyc"}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The unpacked source distribution, and the wheel that is built from it."""
    pytest.importorskip("setuptools", minversion="77", reason="setuptools is not installed")
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("out")
    for name in sorted(BESIDE):
        shutil.copy(ROOT / name, source)
    for folder in ("rnncourse", "tests", "benchmarks"):
        ignored = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(ROOT / folder, source / folder, ignore=ignored)
    build = "from setuptools import build_meta as b; b.build_{}({!r})"
    run("-c", build.format("sdist", str(out)), cwd=source)
    (sdist,) = out.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(out, filter="data")
    (unpacked,) = (path for path in out.iterdir() if path.is_dir())
    run("-c", build.format("wheel", str(out)), cwd=unpacked)
    (wheel,) = out.glob("*.whl")
    return unpacked, wheel


@pytest.mark.slow
def test_the_source_distribution_holds_the_package_and_nothing_more(built):
    unpacked, _ = built
    assert package(unpacked / "rnncourse") == package(PACKAGE)
    beside = {path.name for path in unpacked.iterdir()}
    assert beside == BESIDE | {"rnncourse", "rnncourse.egg-info", "PKG-INFO", "setup.cfg", "build"}


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_its_files_are_found(built, tmp_path):
    _, wheel = built
    names = set(zipfile.ZipFile(wheel).namelist())
    described = {name for name in names if ".dist-info/" in name}
    assert {name.removeprefix("rnncourse/") for name in names - described} == package(PACKAGE)
    pip = "-m pip --disable-pip-version-check install --no-deps --no-index --no-compile --target"
    run(*pip.split(), str(tmp_path), str(wheel), cwd=tmp_path)
    run("-I", "-c", USE, str(tmp_path), cwd=tmp_path)
    # The use of a file that is missing is seen.
    (tmp_path / "rnncourse" / "data" / "sunspots.csv").unlink()
    with pytest.raises(AssertionError, match=r"sunspots\.csv"):
        run("-I", "-c", USE, str(tmp_path), cwd=tmp_path)


def lower_bounds(extra):
    """Return the lower bound of each package that an extra asks for, and numpy's."""
    bounds = {}
    for requirement in PROJECT["optional-dependencies"][extra]:
        name, extras, version = re.match(
            r"([\w-]+)(?:\[(.*)\])?(?:>=([\w.]+))?", requirement
        ).groups()
        if name == "rnncourse":
            for part in extras.split(","):
                bounds |= lower_bounds(part)
        else:
            bounds[name] = version
    (numpy,) = PROJECT["dependencies"]
    return bounds | {"numpy": numpy.removeprefix("numpy>=")}


def pinned(text):
    """Return the version of each package that a file of requirements pins."""
    return dict(re.findall(r"(?m)^([\w-]+)==(\S+)", text))


def differences(pins):
    """Return the packages whose pin is not the lower bound that pyproject.toml states."""
    bounds = lower_bounds("notebooks")
    assert {"numpy", "matplotlib", "ipywidgets", "joblib", "scikit-learn"} <= bounds.keys()
    return [
        f"{name} {bound}: {pins.get(name)}"
        for name, bound in bounds.items()
        if name not in pins or Version(pins[name]) != Version(bound)
    ]


def test_the_lowest_versions_are_the_lower_bounds():
    pins = pinned((ROOT / "tests" / "lowest.txt").read_text(encoding="utf-8"))
    assert differences(pins) == []
    assert differences(pins | {"numpy": "2.0.1"}) == ["numpy 2.0: 2.0.1"]
