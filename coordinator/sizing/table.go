package sizing

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/dustin/go-humanize"

	"tributary/coordinator/capacity"
)

// print writes the plan for people.
func (c *Command) print(out io.Writer, p *Plan) error {
	where := c.Redis
	if where == "" {
		where = "an embedded server, which is slower than a real one"
	} else {
		where = "the given server"
	}
	fmt.Fprintf(out, "%s parameters, batches of %s rows in %d micro-batches, links of %s, %d slots a worker\n",
		humanize.Comma(int64(p.Job.Params)), humanize.Comma(int64(p.Job.Batch)), p.Job.Microbatches, c.Bandwidth, p.Slots)
	fmt.Fprintf(out, "measured here: a micro-batch %s, a fold %s; a gradient into Redis %s, out of it %s (%s); assumed: %s more for each step, %s more for each further task\n\n",
		formatSeconds(p.Costs.Microbatch), formatSeconds(p.Costs.Fold), formatSeconds(p.Costs.Put), formatSeconds(p.Costs.Get), where, formatSeconds(p.Costs.Queue), formatSeconds(p.Costs.Task))
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "workers\ttasks\tinto Redis\tout of Redis\tcompute\tcommunication\toverhead\tstep\tsamples/s\tspeed-up\t")
	for _, s := range p.Steps {
		fmt.Fprintf(w, "%d\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%.2f\t\n", s.Workers, s.Tasks,
			humanize.IBytes(uint64(s.In)), humanize.IBytes(uint64(s.Out)), formatSeconds(s.Compute), formatSeconds(s.Communication), formatSeconds(s.Queue), formatSeconds(s.Seconds()),
			humanize.CommafWithDigits(s.Samples, 0), s.Samples/p.Steps[0].Samples)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(out, "\n%s\n", verdict(p, c.Workers))
	return err
}

// verdict returns a text that says how many workers help.
func verdict(p *Plan, limit int) string {
	why := map[capacity.Bound]string{
		capacity.Microbatches: "a batch has no more than " + strconv.Itoa(p.Job.Microbatches) + " micro-batches to split over them",
		capacity.Redis:        "gradients through Redis take most of the time",
		capacity.Bandwidth:    "gradients over the links take most of the time",
		capacity.Queue:        "a step's overhead takes most of the time",
	}[p.Bound]
	if p.Bound == capacity.Compute {
		return fmt.Sprintf("All %d workers help; more workers may help too.", limit)
	}
	return fmt.Sprintf("More than %s do not help: %s. A job finds this out by itself and does not use the others.", plural(p.Useful), why)
}

func plural(workers int) string {
	if workers == 1 {
		return "1 worker"
	}
	return strconv.Itoa(workers) + " workers"
}

// formatSeconds formats seconds with three digits.
func formatSeconds(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	unit := time.Nanosecond
	for 1000*unit <= d {
		unit *= 10
	}
	return d.Round(unit).String()
}
