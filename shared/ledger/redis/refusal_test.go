package redis

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"tributary/shared/job"
	"tributary/shared/ledger"
	"tributary/shared/ledger/ledgertest"
	"tributary/shared/ledger/redis/redistest"
	"tributary/shared/tree"
)

func TestWhatAServerRefuses(t *testing.T) {
	for text, c := range map[string]struct {
		full bool
		says string
	}{
		"OOM command not allowed when used memory > 'maxmemory'.":                                                                 {true, "maxmemory"},
		"OOM command not allowed when used memory > 'maxmemory'. script: 4a, on @user_script:33.":                                 {true, "maxmemory"},
		"ERR Error running script (call to f_4a): @user_script:7: @user_script: 7: -OOM command not allowed when used memory":     {true, "maxmemory"},
		"READONLY You can't write against a read only replica.":                                                                   {true, "read-only replica"},
		"ERR Error running script (call to f_4a): @user_script:7: @user_script: 7: -READONLY You can't write against a read only": {true, "read-only replica"},
		"NOREPLICAS Not enough good replicas to write.":                                                                           {true, "min-replicas-to-write"},
		"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.":                        {true, "disk"},
		"LOADING Redis is loading the dataset in memory":                                                                          {true, "wait"},
		"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.":                                        {true, "master"},
		"CLUSTERDOWN The cluster is down":                                                                                         {true, "cluster"},
		"TRYAGAIN Multiple keys request during rehashing of slot":                                                                 {true, "moves keys"},
		"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.":                                  {true, "SCRIPT KILL"},
		"ERR max number of clients reached":                                                                                       {true, "maxclients"},
		"NOAUTH Authentication required.":                                                                                         {false, "set them"},
		"WRONGPASS invalid username-password pair or user is disabled.":                                                           {false, "correct"},
		"NOPERM User worker has no permissions to run the 'hset' command":                                                         {false, "ACL"},
		"ERR The user executing the script can't run this command or subcommand script: 4a, on @user_script:3.":                   {false, "ERR"},
		"WRONGTYPE Operation against a key holding the wrong kind of value, which is not MISCONF":                                 {false, "WRONGTYPE"},
		"connection refused": {false, "connection refused"},
	} {
		err := classify(t.Context(), errors.New(text))
		require.Equal(t, c.full, errors.Is(err, job.ErrFull), text)
		require.ErrorContains(t, err, c.says)
		require.ErrorContains(t, err, text, "the server's words stay")
	}
	require.NoError(t, classify(t.Context(), nil))
	ended, end := context.WithCancel(t.Context())
	end()
	require.ErrorIs(t, classify(ended, errors.New("OOM")), context.Canceled)
}

// A server that answers reads may refuse writes in several ways. Every call that writes
// reports each of them as full, and so does a probe. Nothing is lost, and the job continues
// afterwards.
func TestServerThatRefusesWrites(t *testing.T) {
	s := redistest.Start(t)
	if s == nil {
		return
	}
	l := open(t, s.URL)
	do := func(args ...any) { require.NoError(t, l.control.Do(t.Context(), args...).Err()) }
	for name, c := range map[string]struct{ begin, end []any }{
		"READONLY":   {[]any{"replicaof", "127.0.0.1", "1"}, []any{"replicaof", "no", "one"}},
		"NOREPLICAS": {[]any{"config", "set", "min-replicas-to-write", "1"}, []any{"config", "set", "min-replicas-to-write", "0"}},
		"OOM":        {[]any{"config", "set", "maxmemory", "1"}, []any{"config", "set", "maxmemory", "0"}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			for _, chunk := range []int{100, 3} { // one chunk, by a script alone; and several chunks
				lay := ledgertest.Layout(7, chunk, 2)
				train(t, l, lay, 0, 2)
				require.NoError(t, l.Probe(ctx, lay))
				do(c.begin...)
				errs := map[string]error{"Probe": l.Probe(ctx, lay)}
				_, errs["Put"] = l.Put(ctx, lay, 2, 2, ledgertest.Partial(lay, 2, 2))
				_, _, errs["Append"] = l.Append(ctx, lay, ledger.LogWrite{Step: 2, Chunks: lay.AllChunks(), Root: ledgertest.Partial(lay, 2, tree.Root), Before: ledgertest.Chain(lay, 2)})
				errs["PutSnapshot"] = l.PutSnapshot(ctx, lay, snapshot(lay, 2))
				errs["CommitBatch"] = l.CommitBatch(ctx, lay, ledger.BatchCommit{From: 2, Sums: []ledger.Sums{{}}, Snapshot: snapshot(lay, 3)})
				_, errs["PutEvaluation"] = l.PutEvaluation(ctx, lay, 2, "u", []byte("x"))
				do(c.end...)
				for call, err := range errs {
					require.ErrorIs(t, err, job.ErrFull, call)
					require.ErrorContains(t, err, "redis cannot be written: ", call)
					require.ErrorContains(t, err, name, call)
				}
				require.NoError(t, l.Probe(ctx, lay))
				train(t, l, lay, 2, 4)
				requireTrained(t, l, lay, 0, 4)
				require.NoError(t, l.Delete(ctx, lay))
			}
		})
	}
}

// A full server must be able to delete a log whose snapshot is stored: that frees memory.
func TestFullServerTrimsItsLog(t *testing.T) {
	s := redistest.Start(t)
	if s == nil {
		return
	}
	l := open(t, s.URL)
	eachLayout(t, func(t *testing.T, lay ledger.Layout) {
		ctx := t.Context()
		full := func(bytes string) { require.NoError(t, l.control.ConfigSet(ctx, "maxmemory", bytes).Err()) }
		train(t, l, lay, 0, 4)
		require.NoError(t, l.putChunks(ctx, lay, snapshot(lay, 3)))
		full("1")
		newest, err := l.makeNewest(ctx, lay, 3, false)
		require.NoError(t, err)
		require.NoError(t, l.trimAll(ctx, lay, newest))
		full("0")
		requireState(t, l, lay, ledger.State{Committed: 4, Snapshot: 3, Floor: 3})
		train(t, l, lay, 4, 6)
		require.NoError(t, l.putChunks(ctx, lay, snapshot(lay, 8)))
		full("1")
		pipe := l.pipeline(0)
		k := keysOf(lay)
		batch := pipe.run(ctx, batchScript, []string{k.control(), k.losses(), k.pending(), k.evaluation(ledger.History)},
			6, 8, append(lossEntry(ledger.Sums{}), lossEntry(ledger.Sums{})...), jobLife.Milliseconds(), string(lay.Plan))
		require.NoError(t, pipe.exec(ctx))
		reply, err := batch.Int64Slice()
		require.NoError(t, err)
		require.Equal(t, int64(1), reply[0])
		require.NoError(t, l.trimAll(ctx, lay, 8))
		full("0")
		requireState(t, l, lay, ledger.State{Committed: 8, Snapshot: 8, Floor: 8})
		require.NoError(t, l.Delete(ctx, lay))
	})
}

// When the server is full, the next snapshot replaces the entries that the last trim left.
func TestSnapshotThatNeedsWhatLingers(t *testing.T) {
	s := redistest.Start(t)
	if s == nil {
		return
	}
	l, ctx := open(t, s.URL), t.Context()
	lay := ledgertest.Layout(1<<20, 64<<10, 2) // 4 MiB for each vector
	memory := func() int64 {
		room, err := l.Room(ctx)
		require.NoError(t, err)
		return room.Used
	}
	chain := lay.Genesis()
	var err error
	for step := range int64(8) {
		_, chain, err = l.Append(ctx, lay, ledger.LogWrite{Step: step, Chunks: lay.AllChunks(), Root: ledgertest.Partial(lay, step, tree.Root), Before: chain})
		require.NoError(t, err)
	}
	require.NoError(t, l.PutSnapshot(ctx, lay, snapshot(lay, 8)), "every other entry stays")
	_, _, err = l.Append(ctx, lay, ledger.LogWrite{Step: 8, Chunks: lay.AllChunks(), Root: ledgertest.Partial(lay, 8, tree.Root), Before: chain})
	require.NoError(t, err)
	limit := memory() + 2<<20
	require.NoError(t, l.control.ConfigSet(ctx, "maxmemory", strconv.FormatInt(limit, 10)).Err())
	room, err := l.Room(ctx)
	require.NoError(t, err)
	require.Equal(t, limit, room.Limit)
	require.NoError(t, l.PutSnapshot(ctx, lay, snapshot(lay, 9)), "the log of 4 steps makes room")
	requireState(t, l, lay, ledger.State{Committed: 9, Snapshot: 9, Floor: 9})
	require.Less(t, memory(), limit)
}

// Probe writes to the nodes of a cluster that hold the job's chunks, and Room counts the
// memory of all masters.
func TestProbeAndRoomOfACluster(t *testing.T) {
	urls := redistest.Cluster(t, 3)
	if urls == "" {
		return
	}
	l, ctx := open(t, urls), t.Context()
	lay := ledgertest.Layout(90, 1, 2)
	chunks, err := l.masters(ctx, lay)
	require.NoError(t, err)
	require.Len(t, chunks, 3)
	require.NoError(t, l.Probe(ctx, lay))
	room, err := l.Room(ctx)
	require.NoError(t, err)
	require.Zero(t, room.Limit)
	require.Positive(t, room.Used)
}
