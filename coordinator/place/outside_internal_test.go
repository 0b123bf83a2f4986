package place

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
)

func TestOutside(t *testing.T) {
	for address, host := range map[string]string{
		"169.254.169.254:80": "data.example.org", "[fe80::1%25eth0]:80": "data.example.org", "0.0.0.0:80": "h", "[::]:80": "h", "[::ffff:169.254.169.254]:80": "h",
		"[fd00:ec2::254]:80": "h", "100.100.100.200:80": "h", "224.0.0.1:80": "h", "nonsense": "h",
	} {
		require.ErrorIs(t, outside(address, host), job.ErrInvalid, address)
	}
	for address, host := range map[string]string{
		"93.184.216.34:443": "example.org", "10.0.0.7:80": "store.internal", "127.0.0.1:80": "localhost", "169.254.1.2:80": "169.254.1.2", "[2001:db8::1]:443": "example.org",
	} {
		require.NoError(t, outside(address, host), address)
	}
}
