package job

// Conv2D is a convolution: at each place of a window over an image, a dense layer of the
// window's numbers (LeCun et al., "Gradient-based learning applied to document recognition",
// 1998). The names of the fields are Keras'.
type Conv2D struct {
	Filters      int        `json:"filters" jsonschema:"required,minimum=1,maximum=1048576" jsonschema_description:"channels of the output"`
	KernelSize   Pair       `json:"kernel_size" jsonschema:"required" jsonschema_description:"height and width of the window"`
	Strides      Pair       `json:"strides,omitzero" jsonschema_description:"how far the window moves; default 1"`
	Padding      Padding    `json:"padding,omitzero" jsonschema_description:"zeros around the image: valid for none, same for an output of the size of the input divided by the strides, or a number of rows and columns on each side; default valid"`
	DilationRate Pair       `json:"dilation_rate,omitzero" jsonschema_description:"distance of the window's rows and columns; default 1"`
	Activation   Activation `json:"activation,omitempty" jsonschema:"default=none" jsonschema_description:"applied to each output"`
	Bias         *bool      `json:"bias,omitempty" jsonschema:"default=true" jsonschema_description:"add a trained constant to each filter's outputs"`
	Trainable    *bool      `json:"trainable,omitempty" jsonschema_description:"false: training leaves the layer's parameters as they are, as init.from gives them or the seed makes them; default true"`

	KernelRegularizer *Regularizer `json:"kernel_regularizer,omitempty" jsonschema_description:"a penalty on the weights, without the biases, as for dense"`
}

// Dense is the layer that is applied at each place of the window.
func (c *Conv2D) Dense() *Dense {
	return &Dense{Units: c.Filters, Activation: c.Activation, Bias: c.Bias, Trainable: c.Trainable, KernelRegularizer: c.KernelRegularizer}
}

// Window is the window.
func (c *Conv2D) Window() Window {
	return Window{Size: c.KernelSize, Strides: c.Strides, Dilation: c.DilationRate, Padding: c.Padding}
}

// Pooling2D makes one number of each place of a window, for each channel.
type Pooling2D struct {
	PoolSize Pair    `json:"pool_size,omitzero" jsonschema_description:"height and width of the window; default 2"`
	Strides  Pair    `json:"strides,omitzero" jsonschema_description:"how far the window moves; default: pool_size"`
	Padding  Padding `json:"padding,omitzero" jsonschema_description:"rows and columns around the image, as for conv2d; default valid"`
}

// Window is the window.
func (p *Pooling2D) Window() Window {
	return Window{Size: p.PoolSize, Strides: p.Strides, Padding: p.Padding}
}

// Nothing is a layer without settings.
type Nothing struct{}

// Images reports whether the layer is one for images.
func (l *Layer) Images() bool {
	return l.Conv2D != nil || l.MaxPooling2D != nil || l.AveragePooling2D != nil || l.GlobalMaxPooling2D != nil || l.GlobalAveragePooling2D != nil ||
		l.Flatten != nil || l.Reshape != nil
}

// Product returns the layer's weighted sums, with its name in a spec; nil if it has none.
func (l *Layer) Product() (name string, d *Dense) {
	switch {
	case l.Dense != nil:
		return "dense", l.Dense
	case l.Conv2D != nil:
		return "conv2d", l.Conv2D.Dense()
	default:
		return "", nil
	}
}
