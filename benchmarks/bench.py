"""Every measurement of the course, in one run: `make bench`.

    python benchmarks/bench.py [results.json] [--threads 1 2] [--runs 3] [--only speed memory]

Each part runs in processes of its own with their number of threads fixed. Tables go to the screen;
all numbers, with a description of the machine, go to results.json (default benchmarks/latest.json).
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
KINDS = ("RNN", "LSTM", "GRU")
PARTS = ("speed", "ladder", "memory", "generation")
LADDER_SIZES = ((100, 1, 64, 100), (100, 20, 8, 64), (50, 64, 64, 256))


def run(threads: int, *arguments: object) -> str:
    """Run a file of this folder with so many threads; return its last line, show the rest."""
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, str(threads))}
    command = [sys.executable, *map(str, arguments)]
    result = subprocess.run(
        command, cwd=HERE, env=environment, check=True, text=True, stdout=subprocess.PIPE
    )
    *shown, last = result.stdout.rstrip("\n").split("\n")
    if shown:
        print(*shown, sep="\n")
    return last


def speed(threads: list[int]) -> list[dict[str, Any]]:
    """Compare training steps with PyTorch and the textbook loop."""
    results = []
    for n in threads:
        for kind in KINDS:
            with tempfile.NamedTemporaryFile() as file:
                line = run(n, "speed.py", kind, file.name)
                results.append({**json.loads(Path(file.name).read_text()), "line": line})
            print(line, flush=True)
    return results


def spread(runs: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the means and the largest ratios of several runs of `speed`, side by side."""
    return [
        {
            "layer": same[0]["layer"],
            "threads": same[0]["threads"],
            "ratio": [run["ratio"] for run in same],
            "worst": [run["worst"] for run in same],
        }
        for same in zip(*runs, strict=True)
    ]


def ladder() -> list[dict[str, Any]]:
    """Time each rung of the ladder in milliseconds: the best of five processes for each."""
    from ladder import RUNGS

    results = []
    print("\nThe ladder, LSTM, 1 thread: milliseconds for a training step")
    for size in LADDER_SIZES:
        times: dict[str, list[float]] = {name: [] for name, _ in RUNGS}
        for _ in range(5):  # in turn, so that a slow minute of the machine hits all
            for name, values in times.items():
                values.append(float(run(1, "ladder.py", name, *size)))
        rungs = {name: min(values) for name, values in times.items()}
        print(size, *(f"{name} {value:.2f}" for name, value in rungs.items()), sep="  ", flush=True)
        results.append({"size": size, "ms": rungs})
    return results


def memory() -> dict[str, Any]:
    """Measure peak memory beside PyTorch's, and how time and memory grow with T."""
    from memory import LARGEST, LENGTHS

    peaks = []
    print("\nPeak memory of training steps, MB above the start: ours, PyTorch's")
    for kind in KINDS:
        for size in LARGEST:
            ours, pytorch = (
                run(1, "memory.py", "peak", who, kind, *size) for who in ("ours", "torch")
            )
            print(kind, size, ours, pytorch, flush=True)
            peaks.append({"layer": kind, "size": size, "ours_mb": ours, "pytorch_mb": pytorch})
    by_length = []
    for kind in KINDS:
        for what, unit in (
            ("time", "µs for each step"),
            ("truncated", "MB of fit by chunks of 50"),
        ):
            values = [float(v) for v in run(1, "memory.py", what, kind).split()]
            print(f"{kind}: {unit} at T = {LENGTHS}: {values}", flush=True)
            by_length.append({"layer": kind, "what": what, "T": LENGTHS, "values": values})
    return {"peak": peaks, "by_length": by_length}


def generation() -> dict[str, Any]:
    """Compare one step at a time with a bare loop in NumPy, and see what a prediction keeps."""
    result: dict[str, Any] = json.loads(run(1, "generation.py"))
    return result


def machine() -> dict[str, str | int]:
    """Describe the machine and the versions that decide its speed."""
    import numpy as np
    import torch
    from threadpoolctl import threadpool_info

    blas = next(i for i in threadpool_info() if i["user_api"] == "blas")
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((s.split(": ")[1] for s in lines if s.startswith("model name")), name)
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": name,
        "cores": os.cpu_count() or 0,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas['internal_api']} {blas['version']}, kernels for {blas['architecture']}",
        "pytorch": torch.__version__,
        "pytorch_kernels": torch.backends.cpu.get_cpu_capability(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", nargs="?", type=Path, default=HERE / "latest.json")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--runs", type=int, default=1, help="of the comparison, to see its spread")
    parser.add_argument("--only", nargs="+", choices=PARTS)
    options = parser.parse_args()
    parts = options.only or PARTS
    results: dict[str, Any] = {"machine": machine()}
    print(*(f"{key}: {value}" for key, value in results["machine"].items()), sep="\n")
    if "speed" in parts:
        runs = [speed(options.threads) for _ in range(options.runs)]
        results |= {"speed": runs[0], "spread": spread(runs)}
    if "ladder" in parts:
        results["ladder"] = ladder()
    if "memory" in parts:
        results["memory"] = memory()
    if "generation" in parts:
        results["generation"] = generation()
    options.results.write_text(json.dumps(results, indent=1) + "\n")
    print(
        f"\nWritten to {options.results}.", *(r["line"] for r in results.get("speed", ())), sep="\n"
    )


if __name__ == "__main__":
    main()
