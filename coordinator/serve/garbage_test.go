package serve

import (
	"fmt"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"tributary/coordinator/garbage"
	"tributary/coordinator/run"
	"tributary/shared/blob"
	"tributary/shared/broker"
	"tributary/shared/job"
)

func TestTheBlobsOfARemovedJobAreDeletedSoon(t *testing.T) {
	var blobs *broker.Blobs
	c := servingAs(t, func(conn *broker.Conn) blob.Store {
		blobs = conn.Blobs()
		return blobs
	}, func(c *Coordinator, cfg run.Config) {
		c.garbage = garbage.New(garbage.Config{
			Owner: cfg.Owner, Records: records{c.conn.Records()}, Leases: leases{c.conn.Leases()}, Ledger: cfg.Ledger,
			Blobs: cfg.Blobs, Tidy: c.conn.Models().Tidy, Log: zerolog.Nop(),
			Soon: 10 * time.Millisecond, Grace: time.Nanosecond,
		})
	})
	submit := func(id string, rows string) {
		_, answer := c.ask("submit", fmt.Sprintf(`{"id":%q,"name":"line","data":{"inline":{"x":%s,"y":%s}},"model":{"layers":[{"dense":{"units":1}}]},
			"loss":"mse","optimizer":{"sgd":{"learning_rate":0.1}},"batch":3,"steps":5}`, id, rows, rows))
		require.Equal(t, "submitted", answer["state"])
		c.reaches(id, "running")
	}
	// attempt lists the blobs. It fails where the server stands still for long.
	attempt := func() (map[job.Digest]bool, error) {
		all := map[job.Digest]bool{}
		for s, err := range blobs.List(t.Context()) {
			if err != nil {
				return nil, err
			}
			all[s.Digest] = true
		}
		return all, nil
	}
	list := func() map[job.Digest]bool {
		all, err := attempt()
		require.NoError(t, err)
		return all
	}
	submit("kept", "[1,2,3]")
	kept := list()
	submit("same-rows", "[1,2,3]")
	submit("other-rows", "[4,5,6]")
	require.Greater(t, len(list()), len(kept)+1)
	for _, id := range []string{"same-rows", "other-rows"} {
		c.ask("cancel", id)
		require.Eventually(t, func() bool {
			code, _ := c.ask("remove", id)
			return code == "" || code == "404"
		}, 20*time.Second, 10*time.Millisecond)
	}
	require.Eventually(t, func() bool {
		all, err := attempt()
		return err == nil && len(all) == len(kept)
	}, 2*time.Minute, 10*time.Millisecond, "of the removed jobs nothing is left")
	require.Equal(t, kept, list())
	submit("again", "[4,5,6]")
}
