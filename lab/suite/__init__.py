"""Kubernetes' own end-to-end suite against a cluster whose control plane we host.

`lab conformance` runs every [Conformance] spec and writes docs/conformance/; `tests/e2e/test_suite.py` runs a choice of them.
The suite is the program `e2e.test` of `programs.toml`, unchanged.
"""
