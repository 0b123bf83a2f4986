package spec

import reflected "github.com/invopop/jsonschema"

// addSplitRules adds the rules of [job.SplitSpec]. These are missing: fold is at most
// k_folds, and the column of group or time is another than the label's and the weight's.
func addSplitRules(s *reflected.Schema) {
	small := object{"anyOf": []any{having("validation", above0), having("test", above0)}}
	ways := []object{given("group"), given("time"), having("shuffle", constant(false)), having("stratify", constant(true))}
	rules := []any{object{
		"if": given("k_folds"),
		"then": object{"properties": object{
			"train": constant(0), "validation": constant(0), "test": object{"exclusiveMaximum": 1},
		}},
		"else": both(none("fold"), rule(small, having("train", above0))), // all 0 means that no split is given
	}}
	for i, a := range ways {
		for _, b := range ways[i+1:] {
			rules = append(rules, not(both(a, b)))
		}
	}
	s.Definitions["SplitSpec"].Extras = object{"allOf": rules}
}

// validated matches data that has a validation split.
func validated() object {
	return object{"anyOf": []any{
		given("validation"), given("validation_query"), having("split", having("validation", above0)), having("split", given("k_folds")),
	}}
}

// unnamed matches data whose rows are not split by a column.
func unnamed() object {
	return object{"properties": object{"split": none("group", "time")}}
}

// ofValidation returns the rules of a given validation source.
func ofValidation() []any {
	return []any{
		object{"dependentRequired": object{"validation_labels": []string{"validation"}}},
		rule(object{"anyOf": []any{given("validation"), given("validation_query")}}, object{"properties": object{"split": both(object{"properties": object{"validation": constant(0)}}, none("k_folds"))}}),
	}
}
