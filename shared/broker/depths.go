package broker

import "context"

// Depths returns the number of messages in the task stream and in the stream of dead
// letters.
func (c *Conn) Depths(ctx context.Context) (tasks, dead uint64, err error) {
	for name, n := range map[string]*uint64{TaskStream: &tasks, DeadStream: &dead} {
		stream, err := c.js.Stream(ctx, name) // this asks the server
		if err != nil {
			return 0, 0, wrap("read the state of stream "+name, err)
		}
		*n = stream.CachedInfo().State.Msgs
	}
	return tasks, dead, nil
}
