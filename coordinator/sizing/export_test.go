package sizing

// Measure is the command without its surroundings.
var Measure = (*Command).plan
