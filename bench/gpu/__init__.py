"""What only a GPU can tell: checks and figures of the kernels, each part in a process of its own (`make gpu-check`)."""
