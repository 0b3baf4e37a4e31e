# Each target is one line, which can also be typed.

.PHONY: test race lint bench ci

test:
	go test work

race:
	go test -race work

lint:
	$$(GOWORK=off go -C internal/tools tool -n golangci-lint) run $$(go list -m -f '{{.Dir}}/...')

bench:
	GOWORK=off go -C internal/bench run ./ratios

ci:
	bash .ci/run
