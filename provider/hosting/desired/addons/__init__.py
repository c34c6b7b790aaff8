"""What a tenant gets on its own nodes: CoreDNS and kube-proxy, as kubeadm of its minor would install them."""
