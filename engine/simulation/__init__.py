"""Teachers that are a model of teachers: lengths, pass rates, speed and faults by figures that were published."""
