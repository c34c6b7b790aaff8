"""Many tenants on one machine: the management API server, the etcds and the provider are real, the control planes are not.

All tenants' pods lead to one real kube-apiserver, which says to each who it should be (`planes`), so that all that the provider
does is done over real connections; what runs in pods is played (`kubelet`). `world` starts all of it on loopback, `gauge` reads
memory, CPU and writes, `measure` is what `make bench` calls. `clusters` has Cluster API's managers beside; `nodes` plays
the kubelets of its machines.
"""
