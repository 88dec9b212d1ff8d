"""What a period teaches: labels, execution, lessons, biases, calibration, comparison, changes. Pure functions."""
