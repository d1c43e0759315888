SHELL := /bin/bash
.DEFAULT_GOAL := help
PY := .venv/bin/python

.PHONY: protos
protos: ## Generate the Python stubs from protos/
	@rm -f clients/python/src/mnema/v1/*_pb2*.py clients/python/src/mnema/v1/*_pb2*.pyi
	@PATH="$(CURDIR)/.venv/bin:$$PATH" $(PY) -m grpc_tools.protoc -I protos \
		--python_out=clients/python/src --mypy_out=quiet:clients/python/src \
		--grpc_python_out=clients/python/src --mypy_grpc_out=quiet:clients/python/src \
		protos/mnema/v1/*.proto
