package kubernetes

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// selected returns the workloads whose pods a selector matches, and fails if there are
// none.
func selected(t *testing.T, s *metav1.LabelSelector, ws []workload) []workload {
	t.Helper()
	sel, err := metav1.LabelSelectorAsSelector(s)
	require.NoError(t, err)
	var hit []workload
	for _, w := range ws {
		if sel.Matches(labels.Set(w.template.Labels)) {
			hit = append(hit, w)
		}
	}
	require.NotEmptyf(t, hit, "selector %s matches no pod", sel)
	return hit
}

func TestSelectorsMatchPods(t *testing.T) {
	objects := manifests(t)
	ws := workloads(objects)
	for _, w := range ws {
		require.Equal(t, w.name, selected(t, w.selector, ws)[0].name)
		require.Len(t, selected(t, w.selector, ws), 1)
	}
	for _, s := range each[*corev1.Service](objects) {
		hit := selected(t, &metav1.LabelSelector{MatchLabels: s.Spec.Selector}, ws)
		require.Len(t, hit, 1, s.Name)
		for _, p := range s.Spec.Ports {
			require.Contains(t, ports(hit[0].template.Spec), p.TargetPort.String(), s.Name)
		}
	}
	for _, p := range each[*policyv1.PodDisruptionBudget](objects) {
		selected(t, p.Spec.Selector, ws)
	}
	hpas := each[*autoscalingv2.HorizontalPodAutoscaler](objects)
	require.Len(t, hpas, 1)
	require.Equal(t, "worker", hpas[0].Spec.ScaleTargetRef.Name)
	require.Less(t, *hpas[0].Spec.MinReplicas, hpas[0].Spec.MaxReplicas)
}

// TestNetworkPolicies checks that a first policy denies everything, and that every port
// which a policy then allows by name exists in the pods behind it.
func TestNetworkPolicies(t *testing.T) {
	objects := manifests(t)
	ws := workloads(objects)
	exists := func(ps []networkingv1.NetworkPolicyPort, hit []workload) {
		for _, p := range ps {
			if p.Port.Type == intstr.String {
				require.Contains(t, ports(hit[0].template.Spec), p.Port.StrVal)
			}
		}
	}
	denied := false
	for _, p := range each[*networkingv1.NetworkPolicy](objects) {
		hit := selected(t, &p.Spec.PodSelector, ws)
		denied = denied || len(hit) == len(ws) && len(p.Spec.Ingress)+len(p.Spec.Egress) == 0 && len(p.Spec.PolicyTypes) == 2
		for _, in := range p.Spec.Ingress {
			exists(in.Ports, hit)
		}
		for _, out := range p.Spec.Egress {
			for _, to := range out.To {
				if to.NamespaceSelector == nil {
					exists(out.Ports, selected(t, to.PodSelector, ws))
				}
			}
		}
	}
	require.True(t, denied, "no policy denies by default")
}

func TestPodsHaveLeastRights(t *testing.T) {
	for _, w := range workloads(manifests(t)) {
		t.Run(w.name, func(t *testing.T) {
			pod := w.template.Spec
			require.False(t, *pod.AutomountServiceAccountToken)
			require.False(t, *pod.EnableServiceLinks, "would set REDIS_PORT and the like in every pod")
			require.NotNil(t, pod.SecurityContext)
			require.True(t, *pod.SecurityContext.RunAsNonRoot)
			require.EqualValues(t, 65532, *pod.SecurityContext.RunAsUser)
			require.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, pod.SecurityContext.SeccompProfile.Type)
			require.False(t, pod.HostNetwork || pod.HostPID || pod.HostIPC)
			require.Positive(t, *pod.TerminationGracePeriodSeconds)
			for _, c := range pod.Containers {
				require.NotNil(t, c.SecurityContext)
				require.False(t, *c.SecurityContext.AllowPrivilegeEscalation)
				require.True(t, *c.SecurityContext.ReadOnlyRootFilesystem)
				require.Equal(t, []corev1.Capability{"ALL"}, c.SecurityContext.Capabilities.Drop)
				require.Empty(t, c.SecurityContext.Capabilities.Add)
				require.Nil(t, c.SecurityContext.RunAsUser)
				require.False(t, c.Resources.Requests.Cpu().IsZero())
				require.False(t, c.Resources.Requests.Memory().IsZero())
				require.False(t, c.Resources.Limits.Memory().IsZero())
			}
			for _, v := range pod.Volumes {
				require.Nil(t, v.HostPath, v.Name)
			}
		})
	}
}

func TestProbes(t *testing.T) {
	for _, w := range workloads(manifests(t)) {
		for _, c := range w.template.Spec.Containers {
			for _, p := range []*corev1.Probe{c.StartupProbe, c.ReadinessProbe, c.LivenessProbe} {
				require.NotNil(t, p, "%s: all three probes", w.name)
				if p.HTTPGet != nil {
					require.Contains(t, ports(w.template.Spec), p.HTTPGet.Port.StrVal)
				}
			}
			if w.name == "coordinator" || w.name == "worker" {
				require.Equal(t, "/healthz", c.LivenessProbe.HTTPGet.Path)
				require.Equal(t, "/readyz", c.ReadinessProbe.HTTPGet.Path)
			}
		}
	}
}

func TestConfigurationExists(t *testing.T) {
	objects := manifests(t)
	var maps []string
	for _, m := range each[*corev1.ConfigMap](objects) {
		maps = append(maps, m.Name)
	}
	for _, w := range workloads(objects) {
		for _, v := range w.template.Spec.Volumes {
			if v.ConfigMap != nil {
				require.Contains(t, maps, v.ConfigMap.Name, w.name)
			}
		}
		for _, c := range w.template.Spec.Containers {
			for _, e := range c.EnvFrom {
				if e.ConfigMapRef != nil {
					require.Contains(t, maps, e.ConfigMapRef.Name, w.name)
				}
			}
		}
	}
}

// TestImages checks that Kubernetes and compose run the same images.
func TestImages(t *testing.T) {
	text, err := os.ReadFile("../../docker-compose.yml")
	require.NoError(t, err)
	compose := string(text)
	for _, w := range workloads(manifests(t)) {
		for _, c := range w.template.Spec.Containers {
			image := c.Image
			if strings.HasPrefix(image, "tributary/") {
				image = strings.TrimSuffix(image, ":dev")
			}
			require.Regexp(t, `image: .*\b`+strings.ReplaceAll(image, ".", `\.`)+`\b`, compose, w.name)
		}
	}
	for _, i := range readKustomization(t, ".").Images {
		require.Equal(t, "dev", i.NewTag, i.Name)
	}
}
