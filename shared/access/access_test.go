package access_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/access"
	"tributary/shared/job"
)

// Each password of the tests is head, any character, tail.
const head, tail = "Mark3dHead", "Mark3dTail"

func hides(t *testing.T, text, about string) {
	t.Helper()
	require.NotContains(t, text, head, about)
	require.NotContains(t, text, tail, about)
}

func TestSecretsAreNotPrinted(t *testing.T) {
	settings := struct {
		Text access.Text `json:"text"`
		URL  access.URL  `json:"url"`
		File access.File `json:"file"`
	}{head, "nats://" + head + "@a:1, tls://me:" + tail + "@b:2", "-----BEGIN " + head}
	marshalled, err := json.Marshal(settings)
	require.NoError(t, err)
	for _, text := range []string{
		string(marshalled), fmt.Sprint(settings), fmt.Sprintf("%+v %#v %q", settings, settings, settings.Text),
		fmt.Sprintf("%s %v %x", settings.URL, &settings, settings.Text),
	} {
		hides(t, text, text)
	}
	require.JSONEq(t, `{"text":"(hidden)","url":"nats://a:1,tls://b:2","file":"(hidden)"}`, string(marshalled))
	require.Empty(t, access.Text("").String(), "none is not hidden")
}

// For every character in a password, unencoded and at any place: the address is refused,
// or it has exactly this password. No error and no printed form shows part of it.
func TestNoPasswordIsShown(t *testing.T) {
	for c := range rune(256) {
		for _, password := range []string{head + string(c) + tail, string(c) + tail, "12" + string(c) + tail, head + string(c)} {
			for _, form := range []string{
				"nats://me:%s@host:4222", "nats://%s@host", "me:%s@host:4222", "%s@host", "nats://a:1,nats://me:%s@b:2",
				"nats://me:%s@a:1,b:2", "redis://:%s@host:6379/0", "rediss://%s:x@host", "http://me:%s@host/path", "%s://host", "s3://key:%s@bucket/p",
			} {
				if c == ',' && form == "%s@host" {
					continue // two hosts, the second with a token
				}
				text := fmt.Sprintf(form, password)
				u := access.URL(text)
				about := fmt.Sprintf("%q", text)
				if strings.Contains(form, "//") && !strings.HasPrefix(form, "%s:") {
					hides(t, u.String(), about)
					hides(t, access.Show(text), about)
				}
				servers, err := u.Servers("nats", "tls", "redis", "rediss", "s3", "http")
				if err != nil {
					require.ErrorIs(t, err, job.ErrInvalid)
					if form != "%s://host" {
						hides(t, err.Error(), about)
					}
					continue
				}
				for _, s := range servers {
					hides(t, s.Host+s.Path+s.RawQuery+s.Fragment, about)
				}
			}
		}
	}
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "it is empty",
		"nats://":               "it names no host",
		"http://h":              `scheme "http" is not supported: want nats:// or tls://`,
		"nats://h:4222/a":       "it has more than a host and a port",
		"nats://me:a/b@h":       "write % as %25",
		"nats://me:a b@h":       "a space, a line break",
		"nats://me:a%zz@h":      "write % as %25",
		"nats://me:1#b@h":       "# as %23",
		"nats://a:1,,nats://b":  "it is empty",
		"nats://me:1,2@h":       "a comma as %2C",
		"nats://h:port":         "it cannot be read",
		"nats://me:\u00e4\x7f@": "control character",
	} {
		_, err := access.URL(text).Servers("nats", "tls")
		require.ErrorIs(t, err, job.ErrInvalid, text)
		require.ErrorContains(t, err, want, text)
	}
	for text, hosts := range map[string]string{
		"h": "h", "h:1,k:2": "h:1 k:2", "nats://u:p%2F@h:1, tls://k:2": "h:1 k:2", "token@h:1": "h:1", "nats://[::1]:4222/": "[::1]:4222",
	} {
		servers, err := access.URL(text).Servers("nats", "tls")
		require.NoError(t, err, text)
		var got []string
		for _, s := range servers {
			got = append(got, s.Host)
		}
		require.Equal(t, hosts, strings.Join(got, " "), text)
	}
	for text, want := range map[string]string{
		"data/a@b.csv": "data/a@b.csv", "file:a.csv": "file:a.csv", "https://u:p@h/a.csv?key=x": "https://h/a.csv", "s3://k/s@h/%40": "(an address that cannot be read)",
	} {
		require.Equal(t, want, access.Show(text))
	}
}

// A person may put the content of a file where its path belongs.
func TestContentInPlaceOfAFile(t *testing.T) {
	for _, content := range []string{
		"-----BEGIN PRIVATE KEY-----\n" + head, "SU" + head, head + "/" + tail + "\n", "eyJ" + strings.Repeat("x", 70) + "." + head,
		strings.Repeat("a", 100) + head,
	} {
		_, err := access.File(content).Read("nats nkey file")
		require.ErrorIs(t, err, job.ErrInvalid)
		require.ErrorContains(t, err, "nats nkey file: want the path of a file")
		hides(t, err.Error(), content)
	}
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "none.pem"), "./none.pem", "none.pem"} {
		_, err := access.File(path).Read("ca file")
		require.ErrorContains(t, err, "ca file "+path+": no such file")
	}
	_, err := access.File(dir).Read("ca file")
	require.ErrorContains(t, err, "it is a folder")
	long := filepath.Join(dir, "long")
	require.NoError(t, os.WriteFile(long, make([]byte, 4<<20+1), 0o600))
	_, err = access.File(long).Read("ca file")
	require.ErrorContains(t, err, "longer than 4194304 bytes")
}
