package redis

import (
	_ "embed" // the scripts

	goredis "github.com/redis/go-redis/v9"
)

// The scripts. The head of each file describes its arguments, its effect and its result.
var (
	//go:embed lua/arrive.lua
	arriveSource string
	//go:embed lua/seal.lua
	sealSource string
	//go:embed lua/commit.lua
	commitSource string
	//go:embed lua/newest.lua
	newestSource string
	//go:embed lua/batch.lua
	batchSource string
	//go:embed lua/raise.lua
	raiseSource string
	//go:embed lua/drop.lua
	dropSource string
	//go:embed lua/losses.lua
	lossesSource string

	arriveScript = newScript(arriveSource)
	sealScript   = newScript(sealSource)
	commitScript = newScript(commitSource)
	newestScript = newScript(newestSource)
	batchScript  = newScript(batchSource)
	raiseScript  = newScript(raiseSource)
	dropScript   = newScript(dropSource)
	lossesScript = newScript(lossesSource)
)

// script is a Lua source and its digest. A server that knows the script runs it by the
// digest.
type script struct{ source, digest string }

func newScript(source string) *script {
	return &script{source: source, digest: goredis.NewScript(source).Hash()}
}
