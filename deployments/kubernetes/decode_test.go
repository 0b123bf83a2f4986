// Package kubernetes holds the manifests of a deployment on Kubernetes, and their tests.
// The tests decode every document strictly against the API's types, and then check the
// references between the documents.
//
// By default the tests read the manifests in this folder. With -built FILE they read the
// output of `kustomize build` instead, with its generated names.
//
// Invariant: no pod in the manifests needs more than the restricted pod security standard
// allows.
package kubernetes

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"sigs.k8s.io/yaml"
)

var built = flag.String("built", "", "output of kustomize build, tested instead of the manifests")

// kustomization holds the fields of the format that these manifests use.
type kustomization struct {
	metav1.TypeMeta    `json:",inline"`
	Namespace          string           `json:"namespace"`
	Labels             []map[string]any `json:"labels"`
	Resources          []string         `json:"resources"`
	ConfigMapGenerator []generator      `json:"configMapGenerator"`
	Images             []struct {
		Name   string `json:"name"`
		NewTag string `json:"newTag"`
	} `json:"images"`
}

type generator struct {
	Name     string   `json:"name"`
	Files    []string `json:"files"`
	Literals []string `json:"literals"`
}

// readKustomization reads the kustomization of a folder.
func readKustomization(t *testing.T, dir string) kustomization {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "kustomization.yaml"))
	require.NoError(t, err)
	var k kustomization
	require.NoError(t, yaml.UnmarshalStrict(b, &k), dir)
	return k
}

// decode decodes every document of a file. An unknown field, a duplicate field or an
// unknown kind fails the test.
func decode(t *testing.T, path string) []runtime.Object {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		appsv1.AddToScheme, autoscalingv2.AddToScheme, corev1.AddToScheme,
		networkingv1.AddToScheme, policyv1.AddToScheme,
	} {
		require.NoError(t, add(scheme))
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()

	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var objects []runtime.Object
	for i, doc := range bytes.Split(text, []byte("\n---\n")) {
		o, _, err := decoder.Decode(doc, nil, nil)
		require.NoErrorf(t, err, "%s: document %d", path, i)
		objects = append(objects, o)
	}
	return objects
}

// manifests returns every object of the deployment, including the generated
// configuration.
func manifests(t *testing.T) []runtime.Object {
	t.Helper()
	if *built != "" {
		return decode(t, *built)
	}
	var objects []runtime.Object
	for _, dir := range []string{".", "../nats", "../redis"} {
		k := readKustomization(t, dir)
		for _, g := range k.ConfigMapGenerator {
			objects = append(objects, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: g.Name}})
		}
		for _, r := range k.Resources {
			if filepath.Ext(r) == ".yaml" {
				objects = append(objects, decode(t, r)...)
			}
		}
	}
	return objects
}

// each returns the objects of one type.
func each[T runtime.Object](objects []runtime.Object) []T {
	var of []T
	for _, o := range objects {
		if t, ok := o.(T); ok {
			of = append(of, t)
		}
	}
	return of
}

// workload is what Deployments and StatefulSets have in common.
type workload struct {
	name     string
	selector *metav1.LabelSelector
	template corev1.PodTemplateSpec
}

func workloads(objects []runtime.Object) []workload {
	var ws []workload
	for _, d := range each[*appsv1.Deployment](objects) {
		ws = append(ws, workload{d.Name, d.Spec.Selector, d.Spec.Template})
	}
	for _, s := range each[*appsv1.StatefulSet](objects) {
		ws = append(ws, workload{s.Name, s.Spec.Selector, s.Spec.Template})
	}
	return ws
}

// ports returns the named ports of a pod.
func ports(p corev1.PodSpec) map[string]int32 {
	named := map[string]int32{}
	for _, c := range p.Containers {
		for _, port := range c.Ports {
			named[port.Name] = port.ContainerPort
		}
	}
	return named
}

func TestKustomizationListsEveryFile(t *testing.T) {
	var files []string
	for _, r := range readKustomization(t, ".").Resources {
		if filepath.Ext(r) == ".yaml" {
			files = append(files, r)
			continue
		}
		require.FileExists(t, filepath.Join(r, "kustomization.yaml"))
	}
	found, err := filepath.Glob("*.yaml")
	require.NoError(t, err)
	found = slices.DeleteFunc(found, func(f string) bool { return f == "kustomization.yaml" })
	require.ElementsMatch(t, found, files)

	for _, dir := range []string{"../nats", "../redis"} {
		for _, g := range readKustomization(t, dir).ConfigMapGenerator {
			for _, f := range g.Files {
				require.FileExists(t, filepath.Join(dir, f))
			}
		}
	}
}

func TestEveryDocumentIsThereOnce(t *testing.T) {
	var names []string
	for _, o := range manifests(t) {
		m, ok := o.(metav1.Object)
		require.Truef(t, ok, "%T has no metadata", o)
		name := fmt.Sprintf("%T %s", o, m.GetName())
		require.NotContains(t, names, name)
		names = append(names, name)
		if _, cluster := o.(*corev1.Namespace); *built != "" && !cluster {
			require.Equal(t, "tributary", m.GetNamespace(), name)
		}
	}
	require.Len(t, workloads(manifests(t)), 4)
}
