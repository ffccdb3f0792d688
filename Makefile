# One command each: `make book`, `make test`. Each sets up its own environment in .venv on first use.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

# On Linux the default torch wheel brings gigabytes of CUDA libraries. PyTorch's own CPU index is asked first, briefly:
# where it cannot be reached, pip goes on with whatever CPU wheel of this version is at hand.
TORCH     ?= torch==2.13.0
TORCH_CPU ?= https://download.pytorch.org/whl/cpu
ifeq ($(shell uname -s),Linux)
TORCH_ARGS = --extra-index-url $(TORCH_CPU) --timeout 10 --retries 0
endif

# Threads that wait for each other sleep. Spinning, as they do by themselves, they take many times as long where other
# work keeps a processor busy. Set before any program starts, because a notebook may load torch before the package does.
export OMP_WAIT_POLICY ?= passive

# Trainings keep the memory that is freed, see genda_lite/processors.py; large arrays get large pages.
train trajectory latents: export MALLOC_MMAP_MAX_ = 0
train trajectory latents: export MALLOC_TRIM_THRESHOLD_ = 2000000000
train trajectory latents: export GLIBC_TUNABLES = glibc.malloc.hugetlb=1

PROCESSES ?= 2  # that simulate and train side by side

# What the stored results of the shipped networks come from. What is kept on the way lies in a folder of these networks.
RESULTS  = posterior cycle prior choice lag_time lag_time_heldout osse ose attenuation
NETWORKS = $(shell cat data_samples/prior_lite.safetensors data_samples/regression_lite.safetensors | cksum | cut -d' ' -f1)
KEPT    := runs/results/$(NETWORKS)

.DEFAULT_GOAL := help
.PHONY: help book serve lab student slides test test-slow lint tables data samples train trajectory latents osse-data results test-data tuning-twin test-twin explorer-data try-binder try-colab try-teacher try-busy binder-lock address clean

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 15

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "genda_lite needs Python 3.11 or newer, found " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.torch: | $(BIN)/python
	$(BIN)/python -m pip install --quiet --no-deps $(TORCH_ARGS) "$(TORCH)"
	@touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.torch
	$(BIN)/python -m pip install --quiet --editable ".[book,test]"
	@touch $@

# The execution cache knows a notebook by its own cells; it does not notice that the package or the data beneath them, or
# the dark colours of its figures, changed. So their checksums are kept with it, and a cache made from others is thrown
# away. The pages themselves are built afresh each time: a page that Sphinx does not read again does not repeat its
# warnings.
_build/inputs: FORCE
	@mkdir -p _build
	@find genda_lite data_samples pyproject.toml CITATION.cff book/_ext/dark_*.py -type f ! -name '*.pyc' -exec cksum {} + | sort > $@.new
	@cmp -s $@.new $@ || rm -rf _build/.jupyter_cache
	@mv $@.new $@
FORCE:

book: $(VENV)/.installed _build/inputs  ## run every notebook and build the book; a warning is an error
	rm -rf _build/html _build/.doctrees
	$(BIN)/jupyter-book build -W --keep-going .
	@echo "The book is built: open $(CURDIR)/_build/html/index.html"

serve:  ## serve the built book on http://localhost:8000
	$(BIN)/python -m http.server --directory _build/html 8000

lab: $(VENV)/.lab  ## open the chapters in JupyterLab, to run and to change
	$(BIN)/jupyter lab book/01_observing.ipynb $(LAB)

$(VENV)/.lab: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable ".[lab]"
	@touch $@

student: $(VENV)/.installed  ## the notebooks without solutions, in _build/student, and a key to all exercises for the tutor
	$(BIN)/genda student book _build/student --key _build/key.md

slides: $(VENV)/.installed  ## the chapters' figures for slides and the deck of the lab, in _build/slides; after `make book`
	$(BIN)/python book/_ext/slides.py

lint: $(VENV)/.installed  ## check the style of the code and the spelling of all
	$(BIN)/ruff check .
	$(BIN)/codespell

test: lint book  ## style, the book, then every test that takes seconds
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile

test-slow: $(VENV)/.installed  ## the proofs that take minutes
	$(BIN)/python -m pytest -m slow

tables: $(VENV)/.installed  ## write the numbers of the stored results on the pages, and draw the card's figures
	$(BIN)/python data_samples/tables.py
	$(BIN)/python data_samples/draw.py

data: $(VENV)/.installed  ## simulate the wide oceans that priors are trained on to runs/, a file each (an hour and a half of two processors)
	$(BIN)/python data_samples/make.py oceans --processes $(PROCESSES) $(if $(shell command -v c++),--compile)

samples: $(VENV)/.installed  ## simulate the oceans of the old width, cut the embedded data from them and from wide ones, observe the twin (two hours)
	$(BIN)/python data_samples/make.py samples $(if $(shell command -v c++),--compile)
	$(BIN)/python data_samples/make_twin.py

train: $(VENV)/.installed  ## train the wide prior on those of these oceans that are there, then the regression (an hour and three quarters)
	OMP_NUM_THREADS=1 $(BIN)/torchrun --nproc-per-node $(PROCESSES) -m genda_lite train --config wide --processes $(PROCESSES) --held 8000 \
		$(patsubst %,--data %,$(sort $(wildcard runs/wide*.nc))) --validation runs/validation.nc $(if $(IMAGES),--images $(IMAGES)) \
		$(if $(START),--warm-start $(START)) --out runs/prior_wide.safetensors
	$(BIN)/python benchmarks/train_regression.py runs --prior runs/prior_wide.safetensors --climate --variance \
		--threads $(PROCESSES) $(if $(REGRESSION_IMAGES),--images $(REGRESSION_IMAGES)) --out runs/regression_wide.safetensors

trajectory: runs/validation_daily.nc  ## train the prior of several days on the same oceans, then the regression that is shown days (four hours)
	OMP_NUM_THREADS=1 $(BIN)/torchrun --nproc-per-node $(PROCESSES) -m genda_lite train --config trajectory \
		--processes $(PROCESSES) --held 4000 $(patsubst %,--data %,$(sort $(wildcard runs/wide*.nc))) \
		--validation runs/validation_daily.nc $(if $(IMAGES),--images $(IMAGES)) $(if $(START),--warm-start $(START)) \
		--out runs/prior_trajectory.safetensors
	$(BIN)/python benchmarks/train_regression.py runs --prior runs/prior_wide.safetensors --climate --variance \
		--days -6 -4 -2 0 2 4 6 --threads $(PROCESSES) $(if $(REGRESSION_IMAGES),--images $(REGRESSION_IMAGES)) \
		--out runs/regression_in_time.safetensors

latents: | $(VENV)/.installed runs/validation_daily.nc  ## train the autoencoder, the prior of its latents and the encoders, then the ablation (nine hours)
	OMP_NUM_THREADS=1 $(BIN)/genda train --config autoencoder $(OCEANS) --held 8000 --out runs/autoencoder.safetensors
	OMP_NUM_THREADS=1 $(BIN)/genda train --config latent $(OCEANS) --held 8000 --autoencoder runs/autoencoder.safetensors --out runs/prior_latent.safetensors
	OMP_NUM_THREADS=1 $(BIN)/genda train --config encoders $(OCEANS) --autoencoder runs/autoencoder.safetensors --out runs/encoders.safetensors
	mkdir -p runs/ablation
	OMP_NUM_THREADS=1 $(BIN)/genda evaluate latent --truth runs/validation_daily.nc --latent runs/prior_latent.safetensors \
		--encoders runs/encoders.safetensors --folder runs/ablation --table data_samples/results/latent_ablation.csv

latents: OCEANS = $(patsubst %,--data %,$(sort $(wildcard runs/wide*.nc))) --validation runs/validation_daily.nc

osse-data: runs/heldout_daily.nc runs/validation_daily.nc  ## simulate the daily fields that `genda evaluate osse` observes, and those it tunes on (an hour)

runs/heldout_daily.nc: SEED = 3
runs/validation_daily.nc: SEED = 2
runs/%_daily.nc: | $(VENV)/.installed
	mkdir -p runs
	$(BIN)/genda simulate --days 365 --seed $(SEED) --members 3 --out $@ $(if $(shell command -v c++),--compile)

results: $(RESULTS:%=$(KEPT)/%.done)  ## make the stored results of the shipped networks anew, each where it was stopped (five hours; -j2 for two at a time)
	$(MAKE) tables

$(KEPT)/posterior.done: DO = $(BIN)/genda evaluate posterior
$(KEPT)/cycle.done:     DO = $(BIN)/genda evaluate cycle
$(KEPT)/prior.done:     DO = $(BIN)/genda evaluate prior
$(KEPT)/choice.done:    DO = $(BIN)/python benchmarks/guidance.py --truth runs/validation_daily.nc --only default \
                           "hybrid, 3 iterations, 20 steps" "MMPS, 3 iterations, 20 steps" --folder $(KEPT)/choice
$(KEPT)/lag_time.done:  DO = $(BIN)/python benchmarks/lag_time.py runs/validation_daily.nc
$(KEPT)/lag_time_heldout.done: DO = $(BIN)/python benchmarks/lag_time.py runs/heldout_daily.nc
$(KEPT)/osse.done:      DO = $(BIN)/genda evaluate osse --truth runs/heldout_daily.nc --folder $(KEPT)/osse
$(KEPT)/ose.done:       DO = $(BIN)/genda ose --out $(KEPT)/ose && $(BIN)/genda evaluate ose --folder $(KEPT)/ose --maps data_samples/ose_maps.nc
$(KEPT)/attenuation.done: DO = $(BIN)/python benchmarks/attenuation.py
$(KEPT)/choice.done $(KEPT)/lag_time.done: | runs/validation_daily.nc
$(KEPT)/osse.done $(KEPT)/lag_time_heldout.done: | runs/heldout_daily.nc
$(KEPT)/%.done: | $(VENV)/.installed
	mkdir -p $(KEPT)
	$(DO) --table data_samples/results/$*.csv
	@touch $@

test-data: $(VENV)/.installed  ## simulate the test oceans, whose scores `ledger.csv` counts (three quarters of an hour)
	mkdir -p runs
	$(BIN)/genda simulate --days 90 --seed 7 --members 10 --out runs/test_daily.nc $(if $(shell command -v c++),--compile)

tuning-twin: $(VENV)/.installed  ## simulate a twin built otherwise than the training oceans, and observe it (ten minutes)
	mkdir -p runs
	test -e runs/tuning_twin.nc || $(BIN)/genda simulate --twin tuning --days 75 --seed 8 --out runs/tuning_twin.nc $(if $(shell command -v c++),--compile)
	$(BIN)/python data_samples/make_twin.py --record runs/tuning_twin.nc --drifters 160

test-twin: $(VENV)/.installed  ## simulate the sealed twin, whose scores `ledger.csv` counts, and observe its three seasons (an hour and a half)
	mkdir -p runs
	test -e runs/sealed_twin.nc || $(BIN)/genda simulate --twin sealed --days 625 --seed 9 --out runs/sealed_twin.nc $(if $(shell command -v c++),--compile)
	$(BIN)/python data_samples/make_twin.py --record runs/sealed_twin.nc --drifters 160

explorer-data: $(VENV)/.installed  ## assimilate for the book's first screen and for every setting of its explorer (most of an hour)
	$(BIN)/genda explorer-pack --out book/_static/explorer --keep runs/explorer
	$(BIN)/genda first-screen --out book/_static/live/film.js

try-binder:  ## run the chapters as Binder does, in an environment made of binder/ (CHAPTERS="01_observing …" for some)
	$(PYTHON) launch/binder.py $(CHAPTERS)

try-colab:  ## run the chapters as Colab does, with its versions (CHAPTERS="…" for some)
	$(PYTHON) launch/colab.py $(CHAPTERS)

try-teacher:  ## assign a chapter and mark two submissions with nbgrader
	$(PYTHON) launch/teacher.py

try-busy: $(VENV)/.installed  ## run the chapters alone, then beside as many busy processes as processors (CHAPTERS="…" for some)
	$(BIN)/python launch/busy.py $(CHAPTERS)

binder-lock:  ## resolve what Binder installs anew, and pin it
	$(PYTHON) launch/binder.py --lock

address:  ## write the repository's address and the version wherever they stand (URL=https://github.com/… for another)
	$(PYTHON) launch/address.py $(URL)

clean:  ## remove the built book and the caches; the environment stays
	rm -rf _build .pytest_cache .ruff_cache
	find genda_lite tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
