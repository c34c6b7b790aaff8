// Cluster API's own end-to-end specs against this provider: those that fit a control plane without Machines.
//
// Nothing of the specs is here: they come from sigs.k8s.io/cluster-api/test. What is said here is where they run (the management
// cluster of KUBECONFIG, clusterctl's own configuration, the lab as infrastructure), how long they wait at most, and what a
// ready control plane is; whose owners and finalizers the QuickStart asks for is in resilience_test.go. Compiled by `lab build`,
// run by tests/e2e/test_capi_specs.py, a spec a process.
package specs

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/test/e2e"
	"sigs.k8s.io/cluster-api/test/framework"
	"sigs.k8s.io/cluster-api/test/framework/clusterctl"
	"sigs.k8s.io/cluster-api/util/conditions"
)

const infrastructure = "lab"

var (
	ctx       = ctrl.SetupSignalHandler()
	config    = os.Getenv("CLUSTERCTL_CONFIG")
	artifacts = os.Getenv("ARTIFACTS")
	cluster   framework.ClusterProxy

	// How long the specs wait at most, and how often they look.
	settings = &clusterctl.E2EConfig{
		Variables: map[string]string{e2e.KubernetesVersion: os.Getenv("KUBERNETES_VERSION")},
		Intervals: map[string][]string{
			"default/wait-cluster":             {"1m", "1s"},
			"default/wait-control-plane":       {"3m", "1s"},
			"default/wait-worker-nodes":        {"4m", "1s"},
			"default/wait-machine-remediation": {"4m", "1s"},
			"default/wait-machine-upgrade":     {"4m", "1s"},
			"default/wait-delete-cluster":      {"3m", "1s"},
		},
	}

	waiters = clusterctl.ControlPlaneWaiters{
		WaitForControlPlaneInitialized:   until(clusterv1.ClusterControlPlaneInitializedCondition),
		WaitForControlPlaneMachinesReady: until(clusterv1.ClusterControlPlaneAvailableCondition),
	}
)

func TestSpecs(t *testing.T) {
	gomega.RegisterFailHandler(ginkgo.Fail)
	ginkgo.RunSpecs(t, "Cluster API's specs")
}

var _ = ginkgo.BeforeSuite(func() {
	ctrl.SetLogger(ginkgo.GinkgoLogr)
	scheme := runtime.NewScheme()
	framework.TryAddDefaultSchemes(scheme)
	cluster = framework.NewClusterProxy("management", os.Getenv("KUBECONFIG"), scheme)
})

// until waits for a condition of the Cluster: a control plane that has no Machines has its say there.
func until(condition string) clusterctl.Waiter {
	return func(ctx context.Context, input clusterctl.ApplyCustomClusterTemplateAndWaitInput, result *clusterctl.ApplyCustomClusterTemplateAndWaitResult) {
		key := metav1.ObjectMeta{Namespace: result.Cluster.Namespace, Name: result.Cluster.Name}
		gomega.Eventually(func(g gomega.Gomega) {
			seen := &clusterv1.Cluster{ObjectMeta: key}
			g.Expect(input.ClusterProxy.GetClient().Get(ctx, client.ObjectKeyFromObject(seen), seen)).To(gomega.Succeed())
			g.Expect(conditions.IsTrue(seen, condition)).To(gomega.BeTrue(), "%s: %v", condition, conditions.Get(seen, condition))
		}, input.WaitForControlPlaneIntervals...).Should(gomega.Succeed())
	}
}

var _ = ginkgo.Describe("QuickStart", func() {
	e2e.QuickStartSpec(ctx, func() e2e.QuickStartSpecInput {
		return quickStart("QuickStart", nil)
	})
})

var _ = ginkgo.Describe("QuickStartClassy", func() {
	e2e.QuickStartSpec(ctx, func() e2e.QuickStartSpecInput {
		return quickStart("QuickStartClassy", ptr.To("topology"))
	})
})

func quickStart(name string, flavor *string) e2e.QuickStartSpecInput {
	return e2e.QuickStartSpecInput{
		E2EConfig:               settings,
		ClusterctlConfigPath:    config,
		BootstrapClusterProxy:   cluster,
		ArtifactFolder:          filepath.Join(artifacts, name),
		InfrastructureProvider:  ptr.To(infrastructure),
		Flavor:                  flavor,
		ControlPlaneWaiters:     waiters,
		PostMachinesProvisioned: resilience(flavor != nil),
	}
}

var _ = ginkgo.Describe("MachineDeploymentScale", func() {
	e2e.MachineDeploymentScaleSpec(ctx, func() e2e.MachineDeploymentScaleSpecInput {
		return e2e.MachineDeploymentScaleSpecInput{
			E2EConfig:              settings,
			ClusterctlConfigPath:   config,
			BootstrapClusterProxy:  cluster,
			ArtifactFolder:         filepath.Join(artifacts, "MachineDeploymentScale"),
			InfrastructureProvider: ptr.To(infrastructure),
			ControlPlaneWaiters:    waiters,
		}
	})
})

// The flavor is the plain template with a MachineHealthCheck, as the spec asks for; the test writes it.
var _ = ginkgo.Describe("MachineDeploymentRemediation", func() {
	e2e.MachineDeploymentRemediationSpec(ctx, func() e2e.MachineDeploymentRemediationSpecInput {
		return e2e.MachineDeploymentRemediationSpecInput{
			E2EConfig:              settings,
			ClusterctlConfigPath:   config,
			BootstrapClusterProxy:  cluster,
			ArtifactFolder:         filepath.Join(artifacts, "MachineDeploymentRemediation"),
			InfrastructureProvider: ptr.To(infrastructure),
			ControlPlaneWaiters:    waiters,
		}
	})
})

// Workers first, then the control plane, then the infrastructure: each held by a finalizer until the next is looked at.
var _ = ginkgo.Describe("ClusterDeletion", func() {
	e2e.ClusterDeletionSpec(ctx, func() e2e.ClusterDeletionSpecInput {
		return e2e.ClusterDeletionSpecInput{
			E2EConfig:              settings,
			ClusterctlConfigPath:   config,
			BootstrapClusterProxy:  cluster,
			ArtifactFolder:         filepath.Join(artifacts, "ClusterDeletion"),
			InfrastructureProvider: ptr.To(infrastructure),
			Flavor:                 ptr.To("topology"),
			ControlPlaneWaiters:    waiters,
			ClusterDeletionPhases: []e2e.ClusterDeletionPhase{
				{ObjectFilter: kinds("Machine", "MachineSet", "MachineDeployment"), BlockingObjectFilter: kinds("Machine")},
				{ObjectFilter: kinds("KamajiControlPlane"), BlockingObjectFilter: kinds("KamajiControlPlane")},
				{ObjectFilter: kinds("LabCluster"), BlockingObjectFilter: kinds("LabCluster")},
			},
		}
	})
})

var _ = ginkgo.Describe("ClusterClassChanges", func() {
	e2e.ClusterClassChangesSpec(ctx, func() e2e.ClusterClassChangesSpecInput {
		return e2e.ClusterClassChangesSpecInput{
			E2EConfig:              settings,
			ClusterctlConfigPath:   config,
			BootstrapClusterProxy:  hosting{cluster},
			PostNamespaceCreated:   noMachines,
			ArtifactFolder:         filepath.Join(artifacts, "ClusterClassChanges"),
			InfrastructureProvider: ptr.To(infrastructure),
			Flavor:                 "topology",
			ControlPlaneWaiters:    waiters,
			ModifyControlPlaneFields: map[string]interface{}{
				"spec.apiServer.extraArgs": []interface{}{"--v=1"},
			},
			ModifyMachineDeploymentBootstrapConfigTemplateFields: map[string]interface{}{
				"spec.template.spec.verbosity": int64(1),
			},
		}
	})
})

// kinds says of an object whether it is of one of these.
func kinds(names ...string) func(corev1.ObjectReference, []metav1.OwnerReference) bool {
	return func(object corev1.ObjectReference, _ []metav1.OwnerReference) bool {
		for _, name := range names {
			if object.Kind == name {
				return true
			}
		}
		return false
	}
}

// hosting shows that spec a class whose control plane has machines: it copies their template with the others, whatever the class
// says. It sees one that nobody uses, and what it creates has none.
type hosting struct {
	framework.ClusterProxy
}

var none = clusterv1.ClusterClassTemplateReference{
	APIVersion: "infrastructure.cluster.x-k8s.io/v1beta1",
	Kind:       "LabMachineTemplate",
	Name:       "no-machines",
}

func noMachines(management framework.ClusterProxy, namespace string) {
	template := &unstructured.Unstructured{Object: map[string]interface{}{
		"spec": map[string]interface{}{"template": map[string]interface{}{"spec": map[string]interface{}{}}},
	}}
	template.SetAPIVersion(none.APIVersion)
	template.SetKind(none.Kind)
	template.SetName(none.Name)
	template.SetNamespace(namespace)
	gomega.Expect(management.GetClient().Create(ctx, template)).To(gomega.Succeed())
}

func (p hosting) GetClient() client.Client {
	return classes{p.ClusterProxy.GetClient()}
}

type classes struct {
	client.Client
}

func (c classes) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	err := c.Client.Get(ctx, key, object, options...)
	if class, is := object.(*clusterv1.ClusterClass); is && err == nil {
		class.Spec.ControlPlane.MachineInfrastructure.TemplateRef = none
	}
	return err
}

func (c classes) Create(ctx context.Context, object client.Object, options ...client.CreateOption) error {
	class, is := object.(*clusterv1.ClusterClass)
	if !is {
		return c.Client.Create(ctx, object, options...)
	}
	shown := class.Spec.ControlPlane.MachineInfrastructure
	class.Spec.ControlPlane.MachineInfrastructure = clusterv1.ControlPlaneClassMachineInfrastructureTemplate{}
	err := c.Client.Create(ctx, class, options...)
	class.Spec.ControlPlane.MachineInfrastructure = shown
	return err
}
