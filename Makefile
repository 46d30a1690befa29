# `make` lists the targets. Each sets up .venv by itself; the second time is quick.
# Another interpreter: make book PYTHON=python3.12

PYTHON  ?= python3
PORT    ?= 8000
WORKERS ?= 2
TORCH   ?= torch==2.13.0
BROWSER_TOOLS ?= playwright==1.65.2 axe-playwright-python==0.1.8

VENV := .venv
BIN  := $(VENV)/bin
PIP  := $(BIN)/python -m pip --disable-pip-version-check -qq
SITE := _build/html

# Two test workers on a small machine: one arithmetic thread each.
ONE_THREAD := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

BOOK_SOURCES := _config.yml _toc.yml $(shell find book -type f -not -path '*/.*' -not -path '*__pycache__*')

.PHONY: help book test lint unit notebooks-test site-test lab serve torch browser stills bench notebooks format lock \
        clean distclean
.DELETE_ON_ERROR:
.NOTPARALLEL:

help:
	@echo 'make book       build the book into $(SITE)'
	@echo 'make test       lint, types, unit tests, every notebook re-run, the built pages checked'
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
	@$(PIP) install -r requirements.txt
	@$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.lab: $(VENV)/.installed
	@echo 'Installing JupyterLab ...'
	@$(PIP) install --no-build-isolation --constraint requirements.txt --editable '.[lab]'
	@touch $@

$(VENV)/.torch: $(VENV)/.installed
	@echo 'Installing $(TORCH) ...'
	@$(PIP) install '$(TORCH)'
	@touch $@

torch: $(VENV)/.torch

# A browser that is there already is used; otherwise Playwright brings one.
$(VENV)/.browser: $(VENV)/.lab
	@echo 'Installing $(BROWSER_TOOLS) ...'
	@$(PIP) install $(BROWSER_TOOLS)
	@for name in chromium chromium-browser google-chrome; do command -v $$name > /dev/null && exit; done; \
	  $(BIN)/playwright install --with-deps chromium
	@touch $@

browser: $(VENV)/.browser

bench: $(VENV)/.torch
	@$(BIN)/python benchmarks/bench.py

# --- the book ---------------------------------------------------------------------------------

# Every build starts clean: Sphinx repeats a warning only for a page that it reads again.
$(SITE)/.built: $(VENV)/.installed $(BOOK_SOURCES)
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
	$(ONE_THREAD) $(BIN)/python -m pytest -q -n $(WORKERS) tests --ignore=tests/site

notebooks-test: $(VENV)/.installed
	$(ONE_THREAD) $(BIN)/python -m pytest -q --nbval --nbval-current-env \
	  --nbval-sanitize-with tests/book/sanitize.cfg -n $(WORKERS) --dist loadfile book

site-test: $(SITE)/.built
	$(BIN)/python -m pytest -q -n $(WORKERS) tests/site

# --- for authors ------------------------------------------------------------------------------

notebooks: $(VENV)/.installed
	@$(BIN)/ruff format --quiet book
	@$(BIN)/python tests/book/notebooks.py book/*.ipynb

# The pictures that stand in for the interactive figures where JavaScript is off.
stills: $(VENV)/.browser
	@$(BIN)/python tests/explorables/stills.py

format: $(VENV)/.installed
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

lock:
	@{ echo '# The exact versions that build and test the book, on Python 3.11, 3.12 and 3.13.'; \
	   echo '# Made by `make lock` from pyproject.toml (extra "book"); do not edit by hand.'; \
	   uv pip compile pyproject.toml --extra book --universal --python-version 3.11 --upgrade --quiet \
	     --no-header --no-annotate --no-emit-index-url --no-emit-find-links; } > requirements.new
	@mv requirements.new requirements.txt

clean:
	rm -rf _build build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

distclean: clean
	rm -rf $(VENV)
