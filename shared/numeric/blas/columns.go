package blas

// Absent stands for a column that a matrix does not have.
const Absent = -1

// run is neighbouring columns that are neighbours in both matrices, in one panel of p.
type run struct {
	lane, offset, n int // in the block of columns; in the data of p; columns
}

// runs splits a list of columns of p into runs, without the absent ones. It appends them to
// all.
func (p *Panels) runs(all []run, columns []int32) []run {
	nr := p.nr
	for j := 0; j < len(columns); {
		column := int(columns[j])
		if column < 0 {
			j++
			continue
		}
		n, most := 1, min(nr-column%nr, len(columns)-j)
		for n < most && int(columns[j+n]) == column+n {
			n++
		}
		all = append(all, run{j, column/nr*p.ps + column%nr, n})
		j += n
	}
	return all
}

// mostLanes is the width of the widest panel.
const mostLanes = 32

// Gather sets dst [Rows, len(columns)], row-major with stride width, to columns of p. An
// [Absent] column has the value absent. There are at most as many columns as a panel has.
func (p *Panels) Gather(dst []float32, width int, columns []int32, absent float32) {
	p.GatherRows(dst, width, columns, 0, p.Rows, absent)
}

// GatherRows does the same for rows lo to hi of p.
func (p *Panels) GatherRows(dst []float32, width int, columns []int32, lo, hi int, absent float32) {
	var room [mostLanes]run
	runs, left := p.runs(room[:0], columns), len(columns)
	for i := range runs {
		left -= runs[i].n
	}
	if left > 0 {
		for j, column := range columns {
			for to := j; column < 0 && to < (hi-lo)*width; to += width {
				dst[to] = absent
			}
		}
	}
	for i := range runs {
		u := &runs[i]
		copyRows(hi-lo, u.n, dst[u.lane:], width, p.data[u.offset+lo*p.nr:], p.nr)
	}
}

// copyRows copies rows of n floats. The strides are in floats. A row is two copies of a fixed
// length, which may overlap.
func copyRows(rows, n int, dst []float32, ldd int, src []float32, lds int) {
	to, from := 0, 0
	switch {
	case n == ldd && n == lds:
		copy(dst[:rows*n], src)
	case n > 16:
		for range rows {
			copy(dst[to:to+n], src[from:from+n])
			to, from = to+ldd, from+lds
		}
	case n >= 8:
		for range rows {
			d, s := dst[to:to+n], src[from:from+n]
			*(*[8]float32)(d) = *(*[8]float32)(s)
			*(*[8]float32)(d[n-8:]) = *(*[8]float32)(s[n-8:])
			to, from = to+ldd, from+lds
		}
	case n >= 4:
		for range rows {
			d, s := dst[to:to+n], src[from:from+n]
			*(*[4]float32)(d) = *(*[4]float32)(s)
			*(*[4]float32)(d[n-4:]) = *(*[4]float32)(s[n-4:])
			to, from = to+ldd, from+lds
		}
	case n >= 2:
		for range rows {
			d, s := dst[to:to+n], src[from:from+n]
			*(*[2]float32)(d) = *(*[2]float32)(s)
			*(*[2]float32)(d[n-2:]) = *(*[2]float32)(s[n-2:])
			to, from = to+ldd, from+lds
		}
	default:
		for range rows {
			dst[to] = src[from]
			to, from = to+ldd, from+lds
		}
	}
}

// Columns sets dst to the places of columns of p in its data, for row 0, and returns the data.
// Row r is r·Width() after it. An [Absent] column has the place [Absent].
func (p *Panels) Columns(dst, columns []int32) (data []float32) {
	for j, column := range columns {
		if dst[j] = Absent; column >= 0 {
			dst[j] = int32(int(column)/p.nr*p.ps + int(column)%p.nr)
		}
	}
	return p.data
}
