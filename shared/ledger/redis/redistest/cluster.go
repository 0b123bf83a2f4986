package redistest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"
)

// slots is the number of hash slots of a cluster.
const slots = 16384

// Cluster starts a cluster of n masters and returns the URL of the first. It returns ""
// where Start would return nil. The nodes know each other from their nodes.conf, so they
// need not meet. A node waits two seconds before it takes part in its cluster; no setting
// changes that.
func Cluster(t testing.TB, n int) string {
	t.Helper()
	for range attempts {
		servers := nodes(t, n)
		if servers == nil {
			return ""
		}
		if !slices.ContainsFunc(servers, func(s *Server) bool { return !s.start() }) {
			for i, s := range servers {
				s.awaitCluster(i*slots/n, (i+1)*slots/n)
			}
			return servers[0].URL
		}
		for _, s := range servers {
			s.Stop()
		}
	}
	t.Fatalf("redistest: no cluster came up in %d attempts", attempts)
	return ""
}

// nodes reserves the servers of a cluster and writes the nodes.conf of each.
func nodes(t testing.TB, n int) []*Server {
	t.Helper()
	addrs := freeAddrs(t, 2*n)
	servers, buses := make([]*Server, n), make([]string, n)
	for i := range servers {
		_, buses[i], _ = net.SplitHostPort(addrs[n+i])
		servers[i] = reserve(t, addrs[i], "--cluster-enabled", "yes", "--cluster-port", buses[i], "--cluster-config-file", "nodes.conf")
		if servers[i] == nil {
			return nil
		}
	}
	for i, s := range servers {
		var conf strings.Builder
		for j, other := range servers {
			flags := "master"
			if i == j {
				flags = "myself,master"
			}
			fmt.Fprintf(&conf, "%040x %s@%s %s - 0 0 %d connected %d-%d\n",
				j+1, other.Addr, buses[j], flags, j+1, j*slots/n, (j+1)*slots/n-1)
		}
		fmt.Fprintf(&conf, "vars currentEpoch %d lastVoteEpoch 0\n", n)
		if err := os.WriteFile(filepath.Join(s.dir(), "nodes.conf"), []byte(conf.String()), 0o600); err != nil {
			t.Fatalf("redistest: %v", err)
		}
	}
	return servers
}

// dir returns the folder of the server's files.
func (s *Server) dir() string {
	for i, a := range s.args {
		if a == "--dir" {
			return s.args[i+1]
		}
	}
	return ""
}

// awaitCluster asks for a key in the node's own slots until the node takes part in its
// cluster. Before that, the node answers CLUSTERDOWN, and the client retries after a
// back-off.
func (s *Server) awaitCluster(lo, hi int) {
	s.t.Helper()
	const retries = 100
	node := goredis.NewClient(&goredis.Options{Addr: s.Addr, MaxRetries: retries})
	defer func() { _ = node.Close() }()
	for i := 0; ; i++ {
		key := "redistest:" + strconv.Itoa(i)
		slot, err := node.ClusterKeySlot(s.t.Context(), key).Result()
		if err == nil && (int(slot) < lo || int(slot) >= hi) {
			continue
		}
		if err == nil {
			err = node.Exists(s.t.Context(), key).Err()
		}
		if err != nil {
			s.t.Fatalf("redistest: cluster node %s does not come up: %v", s.Addr, err)
		}
		return
	}
}
