# `make` lists the targets. Each is a script in deploy/dev that can be run by itself.
# Variables given on the command line reach it: make run RINGTILL_HTTP=127.0.0.1:9080
.DEFAULT_GOAL := help
.PHONY: help run demo-call api-key test test-nightly check bench fuzz migrate clean

help:
	@echo 'make run           set up and run everything: web, worker, SIP edge, demo world (Ctrl-C stops it)'
	@echo 'make demo-call     place a real test call to the running system (CALL="60 3": a minute on topic 3)'
	@echo 'make api-key       print a new key for the API of the running system (ORG=nordlicht SCOPES="customers:read")'
	@echo 'make test          every test, on a throw-away database'
	@echo 'make test-nightly  the same for a night: faults 200 times, ten million events, every guard left out once'
	@echo 'make check         formatting, clippy, shellcheck, licences and sources of the dependencies'
	@echo 'make bench         the measurements, in a release build (ONLY=name for one of them)'
	@echo 'make fuzz          feed random documents to the grammar of prices and to the estimator (SECONDS=60 for each)'
	@echo 'make migrate       bring the database to the newest schema'
	@echo 'make clean         remove what was built and fetched, and the private database'

run:
	@deploy/dev/run.sh

demo-call:
	@deploy/dev/demo-call.sh $(CALL)

api-key:
	@deploy/dev/api-key.sh $(or $(ORG),nordlicht) $(or $(SCOPES),customers:read)

test:
	@deploy/dev/test.sh

test-nightly:
	@RINGTILL_LONG=1 deploy/dev/test.sh

check:
	@deploy/dev/check.sh

bench:
	@deploy/dev/bench.sh $(ONLY)

fuzz:
	@deploy/dev/fuzz.sh $(or $(SECONDS),60)

migrate:
	@deploy/dev/migrate.sh

clean:
	@deploy/dev/clean.sh
