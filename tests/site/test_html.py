"""The built pages are valid HTML, by the checker of the W3C. `make browser` fetches it."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SITE = ROOT / "_build" / "html"
CHECKER = Path(sys.prefix, "vnu", "node_modules", "vnu-jar", "build", "dist", "vnu.jar")
# What the checker says of what is right, and why it is.
EXCEPTIONS = {
    "Attribute “(displaystyle|scriptlevel)” not allowed on element “m[a-z]+”": "MathML Core allows "
    "both on every element, and the checker knows MathML 3 only",
}
# A page with the faults that pages of the book once had.
FAULTY = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Faults</title></head>
<body><details><summary><p>Show</p></summary></details><p>a</p><style></style>
<img src="data:image/svg+xml,a b" alt="b"><math><mi displaystyle="true">x</mi></math>
</body></html>"""


def errors(pages: list[Path]) -> list[str]:
    """Return what is wrong in `pages`, as "page:line: what", without the exceptions."""
    short = ["-Xss4m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]  # for a program soon over
    command = ["java", *short, "-jar", CHECKER, "--errors-only", "--format", "json", *pages]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [
        f"{Path(m['url']).name}:{m.get('lastLine')}: {m['message']} {m.get('extract', '')[:120]!r}"
        for m in json.loads(done.stderr)["messages"]
        if not any(re.search(known, m["message"]) for known in EXCEPTIONS)
    ]


@pytest.mark.skipif(not shutil.which("java"), reason="no Java, which the checker of HTML needs")
@pytest.mark.skipif(not CHECKER.exists(), reason="no checker of HTML: `make browser` fetches it")
def test_every_page_is_valid(tmp_path):
    pages = [page for page in SITE.rglob("*.html") if "_static" not in page.parts]
    assert len(pages) > 10, "The book is not built: run `make book` first."
    faulty = tmp_path / "faulty.html"
    faulty.write_text(FAULTY, encoding="utf-8")
    found = errors([*pages, faulty])
    planted = [error for error in found if error.startswith("faulty.html:")]
    assert [next(w for w in ("“p”", "“style”", "“src”") if w in error) for error in planted] == [
        "“p”",
        "“style”",
        "“src”",
    ]
    rest = [error for error in found if error not in planted]
    assert rest == [], "\n".join(rest)
