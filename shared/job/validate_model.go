package job

import (
	"slices"
	"strings"
)

// layerKinds names every kind of layer, in alphabetical order.
var layerKinds = slices.Sorted(slices.Values((&Layer{
	Dense: &Dense{}, Activation: ReLU, LayerNorm: &Norm{}, RMSNorm: &Norm{}, GroupNorm: &GroupNorm{}, BatchNorm: &BatchNorm{}, Dropout: &Dropout{}, Residual: &Residual{},
	Reshape: []int{}, Conv2D: &Conv2D{}, MaxPooling2D: &Pooling2D{}, AveragePooling2D: &Pooling2D{},
	GlobalMaxPooling2D: &Nothing{}, GlobalAveragePooling2D: &Nothing{}, Flatten: &Nothing{},
}).Kinds()))

// validateModel checks that the last layer has the outputs that the loss needs. How many
// outputs the label's classes or columns need is known only after ingest.
func (s *Spec) validateModel(fs *faults) {
	m := &s.Model
	if m.Init.Scheme != "" && m.Init.From != "" {
		fs.at("model.init.from", "%.80q: scheme is given as well, want one of them", showSource(m.Init.From))
	}
	if wrong := CheckPlace(m.Init.From); wrong != "" {
		fs.at("model.init.from", "%s", wrong)
	}
	count := 0
	for path, l := range m.All() {
		if len(l.Kinds()) != 1 {
			fs.at(path, "want exactly one of %s", strings.Join(layerKinds, ", "))
		}
		if name, d := l.Product(); d != nil && d.KernelRegularizer != nil {
			s.validatePenalty(fs, path+"."+name, d)
		}
		if l.BatchNorm != nil {
			s.validateBatchNorm(fs, path+".batch_norm", l.BatchNorm)
		}
		if count++; count == maxLayers+1 {
			fs.at(path, "this is layer %d: want at most %d", count, maxLayers)
		}
	}
	last := len(m.Layers) - 1
	if last < 0 {
		fs.at("model.layers", "missing: want at least 1 layer")
		return
	}
	d := m.Layers[last].Dense
	if d == nil {
		if len(m.Layers[last].Kinds()) == 1 {
			fs.at(index("model.layers", last), "%s: want dense as the last layer", m.Layers[last].Kinds()[0])
		}
		return
	}
	path := index("model.layers", last) + ".dense"
	if s.Loss == MultilabelCrossEntropy && d.Activation != NoActivation {
		fs.at(path+".activation", "%q: with loss %s, which applies its own, want none", d.Activation, s.Loss)
	}
	if !s.Loss.Classifies() {
		switch {
		case s.Data.named() && d.Units != len(s.Data.Label) && len(s.Data.Label) > 1:
			fs.at(path+".units", "%d: the label has %d columns, want as many units", d.Units, len(s.Data.Label))
		case d.Units == 1:
		case s.Data.named() && len(s.Data.Label) < 2:
			fs.at(path+".units", "%d: the label has 1 column, want 1 unit", d.Units)
		case s.Data.Transform.Label.Method == "standard" && d.Units != len(s.Data.Label):
			fs.at("data.transform.label", "standard: it takes a label of one output, the last layer has %d units", d.Units)
		}
		return
	}
	if want := s.Loss.outputs(d.Units); want != "" {
		fs.at(path+".units", "%d: with loss %s %s", d.Units, s.Loss, want)
	}
	if d.Activation != NoActivation {
		fs.at(path+".activation", "%q: with loss %s, which applies its own, want none", d.Activation, s.Loss)
	}
}

// validateBatchNorm checks what a batch normalisation asks of the rest of the spec. A variance
// needs two rows.
func (s *Spec) validateBatchNorm(fs *faults, path string, n *BatchNorm) {
	if m := n.Momentum; !(m > 0 && m <= 1) {
		fs.at(path+".momentum", "%v: want a number above 0, up to 1", m)
	}
	if n.Frozen() {
		return
	}
	if s.Microbatches > 0 && s.Batch > 0 && s.Batch < 2*s.Microbatches {
		fs.at(path, "batch %d in %d microbatches: want at least 2 rows in each", s.Batch, s.Microbatches)
	}
	if s.Wire.Lossy() {
		fs.at(path, "wire %s rounds sums, which its running statistics do not stand: want wire float32, or layer_norm", s.Wire)
	}
}

// validatePenalty checks the penalty on the weights of a layer.
func (s *Spec) validatePenalty(fs *faults, path string, d *Dense) {
	path += ".kernel_regularizer"
	least032(fs, path+".l1", d.KernelRegularizer.L1)
	least032(fs, path+".l2", d.KernelRegularizer.L2)
	if d.Frozen() {
		fs.at(path, "trainable is false, so that it changes nothing: want one of them")
	}
	if c := s.Optimizer.Common(); c != nil && c.ClipNorm != 0 && d.Penalized() {
		fs.at(path, "the optimizer has clip_norm, want one of them (clip_value allows it)")
	}
}
