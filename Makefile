# Everything by one word; each target installs what it needs first (see envs/bootstrap.sh).
CORES ?= all
ARGS ?=
BIN := .venv/bin
# Snakemake and its jobs find the environment's programs without activation.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# What a shell sets for other programs changes nothing here; PYTHON, CORES and the like are this file's own.
unexport $(filter-out PYTHON,$(filter PYTHON% PYTEST% HYPOTHESIS% RUFF% SNAKEMAKE_PROFILE CDPATH BASH_ENV ENV,$(.VARIABLES)))
export PYTHONUTF8 := 1
SNAKEMAKE := python -I -X utf8 envs/run_snakemake.py

.PHONY: help reproduce verify report test lint bench readme audit sbom clean distclean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 20
	@echo 'CORES=2 limits the cores; ARGS="--config scale=smoke" goes to snakemake or pytest;'
	@echo 'HASHES=1 installs only packages whose SHA-256 is in envs/hashed/.'

reproduce: ## make every table, every figure and the paper
	@envs/bootstrap.sh run latex
	@python envs/unlock.py
	@python envs/repair.py --cores $(CORES) $(ARGS)
	$(SNAKEMAKE) --cores $(CORES) --rerun-incomplete $(ARGS)

report: ## make results/report.html, Snakemake's own report of a finished run
	@envs/bootstrap.sh run
	$(SNAKEMAKE) --report results/report.html $(ARGS)

test: ## run all tests, a complete run at the smoke scale among them
	@envs/bootstrap.sh dev latex browser
	OMP_NUM_THREADS=1 python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: ## check style and workflow
	@envs/bootstrap.sh dev
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow
	lint-imports
	$(SNAKEMAKE) --lint

bench: ## measure the speeds that docs/performance.md quotes; AGAINST=COMMIT compares with an earlier tree
	@envs/bootstrap.sh run
	OMP_NUM_THREADS=1 python benchmarks/run.py
	$(if $(AGAINST),python benchmarks/compare.py $(AGAINST))

verify: ## hold the results of a run against the reference results
	@envs/bootstrap.sh run
	taskreason verify

readme: ## fill the generated parts of README.md and docs/ from results/, and write config/README.md
	@envs/bootstrap.sh run
	python benchmarks/update_readme.py
	python docs/write_config_keys.py

audit: ## look the pinned packages up in a database of known vulnerabilities
	@envs/bootstrap.sh run supply
	@python envs/audit.py

sbom: ## write results/sbom.json, what .venv holds as a bill of materials (CycloneDX)
	@envs/bootstrap.sh run supply
	@mkdir -p results
	@# Its own check of the result against the format takes minutes.
	cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml --output-reproducible --no-validate -o results/sbom.json

clean: ## remove tables, figures and paper, which take a minute to make; keeps trained models
	rm -rf results/tables results/figures results/gallery results/macros.tex results/index.html results/checksums results/paper-build paper/main.pdf

distclean: clean ## remove all results, trained models included, and the environment
	find results -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +
	rm -rf .snakemake .venv
