package fleet

// Object is a JSON object of a spec.
type Object = map[string]any

// Dense returns the layers of a perceptron with these widths; the last layer is linear.
func Dense(activation string, units ...int) Object {
	var layers []any
	for i, u := range units {
		dense := Object{"units": u}
		if i < len(units)-1 {
			dense["activation"] = activation
		}
		layers = append(layers, Object{"dense": dense})
	}
	return Object{"layers": layers}
}

// Inline returns data inside the spec: rows of numbers with one label each. Every value
// is a function of its position.
func Inline(rows, features int) Object {
	x, y := make([][]float64, rows), make([]float64, rows)
	for i := range x {
		for j := range features {
			x[i] = append(x[i], float64((3*i+5*j)%7)/7)
		}
		y[i] = float64(i % 4)
	}
	return Object{"inline": Object{"x": x, "y": y}}
}

// Tiny returns a spec with a model of ten parameters: the time of a step is nearly all
// overhead.
func Tiny(steps, microbatches int) Object {
	return Object{
		"name": "tiny", "loss": "mse", "batch": max(4, microbatches), "microbatches": microbatches, "steps": steps,
		"data": Inline(max(4, microbatches), 9), "model": Dense("relu", 1), "optimizer": SGD(0.01),
	}
}

// SGD returns a spec's optimizer.
func SGD(rate float64) Object { return Object{"sgd": Object{"learning_rate": rate}} }

// Adam returns a spec's optimizer.
func Adam(rate float64) Object { return Object{"adam": Object{"learning_rate": rate}} }

// MNIST returns the spec of a perceptron on MNIST, whose files `make mnist` downloads. It
// leaves out the last, short batch of an epoch, as the peers do.
func MNIST(name string, optimizer Object, epochs, microbatches int, hidden ...int) Object {
	const folder = "deployments/data/mnist/"
	return Object{
		"name": name, "loss": "softmax_cross_entropy", "batch": 512, "microbatches": microbatches, "epochs": epochs, "drop_last": true, "seed": 42,
		"data": Object{
			"source": folder + "train-images-idx3-ubyte.gz", "labels": folder + "train-labels-idx1-ubyte.gz",
			"transform": Object{"scale": Object{"divide": 255}},
		},
		"model": Dense("relu", append(append([]int(nil), hidden...), 10)...), "optimizer": optimizer,
	}
}
