# The inner pid 1 of a machine: its folders over the host's, its name, containerd, and a kubelet once kubeadm configured it.
# Killing it ends every process of the machine; its mounts go with its mount namespace.
set -u
root=$1 name=$2

mount --make-rprivate /
while read -r inside; do
	mkdir -p "$root/fs$inside" "$inside"
	mount --bind "$root/fs$inside" "$inside"
	mount --make-rshared "$inside"
done <"$root/folders"
for file in hosts resolv.conf; do
	mount --bind "$root/fs/$file" "/etc/$file"
done
mount -t proc proc /proc
hostname "$name"
sysctl -qw net.ipv4.ip_forward=1
# Kubelets, containerds and API servers take several each. The kernel's default is meant for one machine; here all share it.
[ "$(cat /proc/sys/fs/inotify/max_user_instances)" -ge 1024 ] || sysctl -qw fs.inotify.max_user_instances=1024 2>/dev/null

log=$root/log
containerd --config "$root/containerd.toml" >>"$log/containerd.log" 2>&1 &

while :; do
	# kubeadm writes both, one after the other: begun in between, a kubelet would lack its provider ID and taints for good.
	if [ -f /var/lib/kubelet/config.yaml ] && grep -qs '"$' /var/lib/kubelet/kubeadm-flags.env; then
		. /var/lib/kubelet/kubeadm-flags.env
		# shellcheck disable=SC2046,SC2086
		kubelet --config=/var/lib/kubelet/config.yaml --kubeconfig=/etc/kubernetes/kubelet.conf \
			--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf \
			$(cat "$root/kubelet-flags") $KUBELET_KUBEADM_ARGS >>"$log/kubelet.log" 2>&1
	fi
	sleep 0.3
done
