"""The lab as a cloud: Cluster API's infrastructure provider `lab`, load balancer addresses and the tenants' pod networks.

One host process (`python -m lab.infrastructure`, started by `lab up`) holds three rooms:
- `provider`: LabCluster and LabMachine by the contract v1beta2, with the rights of its own ServiceAccount and no more;
- `podnetwork`: what a cloud's route controller does for the nodes of each Cluster;
- `loadbalancer`: addresses for the management cluster's Services of type LoadBalancer.
Everything is level-triggered: killed at any moment, the next start looks at the world and goes on.
"""
