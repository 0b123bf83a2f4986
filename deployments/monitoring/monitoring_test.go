package monitoring

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// Prometheus can read the rules, and the page explains each metric that they use.
func TestRules(t *testing.T) {
	data, err := os.ReadFile("alerts.yaml")
	require.NoError(t, err)
	var rules struct {
		Groups []struct {
			Name  string `json:"name"`
			Rules []struct {
				Alert       string            `json:"alert"`
				Expr        string            `json:"expr"`
				For         string            `json:"for"`
				Annotations map[string]string `json:"annotations"`
			} `json:"rules"`
		} `json:"groups"`
	}
	require.NoError(t, yaml.UnmarshalStrict(data, &rules))
	page, err := os.ReadFile("README.md")
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, g := range rules.Groups {
		require.NotEmpty(t, g.Rules)
		for _, r := range g.Rules {
			require.False(t, seen[r.Alert], r.Alert)
			seen[r.Alert] = true
			require.NotEmpty(t, r.Annotations["summary"], r.Alert)
			metrics := regexp.MustCompile(`tributary_[a-z_]+`).FindAllString(r.Expr, -1)
			require.NotEmpty(t, metrics, r.Alert)
			for _, m := range metrics {
				require.Contains(t, string(page), "`"+regexp.MustCompile(`_bucket$`).ReplaceAllString(m, ""), r.Alert)
			}
		}
	}
}
