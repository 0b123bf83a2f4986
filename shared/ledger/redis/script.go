package redis

import (
	_ "embed" // the scripts

	goredis "github.com/redis/go-redis/v9"
)

// The scripts; the head of each file says what it takes, does and returns.
var (
	//go:embed lua/arrive.lua
	arriveSource string
	//go:embed lua/seal.lua
	sealSource string
	//go:embed lua/commit.lua
	commitSource string
	//go:embed lua/newest.lua
	newestSource string
	//go:embed lua/leap.lua
	leapSource string
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
	leapScript   = newScript(leapSource)
	raiseScript  = newScript(raiseSource)
	dropScript   = newScript(dropSource)
	lossesScript = newScript(lossesSource)
)

// script is a Lua source and the digest by which a server that has seen it
// calls it.
type script struct{ source, digest string }

func newScript(source string) *script {
	return &script{source: source, digest: goredis.NewScript(source).Hash()}
}
