# `make` lists the targets. Each sets up .venv by itself; the second time is quick.
# Another interpreter: make book PYTHON=python3.12

PYTHON  ?= python3
PORT    ?= 8000
WORKERS ?= 2
TORCH   ?= torch==2.13.0
BROWSER_TOOLS ?= playwright==1.65.2 axe-playwright-python==0.1.8 websockets==17.4
HTML_CHECKER ?= vnu-jar@26.9.27

VENV := .venv
BIN  := $(VENV)/bin
SITE := _build/html
# Modules are compiled when they are first imported, and most never are.
INSTALL := -m pip --disable-pip-version-check -qq install --no-compile
PIP  := $(BIN)/python $(INSTALL)
LOWEST := .venv-lowest

# Two test workers on a small machine: one arithmetic thread each. Neighbors stay with one worker,
# so that what they share (a page, a JupyterLab) is opened once.
ONE_THREAD := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
PYTEST := -m pytest -q -n $(WORKERS) --dist worksteal
NBVAL := -m pytest -q --nbval --nbval-current-env --nbval-sanitize-with tests/book/sanitize.cfg \
         -n $(WORKERS) --dist loadfile

NOTEBOOKS = $(shell find book -name "*.ipynb" -not -path "*/.*" | sort)
BOOK_SOURCES := _config.yml _toc.yml $(shell find book rnncourse/exercises rnncourse/explorables rnncourse/figures -type f -not -path '*/.*' -not -path '*__pycache__*')

.PHONY: always help book test lint unit notebooks-test site-test lowest lowest-install lab serve torch browser stills bench \
        notebooks format lock clean distclean
.DELETE_ON_ERROR:
.NOTPARALLEL:

help:
	@echo 'make book       build the book into $(SITE)'
	@echo 'make test       lint, types, unit tests, every notebook re-run, the built pages checked'
	@echo 'make lowest     package and notebooks with the lowest versions that pyproject.toml allows'
	@echo 'make lab        open the notebooks in JupyterLab'
	@echo 'make serve      serve the built book at http://localhost:$(PORT)/'
	@echo 'make torch      install PyTorch (CPU) into $(VENV), for the live comparison tests'
	@echo 'make browser    install what drives a browser, for the tests of the interactive figures'
	@echo 'make bench      time training beside PyTorch and a textbook loop, and generation (20 minutes)'
	@echo 'make stills     draw the still pictures of the interactive figures again'
	@echo 'make notebooks  re-run the notebooks in place and save them clean'
	@echo 'make format     format the code'
	@echo 'make lock       remake requirements.txt with the newest versions (needs uv)'
	@echo 'make clean      remove what was built; make distclean removes $(VENV) too'

# --- environment ------------------------------------------------------------------------------

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "This course needs Python 3.11 or newer, and \"$(PYTHON)\" is not that."; \
	  echo 'Name another interpreter, for example: make book PYTHON=python3.12'; exit 1; }
	@echo 'Creating $(VENV) ...'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo 'Python could not create a virtual environment.'; \
	  echo 'On Debian and Ubuntu, install the package python3-venv first.'; exit 1; }

$(VENV)/.installed: requirements.txt pyproject.toml $(BIN)/python
	@echo 'Installing the locked requirements into $(VENV) (a few minutes the first time) ...'
	@$(PIP) --no-deps -r requirements.txt
	@$(PIP) --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.lab: $(VENV)/.installed
	@echo 'Installing JupyterLab ...'
	@$(PIP) --no-build-isolation --constraint requirements.txt --editable '.[lab]'
	@touch $@

$(VENV)/.torch: $(VENV)/.installed
	@echo 'Installing $(TORCH) ...'
	@$(PIP) '$(TORCH)'
	@touch $@

torch: $(VENV)/.torch

# A browser that is there already is used; otherwise Playwright brings one. Firefox is not brought. The
# checker of HTML comes where npm and Java are there.
$(VENV)/.browser: $(VENV)/.lab
	@echo 'Installing $(BROWSER_TOOLS) ...'
	@$(PIP) $(BROWSER_TOOLS)
	@for name in chromium-headless-shell chromium chromium-browser google-chrome; do command -v $$name > /dev/null && exit; done; \
	  $(BIN)/playwright install --with-deps chromium
	@if command -v npm > /dev/null && command -v java > /dev/null; then \
	  npm install --silent --ignore-scripts --prefix $(VENV)/vnu $(HTML_CHECKER); fi || true
	@test -d $(VENV)/vnu || echo 'No checker of HTML (it wants npm and Java): the tests go on without it.'
	@touch $@

browser: $(VENV)/.browser

bench: $(VENV)/.torch
	@$(BIN)/python benchmarks/bench.py

# --- the book ---------------------------------------------------------------------------------

# Pages that name another address are another book.
_build/.address: always
	@mkdir -p _build
	@echo '$(BOOK_ADDRESS)' | cmp -s - $@ || echo '$(BOOK_ADDRESS)' > $@

# Every build starts clean: Sphinx repeats a warning only for a page that it reads again.
$(SITE)/.built: $(VENV)/.installed $(BOOK_SOURCES) _build/.address
	@echo 'Building the book ...'
	@rm -rf $(SITE) _build/.doctrees
	@$(BIN)/jupyter-book build . -W -n --keep-going --quiet > /dev/null
	@touch $@

book: $(SITE)/.built
	@echo 'The book is built. Open $(SITE)/index.html in a browser, or run `make serve`.'

serve: $(SITE)/.built
	@echo 'Serving the book at http://localhost:$(PORT)/ (stop with Ctrl-C)'
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory $(SITE)

lab: $(VENV)/.lab
	@$(BIN)/jupyter lab --notebook-dir=book

# --- tests ------------------------------------------------------------------------------------

test: lint unit notebooks-test site-test

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

unit: $(VENV)/.installed
	@$(BIN)/python -c 'import sys, importlib.util as u; sys.exit(u.find_spec("torch") is None)' || \
	  echo 'PyTorch is not installed: live parity tests are skipped; saved reference arrays are still checked. `make torch` installs it.'
	@test -e $(VENV)/.browser || \
	  echo 'No browser is set up: the interactive figures are tested in Python only. `make browser` sets one up.'
	$(ONE_THREAD) $(BIN)/python $(PYTEST) tests --ignore=tests/site

notebooks-test: $(VENV)/.installed
	$(ONE_THREAD) $(BIN)/python $(NBVAL) book

site-test: $(SITE)/.built
	$(BIN)/python $(PYTEST) tests/site

# --- the lowest versions that pyproject.toml allows, on the oldest Python -----------------------

$(LOWEST)/.installed: tests/lowest.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { \
	  echo 'The lowest versions are those for Python 3.11: make lowest PYTHON=python3.11'; exit 1; }
	@echo 'Installing the lowest versions into $(LOWEST) ...'
	@rm -rf $(LOWEST)
	@$(PYTHON) -m venv $(LOWEST)
	@$(LOWEST)/bin/python $(INSTALL) --no-deps -r tests/lowest.txt
	@touch $@

lowest-install: $(LOWEST)/.installed

# Old packages beside new ones warn of what will go: that is theirs. The examples are few, since the
# main run has them all.
lowest: export PYTHONPATH := $(CURDIR)
lowest: export HYPOTHESIS_PROFILE := quick
lowest: $(LOWEST)/.installed
	$(ONE_THREAD) $(LOWEST)/bin/python $(PYTEST) -m "not slow" -W ignore::DeprecationWarning tests \
	  --ignore=tests/site --ignore=tests/benchmarks --ignore=tests/test_torch.py \
	  --ignore=tests/book/test_notebooks.py --ignore=tests/book/test_nbval.py
	$(ONE_THREAD) $(LOWEST)/bin/python $(NBVAL) book

# --- for authors ------------------------------------------------------------------------------

notebooks: $(VENV)/.installed
	@$(BIN)/ruff format --quiet book
	@$(BIN)/python tests/book/notebooks.py $(NOTEBOOKS)

# The pictures that stand in for the interactive figures where JavaScript is off.
stills: $(VENV)/.browser
	@$(BIN)/python tests/explorables/stills.py

format: $(VENV)/.installed
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

# `make lock UPGRADE=` keeps what is locked and adds what is new. ipywidgets 7 asks for the classic
# notebook server, which nothing here runs.
UPGRADE ?= --upgrade
LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --quiet --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links
LOWEST_TOOLS := beautifulsoup4|hypothesis|nbval|pytest|pytest-xdist

lock:
	@cp requirements.txt requirements.new
	@$(LOCK) --extra book $(UPGRADE) -o requirements.new
	@{ echo '# The exact versions that build and test the book, on Python 3.11, 3.12, 3.13 and 3.14.'; \
	   echo '# Made by `make lock` from pyproject.toml (extra "book"); do not edit by hand.'; \
	   cat requirements.new; } > requirements.txt
	@grep -E '^($(LOWEST_TOOLS))==' requirements.txt > lowest.in
	@echo notebook > excluded.in
	@{ echo '# The lowest versions that pyproject.toml allows (extra "notebooks"), for `make lowest`.'; \
	   echo '# Made by `make lock`; do not edit by hand.'; \
	   $(LOCK) --extra notebooks --resolution lowest-direct --excludes excluded.in lowest.in; } > tests/lowest.txt
	@rm requirements.new lowest.in excluded.in

clean:
	rm -rf _build build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

distclean: clean
	rm -rf $(VENV) $(LOWEST)
