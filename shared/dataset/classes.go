package dataset

// ClassIndex finds the class of a label's text.
type ClassIndex struct {
	index   map[string]int
	numeric bool // every class is a number: 1.0 is class 1
}

// IndexClasses indexes the classes of a manifest or a model.
func IndexClasses(classes []string) *ClassIndex {
	c := &ClassIndex{index: make(map[string]int, len(classes)), numeric: len(classes) > 0}
	for i, name := range classes {
		c.index[name] = i
		if _, kind := ParseNumber(name); kind != Finite {
			c.numeric = false
		}
	}
	return c
}

// Lookup returns the index of the class that a label's text names.
func (c *ClassIndex) Lookup(label string) (int, bool) {
	if i, ok := c.index[label]; ok {
		return i, true
	}
	if !c.numeric {
		return 0, false
	}
	x, kind := ParseNumber(label)
	if kind != Finite {
		return 0, false
	}
	i, ok := c.index[FormatNumber(x)]
	return i, ok
}
