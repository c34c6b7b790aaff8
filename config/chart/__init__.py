"""The Helm chart `charts/capi-kamaji`, made from config/: `python -m config.chart`, by `make generate` (decision 0047)."""
