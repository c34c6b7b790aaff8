"""`make bench`: how fast a control plane is born, as ratios to a bare kube-apiserver measured in the same run.

`floor` starts the bare one, `births` measures tenants, `report` prints and keeps the table. Ratios travel between machines;
seconds do not.
"""
