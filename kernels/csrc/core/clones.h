// Marks a function to be compiled for several instruction sets; the loader picks the best that the machine has.
#pragma once

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define REASONMILL_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define REASONMILL_CLONES
#endif
