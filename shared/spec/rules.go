package spec

import (
	reflected "github.com/invopop/jsonschema"

	"tributary/shared/job"
)

// object is a JSON object of a schema.
type object = map[string]any

// addRules adds to the schema those rules of [job.Spec.Validate] for more than one
// field that JSON Schema can express. So an editor or a program that checks a spec
// against the published schema finds these faults too. Decode does not use these rules,
// because Validate reports them in sentences.
//
// JSON Schema cannot express sums and comparisons of fields. So these rules are missing:
// the fractions of the splits sum to 1; there are no more micro-batches than rows in a
// batch; the size of a model; the units of the last layer; the label and the weight are two
// columns and are not dropped; the elements of inline rows fit each other; what
// data.columns says fits the label, and its formats of dates; the boundaries of a schedule
// rise, and their factors are one more; the warm-up is shorter than the job;
// no layer has a penalty if the optimizer clips norms; a metric fits the number of
// classes; what data.columns says fits the label, and its formats of dates; a monitored figure is one of the metrics; a least learning rate is at most the
// learning rate.
func addRules(s *reflected.Schema) {
	add := func(to *reflected.Schema, rules ...any) { to.Extras = object{"allOf": rules} }
	add(s, exactlyOne("epochs", "steps"), ofLoss(),
		rule(following(), object{"properties": object{"data": validated()}}),
		rule(given("threshold"), object{"properties": object{
			"loss": object{"enum": []any{string(job.SigmoidCrossEntropy), string(job.SoftmaxCrossEntropy)}}, "data": validated(),
		}}),
		rule(given("wire_keep"), object{"required": []string{"wire"}, "properties": object{"wire": constant(string(job.WireTopK))}}),
		rule(given("loss_delta"), having("loss", constant(string(job.Huber)))),
		rule(given("loss_quantile"), having("loss", constant(string(job.Quantile)))),
		rule(having("label_smoothing", above0), both(having("loss", constant(string(job.SoftmaxCrossEntropy))), none("class_weights"))),
		rule(having("focal_gamma", above0), both(ofClasses(), not(having("label_smoothing", above0)))),
		rule(given("class_weights"), ofClasses()),
		rule(having("loss", object{"enum": []any{string(job.Poisson), string(job.MultilabelCrossEntropy)}}),
			object{"properties": object{"data": object{"properties": object{"transform": object{"properties": object{"label": constant("none")}}}}}}),
		rule(having("loss", constant(string(job.SigmoidCrossEntropy))),
			object{"properties": object{"metrics": not(object{"contains": constant(string(job.Top5))})}}))
	add(s.Definitions["Data"], ofData()...)
	comma := having("decimal", constant(","))
	add(s.Definitions["CSVOptions"], rule(having("thousands", constant(".")), comma), rule(having("thousands", constant(",")), not(comma)))
	add(s.Definitions["ColumnSpec"], object{"if": having("type", constant(string(job.DateColumn))), "then": given("parts"), "else": none("parts", "as", "format")},
		rule(given("hash"), having("type", constant(string(job.CategoryColumn)))))
	add(s.Definitions["Evaluation"], notBoth("every_epochs", "every_steps"))
	add(s.Definitions["Init"], notBoth("scheme", "from"))
	add(s.Definitions["Transform"], object{"properties": object{"scale": not(object{"const": object{"divide": 0}})}})
	addSplitRules(s)
	optimizer := func(kind string, fields []string, rules ...any) {
		add(s.Definitions[kind], append(append([]any{inFloat32(append(fields, "learning_rate", "clip_norm", "clip_value", "ema_momentum")...)}, rules...),
			not(object{"allOf": []any{having("clip_norm", above0), having("clip_value", above0)}}),
			rule(having("decay_bias", constant(false)), having("weight_decay", above0)))...)
	}
	add(s.Definitions["Schedule"], scheduled()...)
	for _, name := range []string{"Dense", "Conv2D"} {
		add(s.Definitions[name], not(both(having("trainable", constant(false)), given("kernel_regularizer"))))
	}
	optimizer("SGD", []string{"momentum"}, rule(having("nesterov", constant(true)), having("momentum", above0)))
	optimizer("Adam", []string{"beta1", "beta2", "epsilon"})
	optimizer("RMSprop", []string{"alpha", "momentum", "epsilon"})
	optimizer("Adagrad", []string{"epsilon"})
	optimizer("Lion", []string{"beta1", "beta2"})
}

// following matches a job that follows the evaluations of its validation split.
func following() object {
	return object{"anyOf": []any{given("early_stopping"), having("schedule", given("reduce_on_plateau"))}}
}

// scheduled returns the rules of a schedule: at most one kind, and what does not go together.
func scheduled() []any {
	kinds := []string{"step", "exponential", "piecewise", "linear", "cosine", "one_cycle", "reduce_on_plateau"}
	var rules []any
	for i, a := range kinds {
		for _, b := range kinds[i+1:] {
			rules = append(rules, notBoth(a, b))
		}
	}
	return append(rules, notBoth("one_cycle", "warmup_steps"),
		object{"properties": object{"cosine": object{"dependentRequired": object{"restart_factor": []string{"steps"}}}}})
}

var above0 = object{"exclusiveMinimum": 0}

func constant(v any) object { return object{"const": v} }

// given matches an object that has a field; having matches an object whose field has a
// schema.
func given(field string) object { return object{"required": []string{field}} }

func having(field string, schema object) object {
	return object{"required": []string{field}, "properties": object{field: schema}}
}

func not(schema object) object { return object{"not": schema} }

func rule(condition, then object) object { return object{"if": condition, "then": then} }

func exactlyOne(a, b string) object { return object{"oneOf": []any{given(a), given(b)}} }

func notBoth(a, b string) object { return not(object{"required": []string{a, b}}) }

// none matches an object without any of the fields.
func none(fields ...string) object {
	var each []any
	for _, f := range fields {
		each = append(each, given(f))
	}
	return not(object{"anyOf": each})
}

// inFloat32 allows only numbers that do not become 0 or 1 when they are rounded to a
// 32-bit float, because the update is computed in 32-bit floats.
func inFloat32(fields ...string) object {
	const least, below1 = 1e-45, 0.99999997
	properties := object{}
	for _, f := range fields {
		switch f {
		case "clip_norm", "clip_value": // 0 means no limit
			properties[f] = object{"anyOf": []any{constant(0), object{"minimum": least}}}
		case "momentum", "ema_momentum", "alpha", "beta1", "beta2":
			properties[f] = object{"maximum": below1}
		default:
			properties[f] = object{"minimum": least}
		}
	}
	return object{"properties": properties}
}

// both matches what all schemas match.
func both(schemas ...any) object { return object{"allOf": schemas} }

// ofClasses matches a spec with a loss of classes.
func ofClasses() object {
	var losses []any
	for _, l := range job.Loss("").Allowed() {
		if job.Loss(l).Classifies() {
			losses = append(losses, l)
		}
	}
	return having("loss", object{"enum": losses})
}

// ofLoss returns the rules for losses: which fields go with classes and which with
// numbers.
func ofLoss() object {
	var classes, numbers []any
	for _, m := range job.Metric("").Allowed() {
		if job.Metric(m).Classifies() {
			classes = append(classes, m)
		} else {
			numbers = append(numbers, m)
		}
	}
	with := func(metrics []any, data object) object {
		return object{"properties": object{"metrics": object{"items": object{"enum": metrics}}, "data": object{"properties": data}}}
	}
	return object{
		"if":   ofClasses(),
		"then": with(classes, object{"label": object{"maxItems": 1}, "transform": object{"properties": object{"label": constant("none")}}}),
		"else": with(numbers, object{"split": object{"properties": object{"stratify": constant(false)}}}),
	}
}

// ofData returns the rules about which fields go with which format.
func ofData() []any {
	const (
		packed      = `(\.([gG][zZ]|[zZ][sS][tT]|[bB][zZ]2|[zZ][iI][pP]))?`
		csvName     = `\.[cCtT][sS][vV]` + packed
		jsonlName   = `\.([jJ][sS][oO][nN][lL]|[nN][dD][jJ][sS][oO][nN])` + packed
		parquetName = `\.[pP][aA][rR][qQ][uU][eE][tT]` + packed
		libsvmName  = `\.([lL][iI][bB][sS][vV][mM]|[sS][vV][mM]([lL][iI][gG][hH][tT])?)` + packed
		arrowName   = `\.([aA][rR][rR][oO][wW][sS]?|[fF][eE][aA][tT][hH][eE][rR])` + packed
		npyName     = `\.[nN][pP][yY]` + packed
		npzName     = `\.[nN][pP][zZ]`
		numpyName   = `(` + npyName + `|` + npzName + `)`
		idxName     = `(\.[iI][dD][xX][0-9]?|[-.][iI][dD][xX][0-9]-[a-zA-Z]+)` + packed
	)
	named := func(pattern string) object {
		return both(having("source", object{"pattern": nameOf(pattern)}), not(having("source", object{"pattern": database})))
	}
	is := func(format job.Format, pattern string) object {
		byName := object{"allOf": []any{not(given("format")), named(pattern)}}
		return object{"anyOf": []any{having("format", constant(string(format))), byName}}
	}
	sourced := func(condition, then object) object {
		return rule(object{"allOf": []any{given("source"), condition}}, then)
	}
	// labelled matches data whose source in a field has labels: it is an archive, or the other
	// field names them.
	labelled := func(source, labels string) object {
		return object{"anyOf": []any{given(labels), having(source, object{"pattern": npzName + "$"})}}
	}
	noDrop := object{"properties": object{"drop": object{"maxItems": 0}}}
	return append(append(ofPlaces(), ofValidation()...),
		exactlyOne("source", "inline"),
		object{"properties": object{"label": object{"uniqueItems": true}}},
		rule(given("inline"), both(none("format", "label", "labels", "weight", "test", "test_labels", "validation", "validation_labels", "csv", "columns", "sha256"), noDrop, unnamed())),
		rule(both(given("source"), not(given("format"))), object{"anyOf": []any{named(csvName), named(jsonlName), named(parquetName), named(arrowName), named(libsvmName), named(numpyName), named(idxName), inDatabase(), having("source", object{"pattern": "^" + job.DatasetPrefix})}}),
		sourced(is(job.CSV, csvName), both(given("label"), none("labels", "test_labels", "validation_labels"))),
		sourced(is(job.JSONL, jsonlName), both(given("label"), none("labels", "test_labels", "validation_labels", "csv"))),
		sourced(is(job.Parquet, parquetName), both(given("label"), none("labels", "test_labels", "validation_labels", "csv"))),
		sourced(is(job.Arrow, arrowName), both(given("label"), none("labels", "test_labels", "validation_labels", "csv"))),
		sourced(is(job.LIBSVM, libsvmName), none("labels", "test_labels", "validation_labels", "csv")),
		sourced(is(job.NumPy, numpyName), both(none("label", "weight", "csv", "columns"), noDrop, unnamed(),
			labelled("source", "labels"), rule(given("test"), labelled("test", "test_labels")), rule(given("validation"), labelled("validation", "validation_labels")))),
		rule(given("arrays"), both(given("source"), is(job.NumPy, numpyName))),
		rule(given("libsvm"), both(given("source"), is(job.LIBSVM, libsvmName))),
		sourced(is(job.IDX, idxName), both(given("labels"), none("label", "weight", "csv", "columns"), noDrop, unnamed(),
			rule(given("test"), given("test_labels")), rule(given("validation"), given("validation_labels")))),
		object{"dependentRequired": object{"test_labels": []string{"test"}}},
		rule(object{"anyOf": []any{given("test"), given("test_query")}}, object{"properties": object{"split": object{"properties": object{"test": constant(0)}}}}),
	)
}
