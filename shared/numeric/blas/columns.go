package blas

// Absent stands for a column that a matrix does not have.
const Absent = -1

// Gather sets dst [Rows, len(columns)], row-major with stride width, to columns of p. An
// [Absent] column has the value absent.
func (p *Panels) Gather(dst []float32, width int, columns []int32, absent float32) {
	nr := p.nr
	for j, column := range columns {
		if column < 0 {
			for r, to := 0, j; r < p.Rows; r, to = r+1, to+width {
				dst[to] = absent
			}
			continue
		}
		from := p.data[int(column)/nr*p.ps+int(column)%nr:]
		for r, at, to := 0, 0, j; r < p.Rows; r, at, to = r+1, at+nr, to+width {
			dst[to] = from[at]
		}
	}
}

// AddColumns adds the columns of src [Rows, len(columns)], row-major with stride width, to
// columns of p, in the order of src. It leaves out those that are [Absent].
func (p *Panels) AddColumns(columns []int32, src []float32, width int) {
	nr := p.nr
	for j, column := range columns {
		if column < 0 {
			continue
		}
		to := p.data[int(column)/nr*p.ps+int(column)%nr:]
		for r, at, from := 0, 0, j; r < p.Rows; r, at, from = r+1, at+nr, from+width {
			to[at] += src[from]
		}
	}
}
