# Two commands: `make demo` and `make test`. Each installs what it needs (a Fortran
# compiler too), builds into a virtual environment of its own and runs.
# PYTHON=/path/to/python chooses the interpreter.

PYTHON ?= python3
VENV := .venv$(filter-out -python3,-$(notdir $(PYTHON)))
RUN := $(VENV)/bin/python

.PHONY: demo test check-deep check-platforms check-release bench docs lint wheel clean
.DELETE_ON_ERROR:

demo: $(VENV)/demo
	@$(RUN) examples/nist.py

test: $(VENV)/test
	@tools/install-original.sh
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(RUN) -m pytest $(PYTEST_ARGS)

check-deep:
	PYTHON=$(PYTHON) tools/check-deep.sh $(CHECKS)

check-platforms:
	PYTHON=$(PYTHON) tools/check-platforms.sh $(CHECKS)

check-release:
	PYTHON=$(PYTHON) tools/check-release.sh

bench: $(VENV)/bench
	$(RUN) benchmarks $(BENCH_ARGS)

docs: $(VENV)/docs
	rm -rf build/docs docs/generated
	$(VENV)/bin/sphinx-build --quiet --fail-on-warning --keep-going \
		-d build/docs/doctrees docs build/docs/html
	$(RUN) tools/check_links.py build/docs/html
	@echo "The documentation: build/docs/html/index.html"

lint: $(VENV)/lint
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -m codespell_lib
	$(VENV)/bin/clang-format --dry-run --Werror \
		src/_minpack/*.[ch] src/libminpack/*.[ch] src/libminpack/*/*.[ch] \
		tests/*.c tests/*/*.c tools/*.c examples/*.c
	$(VENV)/bin/fprettify --recursive --diff --line-length 96 src/libminpack > $(VENV)/fortran.diff
	test ! -s $(VENV)/fortran.diff || { cat $(VENV)/fortran.diff; false; }

wheel: $(VENV)/build
	$(RUN) -m pip wheel --no-deps --wheel-dir dist .

clean:
	rm -rf .venv* build dist docs/generated

# $(VENV)/GROUP: the environment with that dependency group and an editable install,
# which rebuilds itself on import.
$(VENV)/test $(VENV)/demo $(VENV)/bench $(VENV)/docs $(VENV)/lint: $(VENV)/%: $(VENV)/build
	@echo "Installing what make $* needs into $(VENV)."
	@$(RUN) -m pip install --quiet --prefer-binary --group $*
	@test $* != test || $(RUN) -m pip install --quiet --only-binary :all: --group optional \
		|| echo "No Numba, cffi, Dask or xarray for this Python: their tests will be skipped."
	@touch $@

$(VENV)/build: pyproject.toml tools/install-compilers.sh
	@tools/install-compilers.sh $(PYTHON)
	@echo "Installing what the build needs into $(VENV)."
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	@$(RUN) -m pip install --quiet --upgrade pip
	@$(RUN) -m pip install --quiet --prefer-binary --group build
	@echo "Compiling minpack: about half a minute."
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $(RUN) -m pip install --quiet --no-build-isolation --no-deps -Csetup-args=-Dstrip=false --editable .
	@touch $@
