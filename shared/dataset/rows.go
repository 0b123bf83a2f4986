package dataset

import (
	"fmt"
	"maps"
	"slices"

	"tributary/shared/job"
)

// ParseRow makes raw values of one JSON row: an array of the columns' values
// in order, an object keyed by column name (a column left out is missing; the
// label's is ignored), or, with a single column, the bare value.
func (p *Preprocessing) ParseRow(row any) ([]Value, error) {
	switch row := row.(type) {
	case []any:
		return p.parseArray(row)
	case map[string]any:
		return p.parseObject(row)
	default:
		if len(p.Columns) != 1 {
			return nil, fmt.Errorf("row is %s: want an array of %d values or an object: %w", jsonKind(row), len(p.Columns), job.ErrInvalid)
		}
		return p.parseArray([]any{row})
	}
}

func (p *Preprocessing) parseArray(row []any) ([]Value, error) {
	if len(row) != len(p.Columns) {
		return nil, fmt.Errorf("row of %d values: the model takes %d: %w", len(row), len(p.Columns), job.ErrInvalid)
	}
	values := make([]Value, len(row))
	for i, x := range row {
		v, err := FromJSON(x)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", p.Columns[i].Name, err)
		}
		values[i] = v
	}
	return values, nil
}

func (p *Preprocessing) parseObject(row map[string]any) ([]Value, error) {
	values := make([]Value, len(p.Columns))
	used := 0
	for i, c := range p.Columns {
		x, ok := row[c.Name]
		if !ok {
			continue
		}
		used++
		v, err := FromJSON(x)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", c.Name, err)
		}
		values[i] = v
	}
	if _, ok := row[p.Label.Name]; ok {
		used++
	}
	if used == len(row) {
		return values, nil
	}
	known := make(map[string]bool, len(p.Columns))
	for _, c := range p.Columns {
		known[c.Name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(row)) {
		if !known[name] && name != p.Label.Name {
			return nil, fmt.Errorf("column %.80q: the model has no such column; it takes %s: %w", name, p.columnList(), job.ErrInvalid)
		}
	}
	return values, nil
}

// columnList names the columns in a message, the first few of many.
func (p *Preprocessing) columnList() string {
	const shown = 12
	names := make([]string, 0, shown)
	for _, c := range p.Columns[:min(shown, len(p.Columns))] {
		names = append(names, c.Name)
	}
	if more := len(p.Columns) - len(names); more > 0 {
		return fmt.Sprintf("%q and %d more", names, more)
	}
	return fmt.Sprintf("%q", names)
}
