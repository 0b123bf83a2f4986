package sizing

// Measure runs the command without flags and output.
var Measure = (*Command).plan
