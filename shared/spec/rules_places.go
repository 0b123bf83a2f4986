package spec

import "tributary/shared/job"

// database matches a source that is a database.
const database = `^(postgres(ql)?://|sqlite:)`

// nameOf matches a source whose name ends with a pattern, also before the parameters of a
// web address. A web address may end with the pattern in its parameters.
func nameOf(end string) string {
	return `(` + end + `$|^https?://[^?]*` + end + `\?)`
}

func inDatabase() object { return having("source", object{"pattern": database}) }

// ofPlaces returns the rules about which fields go with which place.
func ofPlaces() []any {
	sql := both(given("source"), object{"anyOf": []any{
		having("format", constant(string(job.SQL))),
		both(not(given("format")), inDatabase()),
	}})
	from, no := object{}, object{}
	for _, field := range []string{"source", "test", "labels", "test_labels", "validation", "validation_labels"} {
		from[field], no[field] = object{"pattern": database}, not(object{"pattern": database})
	}
	return []any{object{
		"if": sql,
		"then": both(given("label"), given("query"), none("labels", "test_labels", "validation_labels", "csv", "sha256"),
			object{"properties": from, "dependentRequired": object{"test": []string{"test_query"}, "validation": []string{"validation_query"}}}),
		"else": both(none("query", "test_query", "validation_query"), object{"properties": no}),
	}}
}
