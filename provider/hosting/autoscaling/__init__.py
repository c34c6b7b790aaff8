"""How much CPU and memory the pods of a control plane shall ask for, by what they take and by bounds (decision 0042). Pure.

`decision` says the next request, `requests` what a TenantAutoscaler says of containers, `pods` what of it can be made so in
pods that run, `plan` all of it together. Read by the Deployment's builder, which asks for what was decided last, and by
`reconcile.autoscaling`, which decides. CPU is counted in thousandths of a core, memory in bytes.
"""
