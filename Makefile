# The one front door. Every target first sees to the packages it needs (tools/setup.sh, which does
# nothing once they are there) and then hands over to CMake, Ninja or a script in tools/.
TIME ?= 60
PREFIX ?= /usr/local

.DEFAULT_GOAL := release
.PHONY: help release run test lint format interop bench bench-codec fuzz sim asan tsan coverage debug install clean

help: ## what there is to type
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

release: ## build the release: build/release/nilo (the default)
	@tools/setup.sh build
	@tools/build.sh release

run: release ## start the server on ./nilo-data with the Nile sample, Ctrl-C stops it
	@tools/run.sh

test: ## build and run all tests; ends with the counts
	@tools/test.sh test

asan: ## the same tests under the address and undefined behaviour sanitizers
	@tools/test.sh asan

tsan: ## the same tests under the thread sanitizer
	@tools/test.sh tsan

coverage: ## the same tests, then build/coverage/report.txt; fails below 90 % of store/
	@tools/test.sh coverage

lint: ## every check that is not a test
	@tools/setup.sh build lint
	@python3 tools/lint/lint.py

format: ## format the C sources in place
	@tools/setup.sh lint
	@python3 tools/lint/lint.py --format

interop: release ## ask PostgreSQL (where it is installed) the same: random statements, TPC-H; SEED=n COUNT=n
	@tools/interop.sh $(SEED) $(COUNT)

bench: release ## measure, and print one table
	@tools/setup.sh build test
	@tools/build.sh release bench
	@bench/run

bench-codec: ## bits a value and speed of the codecs over the CSV files below DATA=DIR, and generated data
	@tools/setup.sh build bench
	@tools/build.sh release bench_codec
	@build/release/bench_codec $(DATA)

fuzz: ## run every fuzz target for TIME seconds each (TIME=60); NAME=x: only fuzz_x
	@tools/setup.sh build fuzz
	@python3 tools/fuzz.py --seconds $(TIME) $(if $(NAME),--name $(NAME))

sim: ## simulate crashes and faults for TIME seconds (TIME=60) with new seeds; SEED=n: from that one on
	@tools/sim.sh $(TIME) $(SEED)

debug: ## build for the debugger, tests included: build/debug/
	@tools/setup.sh build test
	@tools/build.sh debug

install: release ## install under PREFIX (/usr/local), respecting DESTDIR
	@cmake --install build/release --prefix $(PREFIX)

clean: ## remove everything that was built; the record of the packages goes too
	rm -rf build
