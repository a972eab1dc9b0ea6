# The developer's and the demo's commands; `make help` lists them.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export PYTHONDONTWRITEBYTECODE := 1

.DEFAULT_GOAL := help
.PHONY: help install demo test format lint types imports tests coverage test-faults workflow docs lock configuration truth truth-full paper \
	variants helps bench bench-dask bench-lazyslide test-scale magnification gpu-check gpu-wheels backbones small-networks small-networks-full pruned-slope \
	fine-tuning fine-tuning-full wheel wheel-test container-test clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: $(STAMP) ## Make .venv and install exact versions from requirements.lock

$(STAMP): requirements.lock pyproject.toml hatch_build.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

demo: install ## Run the whole workflow on synthetic slides; ends with results/report.html
	$(BIN)/snakemake --cores all --profile profiles/default --configfile configs/demo.yaml
	@echo "Done: open results/report.html"

test: install format lint types imports tests workflow docs ## The whole gate

format: install
	$(BIN)/ruff format --check .
	$(BIN)/codespell

lint: install
	$(BIN)/ruff check .
	$(BIN)/hadolint Dockerfile

types: install
	$(BIN)/mypy

imports: install
	$(BIN)/lint-imports

# A file's tests stay in one process; several processes, each on one thread, wait less than one on all of them.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile

# Where there is no Chromium, pytest's first lines say that the tests of the viewer's page are left out.
tests: install ## Tests and the docstrings' examples
	$(PYTEST)

coverage: install ## The same tests with line coverage; its floor stands in pyproject.toml
	$(PYTEST) --cov

test-faults: install ## Everything that can be wrong with a slide, the long cases too; ends in results/bench/faults.json
	$(PYTEST) tests/faults tests/slides -m "long or not long" --hypothesis-profile explore --cases-json results/bench/faults.json

workflow: install
	$(BIN)/snakemake --lint
	for file in workflows/experiments/*.smk; do $(BIN)/snakemake --lint --snakefile $$file || exit 1; done
	$(BIN)/snakefmt --check Snakefile workflow workflows

docs: install ## The manual as a site, to be read offline; ends in build/docs/index.html. Warnings and dead links are errors
	rm -rf build/docs
	$(BIN)/python -m sphinx -q -W --keep-going -c docs . build/docs

lock: ## Resolve pyproject.toml anew into requirements.lock
	benchmarks/lock.sh $(PYTHON)

configuration: install ## Renew the tables of docs/configuration.md, and the schema, from the models
	$(BIN)/python -m benchmarks.configuration

truth: install ## The scale search on planted nuclei, real tissue and measured nuclei, with controls (needs WSI_SCALE_DATA)
	$(BIN)/python -m benchmarks.truth

paper: install ## The experiments of Penkin et al. (2022); resumable, some hours (needs WSI_SCALE_DATA)
	$(BIN)/python -c "from benchmarks.data import data_root; data_root()"
	$(BIN)/snakemake --snakefile workflows/experiments/paper.smk --cores all

truth-full: install ## The same with more of everything; hours with VGG19, resumable
	$(BIN)/python -m benchmarks.truth --full

variants: install ## Other layers, calibrations, optima and ladders of the scale search, one factor at a time (needs WSI_SCALE_DATA)
	$(BIN)/python -m benchmarks.variants

bench: install ## Speed and memory, as ratios measured in one run of half an hour (needs WSI_SCALE_DATA)
	$(BIN)/python -m benchmarks.performance

bench-dask: install ## What a second Dask worker gains, in five minutes (needs WSI_SCALE_DATA)
	$(BIN)/python -m benchmarks.dask_workers

# With this environment's torch; what it wants in other versions it has for itself.
LAZYSLIDE := results/bench/lazyslide-venv
bench-lazyslide: install ## Install LazySlide into an environment of its own, for make bench to compare with
	$(BIN)/python -m venv $(LAZYSLIDE)
	$(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))" \
		> $$($(LAZYSLIDE)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/shared.pth
	$(LAZYSLIDE)/bin/python -m pip install --quiet --disable-pip-version-check lazyslide==0.13.0

test-scale: install ## A thousand small slides through the workflow: what it costs beyond the work (needs WSI_SCALE_DATA)
	$(BIN)/python -m benchmarks.cohort

gpu-check: install ## Every path of a GPU against the CPU, and what the card does (needs a GPU)
	$(BIN)/python -m benchmarks.gpu

# For a machine with PyTorch alone, Python 3.12: there, `python3 -m benchmarks.gpu --wheels results/gpu-wheels`.
WHEELS := results/gpu-wheels
gpu-wheels: install ## Wheels, and the weights of VGG19, that gpu-check needs beside PyTorch (needs WSI_SCALE_DATA)
	$(BIN)/python -m benchmarks.gpu --cut-weights $(WHEELS)
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
		--python-version 3.12 --implementation cp $(foreach glibc,28 27 17,--platform manylinux_2_$(glibc)_x86_64) \
		--platform manylinux2014_x86_64 --platform manylinux1_x86_64 --dest $(WHEELS) \
		$$($(BIN)/python -m benchmarks.gpu --list-wheels)
	du -cm $(WHEELS)/* | tail -n 1

magnification: install ## Every figure of µm per pixel from pixels, from kept networks (needs WSI_SCALE_DATA)
	$(BIN)/python -m benchmarks.magnification

helps: install ## Does the scale search help a task? About an hour on 2 cores, resumable (needs WSI_SCALE_DATA)
	$(BIN)/python -m benchmarks.helps all

backbones: install ## Train the six embedded networks, 45 minutes each; resumable (needs WSI_SCALE_DATA)
	$(BIN)/python -c "from benchmarks.data import data_root; data_root()"
	$(BIN)/snakemake --snakefile workflows/experiments/backbones.smk --cores all

small-networks: install ## Small networks from frozen VGG19, within an hour (needs WSI_SCALE_DATA)
	$(BIN)/python -m benchmarks.transfer small

small-networks-full: install ## The same with five seeds and all images; resumable, best on a GPU
	$(BIN)/python -m benchmarks.transfer small --full

pruned-slope: install ## Planted truth with pruned networks, calibrated anew (after small-networks; needs WSI_SCALE_DATA)
	$(BIN)/python -m benchmarks.transfer slope

fine-tuning: install ## How deep to tune, smoke version (needs WSI_SCALE_DATA)
	$(BIN)/python -m benchmarks.transfer tuning

fine-tuning-full: install ## The same for three architectures, three tasks, three seeds; resumable, best on a GPU
	$(BIN)/python -m benchmarks.transfer tuning --full

wheel: install ## Build the wheel into dist/
	$(BIN)/python -m build --wheel --outdir dist .

wheel-test: ## The wheel in an empty environment, on a demo slide: PYTHON=python3.13 for another Python (6 GB)
	benchmarks/wheel_test.sh $(PYTHON)

container-test: wheel ## The image, built by buildah and tried with the demo (as root; needs buildah and mmdebstrap; 15 GB)
	benchmarks/container_test.sh

# The tools of a release, in an environment of their own: the gate needs none of them.
RELEASE := results/release
DIST := $(RELEASE)/dist

$(RELEASE)/.installed: pyproject.toml
	$(PYTHON) -m venv $(RELEASE)/venv
	$(RELEASE)/venv/bin/python -c "import tomllib; \
		print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['release'], sep='\n')" \
		> $(RELEASE)/requirements.txt
	$(RELEASE)/venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement $(RELEASE)/requirements.txt
	touch $@

.PHONY: release-check licences sbom recipe
release-check: install $(RELEASE)/.installed ## Build wheel and sdist into results/release/dist, and check versions, lock and contents
	rm -rf $(DIST)
	$(RELEASE)/venv/bin/python -m build --outdir $(DIST) .
	$(RELEASE)/venv/bin/twine check --strict $(DIST)/*
	$(BIN)/python -m benchmarks.release check $(DIST)

licences: install $(RELEASE)/.installed ## Renew docs/licences.md from what is installed
	$(RELEASE)/venv/bin/pip-licenses --python=$(BIN)/python --from=mixed --with-system --with-urls --format=json --output-file=$(RELEASE)/licences.json
	$(BIN)/python -m benchmarks.release licences $(RELEASE)/licences.json

sbom: install $(RELEASE)/.installed ## A list of all installed packages (CycloneDX) as results/release/sbom.cdx.json
	$(RELEASE)/venv/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--output-file $(RELEASE)/sbom.cdx.json $(BIN)/python

recipe: $(RELEASE)/.installed ## Render packaging/recipe.yaml as conda-forge does
	$(RELEASE)/venv/bin/python -c "from rattler_build import Stage0Recipe; \
		print(*[variant.recipe.to_dict()['requirements'] for variant in Stage0Recipe.from_file('packaging/recipe.yaml').render()])"

clean: ## Remove the demo's results and caches; keep .venv and other results
	$(PYTHON) benchmarks/clean.py
	rm -rf .snakemake dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.*

.PHONY: test-cluster
test-cluster: install ## A cohort with faults through a real SLURM on this machine (installs it; as root); 30 minutes
	OMP_NUM_THREADS=1 $(BIN)/pytest tests/cluster -m long --verbose --cases-json results/bench/cluster.json

# An environment of its own: SpatialData and squidpy want other versions of Dask and imagecodecs than requirements.lock.
INTEROP := results/interop

$(INTEROP)/.installed: tests/interop/requirements.lock pyproject.toml
	$(PYTHON) -m venv $(INTEROP)/venv
	$(INTEROP)/venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement tests/interop/requirements.lock
	$(INTEROP)/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

.PHONY: test-interop lock-interop
test-interop: install $(INTEROP)/.installed ## Results in napari, squidpy and SpatialData, and QuPath's script (needs Xvfb); 2 minutes, 2 GB
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.interop.make_results $(INTEROP)/made
	OMP_NUM_THREADS=1 WSI_SCALE_INTEROP=$(INTEROP)/made xvfb-run --auto-servernum --server-args="-screen 0 1400x1000x24" \
		$(INTEROP)/venv/bin/python -m pytest tests/interop -W ignore

lock-interop: ## Resolve tests/interop/requirements.py anew into tests/interop/requirements.lock
	tests/interop/lock.sh $(PYTHON)
