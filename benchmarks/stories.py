"""All saved runs of the playground once more, in a browser: is each outcome that of Python?

python benchmarks/stories.py            all stories and challenges, five seeds each: many minutes
python benchmarks/stories.py short gru  those whose names begin so

Prints a line for each story, and Python's outcomes where one differs. The two programs round
differently, so a long run may end some updates apart, and one on the edge may not end at all.
"""

import sys
from dataclasses import asdict
from pathlib import Path

from playwright.sync_api import sync_playwright

from rnncourse.experiments import playground as pg
from rnncourse.explorables.base import FOLDER

sys.path.append(str(Path(__file__).parents[1] / "tests" / "explorables"))
from browsers import launch, serving

RUN = """async ([settings, most]) => {
  const { run, solved } = await import("./play.js");
  const it = run(settings);
  for (let k = 1; k <= most; k++) {
    try {
      if (solved(settings.task, it.update().score)) return ["solved", k];
    } catch {
      return ["diverged", k - 1];
    }
  }
  return ["not yet", most];
}"""


def main(names: list[str]) -> None:
    """Run all stories whose names begin with one of `names`, or all."""
    numbers = (100 * pg.series()).tolist()
    differ = 0
    with sync_playwright() as play, serving(FOLDER) as address:
        page = launch(play).new_page()
        page.goto(f"{address}words.json")
        for story, changes in pg.RUNS.items():
            if names and not story.startswith(tuple(names)):
                continue
            there, here = [], []
            for saved in (r for r in pg.saved() if r.story == story):
                settings = asdict(pg.Settings(**changes, seed=saved.seed)) | {"numbers": numbers}
                there.append(tuple(page.evaluate(RUN, [settings, pg.LIMIT])))
                here.append((saved.outcome, saved.updates))
            differ += sum(a[0] != b[0] for a, b in zip(there, here, strict=True))
            found = ", ".join(f"{outcome} {updates}" for outcome, updates in there)
            note = "" if there == here else f"  Python: {here}"
            print(f"{story:<12}{found}{note}", flush=True)
    print(f"{differ} outcomes differ from Python's")


if __name__ == "__main__":
    main(sys.argv[1:])
