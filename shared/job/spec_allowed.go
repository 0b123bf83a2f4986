package job

// The allowed words of the spec, in the order in which they are shown to people. Both the
// published schema and the checks read these lists.

// Allowed lists the losses.
func (Loss) Allowed() []string {
	return list(SoftmaxCrossEntropy, SigmoidCrossEntropy, MSE, HalfSquaredError, AbsoluteError, Huber, Quantile, Poisson, MultilabelCrossEntropy)
}

// Allowed lists the wires.
func (Wire) Allowed() []string { return list(WireFloat32, WireBfloat16, WireInt8, WireTopK) }

// Allowed lists the metrics.
func (Metric) Allowed() []string {
	return list(Accuracy, RMSE, MAE, R2, AUC, LogLoss, Precision, Recall, F1, Brier, Top5, MAPE, AveragePrecision, ConfusionMatrix, CalibrationError)
}

// Allowed lists the activations.
func (Activation) Allowed() []string {
	return list(NoActivation, ReLU, Tanh, Sigmoid, GELU,
		GELUTanh, SiLU, Mish, Softplus, LeakyReLU, ReLU6, ELU, SELU, Softsign, HardSigmoid, HardSwish)
}

// Allowed lists the modes.
func (Mode) Allowed() []string { return list(Min, Max) }

// Allowed lists the schemes.
func (Scheme) Allowed() []string { return list(TorchUniform, GlorotUniform, Zeros) }

// Allowed lists the formats.
func (Format) Allowed() []string { return list(CSV, IDX, JSONL, Parquet, SQL, LIBSVM, NumPy, Arrow) }

// Allowed lists the ways to handle duplicates.
func (Duplicates) Allowed() []string { return list(KeepDuplicates, DropDuplicates) }

func list[S ~string](words ...S) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = string(w)
	}
	return out
}
