package job

// The values of the spec's words, in the order in which they are told to
// people. The published schema and the checks both read these.

// Allowed lists the losses.
func (Loss) Allowed() []string {
	return list(SoftmaxCrossEntropy, SigmoidCrossEntropy, MSE, HalfSquaredError)
}

// Allowed lists the wires.
func (Wire) Allowed() []string { return list(WireFloat32, WireBfloat16, WireInt8, WireTopK) }

// Allowed lists the metrics.
func (Metric) Allowed() []string { return list(Accuracy, RMSE, MAE, R2, AUC, LogLoss) }

// Allowed lists the activations.
func (Activation) Allowed() []string { return list(NoActivation, ReLU, Tanh, Sigmoid, GELU) }

// Allowed lists the schemes.
func (Scheme) Allowed() []string { return list(TorchUniform, GlorotUniform, Zeros) }

// Allowed lists the formats.
func (Format) Allowed() []string { return list(CSV, IDX) }

// Allowed lists what can be done with duplicates.
func (Duplicates) Allowed() []string { return list(KeepDuplicates, DropDuplicates) }

// Allowed lists the encodings.
func (Encoding) Allowed() []string { return list(OneHot) }

func list[S ~string](words ...S) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = string(w)
	}
	return out
}
