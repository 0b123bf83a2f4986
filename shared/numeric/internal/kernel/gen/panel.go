package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

const signature = "func(m, k int, a *float32, rsa, csa, psa int, b *float32, rsb int, c *float32, rsc int, t *float32, rst, next int, use, mask uint64)"

// frame lists what a panel function keeps in registers from block to block. The number of
// rows left (m), the block of A (a) and the rows of T (t) stay in the memory of the
// arguments.
type frame struct {
	rsa, csa, rsb, c, rsc Register
}

// argument returns the memory of an argument.
func argument(name string) Mem {
	b, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// panel emits a function that computes m rows in blocks of mr rows, and then one block of
// the remaining rows. block emits the code of one block.
func panel(name, doc string, mr int, setup func(), block func(f frame, label string, rows int), finish func()) {
	TEXT(name, 0, signature)
	Pragma("noescape")
	Doc(name + " " + doc)
	setup()
	f := frame{
		rsa: Load(Param("rsa"), GP64()), csa: Load(Param("csa"), GP64()),
		rsb: Load(Param("rsb"), GP64()),
		c:   Load(Param("c"), GP64()), rsc: Load(Param("rsc"), GP64()),
	}
	Label("blocks")
	CMPQ(argument("m"), Imm(uint64(mr)))
	JL(LabelRef("rest"))
	if mr == 6 {
		four(f, block)
	}
	Label("whole")
	block(f, "full", mr)
	psa := Load(Param("psa"), GP64())
	ADDQ(psa, argument("a"))
	step := GP64()
	IMUL3Q(Imm(uint64(mr)), f.rsc, step)
	ADDQ(step, f.c)
	nextRows(mr)
	SUBQ(Imm(uint64(mr)), argument("m"))
	JMP(LabelRef("blocks"))
	Label("rest")
	m := Load(Param("m"), GP64())
	for rows := 1; rows < mr; rows++ {
		CMPQ(m, Imm(uint64(rows)))
		JE(LabelRef(fmt.Sprintf("rows%d", rows)))
	}
	Label("done")
	finish()
	RET()
	for rows := 1; rows < mr; rows++ {
		l := fmt.Sprintf("rows%d", rows)
		Label(l)
		block(f, l, rows)
		JMP(LabelRef("done"))
	}
}

// four emits a block of 4 rows if 7 to 9 are left, so that the remaining rows also have
// enough chains to fill the pipes. Blocks of packed rows stay whole.
func four(f frame, block func(f frame, label string, rows int)) {
	CMPQ(argument("m"), Imm(6))
	JE(LabelRef("whole"))
	CMPQ(argument("m"), Imm(9))
	JG(LabelRef("whole"))
	step := GP64()
	IMUL3Q(Imm(6), f.rsa, step)
	CMPQ(step, argument("psa"))
	JNE(LabelRef("whole"))
	block(f, "four", 4)
	step = GP64()
	LEAQ(Mem{Base: f.c, Index: f.rsc, Scale: 4}, f.c)
	MOVQ(f.rsa, step)
	SHLQ(Imm(2), step)
	ADDQ(step, argument("a"))
	nextRows(4)
	SUBQ(Imm(4), argument("m"))
	JMP(LabelRef("rest"))
}

// nextRows emits t ← t + the given number of rows of T.
func nextRows(rows int) {
	step := Load(Param("rst"), GP64())
	IMUL3Q(Imm(uint64(rows)), step, step)
	ADDQ(step, argument("t"))
}

// rowsOf returns registers that hold base, base + 3·stride, base + 6·stride, … for the
// given number of rows, and the operand of row i: base + i·stride + disp bytes.
func rowsOf(base, stride Register, rows int) (bases []Register, at func(i, disp int) Mem) {
	first := GP64()
	MOVQ(base, first)
	bases = []Register{first}
	for i := 3; i < rows; i += 3 {
		r := GP64()
		LEAQ(Mem{Base: bases[len(bases)-1], Index: stride, Scale: 2}, r)
		ADDQ(stride, r)
		bases = append(bases, r)
	}
	return bases, func(i, disp int) Mem {
		m := Mem{Base: bases[i/3], Disp: disp}
		if i%3 > 0 {
			m.Index, m.Scale = stride, uint8(i%3)
		}
		return m
	}
}

// unroll is how many steps of the chain are unrolled if a stride of A is 4 bytes. Without
// it, counters and pointers would take slots of the multiply-adds.
const unroll = 4

// products emits the loop over k. For every row i and vector j of a row, acc[i][j] ←
// fma(a[i], b[j], acc[i][j]). step emits this for one step of the chain.
func products(f frame, label string, rows int, step func(b Mem, a func(i int) Mem)) {
	k, b := Load(Param("k"), GP64()), Load(Param("b"), GP64())
	as, at := rowsOf(Load(Param("a"), GP64()), f.rsa, rows)
	rsb3 := GP64()
	LEAQ(Mem{Base: f.rsb, Index: f.rsb, Scale: 2}, rsb3)
	steps := func(a func(i, l int) Mem) {
		for l := range unroll {
			step(stepped(b, f.rsb, rsb3, l), func(i int) Mem { return a(i, l) })
		}
		LEAQ(Mem{Base: b, Index: f.rsb, Scale: unroll}, b)
	}
	SUBQ(Imm(unroll), k)
	JL(LabelRef(label + "rest"))
	CMPQ(f.rsa, Imm(4))
	JE(LabelRef(label + "columns"))
	CMPQ(f.csa, Imm(4))
	JNE(LabelRef(label + "rest"))
	Label(label + "k") // rows of A are contiguous
	steps(func(i, l int) Mem { return at(i, 4*l) })
	for _, r := range as {
		ADDQ(Imm(4*unroll), r)
	}
	SUBQ(Imm(unroll), k)
	JGE(LabelRef(label + "k"))
	JMP(LabelRef(label + "rest"))
	Label(label + "columns") // columns of A are contiguous
	csa3 := GP64()
	LEAQ(Mem{Base: f.csa, Index: f.csa, Scale: 2}, csa3)
	Label(label + "columnsk")
	steps(func(i, l int) Mem { return stepped(as[0], f.csa, csa3, l).Offset(4 * i) })
	LEAQ(Mem{Base: as[0], Index: f.csa, Scale: unroll}, as[0])
	SUBQ(Imm(unroll), k)
	JGE(LabelRef(label + "columnsk"))
	for i, r := range as[1:] {
		LEAQ(Mem{Base: as[i], Disp: 12}, r)
	}
	Label(label + "rest")
	ADDQ(Imm(unroll), k)
	JZ(LabelRef(label + "end"))
	Label(label + "restk")
	step(Mem{Base: b}, func(i int) Mem { return at(i, 0) })
	for _, r := range as {
		ADDQ(f.csa, r)
	}
	ADDQ(f.rsb, b)
	DECQ(k)
	JNZ(LabelRef(label + "restk"))
	Label(label + "end")
}

// stepped returns the operand at base + i·s for i < 4; s3 is 3·s.
func stepped(base, s, s3 Register, i int) Mem {
	m := Mem{Base: base}
	switch i {
	case 1, 2:
		m.Index, m.Scale = s, uint8(i)
	case 3:
		m.Index, m.Scale = s3, 1
	}
	return m
}

// The argument use is useLoad or 0, plus useAdd for each sum, as in package kernel.
const (
	useLoad = 1
	useAdd  = 2
)

// tiles emits acc[i][j] ← T[i][j] + acc[i][j] for the number of tiles in use. The tiles are
// those of a panel.
func tiles(label string, acc [][]Op, add func(m Mem, j int, v Op)) {
	n, t, rst := Load(Param("use"), GP64()), Load(Param("t"), GP64()), Load(Param("rst"), GP64())
	SHRQ(Imm(1), n) // the carry is useLoad
	JCC(LabelRef(label + "first"))
	ADDQ(argument("next"), t)
	Label(label + "first")
	TESTQ(n, n)
	JZ(LabelRef(label + "store"))
	Label(label + "tile")
	_, at := rowsOf(t, rst, len(acc))
	for i := range acc {
		for j, v := range acc[i] {
			add(at(i, 0), j, v)
		}
	}
	ADDQ(argument("next"), t)
	DECQ(n)
	JNZ(LabelRef(label + "tile"))
	Label(label + "store")
}

// firstTile returns the operands of T's rows in the block.
func firstTile(rows int) func(i, disp int) Mem {
	_, at := rowsOf(Load(Param("t"), GP64()), Load(Param("rst"), GP64()), rows)
	return at
}

// sums emits acc[i][j] ← C[i][j] + acc[i][j] if use is useAdd.
func sums(label string, acc [][]Op, add func(i, j int, v Op)) {
	CMPQ(argument("use"), Imm(useAdd))
	JNE(LabelRef(label + "store"))
	for i := range acc {
		for j, v := range acc[i] {
			add(i, j, v)
		}
	}
	Label(label + "store")
}

// accumulators returns rows × nv vectors. They are zeros, or, if use has useLoad, what load
// emits.
func accumulators(label string, rows, nv int, vec func() Op, load func(acc [][]Op)) [][]Op {
	acc := make([][]Op, rows)
	for i := range rows {
		for range nv {
			v := vec()
			zero(v)
			acc[i] = append(acc[i], v)
		}
	}
	TESTQ(U32(useLoad), argument("use"))
	JZ(LabelRef(label + "start"))
	load(acc)
	Label(label + "start")
	return acc
}
