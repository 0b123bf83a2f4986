package spec

import (
	"fmt"

	"tributary/shared/job"
)

// Object reads an object from YAML or JSON with the same bounds as a spec, for texts that
// contain a spec. It checks no field; the field spec may have inline rows.
func Object(data []byte) (map[string]any, error) {
	root, err := read(data)
	if err != nil {
		return nil, err
	}
	object, ok := root.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: want an object: %w", show(root), job.ErrInvalid)
	}
	return object, nil
}
