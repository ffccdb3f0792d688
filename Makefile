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

.DEFAULT_GOAL := help
.PHONY: help book test test-slow lint clean

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

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
