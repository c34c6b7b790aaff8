// What Cluster API's QuickStart asks of owner references, finalizers and resource versions, in the words of its own framework.
//
// Said here is only which owners and finalizers our kinds and the lab's have. All else is the framework's: it pauses the Cluster,
// strips every object, lets it go on, and compares.
package specs

import (
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	bootstrapv1 "sigs.k8s.io/cluster-api/api/bootstrap/kubeadm/v1beta2"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/test/framework"
)

type (
	owners     = map[string]func(types.NamespacedName, []metav1.OwnerReference) error
	finalizers = map[string]func(types.NamespacedName) []string
)

const (
	controlPlaneAPI = "controlplane.cluster.x-k8s.io/v1alpha2"
	tenantAPI       = "kamaji.clastix.io/v1alpha1"
	// A tenant's size in its store is told within ten minutes of its birth, and from then on only when it moves.
	sampled = 12 * time.Minute
)

func plain(api, kind string) metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: api, Kind: kind}
}

func controller(api, kind string) metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: api, Kind: kind, Controller: ptr.To(true)}
}

// exactly asks for one of these lists of owners.
func exactly(possible ...[]metav1.OwnerReference) func(types.NamespacedName, []metav1.OwnerReference) error {
	return func(_ types.NamespacedName, found []metav1.OwnerReference) error {
		return framework.HasOneOfExactOwners(found, possible...)
	}
}

func one(owner metav1.OwnerReference) []metav1.OwnerReference {
	return []metav1.OwnerReference{owner}
}

// ours says who owns our objects, the lab's, and the Secrets and ConfigMaps of both. Core controls what a topology made.
func ours(topology bool) owners {
	core := clusterv1.GroupVersion.String()
	cluster, class := plain(core, "Cluster"), plain(core, "ClusterClass")
	top := cluster
	if topology {
		top = controller(core, "Cluster")
	}
	controlPlane := controller(controlPlaneAPI, "KamajiControlPlane")
	tenant := controller(tenantAPI, "TenantControlPlane")
	return owners{
		"KamajiControlPlane":         exactly(one(top)),
		"KamajiControlPlaneTemplate": exactly(one(class)),
		"TenantControlPlane":         exactly(one(controlPlane)),
		"LabCluster":                 exactly(one(top)),
		"LabClusterTemplate":         exactly(one(class)),
		"LabMachine":                 exactly(one(controller(core, "Machine"))),
		"LabMachineTemplate":         exactly(one(cluster), one(class)),
		"Secret":                     exactly(one(controlPlane), one(tenant), one(controller(bootstrapv1.GroupVersion.String(), "KubeadmConfig"))),
		"ConfigMap":                  exactly(one(tenant)),
	}
}

var held = finalizers{
	"KamajiControlPlane": func(types.NamespacedName) []string { return []string{"kamaji.controlplane.cluster.x-k8s.io"} },
	"TenantControlPlane": func(types.NamespacedName) []string { return []string{"finalizer.kamaji.clastix.io"} },
	"LabCluster":         func(types.NamespacedName) []string { return []string{"labcluster.infrastructure.cluster.x-k8s.io"} },
	"LabMachine":         func(types.NamespacedName) []string { return []string{"labmachine.infrastructure.cluster.x-k8s.io"} },
}

// resilience is what the QuickStart asks once the machines are there.
func resilience(topology bool) func(framework.ClusterProxy, string, string) {
	return func(management framework.ClusterProxy, namespace, name string) {
		of := []owners{framework.CoreOwnerReferenceAssertion, framework.KubeadmBootstrapOwnerReferenceAssertions, ours(topology)}
		core := framework.CoreFinalizersAssertionWithLegacyClusters
		if topology {
			core = framework.CoreFinalizersAssertionWithClassyClusters
		}
		within := func(u unstructured.Unstructured) bool { return u.GetNamespace() == namespace }

		ginkgo.By("Checking that owner references are resilient")
		framework.ValidateOwnerReferencesResilience(ctx, management, namespace, name, within, of...)
		ginkgo.By("Checking that owner references are updated to the correct API version")
		framework.ValidateOwnerReferencesOnUpdate(ctx, management, namespace, name, within, of...)
		ginkgo.By("Checking that finalizers are resilient")
		framework.ValidateFinalizersResilience(ctx, management, namespace, name, within, core, held)
		ginkgo.By("Checking that resourceVersions are stable")
		measured(management, namespace)
		framework.ValidateResourceVersionStable(ctx, framework.ValidateResourceVersionStableInput{
			ClusterProxy:             management,
			Namespace:                namespace,
			OwnerGraphFilterFunction: within,
		})
	}
}

// measured waits until each tenant's size was told: a write that is not one of a loop.
func measured(management framework.ClusterProxy, namespace string) {
	gomega.Eventually(func(g gomega.Gomega) {
		tenants := &unstructured.UnstructuredList{}
		tenants.SetAPIVersion(tenantAPI)
		tenants.SetKind("TenantControlPlaneList")
		g.Expect(management.GetClient().List(ctx, tenants, client.InNamespace(namespace))).To(gomega.Succeed())
		g.Expect(tenants.Items).ToNot(gomega.BeEmpty())
		for _, each := range tenants.Items {
			_, told, err := unstructured.NestedMap(each.Object, "status", "storage", "usage")
			g.Expect(err).ToNot(gomega.HaveOccurred())
			g.Expect(told).To(gomega.BeTrue(), "%s: no usage was told", each.GetName())
		}
	}, sampled, "5s").Should(gomega.Succeed())
}
